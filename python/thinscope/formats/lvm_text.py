"""LVM's text metadata: what describes a volume group in backups, and on its physical volumes.

Sections ``name { ... }``, values ``key = 1``, ``"text"`` or ``[a, b]``, and ``#`` comments. The
head (``contents``, ``version``, ...) stands before the volume group in files and after it on
disks. A zero byte ends the text, as it does for LVM: in the ring buffer on a disk, what follows
is older. A value that is given twice counts as it was given last, and sections of one name are
joined; LVM writes neither.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

from thinscope.errors import NamesError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lark import Lark, Token
    from lark.parsers.lalr_interactive_parser import InteractiveParser

__all__ = ["DEPTH", "LIMIT", "Glance", "Section", "Value", "begins", "glance", "parse"]

LIMIT = 32 << 20
"""Bytes that a text can have: some 80,000 volumes; LVM's areas for it have 1 MiB by default."""

MOST_NAMES = 1_500_000
"""Values and sections in a text: 80,000 volumes have some 17 each. They take 250 bytes in memory."""

MOST_VALUES = 4_000_000
"""Numbers and strings in a text, those in lists included; they take some 50 bytes or more."""

DEPTH = 16
"""Sections inside one another; LVM needs five, for a message of a segment."""

DIGITS = 20
"""Digits of a number: those of 64 bits."""

Value: TypeAlias = "int | float | str | list[int | float | str] | Section"
Section: TypeAlias = "dict[str, Value]"

_GRAMMAR = r"""
start: _item*
_item: pair | section
pair: NAME "=" (INTEGER | FLOAT | TEXT | list)
section: NAME "{" _item* "}"
list: "[" (INTEGER | FLOAT | TEXT | ",")* "]"

NAME: /[^\s#={}\[\],"]+/
INTEGER: /[+-]?[0-9]+/
FLOAT: /[+-]?[0-9]*\.[0-9]*/
TEXT: /"[^"\\]*+(?:\\.[^"\\]*+)*+"/s
SKIPPED: /(?:\s++|#[^\n]*+)++/
%ignore SKIPPED
"""

_WORDS = {
    "NAME": "a name",
    "INTEGER": "a number",
    "FLOAT": "a number",
    "TEXT": "a string",
    "EQUAL": "'='",
    "LBRACE": "'{'",
    "RBRACE": "'}'",
    "LSQB": "'['",
    "RSQB": "']'",
    "COMMA": "','",
    "$END": "the end",
}

_VALUES = ("INTEGER", "FLOAT", "TEXT")

_HEAD = re.compile(
    rb"(?:\s++|#[^\n]*+)*+"
    rb'(?:contents\s*=\s*"Text Format Volume Group"'
    rb"|(?:version|description|creation_host|creation_time)\s*=.*"
    rb'^contents\s*=\s*"Text Format Volume Group"'
    rb'|[\w.+-]+\s*\{(?:\s++|#[^\n]*+)*+id\s*=\s*"[\w-]{38}")',
    re.DOTALL | re.MULTILINE,
)
_GROUP = re.compile(
    rb'^([\w.+-]+)\s*\{\s*id\s*=\s*"([^"\n]*)"\s*seqno\s*=\s*(\d{1,10})\s', re.MULTILINE
)
_WRITTEN = re.compile(rb"^creation_time\s*=\s*(\d{1,12})\s", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Glance:
    """What the beginning of a text tells of it.

    Attributes:
        name: The volume group's name.
        id: Its uuid, which stays when it is renamed.
        seqno: Which version of its metadata this is; each change adds one.
        written: When the text was written, in Unix time; 0 where the beginning does not tell.
    """

    name: str
    id: str
    seqno: int
    written: int


def begins(head: bytes) -> bool:
    """Whether this is the beginning of a volume group's text."""
    return _HEAD.match(head) is not None


def glance(head: bytes) -> Glance | None:
    """Return what the beginning of a text tells; None where it is not as LVM writes it."""
    group = _GROUP.search(head)
    if group is None:
        return None
    written = _WRITTEN.search(head)
    name, uuid = (part.decode("utf-8", "surrogateescape") for part in group.group(1, 2))
    return Glance(name, uuid, int(group[3]), int(written[1]) if written else 0)


def parse(data: bytes, source: str | None = None) -> Section:
    """Return the sections and values of a text.

    Args:
        data: The text; bytes that are no UTF-8 are kept as lone surrogates.
        source: What messages call it.

    Raises:
        NamesError: It breaks the grammar, is too large, or is nested too deep.
    """
    from lark.exceptions import UnexpectedCharacters, UnexpectedToken  # noqa: PLC0415 - takes long

    if len(data) > LIMIT:
        raise NamesError(f"larger than {LIMIT} bytes, which no such text is", source=source)
    text = data.partition(b"\0")[0].decode("utf-8", "surrogateescape")
    parser: Any = _parser().parse_interactive(text)  # not all of it is typed
    try:
        parsed: Section = parser.feed_eof(_fed(parser, source))
    except UnexpectedToken as error:
        found = "the end" if error.token.type == "$END" else _short(str(error.token))
        line = error.line
    except UnexpectedCharacters as error:
        rest = text[error.pos_in_stream or 0 :]
        found = "a string without an end" if rest.startswith('"') else _short(rest[:1])
        line = error.line
    else:
        return parsed
    expected = " or ".join(
        dict.fromkeys(_WORDS[name] for name in _WORDS if name in parser.accepts())
    )
    raise NamesError(f"expected {expected}, found {found}", source=source, where=f"line {line}")


def _fed(parser: InteractiveParser, source: str | None) -> Token | None:
    """Feed the parser with all tokens but the end, and return the last."""
    seen = dict.fromkeys(_WORDS, 0)
    token: Token | None = None
    for token in parser.iter_parse():
        seen[token.type] += 1
        wrong = _excess(token, seen)
        if wrong:
            raise NamesError(wrong, source=source, where=f"line {token.line}")
    return token


def _excess(token: Token, seen: dict[str, int]) -> str | None:
    """Return what there is too much of with a token, given how many of each kind there are."""
    match token.type:
        case "NAME" if seen["NAME"] > MOST_NAMES:
            return f"more than {MOST_NAMES} values and sections, which no such text has"
        case "LBRACE" if seen["LBRACE"] - seen["RBRACE"] > DEPTH:
            return f"more than {DEPTH} sections inside one another"
        case "INTEGER" if len(token) > DIGITS:
            return f"a number of more than {DIGITS} digits"
        case "INTEGER" | "FLOAT" | "TEXT" if sum(map(seen.__getitem__, _VALUES)) > MOST_VALUES:
            return f"more than {MOST_VALUES} numbers and strings, which no such text has"
    return None


@cache
def _parser() -> Lark:
    from lark import Lark, Transformer, v_args  # noqa: PLC0415 - takes long to load

    @v_args(inline=True)
    class Plain(Transformer["Token", "Section"]):
        """Values as they are read: no tree is ever built."""

        def INTEGER(self, token: str) -> int:  # noqa: N802 - a terminal
            return int(token)

        def FLOAT(self, token: str) -> float:  # noqa: N802 - a terminal
            return float(token) if any(map(str.isdecimal, token)) else 0.0

        def TEXT(self, token: str) -> str:  # noqa: N802 - a terminal
            text = token[1:-1]
            return re.sub(r'\\(["\\])', r"\1", text) if "\\" in text else text

        def list(self, *values: Value) -> tuple[Value, ...]:
            return values

        def pair(self, name: Token, value: Value | tuple[Value, ...]) -> tuple[str, object]:
            return str(name), list(value) if isinstance(value, tuple) else value

        def section(self, name: Token, *items: tuple[str, Value]) -> tuple[str, Section]:
            return str(name), _joined(items)

        def start(self, *items: tuple[str, Value]) -> Section:
            return _joined(items)

    return Lark(_GRAMMAR, parser="lalr", lexer="contextual", transformer=Plain())


def _joined(items: Iterable[tuple[str, Value]]) -> Section:
    section: Section = {}
    for name, value in items:
        there = section.get(name)
        if isinstance(there, dict) and isinstance(value, dict):
            there.update(value)
        else:
            section[name] = value
    return section


def _short(found: str) -> str:
    return ascii(found if len(found) <= 40 else found[:40] + "...")  # noqa: PLR2004 - fits a line
