"""What deleting would give back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thinscope.report.printable import shown
from thinscope.report.remark import Remark
from thinscope.report.render.sections import Sentence, Table
from thinscope.report.units import count, plural, size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thinscope.report.reclaim import Reclaim, RefusalRow
    from thinscope.report.render.sections import Section

__all__ = ["sections"]

_REFUSALS = 10
"""Objects that are refused and told one by one, before it is said how many more there are."""

_NAMES = 5
"""Objects that a sentence names before it says how many more there are."""


def sections(report: Reclaim) -> Iterator[Section]:
    """Yield what comes free, by each alone, and who holds the rest."""
    for refusal in report.refusals[:_REFUSALS]:
        yield Remark("refused", _refused(refusal), _ADVICE if refusal.users else None)
    if (more := len(report.refusals) - _REFUSALS) > 0:
        yield Remark("refused", f"{plural(more, 'more object')} would not be deleted", None)
    if not report.objects:
        yield Sentence("nothing to delete")
        return
    yield Table(("deleting", "frees alone", "mapped"), _objects(report))
    yield Table(("together", "blocks", ""), _together(report))
    if not report.devices:
        yield Sentence("nothing comes free: all that these use is used by others as well")
    if report.is_metadata_snapshot and report.freed_blocks:
        yield Sentence("freed once the metadata snapshot is released: it keeps all of it till then")
    if report.collected:
        yield Sentence(f"goes with them: {_listed(report.collected)}", is_aside=True)
    if report.holders:
        rows = ((shown(row.title), count(row.blocks), size(row.bytes)) for row in report.holders)
        yield Table(("still held by", "blocks", ""), rows)
        if len(report.holders) > 1:
            yield Sentence("a block that several hold counts for each of them", is_aside=True)
    yield Sentence(_metadata(report), is_aside=True)


_ADVICE = "delete those as well, or first"


def _refused(refusal: RefusalRow) -> str:
    what = f"{shown(f'{refusal.kind} {refusal.name}')} would not be deleted: {refusal.why}"
    return f"{what} by {_listed(refusal.users)}" if refusal.users else what


def _objects(report: Reclaim) -> Iterator[tuple[str, str, str]]:
    for row in report.objects:
        name = shown(f"{row.kind} {row.name}")
        yield name, size(row.alone_bytes), size(row.mapped_bytes)


def _together(report: Reclaim) -> Iterator[tuple[str, str, str]]:
    yield "frees", count(report.freed_blocks), size(report.freed_bytes)
    if kept := report.kept_by_metadata_snapshot_blocks:
        kept_bytes = report.kept_by_metadata_snapshot_bytes
        yield "kept by the metadata snapshot", count(kept), size(kept_bytes)
    yield "still held by others", count(report.still_held_blocks), size(report.still_held_bytes)
    yield "mapped", count(report.mapped_blocks), size(report.mapped_bytes)


def _metadata(report: Reclaim) -> str:
    freed = plural(report.freed_metadata_blocks, "metadata block")
    sentence = f"{freed} ({size(report.freed_metadata_bytes)}) of mapping trees come free as well"
    if report.kept_metadata_blocks:
        kept = count(report.kept_metadata_blocks)
        sentence += f", {kept} more ({size(report.kept_metadata_bytes)}) with the metadata snapshot"
    return sentence


def _listed(names: tuple[str, ...]) -> str:
    told = [shown(name) for name in names[:_NAMES]]
    if len(names) > _NAMES:
        told.append(f"{count(len(names) - _NAMES)} more")
    return ", ".join(told)
