"""What two devices have in common and what not, line by line."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from rich.text import Text

from thinscope.report.render import BATCH, delta_words, words
from thinscope.report.render.head import head_facts
from thinscope.report.render.text.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thinscope.report.delta import Delta
    from thinscope.report.render import Page

__all__ = ["render"]

_LINE = "%-10s%15s%12s%18s%18s\n"
"""What any real block number needs; more widens one line only."""


def render(report: Delta, page: Page) -> Iterator[str]:
    """Yield the pieces, and at the end what they add up to, which tells that they are all."""
    screen = Screen(page)
    yield screen.header(report, map(Text, head_facts(report)))
    if view := words.snapshot_view(report):
        yield screen.sentence(view)
    for side in delta_words.sides(report):
        yield screen.sentence(side)
    if warning := delta_words.not_exact(report):
        yield screen.sentence(warning, label="note:", label_style="yellow")
    yield "\n" + _LINE % delta_words.COLUMNS
    lines = ((_LINE % delta_words.cells(row)).rstrip() + "\n" for row in report.pieces)
    while batch := "".join(islice(lines, BATCH)):
        yield batch
    yield "\n"
    yield from screen.table(delta_words.total_rows(report), delta_words.TOTAL_COLUMNS)
    for line in delta_words.beyond(report):
        yield screen.sentence(line)
    yield "\n" + screen.sentence(delta_words.total(report), "dim")
