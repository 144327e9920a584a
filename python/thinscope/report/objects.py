"""Objects in reports: what each has of the data device, in figures that add up."""

from __future__ import annotations

from dataclasses import dataclass
from math import lcm
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thinscope import Pool
    from thinscope.names import Names, Object
    from thinscope.objects import Objects
    from thinscope.sharing import Sharing, Usage

__all__ = ["NamesRow", "ObjectRow", "apportioned", "listed", "object_rows"]


@dataclass(frozen=True, slots=True)
class NamesRow:
    """Records that names were taken from.

    Attributes:
        manager: Whose records they are, such as ``docker``.
        mode: How it runs the pool, such as ``loop-lvm``, or an empty string.
        pool: What it calls the pool, or an empty string.
        source: The path that was read.
        transaction_id: The transaction id that it expects of the pool, or None.
        devices: Devices that it has on record.
        unread: What could not be read, each as place and reason.
    """

    manager: str
    mode: str
    pool: str
    source: str
    transaction_id: int | None
    devices: int
    unread: tuple[str, ...]

    @classmethod
    def of(cls, names: Names) -> NamesRow:
        """Take over what was read."""
        return cls(
            manager=names.manager,
            mode=names.mode,
            pool=names.pool,
            source=str(names.source),
            transaction_id=names.transaction_id,
            devices=len(names.records),
            unread=tuple(f"{unread.where}: {unread.why}" for unread in names.unread),
        )


@dataclass(frozen=True, slots=True)
class ObjectRow:
    """An object, and what its devices have of the data device.

    Attributes:
        kind: What it is: ``container``, ``image``, ``volume``, ``device``, ...
        name: What its manager's user calls it.
        devices: Ids of its devices; of an image, those of the layers that came with it.
        mapped_blocks: Distinct blocks that they reach, in data blocks.
        mapped_bytes: The same in bytes.
        exclusive_blocks: Of those, the blocks that no device of another object reaches.
        exclusive_bytes: The same in bytes.
        fair_share_bytes: Each block divided by the number of devices that reach it, rounded to
            bytes so that all rows add up to what the devices reach.
    """

    kind: str
    name: str
    devices: tuple[int, ...]
    mapped_blocks: int
    mapped_bytes: int
    exclusive_blocks: int
    exclusive_bytes: int
    fair_share_bytes: int


def listed(objects: Objects) -> list[tuple[Object, tuple[int, ...]]]:
    """Return the objects that devices are listed under, with these devices."""
    found: dict[str, tuple[Object, list[int]]] = {}
    for id_ in objects.ids:
        object_ = objects.listed_under(id_)
        found.setdefault(object_.key, (object_, []))[1].append(id_)
    return [(object_, tuple(ids)) for object_, ids in found.values()]


def object_rows(pool: Pool, sharing: Sharing) -> tuple[ObjectRow, ...]:
    """Return all objects that devices are listed under, those with the largest share first."""
    block_bytes = pool.superblock.data_block_bytes
    found = listed(pool.objects)
    usages = sharing.usage_of(ids for _, ids in found)
    shares = apportioned(usages, block_bytes)
    rows = [
        ObjectRow(
            kind=object_.kind,
            name=object_.name,
            devices=ids,
            mapped_blocks=usage.mapped_blocks,
            mapped_bytes=usage.mapped_blocks * block_bytes,
            exclusive_blocks=usage.exclusive_blocks,
            exclusive_bytes=usage.exclusive_blocks * block_bytes,
            fair_share_bytes=share,
        )
        for (object_, ids), usage, share in zip(found, usages, shares, strict=True)
    ]
    return tuple(sorted(rows, key=lambda row: (-row.fair_share_bytes, row.devices)))


def apportioned(usages: Sequence[Usage], block_bytes: int) -> list[int]:
    """Return fair shares in bytes: rounded down, and what is left over to those that lost most.

    Of all devices they add up to what is reached. Everything is counted in one common part of
    a block: fractions of their own would look for common divisors each time.
    """
    numbers = {devices for usage in usages for devices, _ in usage.shared_by}
    common = lcm(*numbers)
    parts = {devices: common // devices * block_bytes for devices in numbers}
    shares = [
        divmod(sum(blocks * parts[devices] for devices, blocks in usage.shared_by), common)
        for usage in usages
    ]
    floors = [floor for floor, _ in shares]
    left = sum(loss for _, loss in shares) // common
    for at in sorted(range(len(shares)), key=lambda at: (-shares[at][1], at))[:left]:
        floors[at] += 1
    return floors
