"""The first answer about a pool: how full it is, what its devices map, what needs attention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from thinscope.report.accounting import Accounting
from thinscope.report.findings import (
    accounting_findings,
    count_findings,
    remark,
    superblock_findings,
)
from thinscope.report.objects import NamesRow, ObjectRow, object_rows
from thinscope.report.units import percent, plural, size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thinscope import Pool, SpaceUsage
    from thinscope.report.remark import Remark
    from thinscope.sharing import Sharing

__all__ = ["DeviceTotals", "MetadataSnapshot", "OtherObjects", "Overview", "Space"]

_LARGEST = 10
"""Objects that the first screen has room for."""

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
        only_blocks: Data blocks that it alone keeps in use: they come free when it is released.
            None where it is itself what was read.
        only_bytes: The same in bytes.
    """

    block: int
    offset: int
    only_blocks: int | None
    only_bytes: int | None


@dataclass(frozen=True, slots=True)
class DeviceTotals:
    """What the devices add up to.

    Attributes:
        count: Number of devices.
        mapped_blocks: What each reaches, summed: shared blocks count several times.
        mapped_bytes: The same in bytes.
        virtual_bytes: Their virtual sizes, summed, or None where they are not all on record.
    """

    count: int
    mapped_blocks: int
    mapped_bytes: int
    virtual_bytes: int | None


@dataclass(frozen=True, slots=True)
class OtherObjects:
    """What the objects that are not listed have.

    Attributes:
        count: Number of objects.
        mapped_blocks: What each of them maps, summed, in data blocks.
        mapped_bytes: The same in bytes.
        fair_share_bytes: Their shares, summed.
    """

    count: int
    mapped_blocks: int
    mapped_bytes: int
    fair_share_bytes: int


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
        names: The records that names were taken from.
        devices: What the devices add up to.
        objects: Number of objects that the devices are listed under.
        largest_objects: Those with the largest share of the data device, the largest first.
        other_objects: What those that are not listed have.
        accounting: All blocks in use, by who holds them.
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
    names: tuple[NamesRow, ...]
    devices: DeviceTotals
    objects: int
    largest_objects: tuple[ObjectRow, ...]
    other_objects: OtherObjects
    accounting: Accounting
    findings: tuple[Remark, ...]
    notes: tuple[Remark, ...]

    @property
    def needs_attention(self) -> bool:
        """Whether there are findings."""
        return bool(self.findings)

    @classmethod
    def of(cls, pool: Pool, source: str) -> Self:
        """Tell who holds what of the pool."""
        superblock, live = pool.superblock, pool.live_superblock
        sharing = pool.sharing()
        block_bytes = superblock.data_block_bytes
        data, metadata = Space.of(pool.data_space), Space.of(pool.metadata_space)
        accounting = Accounting.of(sharing.totals, block_bytes, is_whole=sharing.is_whole)
        snapshot = _metadata_snapshot(pool, accounting)
        rows = object_rows(pool, sharing)
        largest, others = rows[:_LARGEST], rows[_LARGEST:]
        findings = [
            *superblock_findings(live),
            *accounting_findings(accounting),
            *_comparison_findings(pool, accounting),
            *count_findings(_disagreeing(pool, sharing)),
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
            names=tuple(map(NamesRow.of, pool.names)),
            devices=_device_totals(pool, sharing),
            objects=len(rows),
            largest_objects=largest,
            other_objects=_others(others),
            accounting=accounting,
            findings=tuple(findings),
            notes=(
                *_snapshot_notes(snapshot, pool.objects.dm_pool or "POOL"),
                *_names_notes(pool, superblock.transaction_id),
            ),
        )


def _comparison_findings(pool: Pool, accounting: Accounting) -> Iterator[Remark]:
    if accounting.used_blocks is None and not (pool.is_metadata_snapshot or pool.is_salvaged):
        yield remark(
            "not-compared",
            "the data space map, or the held metadata snapshot, is broken: what is leaked or "
            "counted wrongly is not known",
            "`thinscope check` says what is broken",
            used=pool.data_space.used or 0,
        )


def _disagreeing(pool: Pool, sharing: Sharing) -> tuple[tuple[int, int, int], ...]:
    """Return the devices whose counts are wrong, not those of which mappings are lost."""
    found = sharing.disagreeing(pool.devices.values())
    if not found or sharing.is_whole:
        return found
    gaps = pool.gaps
    if gaps.more:
        return ()
    lost = {gap.device for gap in gaps.gaps}
    return tuple(device for device in found if device[0] not in lost)


def _device_totals(pool: Pool, sharing: Sharing) -> DeviceTotals:
    block_bytes = pool.superblock.data_block_bytes
    mapped_blocks = sum(usage.mapped_blocks for usage in sharing.devices.values())
    sizes = [pool.objects.virtual_bytes(id_) for id_ in pool.devices]
    known = [size_bytes for size_bytes in sizes if size_bytes is not None]
    return DeviceTotals(
        count=len(sizes),
        mapped_blocks=mapped_blocks,
        mapped_bytes=mapped_blocks * block_bytes,
        virtual_bytes=sum(known) if known and len(known) == len(sizes) else None,
    )


def _others(rows: tuple[ObjectRow, ...]) -> OtherObjects:
    return OtherObjects(
        count=len(rows),
        mapped_blocks=sum(row.mapped_blocks for row in rows),
        mapped_bytes=sum(row.mapped_bytes for row in rows),
        fair_share_bytes=sum(row.fair_share_bytes for row in rows),
    )


def _metadata_snapshot(pool: Pool, accounting: Accounting) -> MetadataSnapshot | None:
    block = pool.live_superblock.metadata_snapshot
    if block is None:
        return None
    is_view = pool.is_metadata_snapshot
    return MetadataSnapshot(
        block=block,
        offset=block * pool.metadata_space.block_bytes,
        only_blocks=None if is_view else accounting.only_metadata_snapshot_blocks,
        only_bytes=None if is_view else accounting.only_metadata_snapshot_bytes,
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
    yield remark(
        f"{name}-full" if fullness == "full" else f"{name}-nearly-full",
        f"the {name} device is {fullness}{reserve if space.reserve else ''}",
        _FULL_ADVICE[name],
        used=space.used,
        kernel_used=space.kernel_used,
        total=space.total,
    )


def _snapshot_notes(snapshot: MetadataSnapshot | None, dm_pool: str) -> Iterator[Remark]:
    if snapshot is None or snapshot.only_blocks is None or snapshot.only_bytes is None:
        return
    kept = "no data block that devices do not reach as well"
    if snapshot.only_blocks:
        blocks = plural(snapshot.only_blocks, "data block")
        kept = f"{blocks} ({size(snapshot.only_bytes)}) that no device reaches"
    yield remark(
        "metadata-snapshot",
        f"a metadata snapshot is held in block {snapshot.block}; it keeps {kept}",
        "read it with --metadata-snapshot, "
        f"release it with `dmsetup message {dm_pool} 0 release_metadata_snap`",
        block=snapshot.block,
        blocks=snapshot.only_blocks,
        bytes=snapshot.only_bytes,
    )


def _names_notes(pool: Pool, transaction_id: int) -> Iterator[Remark]:
    believed = {claim.names.source for claim in pool.objects.claims.values()}
    believed |= {claim.names.source for claim in pool.objects.repeated}
    for names in pool.names:
        if names.records and names.source not in believed:
            yield remark(
                "names-of-another-pool",
                f"none of the {plural(len(names.records), 'device')} that {names.manager} has on "
                "record is in the pool: the records may be of another one",
                devices=len(names.records),
            )
        elif not names.is_of(transaction_id):
            yield remark(
                "names-of-another-state",
                f"the records of {names.manager} are of transaction {names.transaction_id}, "
                f"the pool is at {transaction_id}: some names may be out of date",
                "take records and metadata at the same time",
                recorded=names.transaction_id or 0,
                pool=transaction_id,
            )
        if names.unread:
            first = names.unread[0]
            yield remark(
                "names-not-read",
                f"{plural(len(names.unread), 'record')} of {names.manager} could not be read; "
                f"the first: {first.where}: {first.why}",
                records=len(names.unread),
            )
    found = pool.orphans()
    if found:
        in_pool = sum(orphan.is_in_pool for orphan in found)
        records = len(found) - in_pool
        parts = (
            f"{plural(in_pool, 'device')} that no object on record has" if in_pool else "",
            f"{plural(records, 'record')} without a device" if records else "",
        )
        yield remark(
            "orphans",
            f"orphans: {', '.join(filter(None, parts))}",
            "`thinscope orphans` names them",
            devices=in_pool,
            records=records,
        )
