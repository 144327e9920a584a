"""How scattered a pool is, on one screen, or some of its devices in full."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from rich.text import Text

from thinscope.report.render import fragmentation_words as words
from thinscope.report.render.head import head_facts
from thinscope.report.render.text.screen import Screen
from thinscope.report.render.words import snapshot_view
from thinscope.report.units import plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from thinscope.report.fragmentation import Fragmentation
    from thinscope.report.render import Page

__all__ = ["render"]

_TENTHS = 10


def render(report: Fragmentation, page: Page) -> Iterator[str]:
    """Yield the devices with most seeks, what is free, and how full the nodes are."""
    screen = Screen(page)
    devices = plural(len(report.devices), "device")
    yield screen.header(report, map(Text, [*head_facts(report), devices]))
    if view := snapshot_view(report):
        yield screen.sentence(view)
    if report.picture is not None:
        yield "\n"
        yield from _picture(report, screen, page)
    if report.devices:
        yield "\n"
        columns = words.device_columns(report, page.rows)
        yield from screen.table(words.device_rows(report, page.rows), columns)
        yield "\n"
        yield screen.sentence(words.MEANING, "dim")
    if where := words.where_more_are(report, page.rows):
        yield screen.sentence(where, "dim")
    if report.only:
        yield from _devices(report, screen)
    else:
        yield from _space(report, screen)
    if report.free is not None and report.free.largest:
        yield "\n"
        yield from screen.table(words.extent_rows(report), words.EXTENT_COLUMNS)


def _devices(report: Fragmentation, screen: Screen) -> Iterator[str]:
    for row in report.by_seeks:
        yield "\n" + screen.sentence(words.about_device(row))
        if row.runs:
            yield "\n"
            runs = words.length_rows(row.run_lengths)
            yield from screen.table(runs, words.RUN_COLUMNS, words=(0, 3))
            yield "\n"
            yield from screen.table(words.read_rows(row), words.READ_COLUMNS)


def _space(report: Fragmentation, screen: Screen) -> Iterator[str]:
    yield "\n" + screen.sentence(words.about_free(report))
    if report.free is not None and report.free.count:
        yield "\n"
        free = words.length_rows(report.free.lengths)
        yield from screen.table(free, words.FREE_COLUMNS, words=(0, 3))
    yield "\n"
    rows = _joined([words.NODE_COLUMNS, *words.node_rows(report)])
    yield from screen.table(rows[1:], rows[0])
    yield "\n"
    yield screen.sentence(words.about_nodes(report), "dim")


def _joined(rows: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    """Put the numbers of tenths, which are many and short, into one column."""
    tenths = [row[-_TENTHS:] for row in rows]
    widths = [max(map(len, column)) for column in zip(*tenths, strict=True)]
    return [(*row[:-_TENTHS], "  ".join(map(str.rjust, row[-_TENTHS:], widths))) for row in rows]


def _picture(report: Fragmentation, screen: Screen, page: Page) -> Iterator[str]:
    if report.picture is None:
        return
    for begin, cells in words.picture_lines(report.picture, page.width):
        line = Text(f"{begin}  ")
        for look, alike in groupby(map(words.LEGEND.__getitem__, cells)):
            line.append(look.character * len(list(alike)), look.style)
        yield screen.line(line)
    yield "\n"
    for look, amount in words.legend(report):
        meaning = f"  {look.meaning}: {amount}"
        yield screen.line(Text.assemble((look.character, look.style), meaning))
