"""The devices of a pool, as the pool records them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

if TYPE_CHECKING:
    from thinscope import Device, Pool

__all__ = ["DeviceRow", "Devices"]


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """A device.

    Attributes:
        id: Its id in the pool.
        mapped_blocks: Blocks mapped, in data blocks: as recorded or, in an overview, as counted.
        mapped_bytes: The same in bytes.
        highest_block: The highest virtual block that is mapped, or None.
        end_bytes: Where that block ends in the device, in bytes; 0 if nothing is mapped.
        transaction_id: The pool's transaction id when the device was made.
        creation_time: The pool's time when the device was made.
        snapshot_time: The pool's time when the device was last snapshotted.
    """

    id: int
    mapped_blocks: int
    mapped_bytes: int
    highest_block: int | None
    end_bytes: int
    transaction_id: int
    creation_time: int
    snapshot_time: int

    @classmethod
    def of(
        cls, device: Device, block_bytes: int, mapped_blocks: int, highest_block: int | None
    ) -> Self:
        """Take over the record of a device."""
        return cls(
            id=device.id,
            mapped_blocks=mapped_blocks,
            mapped_bytes=mapped_blocks * block_bytes,
            highest_block=highest_block,
            end_bytes=0 if highest_block is None else (highest_block + 1) * block_bytes,
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
        devices: The devices by ascending id.
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
    devices: tuple[DeviceRow, ...]

    @classmethod
    def of(cls, pool: Pool, source: str) -> Self:
        """Read the records of all devices, and where each one's mappings end."""
        superblock = pool.superblock
        block_bytes = superblock.data_block_bytes
        highest = pool.highest_blocks()
        rows = tuple(
            DeviceRow.of(device, block_bytes, device.mapped_blocks, highest[device.id])
            for device in pool.devices.values()
        )
        return cls(
            source=source,
            is_metadata_snapshot=pool.is_metadata_snapshot,
            block_bytes=block_bytes,
            transaction_id=superblock.transaction_id,
            time=superblock.time,
            mapped_blocks=sum(row.mapped_blocks for row in rows),
            mapped_bytes=sum(row.mapped_bytes for row in rows),
            devices=rows,
        )
