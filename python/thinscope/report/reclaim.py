"""What deleting some objects would give back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from thinscope.report.orphans import found_orphans

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thinscope import Pool
    from thinscope.deletion import Refusal
    from thinscope.objects import Objects
    from thinscope.sharing import Given, Holding

__all__ = ["GivenRow", "HoldingRow", "Reclaim", "RefusalRow"]


@dataclass(frozen=True, slots=True)
class GivenRow:
    """An object that would be deleted.

    Attributes:
        kind: What it is.
        name: What its manager's user calls it.
        devices: Ids of its devices, and of those that go with it alone, such as an image's layers.
        mapped_blocks: Distinct blocks that they reach, in data blocks.
        mapped_bytes: The same in bytes.
        alone_blocks: What deleting only this object would give back, in data blocks.
        alone_bytes: The same in bytes.
    """

    kind: str
    name: str
    devices: tuple[int, ...]
    mapped_blocks: int
    mapped_bytes: int
    alone_blocks: int
    alone_bytes: int

    @classmethod
    def of(cls, given: Given, block_bytes: int) -> Self:
        """Take over what was found."""
        mapped = given.usage.mapped_blocks
        return cls(
            kind=given.object.kind,
            name=given.object.name,
            devices=given.devices,
            mapped_blocks=mapped,
            mapped_bytes=mapped * block_bytes,
            alone_blocks=given.alone_blocks,
            alone_bytes=given.alone_blocks * block_bytes,
        )


@dataclass(frozen=True, slots=True)
class HoldingRow:
    """An object that stays, and what it holds.

    Attributes:
        kind: What it is.
        name: What its manager's user calls it.
        title: Both, of a layer with its image.
        blocks: Of the blocks that the set maps, those that it reaches, in data blocks.
        bytes: The same in bytes.
    """

    kind: str
    name: str
    title: str
    blocks: int
    bytes: int

    @classmethod
    def of(cls, holding: Holding, objects: Objects, block_bytes: int) -> Self:
        """Take over what was found."""
        object_, blocks = holding.object, holding.blocks
        title = objects.title(object_)
        return cls(object_.kind, object_.name, title, blocks, blocks * block_bytes)


@dataclass(frozen=True, slots=True)
class RefusalRow:
    """What the manager would refuse.

    Attributes:
        kind: What the object is.
        name: What its manager's user calls it.
        why: Why it would not be deleted.
        users: Titles of what uses it and is to stay.
    """

    kind: str
    name: str
    why: str
    users: tuple[str, ...]

    @classmethod
    def of(cls, refusal: Refusal, objects: Objects) -> Self:
        """Take over what was found."""
        users = tuple(map(objects.title, refusal.users))
        return cls(refusal.object.kind, refusal.object.name, refusal.why, users)


@dataclass(frozen=True, slots=True)
class Reclaim:
    """What deleting a set of objects would give back.

    ``mapped = freed + kept by the metadata snapshot + still held``.

    Attributes:
        source: What was opened, as it was named.
        is_metadata_snapshot: Whether the pool was read as the metadata snapshot keeps it.
        block_bytes: Bytes in a data block.
        transaction_id: The pool's transaction id.
        time: The pool's time.
        objects: What would be deleted, in the order in which it was asked for.
        collected: Titles of what the manager would delete by itself then.
        devices: Ids of all devices that would go.
        refusals: What the manager would refuse; all figures are as if it did not.
        mapped_blocks: Distinct blocks that the devices reach, in data blocks.
        mapped_bytes: The same in bytes.
        freed_blocks: Blocks that come free.
        freed_bytes: The same in bytes.
        kept_by_metadata_snapshot_blocks: Blocks that come free when the held metadata snapshot is
            released as well.
        kept_by_metadata_snapshot_bytes: The same in bytes.
        still_held_blocks: Blocks that other devices reach.
        still_held_bytes: The same in bytes.
        holders: Who holds those, the largest first, at most ten.
        freed_metadata_blocks: Blocks of mapping trees that come free, 4 KiB each.
        freed_metadata_bytes: The same in bytes.
        kept_metadata_blocks: Blocks of mapping trees that then only the metadata snapshot keeps.
        kept_metadata_bytes: The same in bytes.
    """

    schema: ClassVar[str] = "thinscope.reclaim/1"

    source: str
    is_metadata_snapshot: bool
    block_bytes: int
    transaction_id: int
    time: int
    objects: tuple[GivenRow, ...]
    collected: tuple[str, ...]
    devices: tuple[int, ...]
    refusals: tuple[RefusalRow, ...]
    mapped_blocks: int
    mapped_bytes: int
    freed_blocks: int
    freed_bytes: int
    kept_by_metadata_snapshot_blocks: int
    kept_by_metadata_snapshot_bytes: int
    still_held_blocks: int
    still_held_bytes: int
    holders: tuple[HoldingRow, ...]
    freed_metadata_blocks: int
    freed_metadata_bytes: int
    kept_metadata_blocks: int
    kept_metadata_bytes: int

    @property
    def needs_attention(self) -> bool:
        """Whether the manager would refuse."""
        return bool(self.refusals)

    @classmethod
    def of(cls, pool: Pool, source: str, words: Sequence[str], *, orphans: bool = False) -> Self:
        """Resolve the words, and ask what the objects hold.

        Args:
            pool: The pool.
            source: What it was called.
            words: Which objects.
            orphans: Whether the orphans that the pool has go as well, but for those of low
                confidence.

        Raises:
            NamesError: Orphans are asked for, and there are no records to tell them by.
        """
        objects = pool.objects
        chosen = [*pool.find(words)]
        if orphans:
            found = found_orphans(pool, source)
            ids = (orphan.device for orphan in found if orphan.may_be_deleted)
            chosen += (objects.of(id_) for id_ in ids)
        reclaimed = pool.sharing().reclaim_of(chosen)
        superblock = pool.superblock
        block_bytes = superblock.data_block_bytes
        metadata_bytes = pool.metadata_space.block_bytes
        return cls(
            source=source,
            is_metadata_snapshot=pool.is_metadata_snapshot,
            block_bytes=block_bytes,
            transaction_id=superblock.transaction_id,
            time=superblock.time,
            objects=tuple(GivenRow.of(given, block_bytes) for given in reclaimed.given),
            collected=tuple(map(objects.title, reclaimed.deletion.collected)),
            devices=reclaimed.deletion.devices,
            refusals=tuple(RefusalRow.of(refusal, objects) for refusal in reclaimed.refusals),
            mapped_blocks=reclaimed.mapped_blocks,
            mapped_bytes=reclaimed.mapped_blocks * block_bytes,
            freed_blocks=reclaimed.freed_blocks,
            freed_bytes=reclaimed.freed_blocks * block_bytes,
            kept_by_metadata_snapshot_blocks=reclaimed.kept_by_metadata_snapshot_blocks,
            kept_by_metadata_snapshot_bytes=reclaimed.kept_by_metadata_snapshot_blocks
            * block_bytes,
            still_held_blocks=reclaimed.still_held_blocks,
            still_held_bytes=reclaimed.still_held_blocks * block_bytes,
            holders=tuple(
                HoldingRow.of(holding, objects, block_bytes) for holding in reclaimed.holders
            ),
            freed_metadata_blocks=reclaimed.freed_metadata_blocks,
            freed_metadata_bytes=reclaimed.freed_metadata_blocks * metadata_bytes,
            kept_metadata_blocks=reclaimed.kept_metadata_blocks,
            kept_metadata_bytes=reclaimed.kept_metadata_blocks * metadata_bytes,
        )
