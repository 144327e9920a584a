"""Who shares which blocks, device by device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from thinscope.report.accounting import Accounting
from thinscope.report.objects import apportioned

if TYPE_CHECKING:
    from thinscope import Pool
    from thinscope.sharing import Group
    from thinscope.sharing import Sharing as PoolSharing

__all__ = ["GroupRow", "PairRow", "Sharing", "SharingRow"]


@dataclass(frozen=True, slots=True)
class SharingRow:
    """What a device has of the data device.

    Attributes:
        id: Its id.
        name: What it is called.
        mapped_blocks: Distinct blocks that it reaches, in data blocks.
        mapped_bytes: The same in bytes.
        exclusive_blocks: Of those, the blocks that no other device reaches.
        exclusive_bytes: The same in bytes.
        shared_blocks: Of those, the blocks that others reach as well; not to be summed.
        shared_bytes: The same in bytes.
        fair_share_bytes: Each block divided by the number of devices that reach it, rounded to
            bytes so that all rows add up to what the devices reach.
        reclaimable_blocks: What deleting only this device would give back: exclusive blocks
            that the held metadata snapshot does not reach either.
        reclaimable_bytes: The same in bytes.
        manager_bytes: What the manager itself says that it uses, or None.
        shared_by: Pairs: a number of devices, and how many of its blocks just so many reach.
    """

    id: int
    name: str
    mapped_blocks: int
    mapped_bytes: int
    exclusive_blocks: int
    exclusive_bytes: int
    shared_blocks: int
    shared_bytes: int
    fair_share_bytes: int
    reclaimable_blocks: int
    reclaimable_bytes: int
    manager_bytes: int | None
    shared_by: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class GroupRow:
    """Devices that share blocks with each other and with no other device.

    Attributes:
        devices: Their ids, ascending.
        names: What they are called, in the same order.
        objects: Titles of the objects that they are listed under, each once.
        has_metadata_snapshot: Whether the held metadata snapshot reaches the blocks as well.
        blocks: How many blocks, in data blocks.
        bytes: The same in bytes.
    """

    devices: tuple[int, ...]
    names: tuple[str, ...]
    objects: tuple[str, ...]
    has_metadata_snapshot: bool
    blocks: int
    bytes: int


@dataclass(frozen=True, slots=True)
class PairRow:
    """Two devices that share blocks.

    Attributes:
        device_a: The lower id.
        device_b: The higher id.
        blocks: Blocks that both reach, in data blocks.
        bytes: The same in bytes.
    """

    device_a: int
    device_b: int
    blocks: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Sharing:
    """Who shares which blocks.

    Attributes:
        source: What was opened, as it was named.
        is_metadata_snapshot: Whether the pool was read as the metadata snapshot keeps it.
        block_bytes: Bytes in a data block.
        transaction_id: The pool's transaction id.
        time: The pool's time.
        accounting: All blocks in use, by who holds them.
        devices: The devices by ascending id.
        groups: The groups of devices that share most, the largest first.
        matrix: What each two devices share, or None if it was not asked for.
    """

    schema: ClassVar[str] = "thinscope.sharing/1"
    needs_attention: ClassVar[bool] = False

    source: str
    is_metadata_snapshot: bool
    block_bytes: int
    transaction_id: int
    time: int
    accounting: Accounting
    devices: tuple[SharingRow, ...]
    groups: tuple[GroupRow, ...]
    matrix: tuple[PairRow, ...] | None

    @classmethod
    def of(cls, pool: Pool, source: str, *, groups: int, with_matrix: bool) -> Self:
        """Count who shares what.

        Args:
            pool: The pool.
            source: What it was called.
            groups: How many groups to tell at most.
            with_matrix: Whether to tell what each two devices share.
        """
        superblock, sharing = pool.superblock, pool.sharing()
        block_bytes = superblock.data_block_bytes
        matrix = sharing.matrix() if with_matrix else None
        return cls(
            source=source,
            is_metadata_snapshot=pool.is_metadata_snapshot,
            block_bytes=block_bytes,
            transaction_id=superblock.transaction_id,
            time=superblock.time,
            accounting=Accounting.of(sharing.totals, block_bytes, is_whole=sharing.is_whole),
            devices=_device_rows(pool, sharing, block_bytes),
            groups=tuple(_group(pool, group, block_bytes) for group in sharing.groups(groups)),
            matrix=None
            if matrix is None
            else tuple(
                PairRow(pair.device_a, pair.device_b, pair.blocks, pair.blocks * block_bytes)
                for pair in matrix
            ),
        )


def _device_rows(pool: Pool, sharing: PoolSharing, block_bytes: int) -> tuple[SharingRow, ...]:
    usages = sharing.devices
    shares = apportioned(list(usages.values()), block_bytes)
    return tuple(
        SharingRow(
            id=id_,
            name=pool.objects.label(id_),
            mapped_blocks=usage.mapped_blocks,
            mapped_bytes=usage.mapped_blocks * block_bytes,
            exclusive_blocks=usage.exclusive_blocks,
            exclusive_bytes=usage.exclusive_blocks * block_bytes,
            shared_blocks=usage.shared_blocks,
            shared_bytes=usage.shared_blocks * block_bytes,
            fair_share_bytes=share,
            reclaimable_blocks=usage.reclaimable_blocks,
            reclaimable_bytes=usage.reclaimable_blocks * block_bytes,
            manager_bytes=pool.objects.manager_bytes(id_),
            shared_by=usage.shared_by,
        )
        for (id_, usage), share in zip(usages.items(), shares, strict=True)
    )


def _group(pool: Pool, group: Group, block_bytes: int) -> GroupRow:
    objects = pool.objects

    def listed(device: int) -> str:
        return objects.title(objects.listed_under(device))

    return GroupRow(
        devices=group.devices,
        names=tuple(map(pool.objects.label, group.devices)),
        objects=tuple(dict.fromkeys(map(listed, group.devices))),
        has_metadata_snapshot=group.has_metadata_snapshot,
        blocks=group.blocks,
        bytes=group.blocks * block_bytes,
    )
