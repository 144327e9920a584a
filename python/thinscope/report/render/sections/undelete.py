"""Devices that were deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thinscope.report.printable import printable, shell_line, shown
from thinscope.report.render.sections import Commands, Sentence, Table
from thinscope.report.render.words import device
from thinscope.report.units import count, plural, size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thinscope.report.render.sections import Section
    from thinscope.report.undelete import GradedRow, Undelete, UndeletedRow

__all__ = ["sections"]

_FEW = 4
_MOST_RUNS = 200

_GRADES = ("same", "used again", "held", "free", "leaked")
_GRADE_WORDS = {"reused": "used again", "unreached": "leaked"}
_RUN_COLUMNS = ("virtual block", "data block", "length", "time", "", "of")

_MEANING = (
    ("same", "a live device shares the block since then, so it holds what it held"),
    ("used again", "others wrote to it since"),
    ("held", "the metadata snapshot keeps it"),
    (
        "free",
        (
            "not proven, as a block that was discarded reads as zeros, and one that was used and freed "
            "once more looks the same"
        ),
    ),
    ("leaked", "nobody has it, and it is counted as used"),
)


def sections(report: Undelete) -> Iterator[Section]:
    """Yield the devices, what became of their blocks, and how to get at them."""
    of_devices = (row.why_not_graded for row in report.devices)
    for why in dict.fromkeys((report.why_not_live, *of_devices)):
        if why is not None:
            yield Sentence(
                f"what became of blocks is not known, as the live pool is damaged: {printable(why)}"
            )
    if report.unreadable_blocks:
        lost = plural(report.unreadable_blocks, "metadata block")
        yield Sentence(f"{lost} could not be read: there may be more devices, and more of these")
    if not report.devices:
        yield Sentence("no device was found that was deleted")
        return
    graded = [_sizes(row) for row in report.devices]
    # Most pools have neither a metadata snapshot nor leaked blocks: no empty columns.
    told = [at for at in range(len(_GRADES)) if any(sizes[at] for sizes in graded)]
    columns = ("device", "mapped", *(_GRADES[at] for at in told), "root", "")
    rows = (
        _row(row, [sizes[at] for at in told])
        for row, sizes in zip(report.devices, graded, strict=True)
    )
    yield Table(columns, rows, words=(0, len(columns) - 1))
    for row in report.devices:
        yield from _more(row)
    if told:
        meaning = [": ".join(_MEANING[at]) for at in told]
        yield Sentence("; ".join(meaning), is_aside=True)
    for row in report.devices:
        yield from _runs(row)
    if not report.are_all:
        yield Sentence("not all states were looked at: there are too many", is_aside=True)
    if any(row.grades is None and row.why_not_graded is None for row in report.devices):
        yield Sentence("`thinscope undelete SOURCE WHO` tells of those that were left out")
    yield Sentence("the content of the first, as far as it is there:")
    yield Commands((_export(report),))


def _export(report: Undelete) -> str:
    first = report.devices[0]
    words = ["thinscope", "export", report.source, str(first.id), "--root", str(first.state_root)]
    if not report.looked_at_data or report.data is not None:
        words += ["--data", report.data or "DATA"]
    return shell_line([*words, "-o", "FILE"])


def _sizes(row: UndeletedRow) -> list[str]:
    grades = row.grades
    if grades is None:
        return [""] * len(_GRADES)
    sizes = (
        grades.same_bytes,
        grades.reused_bytes,
        grades.held_bytes,
        grades.free_bytes,
        grades.unreached_bytes,
    )
    return [size(each) if each else "" for each in sizes]


def _row(row: UndeletedRow, sizes: list[str]) -> tuple[str, ...]:
    state = (
        "whole" if row.is_whole else f"{count(row.mapped_blocks)} of {count(row.recorded_blocks)}"
    )
    if not row.is_consistent:
        state += ", plausible"
    mapped = (
        plural(row.mapped_blocks, "block") if row.mapped_bytes is None else size(row.mapped_bytes)
    )
    return device(row.id, row.name), mapped, *sizes, str(row.state_root), state


def _more(row: UndeletedRow) -> Iterator[Section]:
    grades, who = row.grades, device(row.id, row.name)
    if grades is not None and grades.reused_by:
        owners = [shown(name) for name in grades.reused_by[:_FEW]]
        if (more := len(grades.reused_by) - _FEW) > 0:
            owners.append(f"{count(more)} more")
        yield Sentence(f"{who}: used again by {', '.join(owners)}")
    if grades is not None and grades.zero_blocks is not None and grades.free_blocks:
        free = plural(grades.free_blocks, "free block")
        zeros = count(grades.zero_blocks) if grades.zero_blocks else "none"
        yield Sentence(f"{who}: of {free}, {zeros} are all zeros, as discarded ones are")


def _runs(row: UndeletedRow) -> Iterator[Section]:
    if row.runs is not None:
        yield Sentence(f"{device(row.id, row.name)}, run by run:")
        yield Table(_RUN_COLUMNS, map(_run, row.runs[:_MOST_RUNS]), words=(4, 5))
        if (more := len(row.runs) - _MOST_RUNS) > 0:
            yield Sentence(
                f"and {plural(more, 'more run')}: `--format json` has them", is_aside=True
            )


def _run(run: GradedRow) -> tuple[str, ...]:
    numbers = (run.virtual_begin, run.data_begin, run.length, run.time)
    owners = [str(owner) for owner in run.owners[:_FEW]]
    if (more := len(run.owners) - _FEW) > 0:
        owners.append(f"{count(more)} more")
    return *map(str, numbers), _GRADE_WORDS.get(run.grade, run.grade), ", ".join(owners)
