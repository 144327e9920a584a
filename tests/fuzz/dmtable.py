"""What ``dmsetup table`` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.conftest import FIXTURES
from tests.fuzz.judging import judge_error, judge_names, judge_text
from tests.fuzz.memory_file import MemoryFile
from thinscope.errors import NamesError
from thinscope.formats import dmtable
from thinscope.names import dmsetup

if TYPE_CHECKING:
    from collections.abc import Iterator

WORDS = [
    *(b": ", b" 0 ", b" thin ", b" thin-pool ", b" linear ", b"254:32", b"/dev/mapper/", b"-tpool"),
    *(b"\\x20", b"\\xff", b"18446744073709551615", b"error_if_no_space", b"-snap-", b"docker-"),
    *(
        b"\xe2\x80\xae",
        b"\x1b[2J",
        b"\xff",
        b"\0",
        b"\xd9\xa0",
        b"\x1d",
        b"\xe2\x80\xa8",
        b"--",
        b"-",
    ),
]
MOST = 2048
_FILE = MemoryFile()


def seeds() -> Iterator[bytes]:
    """Tables of captures."""
    for path in sorted(FIXTURES.glob("*-6.1/answers/*/table.txt")):
        yield path.read_bytes()[:MOST]
    yield b"empty:\na\\x20b: 0 9 thin /dev/mapper/p 1 7:3\np: 0 9 thin-pool 1:2 1:3 128 0 1 error_if_no_space"


def trial(data: bytes) -> None:
    """Parse it, write the lines and parse them again, and make names of them."""
    dmtable.begins(data)
    table = dmtable.parse(data)
    text = "\n".join(
        f"{each.name}: 0 {each.sectors} {each.kind} {' '.join(each.words)}" for each in table.lines
    )
    again = dmtable.parse(text.encode("utf-8", "surrogateescape"))
    assert [line[1:] for line in map(_plain, again.lines)] == [
        line[1:] for line in map(_plain, table.lines)
    ]
    assert not again.broken
    for line in table.lines:
        judge_text(dmtable.plain_name(line.name))
    _FILE.write(data)
    try:
        judge_names(dmsetup.read(_FILE.path))
    except NamesError as error:
        judge_error(error)


def _plain(line: dmtable.Line) -> tuple[object, ...]:
    return line.number, line.name, line.sectors, line.kind, line.words, line.target


def mutated(data: bytes, chosen: int) -> bytes | None:
    """Change a word, or take a line twice."""
    lines = data.split(b"\n")
    number = chosen % len(lines)
    words = lines[number].split(b" ")
    match chosen // 3 % 4:
        case 0:
            lines.insert(chosen // 5 % len(lines), lines[number])
        case 1:
            words[chosen // 5 % len(words)] = WORDS[chosen // 7 % len(WORDS)].strip()
            lines[number] = b" ".join(words)
        case 2:
            del words[chosen // 5 % len(words)]
            lines[number] = b" ".join(words)
        case _:
            return None
    return b"\n".join(lines)


def repaired(data: bytes) -> bytes:
    """Return it as it is: a table has no checksum."""
    return data
