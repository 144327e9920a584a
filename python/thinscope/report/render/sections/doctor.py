"""A pool looked over: what needs attention, what is good to know, what is fine, what is next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thinscope.report.printable import printable
from thinscope.report.render.sections import Commands, Item, Sentence, Table
from thinscope.report.units import percent, size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thinscope.report.doctor import AdviceRow, Doctor
    from thinscope.report.overview import Space
    from thinscope.report.render.sections import Section

__all__ = ["sections"]

_IN_TABLE = {"data-room", "metadata-room"}
"""What is fine, and told by the table."""


def sections(report: Doctor) -> Iterator[Section]:
    """Yield the page, the most urgent first."""
    for severity in ("attention", "note"):
        yield from map(_item, report.of_severity(severity))
    if report.data is not None and report.metadata is not None and report.data.used is not None:
        columns = ("", "in use", "reserve", "free", "of", "")
        rows = [_space("data", report.data), _space("metadata", report.metadata)]
        yield Table(columns, rows)
    fine = [row.message for row in report.of_severity("fine") if row.code not in _IN_TABLE]
    if fine:
        yield Sentence(f"fine: {printable('; '.join(fine))}", is_aside=True)
    if report.next_step is None:
        yield Sentence("next: nothing has to be done")
    else:
        yield Sentence(f"next: {printable(report.next_step.why)}")
        yield Commands((report.next_step.command,))
    for what in report.avoid:
        yield Item("-", printable(what))


def _item(row: AdviceRow) -> Item:
    meaning = printable(row.meaning) if row.meaning else None
    return Item(f"{row.severity}:", printable(row.message), meaning, row.commands)


def _space(name: str, space: Space) -> tuple[str, ...]:
    """Return a row: what is free is what the kernel still gives out."""
    free = (space.total - (space.kernel_used or 0)) * space.block_bytes
    return (
        name,
        size(space.used_bytes or 0),
        size(space.reserve_bytes or 0),
        size(free),
        size(space.total_bytes),
        percent(space.kernel_used or 0, space.total),
    )
