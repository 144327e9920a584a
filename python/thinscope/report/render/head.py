"""What every report says of its pool, in its head."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from thinscope.report.render import word
from thinscope.report.units import count, exact_size, plural

if TYPE_CHECKING:
    from collections.abc import Callable

    from thinscope.report.capture import Capture
    from thinscope.report.check import Check
    from thinscope.report.doctor import Doctor
    from thinscope.report.pools import Pools
    from thinscope.report.render import PoolReport
    from thinscope.report.salvage import Salvage
    from thinscope.report.undelete import Undelete

__all__ = ["head_facts"]


def head_facts(report: PoolReport) -> list[str]:
    """Return what a report of a pool says of it."""
    found = _OTHERS.get(word(report), _facts_of_a_state)
    return found(report)


def _facts_of_a_state(report: Any) -> list[str]:  # noqa: ANN401 - the reports that are not below
    return [*_size(report.block_bytes), f"transaction {report.transaction_id}"]


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


def _facts_of_pools(report: Pools) -> list[str]:
    return [plural(len(report.pools), "thin pool")]


def _undeleted_facts(report: Undelete) -> list[str]:
    return [*_size(report.block_bytes), plural(len(report.devices), "deleted device")]


def _salvaged_facts(report: Salvage) -> list[str]:
    states = plural(report.states_found, "state")
    return [*_size(report.block_bytes), f"{states}, {count(report.consistent_states)} consistent"]


_OTHERS: dict[str, Callable[[Any], list[str]]] = {
    "capture": _captured_facts,
    "check": _checked_facts,
    "doctor": _doctors_facts,
    "pools": _facts_of_pools,
    "salvage": _salvaged_facts,
    "undelete": _undeleted_facts,
}
"""What the reports say that are not about one state of a pool."""
