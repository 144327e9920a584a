"""What is missing of a report."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from thinscope.report.printable import printable
from thinscope.report.render.sections import Sentence, Table
from thinscope.report.render.words import device
from thinscope.report.units import count, plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thinscope.report.gaps import GapRow, Gaps
    from thinscope.report.render.sections import Section

__all__ = ["sections"]

_MOST_ROWS = 100


def sections(gaps: Gaps) -> Iterator[Section]:
    """Yield what is missing, device by device, and why."""
    if not gaps.are_any:
        yield Sentence("nothing is missing: no block that is needed is broken", is_aside=True)
        return
    yield Sentence(f"missing, since it is broken: {gaps.summary}")
    yield Sentence(
        "what is missing may hold blocks too: what only one device has, comes free or is leaked "
        "is at most what is told",
        is_aside=True,
    )
    for loss in gaps.losses:
        ids = f"devices {count(loss.first_device)} to {count(loss.last_device)}"
        what = (
            "their records are lost: blocks are counted, transactions not known"
            if loss.tree == "details tree"
            else "what is not listed elsewhere is missing"
        )
        yield Sentence(f"{ids}: {what} ({printable(loss.reason)})")
    if gaps.ranges:
        yield Table(("device", "virtual blocks", "broken block"), _rows(gaps), words=(0,))
        for reason, _ in groupby(gaps.ranges[:_MOST_ROWS], key=lambda row: row.reason):
            yield Sentence(printable(reason), is_aside=True)
    more = len(gaps.ranges) - _MOST_ROWS + gaps.more_ranges
    if more > 0:
        yield Sentence(f"and {plural(more, 'more range')}: `--format json` has them", is_aside=True)


def _rows(gaps: Gaps) -> Iterator[tuple[str, ...]]:
    for row in gaps.ranges[:_MOST_ROWS]:
        block = "" if row.block is None else str(row.block)
        yield device(row.device, row.name), _range(row), block


def _range(row: GapRow) -> str:
    return f"{row.begin}.." if row.end is None else f"{row.begin}..{row.end}"
