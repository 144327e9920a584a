"""Text from outside, such as file names, made fit to be shown or stored.

A file name can hold terminal escapes, line breaks, bytes that are no UTF-8, or marks that turn
the direction of writing. Shown as they are, they could forge a line of output.
"""

from __future__ import annotations

import re
import shlex
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["printable", "shell_line", "shown", "utf8"]

_DIGEST = re.compile(r"\b(sha256:[0-9a-f]{12})[0-9a-f]{52}\b")

_SURROGATE = re.compile(r"[\ud800-\udfff]")

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Cn", "Co"})
"""General categories that show nothing of their own, or not the same everywhere."""


def printable(text: str) -> str:
    r"""Return the text with all that would not be seen as visible escapes, such as ``\x1b``.

    Applying it again changes nothing: a backslash stays as it is.
    """
    return "".join(map(_visible, text))


def shown(name: str) -> str:
    """Return a name fit to be shown, digests in it cut to what managers show of them."""
    return printable(_DIGEST.sub(r"\1", name))


def shell_line(words: Iterable[str]) -> str:
    r"""Return a command as it can be typed: bash gets just these words, whatever is in them.

    What would not be seen is written in bash's ``$'...'``. A name that no command line can hold,
    since it has a zero byte or is no text, makes a comment of the line.
    """
    words = list(words)
    try:
        line = " ".join(map(_shell_word, words))
    except UnicodeEncodeError:
        line = None
    if line is None or any("\0" in word for word in words):
        return f"# cannot be typed: {printable(shlex.join(words))}"
    return line


def _shell_word(word: str) -> str:
    if printable(word) == word:
        return shlex.quote(word)
    return "$'" + "".join(map(_in_dollar_quotes, word)) + "'"


def _in_dollar_quotes(character: str) -> str:
    if character in "\\'":
        return f"\\{character}"
    if _visible(character) == character:
        return character
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))


def utf8(text: str) -> str:
    r"""Return the text with all that is no UTF-8 as escapes.

    Bytes of a file name as ``\xff``, halves of a character, which JSON can hold, as ``\ud800``.
    """
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:
        return _SURROGATE.sub(lambda found: _visible(found[0]), text)


def _visible(character: str) -> str:
    if unicodedata.category(character) not in _HIDDEN:
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # noqa: PLR2004 - how Python keeps a byte that is no UTF-8
        code -= 0xDC00
    if code <= 0xFF:  # noqa: PLR2004 - one byte
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004
