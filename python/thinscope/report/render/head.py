"""What every report says of its pool, in its head."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thinscope.report.capture import Capture
from thinscope.report.check import Check
from thinscope.report.doctor import Doctor
from thinscope.report.pools import Pools
from thinscope.report.salvage import Salvage
from thinscope.report.undelete import Undelete
from thinscope.report.units import count, exact_size, plural

if TYPE_CHECKING:
    from thinscope.report.render import PoolReport

__all__ = ["head_facts"]


def head_facts(report: PoolReport) -> list[str]:
    """Return what a report of a pool says of it."""
    match report:
        case Capture():
            found = _captured_facts(report)
        case Doctor():
            found = _doctors_facts(report)
        case Check():
            found = _checked_facts(report)
        case Pools():
            found = [plural(len(report.pools), "thin pool")]
        case Undelete():
            found = [*_size(report.block_bytes), plural(len(report.devices), "deleted device")]
        case Salvage():
            states = plural(report.states_found, "state")
            found = [
                *_size(report.block_bytes),
                f"{states}, {count(report.consistent_states)} consistent",
            ]
        case _:
            found = [*_size(report.block_bytes), f"transaction {report.transaction_id}"]
    return found


def _size(block_bytes: int | None) -> list[str]:
    return [] if block_bytes is None else [f"{exact_size(block_bytes)} blocks"]


def _captured_facts(report: Capture) -> list[str]:
    found = report.read_back
    if found is None:
        return ["cannot be read"]
    return [f"{exact_size(found.block_bytes)} blocks", f"transaction {found.transaction_id}"]


def _doctors_facts(report: Doctor) -> list[str]:
    pressing = len(report.of_severity("attention"))
    what = plural(pressing, "thing") + (" needs" if pressing == 1 else " need") + " attention"
    verdict_ = what if pressing else "nothing needs attention"
    if report.block_bytes is None:
        return ["cannot be opened", verdict_]
    blocks = f"{exact_size(report.block_bytes)} blocks"
    return [blocks, f"transaction {report.transaction_id}", verdict_]


def _checked_facts(report: Check) -> list[str]:
    pool = "no superblock"
    if report.transaction_id is not None:
        pool = f"transaction {report.transaction_id}"
    if not report.findings:
        return [pool, "no findings"]
    damage, warnings = report.damage, report.warnings
    kinds = [plural(warnings, "warning")] * bool(warnings)
    return [
        pool,
        *([f"{count(damage)} times damage" if damage > 1 else "damage"] * bool(damage)),
        *kinds,
    ]
