"""Who holds blocks, line by line: a table whose widths do not wait for its last row."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from rich.text import Text

from thinscope.report.render import BATCH, owner_words, words
from thinscope.report.render.head import head_facts
from thinscope.report.render.text.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thinscope.report.owners import Owners
    from thinscope.report.render import Page

__all__ = ["render"]

_LINE = "%12s%10s%15s%10s   %s\n"
"""What any real block number and any time need; more widens one line only."""


def render(report: Owners, page: Page) -> Iterator[str]:
    """Yield the rows, what they add up to, and what nobody holds of what was asked for."""
    screen = Screen(page)
    yield screen.header(report, map(Text, head_facts(report)))
    for line in (words.snapshot_view(report), owner_words.asked_for(report)):
        if line:
            yield screen.sentence(line)
    yield "\n" + _LINE % owner_words.COLUMNS
    lines = map(_LINE.__mod__, map(owner_words.cells, report.owners))
    while batch := "".join(islice(lines, BATCH)):
        yield batch
    yield "\n" + screen.sentence(owner_words.total(report))
    if unheld := list(owner_words.unheld_rows(report)):
        yield "\n"
        yield from screen.table(unheld, owner_words.UNHELD_COLUMNS, words=(2,))
    if more := owner_words.more_unheld(report):
        yield screen.sentence(more, "dim")
