"""Orphans."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thinscope.report.printable import printable
from thinscope.report.render.sections import Sentence, Table
from thinscope.report.units import plural, size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thinscope.report.orphans import OrphanRow, Orphans
    from thinscope.report.render.sections import Section

__all__ = ["sections"]


def sections(report: Orphans) -> Iterator[Section]:
    """Yield what the pool was compared with, and each orphan with its reason."""
    for names in report.names:
        of = f" of {printable(names.pool)}" if names.pool else ""
        records = plural(names.devices, "device")
        yield Sentence(
            f"records: {names.manager}{of}, {records}, in {printable(names.source)}",
            is_aside=True,
        )
        for unread in names.unread:
            yield Sentence(f"not read: {printable(unread)}", is_aside=True)
    if not report.orphans:
        yield Sentence("no orphans: every device is of an object, every record has its device")
        return
    yield Table(("", "frees", "mapped", "confidence"), _rows(report), words=(0, 3))
    for row in report.orphans:
        where = f" ({printable(row.where)})" if row.where else ""
        yield Sentence(f"{_called(row)}: {printable(row.reason)}{where}")
    if any(row.is_in_pool and row.confidence != "low" for row in report.orphans):
        yield Sentence(
            f"deleting those of high and medium confidence frees {size(report.reclaimable_bytes)}: "
            "`thinscope reclaim SOURCE --orphans` tells more",
            is_aside=True,
        )


def _rows(report: Orphans) -> Iterator[tuple[str, ...]]:
    for row in report.orphans:
        sizes = ("", "")
        if row.is_in_pool:
            sizes = size(row.reclaimable_bytes), size(row.mapped_bytes)
        yield f"{_called(row)}: {row.sort}", *sizes, row.confidence


def _called(row: OrphanRow) -> str:
    what = f"device {row.device}" if row.is_in_pool else f"record of device {row.device}"
    return f"{what} ({printable(_short(row.name))})" if row.name else what


def _short(name: str) -> str:
    most = 24
    return name if len(name) <= most else f"{name[:12]}..."
