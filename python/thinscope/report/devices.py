"""The devices of a pool, as the pool records them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from thinscope.ancestry import parents

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from thinscope import Device, Pool
    from thinscope.ancestry import Parent

__all__ = ["DeviceRow", "Devices"]


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """A device.

    Attributes:
        id: Its id in the pool.
        name: What it is called.
        parent: Id of the device that it was made from, or None where there is none or none is
            known.
        parent_is_inferred: Whether no record says so, and times and shared blocks suggest it.
        depth: How many devices are above it in the tree; 0 where no tree was asked for.
        mapped_blocks: Blocks mapped, in data blocks, as recorded.
        mapped_bytes: The same in bytes.
        highest_block: The highest virtual block that is mapped, or None.
        end_bytes: Where that block ends in the device, in bytes; 0 if nothing is mapped.
        virtual_bytes: Its virtual size, where a record has it, or None.
        external_origin: What is read where it maps nothing, where a record has it. None: zeros,
            or not known, as only names tell.
        transaction_id: The pool's transaction id when the device was made.
        creation_time: The pool's time when the device was made.
        snapshot_time: The pool's time when the device was last snapshotted.
    """

    id: int
    name: str
    parent: int | None
    parent_is_inferred: bool
    depth: int
    mapped_blocks: int
    mapped_bytes: int
    highest_block: int | None
    end_bytes: int
    virtual_bytes: int | None
    external_origin: str | None
    transaction_id: int
    creation_time: int
    snapshot_time: int

    @classmethod
    def of(
        cls, pool: Pool, device: Device, parent: Parent | None, depth: int, highest: int | None
    ) -> Self:
        """Take over the record of a device, and what the names say of it."""
        block_bytes = pool.superblock.data_block_bytes
        return cls(
            id=device.id,
            name=pool.objects.label(device.id),
            parent=parent.device if parent else None,
            parent_is_inferred=bool(parent and parent.is_inferred),
            depth=depth,
            mapped_blocks=device.mapped_blocks,
            mapped_bytes=device.mapped_bytes,
            highest_block=highest,
            end_bytes=0 if highest is None else (highest + 1) * block_bytes,
            virtual_bytes=pool.objects.virtual_bytes(device.id),
            external_origin=pool.objects.external_origin(device.id),
            transaction_id=device.transaction_id,
            creation_time=device.creation_time,
            snapshot_time=device.snapshot_time,
        )


@dataclass(frozen=True, slots=True)
class Devices:
    """All devices of a pool.

    Attributes:
        source: What was opened, as it was named.
        is_metadata_snapshot: Whether the pool was read as the metadata snapshot keeps it.
        block_bytes: Bytes in a data block.
        transaction_id: The pool's transaction id.
        time: The pool's time.
        mapped_blocks: What the devices map in all; shared blocks count once for each of them.
        mapped_bytes: The same in bytes.
        is_tree: Whether the devices stand below what they were made from.
        devices: The devices by ascending id; in a tree each above those made from it.
    """

    schema: ClassVar[str] = "thinscope.devices/1"
    needs_attention: ClassVar[bool] = False

    source: str
    is_metadata_snapshot: bool
    block_bytes: int
    transaction_id: int
    time: int
    mapped_blocks: int
    mapped_bytes: int
    is_tree: bool
    devices: tuple[DeviceRow, ...]

    @classmethod
    def of(cls, pool: Pool, source: str, *, tree: bool = False) -> Self:
        """Read the records of all devices, and where each one's mappings end.

        Args:
            pool: The pool.
            source: What it was called.
            tree: Whether to put the devices below what they were made from, and to infer that
                where no record says it; needs all mappings.
        """
        superblock = pool.superblock
        highest = pool.highest_blocks()
        above = parents(pool, with_inferred=tree)
        order = _tree(above) if tree else ((id_, 0) for id_ in above)
        rows = tuple(
            DeviceRow.of(pool, pool.devices[id_], above[id_], depth, highest[id_])
            for id_, depth in order
        )
        return cls(
            source=source,
            is_metadata_snapshot=pool.is_metadata_snapshot,
            block_bytes=superblock.data_block_bytes,
            transaction_id=superblock.transaction_id,
            time=superblock.time,
            mapped_blocks=sum(row.mapped_blocks for row in rows),
            mapped_bytes=sum(row.mapped_bytes for row in rows),
            is_tree=tree,
            devices=rows,
        )


def _tree(above: Mapping[int, Parent | None]) -> Iterator[tuple[int, int]]:
    """Yield each device with its depth, children by ascending id below their parent."""
    below: dict[int | None, list[int]] = {}
    for id_, parent in above.items():
        below.setdefault(parent.device if parent else None, []).append(id_)
    waiting = [(id_, 0) for id_ in reversed(below.get(None, []))]
    while waiting:
        id_, depth = waiting.pop()
        yield id_, depth
        waiting.extend((child, depth + 1) for child in reversed(below.get(id_, [])))
