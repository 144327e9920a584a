"""Text from outside, such as file names, made fit to be shown or stored.

A file name can hold terminal escapes, line breaks, bytes that are no UTF-8, or marks that turn
the direction of writing. Shown as they are, they could forge a line of output.
"""

from __future__ import annotations

import unicodedata

__all__ = ["printable", "utf8"]

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Cn", "Co"})
"""General categories that show nothing of their own, or not the same everywhere."""


def printable(text: str) -> str:
    r"""Return the text with all that would not be seen as visible escapes, such as ``\x1b``.

    Applying it again changes nothing: a backslash stays as it is.
    """
    return "".join(map(_visible, text))


def utf8(text: str) -> str:
    r"""Return the text with bytes of a file name that are no UTF-8 as escapes, such as ``\xff``."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _visible(character: str) -> str:
    if unicodedata.category(character) not in _HIDDEN:
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # noqa: PLR2004 - how Python keeps a byte that is no UTF-8
        code -= 0xDC00
    if code <= 0xFF:  # noqa: PLR2004 - one byte
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004
