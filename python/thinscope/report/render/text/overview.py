"""The first screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from thinscope.report.render import words
from thinscope.report.render.head import head_facts
from thinscope.report.render.text.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thinscope.report.overview import Overview
    from thinscope.report.render import Page

__all__ = ["render"]


def render(report: Overview, page: Page) -> Iterator[str]:
    """Yield the pool, its spaces, what needs attention, and its largest devices."""
    screen = Screen(page)
    verdict = Text(words.verdict(report), "bold red" if report.findings else "green")
    facts = [*words.names(report), *head_facts(report)]
    yield screen.header(report, [*map(Text, facts), verdict])
    if view := words.snapshot_view(report):
        yield screen.sentence(view)
    yield "\n"
    for finding in report.findings:
        yield screen.remark("finding", finding)
    for note in report.notes:
        yield screen.remark("note", note)
    if report.findings or report.notes:
        yield "\n"
    yield from screen.table(words.space_rows(report), words.SPACE_COLUMNS)
    yield screen.sentence(words.kernel_says(report), "dim")
    if promised := words.over_provisioning(report):
        yield screen.sentence(promised, "dim")
    yield "\n"
    if not report.largest_objects:
        yield screen.sentence(words.without_devices(report))
        return
    yield from screen.table(words.object_rows(report), words.OBJECT_COLUMNS)
    yield "\n"
    yield screen.sentence(words.columns_mean(report), "dim")
    if where := words.where_all_are(report):
        yield screen.sentence(where, "dim")
