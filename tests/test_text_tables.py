"""Tables of text: as wide as their cells, by what a terminal takes for each letter."""

from __future__ import annotations

import pytest

from thinscope.report.render import BATCH, Page
from thinscope.report.render.text.screen import Screen

ROWS = [("日本語", "1,000", "x"), ("[b]a[/b]", "2", ""), (":smile:", "", "z")]
TABLE = """\
name           n
日本語     1,000   x
[b]a[/b]       2
:smile:            z
"""


def table(*, colour: bool, rows: list[tuple[str, ...]]) -> str:
    screen = Screen(Page(width=10, colour=colour))
    return "".join(screen.table(rows, ("name", "n", ""), (0, 2)))


def test_a_table() -> None:
    """Wide letters take two columns, nothing is markup, no line ends with spaces or is cut."""
    assert table(colour=False, rows=ROWS) == TABLE


def test_only_the_header_has_colour() -> None:
    header, rest = table(colour=True, rows=ROWS).split("\n", 1)
    assert header == "\x1b[2mname           n\x1b[0m"
    assert rest == TABLE.split("\n", 1)[1]


@pytest.mark.parametrize("count", [0, 1, BATCH - 1, BATCH, BATCH + 1, 2 * BATCH])
def test_every_row_is_there(count: int) -> None:
    rows = [(f"row {number}", str(number), "") for number in range(count)]
    _, *lines = table(colour=False, rows=rows).splitlines()
    assert [line.split() for line in lines] == [["row", str(at), str(at)] for at in range(count)]
