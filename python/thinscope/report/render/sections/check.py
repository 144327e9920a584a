"""A check: each finding with its place and whom it hits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thinscope.report.printable import printable
from thinscope.report.remark import Remark
from thinscope.report.render.sections import Labelled, Sentence, Table
from thinscope.report.render.words import device
from thinscope.report.units import count, plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thinscope.report.check import AffectedRow, BlockRow, Check, FindingRow, HitRow
    from thinscope.report.render.sections import Section

__all__ = ["sections"]

_MOST_FINDINGS = 50
_MOST_AFFECTED = 10
_MOST_RUNS = 5


def sections(report: Check) -> Iterator[Section]:
    """Yield what was looked at, each finding, and which devices are hit."""
    looked = [plural(report.devices, "device"), plural(report.nodes, "node")]
    looked.append(plural(report.mappings, "mapping"))
    with_snapshot = ", with the held metadata snapshot" if report.has_metadata_snapshot else ""
    yield Sentence(f"looked at {', '.join(looked)}{with_snapshot}", is_aside=True)
    if report.unnamed:
        yield Sentence(f"without names: {printable(report.unnamed)}", is_aside=True)
    if not report.findings:
        yield Sentence("nothing is wrong")
        return
    for row in report.findings[:_MOST_FINDINGS]:
        yield from _finding(row)
    more = len(report.findings) - _MOST_FINDINGS
    if more > 0:
        yield Sentence(f"and {plural(more, 'more finding')}: `--format json` has them")
    if report.hit:
        yield Table(("hit", "ranges lost", "mappings lost"), map(_hit, report.hit))
        yield Sentence(
            f"{_whole(report)}; --tolerant makes other commands go on around what is lost"
        )
    elif report.damage and report.devices:
        yield Sentence(f"no mapping is lost of {plural(report.devices, 'device')}")
    if not report.lists_all:
        yield Sentence("a part of the tree that lists the devices is lost: there may be more")


def _whole(report: Check) -> str:
    if report.unhit is None:
        return "more is hit than is named"
    if not report.devices:
        return "no device could be looked at"
    return f"nothing is lost of {count(report.unhit)} of {plural(report.devices, 'device')}"


def _finding(row: FindingRow) -> Iterator[Section]:
    yield Labelled(row.severity, Remark(row.code, row.message, row.hint))
    if row.path:
        steps = " > ".join(f"{step.name} {step.block}" for step in row.path)
        yield Sentence(steps, is_aside=True)
    if row.blocks:
        yield Sentence(_runs(row), is_aside=True)
    for each in row.affected[:_MOST_AFFECTED]:
        yield Sentence(_affected(each))
    more = len(row.affected) - _MOST_AFFECTED + row.more_affected
    if more > 0:
        yield Sentence(f"and {plural(more, 'more range')} of devices", is_aside=True)


def _runs(row: FindingRow) -> str:
    shown = [_run(run) for run in row.blocks[:_MOST_RUNS]]
    more = len(row.blocks) - _MOST_RUNS
    return f"blocks {', '.join(shown)}{' and more' if more > 0 else ''}"


def _run(run: BlockRow) -> str:
    return f"{run.begin}" if run.length == 1 else f"{run.begin}..{run.begin + run.length}"


def _affected(row: AffectedRow) -> str:
    who = device(row.device, row.name)
    if row.in_metadata_snapshot:
        who += " in the metadata snapshot"
    if row.begin == 0 and row.end is None:
        where = "all of it"
    else:
        where = f"virtual blocks {row.begin}..{'' if row.end is None else row.end}"
    if row.mapped_blocks is None:
        return f"{who}: {where}"
    return f"{who}: {where}, {plural(row.mapped_blocks, 'mapping')}"


def _hit(row: HitRow) -> tuple[str, ...]:
    blocks = "not known" if row.mapped_blocks is None else count(row.mapped_blocks)
    return device(row.device, row.name), count(row.ranges), blocks
