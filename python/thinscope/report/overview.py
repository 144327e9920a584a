"""The first answer about a pool: how full it is, what its devices map, what needs attention."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import nlargest
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Self

from thinscope.report.devices import DeviceRow
from thinscope.report.remark import Remark
from thinscope.report.units import count, percent, plural, size

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from thinscope import Pool, SpaceUsage, Superblock

__all__ = ["Accounting", "DeviceTotals", "MetadataSnapshot", "OtherDevices", "Overview", "Space"]

_LARGEST = 10
"""Devices that the first screen has room for."""

_DISAGREEING = 20
"""Devices whose counts disagree that get a finding of their own; damage can be everywhere."""

_NEARLY_FULL = (9, 10)
"""The share of a space in use from which on it is nearly full."""

_FULL_ADVICE = {
    "data": "delete devices or extend the data device: with no block free, writes that need a new "
    "one wait or fail",
    "metadata": "extend the metadata device: once it is full, the pool takes no more changes",
}


@dataclass(frozen=True, slots=True)
class Space:
    """Usage of the data device or of the metadata device.

    What is in use is None through a metadata snapshot.

    Attributes:
        block_bytes: Bytes in a block of this space.
        total: All blocks.
        total_bytes: The same in bytes.
        used: Allocated blocks.
        used_bytes: The same in bytes.
        free: Blocks that are not allocated.
        free_bytes: The same in bytes.
        kernel_used: Blocks in use as the kernel tells them: metadata includes a reserve.
        kernel_used_bytes: The same in bytes.
        reserve: What the kernel adds to the blocks in use.
        reserve_bytes: The same in bytes.
    """

    block_bytes: int
    total: int
    total_bytes: int
    used: int | None
    used_bytes: int | None
    free: int | None
    free_bytes: int | None
    kernel_used: int | None
    kernel_used_bytes: int | None
    reserve: int | None
    reserve_bytes: int | None

    @classmethod
    def of(cls, usage: SpaceUsage) -> Self:
        """Take over what the pool says of a space."""
        used, kernel_used = usage.used, usage.kernel_used
        reserve = None if used is None or kernel_used is None else kernel_used - used
        return cls(
            block_bytes=usage.block_bytes,
            total=usage.total,
            total_bytes=usage.total_bytes,
            used=used,
            used_bytes=usage.used_bytes,
            free=usage.free,
            free_bytes=usage.free_bytes,
            kernel_used=kernel_used,
            kernel_used_bytes=None if kernel_used is None else kernel_used * usage.block_bytes,
            reserve=reserve,
            reserve_bytes=None if reserve is None else reserve * usage.block_bytes,
        )


@dataclass(frozen=True, slots=True)
class MetadataSnapshot:
    """The held metadata snapshot.

    Attributes:
        block: The metadata block of its superblock.
        offset: The same in bytes.
    """

    block: int
    offset: int


@dataclass(frozen=True, slots=True)
class DeviceTotals:
    """What the devices add up to.

    Attributes:
        count: Number of devices.
        mapped_blocks: What each maps, counted and summed: shared blocks count several times.
        mapped_bytes: The same in bytes.
        reached_blocks: Distinct data blocks that they reach: shared blocks count once.
        reached_bytes: The same in bytes.
    """

    count: int
    mapped_blocks: int
    mapped_bytes: int
    reached_blocks: int
    reached_bytes: int


@dataclass(frozen=True, slots=True)
class OtherDevices:
    """What the devices that are not listed add up to.

    Attributes:
        count: Number of devices.
        mapped_blocks: What each maps, counted and summed.
        mapped_bytes: The same in bytes.
    """

    count: int
    mapped_blocks: int
    mapped_bytes: int


@dataclass(frozen=True, slots=True)
class Accounting:
    """The data space map's figure against what the devices reach.

    Attributes:
        used_minus_reached_blocks: Blocks counted as used, minus blocks reached.
        used_minus_reached_bytes: The same in bytes.
    """

    used_minus_reached_blocks: int
    used_minus_reached_bytes: int


@dataclass(frozen=True, slots=True)
class Overview:
    """A pool at a glance.

    Attributes:
        source: What was opened, as it was named.
        is_metadata_snapshot: Whether the pool was read as the metadata snapshot keeps it.
        block_bytes: Bytes in a data block.
        transaction_id: The transaction id of what was read.
        time: The time of what was read; each new snapshot of a device raises the pool's by one.
        live_transaction_id: The live pool's transaction id.
        live_time: The live pool's time.
        version: Version of the metadata's format.
        needs_check: Whether the kernel asks for a check.
        metadata_snapshot: The held metadata snapshot, or None.
        data: Usage of the data device.
        metadata: Usage of the metadata device.
        devices: What the devices add up to.
        largest_devices: Those that map most, the largest first.
        other_devices: What those that are not listed add up to.
        accounting: What is in use against what is reached; None through a metadata snapshot.
        findings: What needs attention.
        notes: What is good to know.
    """

    schema: ClassVar[str] = "thinscope.overview/1"

    source: str
    is_metadata_snapshot: bool
    block_bytes: int
    transaction_id: int
    time: int
    live_transaction_id: int
    live_time: int
    version: int
    needs_check: bool
    metadata_snapshot: MetadataSnapshot | None
    data: Space
    metadata: Space
    devices: DeviceTotals
    largest_devices: tuple[DeviceRow, ...]
    other_devices: OtherDevices
    accounting: Accounting | None
    findings: tuple[Remark, ...]
    notes: tuple[Remark, ...]

    @property
    def needs_attention(self) -> bool:
        """Whether there are findings."""
        return bool(self.findings)

    @classmethod
    def of(cls, pool: Pool, source: str) -> Self:
        """Read and count all mappings of the pool."""
        superblock, live = pool.superblock, pool.live_superblock
        recount = pool.recount()
        mapped = recount.mapped_blocks
        block_bytes = superblock.data_block_bytes
        data, metadata = Space.of(pool.data_space), Space.of(pool.metadata_space)
        devices = _device_totals(mapped, recount.reached_blocks, block_bytes)
        accounting = _accounting(data, devices)
        snapshot = _metadata_snapshot(live, metadata)
        largest = _largest(pool, mapped, block_bytes)
        findings = [
            *_superblock_findings(live),
            *_accounting_findings(accounting, snapshot),
            *_count_findings(pool, mapped),
            *_space_findings("data", data),
            *_space_findings("metadata", metadata),
        ]
        return cls(
            source=source,
            is_metadata_snapshot=pool.is_metadata_snapshot,
            block_bytes=block_bytes,
            transaction_id=superblock.transaction_id,
            time=superblock.time,
            live_transaction_id=live.transaction_id,
            live_time=live.time,
            version=live.version,
            needs_check=live.needs_check,
            metadata_snapshot=snapshot,
            data=data,
            metadata=metadata,
            devices=devices,
            largest_devices=largest,
            other_devices=_others(devices, largest),
            accounting=accounting,
            findings=tuple(findings),
            notes=tuple(_notes(accounting, snapshot, is_view=pool.is_metadata_snapshot)),
        )


def _device_totals(
    mapped: Mapping[int, int], reached_blocks: int, block_bytes: int
) -> DeviceTotals:
    mapped_blocks = sum(mapped.values())
    return DeviceTotals(
        count=len(mapped),
        mapped_blocks=mapped_blocks,
        mapped_bytes=mapped_blocks * block_bytes,
        reached_blocks=reached_blocks,
        reached_bytes=reached_blocks * block_bytes,
    )


def _largest(pool: Pool, mapped: Mapping[int, int], block_bytes: int) -> tuple[DeviceRow, ...]:
    sizes = ((mapped_blocks, -id_) for id_, mapped_blocks in mapped.items())
    largest = ((pool.devices[-id_], blocks) for blocks, id_ in nlargest(_LARGEST, sizes))
    return tuple(
        DeviceRow.of(device, block_bytes, mapped_blocks, device.highest_block)
        for device, mapped_blocks in largest
    )


def _others(devices: DeviceTotals, largest: tuple[DeviceRow, ...]) -> OtherDevices:
    return OtherDevices(
        count=devices.count - len(largest),
        mapped_blocks=devices.mapped_blocks - sum(row.mapped_blocks for row in largest),
        mapped_bytes=devices.mapped_bytes - sum(row.mapped_bytes for row in largest),
    )


def _accounting(data: Space, devices: DeviceTotals) -> Accounting | None:
    if data.used is None:
        return None
    difference = data.used - devices.reached_blocks
    return Accounting(
        used_minus_reached_blocks=difference,
        used_minus_reached_bytes=difference * data.block_bytes,
    )


def _metadata_snapshot(live: Superblock, metadata: Space) -> MetadataSnapshot | None:
    block = live.metadata_snapshot
    if block is None:
        return None
    return MetadataSnapshot(block=block, offset=block * metadata.block_bytes)


def _remark(code: str, message: str, advice: str | None = None, **numbers: int) -> Remark:
    return Remark(code, message, advice, MappingProxyType(numbers))


def _superblock_findings(live: Superblock) -> Iterator[Remark]:
    if live.needs_check:
        yield _remark(
            "needs-check",
            "the kernel set needs_check: writing metadata failed, and it asks for a check",
            "deactivate the pool and run `thin_check` on its metadata; "
            "LVM does so when it activates a pool",
            flags=live.flags,
        )
    if live.compat_ro_flags:
        yield _remark(
            "unknown-features",
            f"features that are not known here: compat_ro_flags is {live.compat_ro_flags:#x}",
            "figures may miss what these features add; look for a newer thinscope",
            compat_ro_flags=live.compat_ro_flags,
        )


def _accounting_findings(
    accounting: Accounting | None, snapshot: MetadataSnapshot | None
) -> Iterator[Remark]:
    if accounting is None:
        return
    blocks, size_bytes = (
        accounting.used_minus_reached_blocks,
        accounting.used_minus_reached_bytes,
    )
    if blocks < 0:
        yield _remark(
            "missing-count",
            f"{plural(-blocks, 'data block')} ({size(-size_bytes)}) reached by devices, "
            "but counted as free: the metadata is damaged",
            "stop using the pool: the kernel may give these blocks to another device; "
            "`thin_check` says more",
            blocks=-blocks,
            bytes=-size_bytes,
        )
    elif blocks > 0 and snapshot is None:
        yield _remark(
            "leaked",
            f"{plural(blocks, 'data block')} ({size(size_bytes)}) in use that no device reaches: "
            "leaked or in flight",
            "a few are normal after a crash, or if the pool was in use when it was read or copied; "
            "`thin_check` says more",
            blocks=blocks,
            bytes=size_bytes,
        )


def _count_findings(pool: Pool, mapped: Mapping[int, int]) -> Iterator[Remark]:
    disagreeing = [
        device for device in pool.devices.values() if mapped.get(device.id) != device.mapped_blocks
    ]
    for device in disagreeing[:_DISAGREEING]:
        counted = mapped.get(device.id, 0)
        yield _remark(
            "mapped-count",
            f"device {device.id} maps {plural(counted, 'block')}, "
            f"but its record says {count(device.mapped_blocks)}",
            device=device.id,
            mapped_blocks=counted,
            recorded_blocks=device.mapped_blocks,
        )
    rest = len(disagreeing) - _DISAGREEING
    if rest > 0:
        yield _remark(
            "mapped-counts",
            f"{plural(rest, 'more device')} whose record disagrees with what it maps",
            devices=rest,
        )


def _space_findings(name: str, space: Space) -> Iterator[Remark]:
    if space.used is None or space.kernel_used is None or space.reserve_bytes is None:
        return
    part, whole = _NEARLY_FULL
    if space.kernel_used * whole < space.total * part:
        return
    fullness = (
        "full"
        if space.kernel_used >= space.total
        else f"nearly full: {percent(space.kernel_used, space.total)}"
    )
    reserve = f", with the kernel's reserve of {size(space.reserve_bytes)}"
    yield _remark(
        f"{name}-full" if fullness == "full" else f"{name}-nearly-full",
        f"the {name} device is {fullness}{reserve if space.reserve else ''}",
        _FULL_ADVICE[name],
        used=space.used,
        kernel_used=space.kernel_used,
        total=space.total,
    )


def _notes(
    accounting: Accounting | None, snapshot: MetadataSnapshot | None, *, is_view: bool
) -> Iterator[Remark]:
    if is_view or snapshot is None:
        return
    yield _remark(
        "metadata-snapshot",
        f"a metadata snapshot is held in block {snapshot.block}; "
        "it keeps blocks in use until it is released",
        "read it with --metadata-snapshot, "
        "release it with `dmsetup message POOL 0 release_metadata_snap`",
        block=snapshot.block,
    )
    if accounting is not None and accounting.used_minus_reached_blocks > 0:
        blocks = accounting.used_minus_reached_blocks
        yield _remark(
            "kept-or-leaked",
            f"{plural(blocks, 'data block')} ({size(accounting.used_minus_reached_bytes)}) in use "
            "that no device reaches: the metadata snapshot may keep them, else they are leaked",
            blocks=blocks,
            bytes=accounting.used_minus_reached_bytes,
        )
