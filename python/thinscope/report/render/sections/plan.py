"""What to delete so that enough comes free."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thinscope.report.printable import shell_line, shown
from thinscope.report.remark import Remark
from thinscope.report.render.sections import Commands, Sentence, Table
from thinscope.report.units import count, plural, size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thinscope.report.plan import Plan, StepRow
    from thinscope.report.render.sections import Section

__all__ = ["sections"]


_MESSAGE = ("dmsetup", "message")

_BY_MESSAGE = (
    "`dmsetup message` tells no manager: only for a pool that has none; it refuses a device that is "
    "active, until `dmsetup remove NAME`"
)


def sections(report: Plan) -> Iterator[Section]:
    """Yield the steps with their gains, and the commands where they were asked for."""
    target = size(report.target_bytes)
    if not report.is_reached:
        most = size(report.most_bytes)
        would = f"deleting all that may go gives back {most}"
        if report.most_blocks >= report.target_blocks:  # but for the size of each step
            would += ", in steps of which some give back less than was asked of each"
        yield Remark(
            "not-reached",
            f"{target} cannot be reached: {would}",
            "let more go: fewer --keep, a wider --only, a smaller --min-each"
            + (", or release the metadata snapshot" if _kept(report) else ""),
        )
    if report.steps:
        yield Table(("step", "delete", "frees", "total"), _steps(report), words=(1,))
    freed = size(report.freed_bytes)
    objects = sum(len(step.objects) for step in report.steps)
    yield Sentence(
        f"deleting {plural(objects, 'object')} frees {freed} of the {target} asked for"
        if objects
        else f"nothing has to be deleted to free {target}"
        if report.is_reached
        else f"there is nothing to delete that would free any of {target}"
    )
    if report.is_metadata_snapshot and report.steps:
        yield Sentence("freed once the metadata snapshot is released: it keeps all of it till then")
    if _kept(report):
        kept = size(report.kept_by_metadata_snapshot_bytes)
        yield Sentence(f"releasing the metadata snapshot then frees {kept} more", is_aside=True)
    if report.with_commands and report.steps:
        yield Sentence("commands, to be reviewed; nothing was deleted:")
        yield Commands(tuple(shell_line(words) for step in report.steps for words in step.commands))
        if any(words[:2] == _MESSAGE for step in report.steps for words in step.commands):
            yield Sentence(_BY_MESSAGE, is_aside=True)
    elif report.steps:
        yield Sentence("nothing was deleted; --commands prints the commands", is_aside=True)


def _kept(report: Plan) -> bool:
    return report.kept_by_metadata_snapshot_blocks > 0


def _steps(report: Plan) -> Iterator[tuple[str, ...]]:
    """Yield a row for each object; what a step frees stands beside the last of it."""
    for number, step in enumerate(report.steps, 1):
        *before, last = _lines(step)
        sizes = size(step.gain_bytes), size(step.total_bytes)
        rows = [*((line, "", "") for line in before), (last, *sizes)]
        for at, row in enumerate(rows):
            yield ("" if at else count(number), *row)


def _lines(step: StepRow) -> list[str]:
    lines = [
        f"{shown(title)} (running)" if title in step.running else shown(title)
        for title in step.objects
    ]
    if step.collected:
        lines.append(f"  and what only these used: {plural(len(step.collected), 'object')}")
    return lines
