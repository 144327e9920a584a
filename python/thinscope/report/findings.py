"""What is wrong with a pool, as reports say it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from thinscope.report.remark import Remark
from thinscope.report.units import count, plural, size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from thinscope import Superblock
    from thinscope.report.accounting import Accounting

__all__ = ["accounting_findings", "count_findings", "remark", "superblock_findings"]

_DISAGREEING = 20
"""Devices whose counts disagree that get a finding of their own; damage can be everywhere."""


def remark(code: str, message: str, advice: str | None = None, **numbers: int) -> Remark:
    """Make a remark from what it says and its figures."""
    return Remark(code, message, advice, MappingProxyType(numbers))


def superblock_findings(live: Superblock) -> Iterator[Remark]:
    """Yield what the superblock in block 0 asks for."""
    if live.needs_check:
        yield remark(
            "needs-check",
            "the kernel set needs_check: writing metadata failed, and it asks for a check",
            "deactivate the pool and run `thin_check` on its metadata; "
            "LVM does so when it activates a pool",
            flags=live.flags,
        )
    if live.compat_ro_flags:
        yield remark(
            "unknown-features",
            f"features that are not known here: compat_ro_flags is {live.compat_ro_flags:#x}",
            "figures may miss what these features add; look for a newer thinscope",
            compat_ro_flags=live.compat_ro_flags,
        )


def accounting_findings(accounting: Accounting) -> Iterator[Remark]:
    """Yield what the data space map counts otherwise than the mappings."""
    if missing := accounting.missing_count_blocks:
        size_bytes = accounting.missing_count_bytes or 0
        yield remark(
            "missing-count",
            f"{plural(missing, 'data block')} ({size(size_bytes)}) reached, "
            "but counted as free: the metadata is damaged",
            "stop using the pool: the kernel may give these blocks to another device; "
            "`thin_check` says more",
            blocks=missing,
            bytes=size_bytes,
        )
    leaked, size_bytes = accounting.leaked_blocks, accounting.leaked_bytes or 0
    if leaked and not accounting.is_whole:
        yield remark(
            "not-reached",
            f"{plural(leaked, 'data block')} ({size(size_bytes)}) in use that nothing reaches that "
            "can be read: the mappings that are lost may hold them",
            "`thinscope check` says what is lost",
            blocks=leaked,
            bytes=size_bytes,
        )
    elif leaked:
        yield remark(
            "leaked",
            f"{plural(leaked, 'data block')} ({size(size_bytes)}) in use that nothing reaches: "
            "leaked or in flight",
            "a few are normal after a crash, or if the pool was in use when it was read or copied; "
            "`thin_check` says more",
            blocks=leaked,
            bytes=size_bytes,
        )


def count_findings(disagreeing: Sequence[tuple[int, int, int]]) -> Iterator[Remark]:
    """Yield the devices that map more or less than their record says.

    Args:
        disagreeing: Each by id, with the blocks mapped and those on record.
    """
    for device, counted, recorded in disagreeing[:_DISAGREEING]:
        yield remark(
            "mapped-count",
            f"device {device} maps {plural(counted, 'block')}, "
            f"but its record says {count(recorded)}",
            device=device,
            mapped_blocks=counted,
            recorded_blocks=recorded,
        )
    rest = len(disagreeing) - _DISAGREEING
    if rest > 0:
        yield remark(
            "mapped-counts",
            f"{plural(rest, 'more device')} whose record disagrees with what it maps",
            devices=rest,
        )
