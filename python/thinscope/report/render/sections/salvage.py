"""What is left of a pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thinscope.report.printable import printable, shown
from thinscope.report.render import words
from thinscope.report.render.sections import Sentence, Table
from thinscope.report.units import count, plural, size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thinscope.report.render.sections import Section
    from thinscope.report.salvage import DeletedRow, Salvage, StateRow

__all__ = ["sections"]

_NAMES = 3
"""Devices that a row names before it says how many more there are."""

_EXPLAINED = (
    "consistent: ids, counts, keys, heights and times fit, which is no proof; `--root N` reads a "
    "state with every command"
)


def sections(report: Salvage) -> Iterator[Section]:
    """Yield what was read, the states, the trees, and what was deleted."""
    yield from report.findings
    yield Sentence(_read(report))
    if report.states:
        columns = (
            "state",
            "root",
            "details",
            "devices",
            "mapped",
            "time",
            "transaction",
            "only there",
        )
        yield Table(columns, map(_state, report.states), words=(0, 7))
        if (more := report.states_found - len(report.states)) > 0:
            yield Sentence(f"and {plural(more, 'more state')}: `--all`")
        yield Sentence(_EXPLAINED, is_aside=True)
        for row in report.states:
            if row.misfits and not row.is_live:
                told = "; ".join(misfit.message for misfit in row.misfits)
                yield Sentence(f"root {row.root}: {told}", is_aside=True)
    else:
        yield Sentence("no state is left")
    if report.trees:
        yield Sentence("mapping trees that no list of devices names, or parts of such:")
        rows = (
            (
                str(row.root),
                *_mapped(row.mapped_blocks, row.mapped_bytes),
                f"{row.first_block}..{row.last_block}",
                str(row.time),
            )
            for row in report.trees
        )
        yield Table(("root", "mapped", "blocks", "virtual blocks", "time"), rows, words=(3,))
        if (more := report.trees_found - len(report.trees)) > 0:
            yield Sentence(f"and {plural(more, 'more tree')}: `--all`")
    yield from _deleted(report)


def _read(report: Salvage) -> str:
    blocks = report.blocks
    nodes = f"{count(blocks.top_level)} top-level, {count(blocks.details)} details and "
    nodes += f"{count(blocks.mapping)} mapping nodes"
    others = blocks.misplaced + blocks.broken + blocks.unknown + blocks.lost
    told = f"{plural(blocks.total, 'block')} read: {nodes}, {count(blocks.zero)} of zeros"
    if others:
        told += f", {count(others)} damaged or of something else"
    return f"{told}, {count(blocks.unreadable)} unreadable" if blocks.unreadable else told


def _state(row: StateRow) -> tuple[str, ...]:
    kind = row.verdict
    if row.is_live or row.is_metadata_snapshot:
        kind = "live" if row.is_live else "metadata snapshot"
        kind += "" if row.verdict == "consistent" else f", {row.verdict}"
    details = "" if row.details_root is None else str(row.details_root)
    mapped, _ = _mapped(row.mapped_blocks, row.mapped_bytes)
    only = [shown(name) for name in row.only_there[:_NAMES]]
    if (more := len(row.only_there) - _NAMES) > 0:
        only.append(f"{count(more)} more")
    return (
        kind,
        str(row.root),
        details,
        count(row.devices),
        mapped,
        str(row.time),
        str(row.transaction_id),
        ", ".join(only),
    )


def _mapped(blocks: int, size_bytes: int | None) -> tuple[str, str]:
    return (plural(blocks, "block") if size_bytes is None else size(size_bytes)), count(blocks)


def _deleted(report: Salvage) -> Iterator[Section]:
    if not report.deleted:
        yield Sentence("no device was found that was deleted")
        return
    yield Sentence("devices that were deleted, each with the best state that has it:")
    columns = ("device", "mapped", "created", "transaction", "root", "")
    yield Table(columns, map(_deleted_row, report.deleted), words=(0, 5))
    if not report.deleted_of_all_states:
        yield Sentence("not all states were looked at for them: there are too many", is_aside=True)
    first = report.deleted[0]
    source = printable(report.source)
    yield Sentence(
        f"`thinscope mappings {source} --root {first.state_root} --device {first.id}` shows the first",
        is_aside=True,
    )


def _deleted_row(row: DeletedRow) -> tuple[str, ...]:
    mapped, _ = _mapped(row.mapped_blocks, row.mapped_bytes)
    state = (
        "whole" if row.is_whole else f"{count(row.mapped_blocks)} of {count(row.recorded_blocks)}"
    )
    if not row.is_consistent:
        state += ", the state is plausible"
    return (
        words.device(row.id, row.name),
        mapped,
        str(row.creation_time),
        str(row.transaction_id),
        str(row.state_root),
        state,
    )
