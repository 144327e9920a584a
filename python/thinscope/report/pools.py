"""The thin pools that a source holds, and how each is named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thinscope import Pool
    from thinscope.disk_image import DiskImage, Known

__all__ = ["PoolRow", "Pools"]


@dataclass(frozen=True, slots=True)
class PoolRow:
    """A thin pool.

    Attributes:
        pool: What its manager calls it, or None where no record tells.
        name: What names it behind SOURCE and a colon, or None where SOURCE is its metadata.
        seqno: The version of LVM's text that tells of it, or None where there is no text.
        is_current: Whether that is the one that counts; only older ones tell of a pool that was
            removed.
        block_bytes: Bytes in a data block, or None where it is not on record.
        transaction_id: Its transaction id, or None where it is not on record.
        volumes: Volumes of it on record, or devices where there is no text.
        metadata_bytes: Bytes of its metadata device, or None where the text does not tell.
        data_bytes: Bytes of its data device, or None where the text does not tell.
        problem: Why it cannot be read, or None.
    """

    pool: str | None
    name: str | None
    seqno: int | None
    is_current: bool
    block_bytes: int | None
    transaction_id: int | None
    volumes: int
    metadata_bytes: int | None
    data_bytes: int | None
    problem: str | None

    @classmethod
    def of(cls, known: Known) -> Self:
        """Take over what a text says."""
        version = "" if known.is_current else f"@{known.seqno}"
        return cls(
            pool=known.names.pool,
            name=f"{known.group}/{known.pool}{version}",
            seqno=known.seqno,
            is_current=known.is_current,
            block_bytes=known.names.block_bytes,
            transaction_id=known.names.transaction_id,
            volumes=len(known.names.records),
            metadata_bytes=known.metadata_bytes,
            data_bytes=known.data_bytes,
            problem=known.problem,
        )


@dataclass(frozen=True, slots=True)
class Pools:
    """The thin pools that a source holds.

    Attributes:
        source: What was opened, as it was named.
        more_pvs: What else was opened with it.
        pools: The pools: first those by the texts that count.
        partitions: What was seen in partitions, in words.
        missing: Physical volumes that were not given, in words.
        faults: What is damaged, in words.
    """

    schema: ClassVar[str] = "thinscope.pools/1"

    source: str
    more_pvs: tuple[str, ...]
    pools: tuple[PoolRow, ...]
    partitions: tuple[str, ...]
    missing: tuple[str, ...]
    faults: tuple[str, ...]

    @property
    def needs_attention(self) -> bool:
        """Whether something is damaged or missing."""
        return bool(self.faults or self.missing) or any(
            row.is_current and row.problem for row in self.pools
        )

    @classmethod
    def of_image(cls, image: DiskImage, source: str, more_pvs: Sequence[str]) -> Self:
        """List what a disk image holds.

        Raises:
            NotThinMetadata: No thin pool.
            NamesError: No text can be read.
        """
        rows = tuple(PoolRow.of(known) for known in image.pools())
        return cls(
            source=source,
            more_pvs=tuple(more_pvs),
            pools=rows,
            partitions=tuple(image.seen),
            missing=tuple(image.missing),
            faults=tuple(image.faults),
        )

    @classmethod
    def of(cls, pool: Pool, source: str) -> Self:
        """List the one pool of which a source is the metadata."""
        row = PoolRow(
            pool=next((names.pool for names in pool.names if names.pool), None),
            name=None,
            seqno=None,
            is_current=True,
            block_bytes=pool.superblock.data_block_bytes,
            transaction_id=pool.superblock.transaction_id,
            volumes=len(pool.devices),
            metadata_bytes=pool.metadata_space.total_bytes,
            data_bytes=pool.data_space.total_bytes,
            problem=None,
        )
        return cls(source, (), (row,), (), (), ())
