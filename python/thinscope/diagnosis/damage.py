"""What is damaged, and whom it hits."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Protocol

from thinscope.diagnosis.advice import Severity, Topic, advice
from thinscope.report.units import count, plural

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from thinscope.diagnosis.advice import Advice
    from thinscope.diagnosis.place import Place

__all__ = ["Affected", "Check", "Finding", "counts", "found", "truncated", "unopened", "unreadable"]

_MOST = 20
"""Findings that are told one by one; damage can be everywhere."""

_SAME = {
    "data-leaked": "leaked",
    "data-missing-count": "missing-count",
    "mapped-count": "mapped-count",
    "needs-check": "needs-check",
    "time-limit": "time",
    "unknown-features": "unknown-features",
}
"""Codes of a check, and what the same is called here; any other finding is told as it is."""

_FEW = 4
"""Devices that are named with a finding."""


class Affected(Protocol):
    """A device that damage hits."""

    @property
    def device(self) -> int:
        """Its id."""

    @property
    def name(self) -> str:
        """What its user calls it."""

    @property
    def in_metadata_snapshot(self) -> bool:
        """Whether it is the device as the held metadata snapshot keeps it."""

    @property
    def mapped_blocks(self) -> int | None:
        """Mappings that are hit, in data blocks, or None where it is not known how many."""


class Finding(Protocol):
    """Something wrong that a check found."""

    @property
    def code(self) -> str:
        """What it is, in a word."""

    @property
    def message(self) -> str:
        """The same as a sentence."""

    @property
    def severity(self) -> str:
        """``damage`` or ``warning``."""

    @property
    def block(self) -> int | None:
        """The metadata block where it is."""

    @property
    def affected(self) -> Sequence[Affected]:
        """The devices that it hits."""

    @property
    def more_affected(self) -> int:
        """Ranges of devices beyond those."""

    @property
    def hint(self) -> str | None:
        """What to do next."""


class Check(Protocol):
    """What a check found."""

    @property
    def findings(self) -> Sequence[Finding]:
        """All that is wrong."""


def found(check: Check, told: Collection[str], place: Place) -> Iterator[Advice]:
    """Tell what a check found, damage first.

    Args:
        check: The check.
        told: Codes of what is told already.
        place: What the pool is called.
    """
    findings = [each for each in check.findings if _SAME.get(each.code) not in told]
    findings.sort(key=lambda finding: finding.severity != "damage")
    for number, finding in enumerate(islice(findings, _MOST)):
        numbers = {} if finding.block is None else {"block": finding.block}
        meaning = "; ".join(filter(None, [_whom(finding), finding.hint]))
        is_damage = finding.severity == "damage"
        yield advice(
            Severity.ATTENTION if is_damage else Severity.NOTE,
            Topic.DAMAGE,
            finding.code,
            finding.message,
            meaning or None,
            *(_repair(place) if is_damage and not number else ()),
            **numbers,
        )
    if len(findings) > _MOST:
        rest = len(findings) - _MOST
        is_damage = findings[_MOST].severity == "damage"
        yield advice(
            Severity.ATTENTION if is_damage else Severity.NOTE,
            Topic.DAMAGE,
            "more-findings",
            f"{plural(rest, 'finding')} more of the check",
            "the command tells all of them, with the devices that they hit",
            place.thinscope("check"),
            findings=rest,
        )
    if not check.findings:
        yield advice(Severity.FINE, Topic.DAMAGE, "checked", "all metadata checked, nothing wrong")


def _repair(place: Place) -> tuple[tuple[str, ...], ...]:
    """Return what tells what can be saved, and what then repairs."""
    look = place.thinscope("salvage")
    if not place.is_of_lvm:
        return (look,)
    return (look, ("lvchange", "-an", place.volume), ("lvconvert", "--repair", place.volume))


def _whom(finding: Finding) -> str | None:
    if not finding.affected:
        return None
    by_name: dict[str, int | None] = {}
    for each in finding.affected:
        name = each.name
        if each.in_metadata_snapshot:
            name += " in the metadata snapshot"
        before, blocks = by_name.get(name, 0), each.mapped_blocks
        by_name[name] = None if before is None or blocks is None else before + blocks
    told = [
        name if blocks is None else f"{name} ({plural(blocks, 'mapping')})"
        for name, blocks in islice(by_name.items(), _FEW)
    ]
    if len(by_name) > _FEW:
        told.append(f"{count(len(by_name) - _FEW)} more")
    if finding.more_affected:
        told.append(f"and {plural(finding.more_affected, 'range')} more")
    return f"hits {', '.join(told)}"


def counts(disagreeing: Sequence[tuple[int, int, int]], place: Place) -> Iterator[Advice]:
    """Tell of devices that map more or less than their record says."""
    if not disagreeing:
        return
    device, counted, recorded = disagreeing[0]
    more = f"; so for {plural(len(disagreeing) - 1, 'device')} more" if disagreeing[1:] else ""
    yield advice(
        Severity.ATTENTION,
        Topic.DAMAGE,
        "mapped-count",
        f"device {device} maps {plural(counted, 'block')}, but its record says {count(recorded)}"
        + more,
        "details and mappings are not of one state, as after a repair that went wrong",
        place.thinscope("check"),
        device=device,
        mapped_blocks=counted,
        recorded_blocks=recorded,
    )


def unreadable(message: str, block: int | None, place: Place) -> Advice:
    """Tell of damage that keeps the mappings from being read."""
    numbers = {} if block is None else {"block": block}
    return advice(
        Severity.ATTENTION,
        Topic.DAMAGE,
        "damaged",
        message,
        "not all can be read: figures that need all mappings are missing on this page. The command "
        "goes on past the damage, and names the devices that it hits",
        place.thinscope("check"),
        **numbers,
    )


def truncated(message: str, place: Place) -> Advice:
    """Tell of metadata whose end is missing."""
    return advice(
        Severity.ATTENTION,
        Topic.DAMAGE,
        "truncated",
        f"the source is shorter than the pool's metadata: {message}",
        "if this is a copy, copy the whole metadata device, and ask again. If that is all there is, "
        "the command looks for states of the pool in it, and writes nothing; --tolerant reads what "
        "is left of the newest",
        place.thinscope("salvage"),
    )


def unopened(message: str, place: Place) -> Advice:
    """Tell of metadata that cannot be opened as a pool."""
    return advice(
        Severity.ATTENTION,
        Topic.DAMAGE,
        "superblock-damaged",
        f"the superblock, block 0, is damaged or gone: {message}",
        "the kernel does not open such a pool. The rest of the metadata may be whole: the command "
        "looks for states of the pool in it, and writes nothing",
        place.thinscope("salvage"),
    )
