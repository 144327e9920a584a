"""The runs of mappings, line by line: a table whose widths do not wait for its last row."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from rich.text import Text

from thinscope.report.render import BATCH, words
from thinscope.report.render.head import head_facts
from thinscope.report.render.text.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thinscope.report.mappings import Mappings
    from thinscope.report.render import Page

__all__ = ["render"]

_WIDTHS = (8, 15, 15, 12, 10)
"""What ids of 24 bits, any real block number and any time need; more widens one line only."""

_LINE = "".join(f"%{width}d" for width in _WIDTHS) + "\n"


def render(report: Mappings, page: Page) -> Iterator[str]:
    """Yield the runs, and at the end what they add up to, which tells that they are all."""
    screen = Screen(page)
    facts = head_facts(report)
    yield screen.header(report, map(Text, facts))
    for line in (words.snapshot_view(report), words.asked_for(report)):
        if line:
            yield screen.sentence(line)
    titles = zip(words.RUN_COLUMNS, _WIDTHS, strict=True)
    yield "\n" + "".join(title.rjust(width) for title, width in titles) + "\n"
    lines = map(_LINE.__mod__, map(words.run_cells, report.runs))
    while batch := "".join(islice(lines, BATCH)):
        yield batch
    yield "\n" + screen.sentence(words.total(report))
    if holes := words.holes(report):
        yield screen.sentence(holes, "dim")
