"""Orphans, with the space that each would give back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from thinscope.errors import NamesError
from thinscope.report.objects import NamesRow

if TYPE_CHECKING:
    from thinscope import Pool
    from thinscope.orphans import Orphan
    from thinscope.sharing import Usage

__all__ = ["OrphanRow", "Orphans", "found_orphans"]


@dataclass(frozen=True, slots=True)
class OrphanRow:
    """A device without an object, or a record without a device.

    Attributes:
        device: Its id.
        is_in_pool: Whether the pool has it.
        sort: What it is, in words.
        name: What the records call it, or an empty string.
        reason: Why it is taken for an orphan.
        confidence: How sure that is: ``high``, ``medium`` or ``low``.
        where: The record, if there is one.
        mapped_blocks: Blocks that it maps, in data blocks.
        mapped_bytes: The same in bytes.
        reclaimable_blocks: What deleting only this device would give back, in data blocks.
        reclaimable_bytes: The same in bytes.
    """

    device: int
    is_in_pool: bool
    sort: str
    name: str
    reason: str
    confidence: str
    where: str | None
    mapped_blocks: int
    mapped_bytes: int
    reclaimable_blocks: int
    reclaimable_bytes: int

    @classmethod
    def of(cls, orphan: Orphan, usage: Usage | None, block_bytes: int) -> Self:
        """Take over what was found."""
        mapped = usage.mapped_blocks if usage else 0
        reclaimable = usage.reclaimable_blocks if usage else 0
        return cls(
            device=orphan.device,
            is_in_pool=orphan.is_in_pool,
            sort=str(orphan.sort),
            name=orphan.name,
            reason=orphan.reason,
            confidence=str(orphan.confidence),
            where=orphan.where,
            mapped_blocks=mapped,
            mapped_bytes=mapped * block_bytes,
            reclaimable_blocks=reclaimable,
            reclaimable_bytes=reclaimable * block_bytes,
        )


def found_orphans(pool: Pool, source: str) -> tuple[Orphan, ...]:
    """Return the orphans of a pool.

    Raises:
        NamesError: There are no records to compare it with.
    """
    if not pool.names:
        message = "without a manager's records it cannot be told what is an orphan"
        hint = "give them with --names: a manager's folder, an LVM backup, ..."
        raise NamesError(message, source=source, hint=hint)
    return pool.orphans()


@dataclass(frozen=True, slots=True)
class Orphans:
    """All orphans of a pool.

    Attributes:
        source: What was opened, as it was named.
        is_metadata_snapshot: Whether the pool was read as the metadata snapshot keeps it.
        block_bytes: Bytes in a data block.
        transaction_id: The pool's transaction id.
        time: The pool's time.
        names: The records that the pool was compared with.
        devices: Devices of the pool.
        orphans: The orphans, those in the pool first, by ascending id.
        reclaimable_blocks: What deleting those in the pool would give back, but for those of low
            confidence, in data blocks.
        reclaimable_bytes: The same in bytes.
    """

    schema: ClassVar[str] = "thinscope.orphans/1"

    source: str
    is_metadata_snapshot: bool
    block_bytes: int
    transaction_id: int
    time: int
    names: tuple[NamesRow, ...]
    devices: int
    orphans: tuple[OrphanRow, ...]
    reclaimable_blocks: int
    reclaimable_bytes: int

    @property
    def needs_attention(self) -> bool:
        """Whether there are orphans."""
        return bool(self.orphans)

    @classmethod
    def of(cls, pool: Pool, source: str) -> Self:
        """Compare the pool with the records.

        Raises:
            NamesError: There are none.
        """
        found = found_orphans(pool, source)
        superblock = pool.superblock
        block_bytes = superblock.data_block_bytes
        ids = [orphan.device for orphan in found if orphan.is_in_pool]
        sure = [orphan.device for orphan in found if orphan.may_be_deleted]
        *alone, together = pool.sharing().usage_of([*([id_] for id_ in ids), sure])
        usages = dict(zip(ids, alone, strict=True))
        return cls(
            source=source,
            is_metadata_snapshot=pool.is_metadata_snapshot,
            block_bytes=block_bytes,
            transaction_id=superblock.transaction_id,
            time=superblock.time,
            names=tuple(map(NamesRow.of, pool.names)),
            devices=len(pool.devices),
            orphans=tuple(
                OrphanRow.of(
                    orphan, usages[orphan.device] if orphan.is_in_pool else None, block_bytes
                )
                for orphan in found
            ),
            reclaimable_blocks=together.reclaimable_blocks,
            reclaimable_bytes=together.reclaimable_blocks * block_bytes,
        )
