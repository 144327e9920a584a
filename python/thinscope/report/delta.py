"""What two devices, or two mapping trees, have in common and what not, as a stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Self

from thinscope.errors import ThinscopeError
from thinscope.pool import Device
from thinscope.report.stream import Stream
from thinscope.report.units import exact_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thinscope import Delta as Table
    from thinscope import Pool, Root

__all__ = ["Delta", "DeltaTotal", "PieceRow", "PieceStream", "SideRow"]


class PieceRow(NamedTuple):
    """Virtual blocks of one kind that follow each other, on the data device as well.

    Attributes:
        kind: ``left_only``, ``right_only``, ``different`` or ``same``.
        virtual_begin: First virtual block, in data blocks.
        virtual_begin_bytes: The same in bytes.
        length: Number of blocks.
        length_bytes: The same in bytes.
        left_data_begin: First block of the data device on the left side, in data blocks, or None.
        left_data_begin_bytes: The same in bytes.
        right_data_begin: The same on the right side.
        right_data_begin_bytes: The same in bytes.
        left_time: The pool's time when the blocks on the left side were allocated, or None.
        right_time: The same on the right side.
    """

    kind: str
    virtual_begin: int
    virtual_begin_bytes: int
    length: int
    length_bytes: int
    left_data_begin: int | None
    left_data_begin_bytes: int | None
    right_data_begin: int | None
    right_data_begin_bytes: int | None
    left_time: int | None
    right_time: int | None


@dataclass(frozen=True, slots=True)
class SideRow:
    """One of the two sides.

    Attributes:
        is_metadata_snapshot: Whether the pool was read as the metadata snapshot keeps it.
        transaction_id: The pool's transaction id.
        device: Id of the device; None for a root.
        root: Metadata block of the root that was given; None for a device.
        name: What the device is called, or the root.
        virtual_bytes: Size of the device as a manager's record has it, or None.
    """

    is_metadata_snapshot: bool
    transaction_id: int
    device: int | None
    root: int | None
    name: str
    virtual_bytes: int | None

    @classmethod
    def of(cls, pool: Pool, side: Device | Root) -> Self:
        """Take over what is known of a side."""
        known = pool.is_metadata_snapshot, pool.superblock.transaction_id
        if isinstance(side, Device):
            name, size = pool.objects.label(side.id), pool.objects.virtual_bytes(side.id)
            return cls(*known, device=side.id, root=None, name=name, virtual_bytes=size)
        name = f"root {side.block}"
        return cls(*known, device=None, root=side.block, name=name, virtual_bytes=None)


@dataclass(frozen=True, slots=True)
class DeltaTotal:
    """What a stream of pieces added up to.

    Attributes:
        pieces: Number of pieces.
        left_only_blocks: Blocks that are mapped on the left side only, in data blocks.
        left_only_bytes: The same in bytes.
        right_only_blocks: Blocks that are mapped on the right side only.
        right_only_bytes: The same in bytes.
        different_blocks: Blocks that are mapped on both sides, but not to the same.
        different_bytes: The same in bytes.
        same_blocks: Blocks that are mapped to the same; None where that was not asked for.
        same_bytes: The same in bytes.
        left_beyond_blocks: Of all those, blocks that the left side maps beyond the size that its
            record has; None where no record has it.
        right_beyond_blocks: The same of the right side.
        nodes_read: Nodes of the two trees that were read, 4 KiB each.
    """

    pieces: int
    left_only_blocks: int
    left_only_bytes: int
    right_only_blocks: int
    right_only_bytes: int
    different_blocks: int
    different_bytes: int
    same_blocks: int | None
    same_bytes: int | None
    left_beyond_blocks: int | None
    right_beyond_blocks: int | None
    nodes_read: int


class PieceStream(Stream[PieceRow, DeltaTotal]):
    """The pieces, to be iterated once; afterwards the `total` is known."""

    def __init__(
        self, table: Table, block_bytes: int, sizes: tuple[int | None, int | None], *, same: bool
    ) -> None:
        """Take the pieces as the pool gives them, and the sizes of the sides in bytes."""
        self._table = table
        self._block_bytes = block_bytes
        self._ends = [None if size is None else -(-size // block_bytes) for size in sizes]
        self._same = same

    def __iter__(self) -> Iterator[PieceRow]:
        """Yield the pieces, and count."""
        block_bytes, count = self._block_bytes, 0
        blocks = {"left_only": 0, "right_only": 0, "different": 0, "same": 0}
        left_end, right_end = self._ends
        beyond = [0, 0]
        pieces = iter(self._table)
        for piece in pieces:
            begin, length = piece.virtual_begin, piece.length
            left, right = piece.left_data_begin, piece.right_data_begin
            count += 1
            blocks[piece.kind] += length
            if left_end is not None and left is not None:
                beyond[0] += max(0, begin + length - max(begin, left_end))
            if right_end is not None and right is not None:
                beyond[1] += max(0, begin + length - max(begin, right_end))
            yield PieceRow(
                piece.kind,
                begin,
                begin * block_bytes,
                length,
                length * block_bytes,
                left,
                None if left is None else left * block_bytes,
                right,
                None if right is None else right * block_bytes,
                piece.left_time,
                piece.right_time,
            )
        self._total = DeltaTotal(
            pieces=count,
            left_only_blocks=blocks["left_only"],
            left_only_bytes=blocks["left_only"] * block_bytes,
            right_only_blocks=blocks["right_only"],
            right_only_bytes=blocks["right_only"] * block_bytes,
            different_blocks=blocks["different"],
            different_bytes=blocks["different"] * block_bytes,
            same_blocks=blocks["same"] if self._same else None,
            same_bytes=blocks["same"] * block_bytes if self._same else None,
            left_beyond_blocks=None if left_end is None else beyond[0],
            right_beyond_blocks=None if right_end is None else beyond[1],
            nodes_read=pieces.nodes_read,
        )


@dataclass(frozen=True, slots=True)
class Delta:
    """What two devices, or two mapping trees, have in common and what not.

    Attributes:
        source: What was opened for the left side, as it was named.
        other_source: What was opened for the right side; None where that is the same pool.
        is_metadata_snapshot: Whether its pool was read as the metadata snapshot keeps it.
        block_bytes: Bytes in a data block, on both sides.
        transaction_id: The transaction id of the left side's pool.
        time: The time of the left side's pool.
        left: The left side.
        right: The right side.
        is_exact: Whether what is told to be the same has the same content: both sides are devices
            of one state of one pool. Else blocks may have been written in place meanwhile, which
            no mapping tells.
        with_same: Whether what is the same is told as well.
        pieces: The pieces, by virtual block.
    """

    schema: ClassVar[str] = "thinscope.delta/1"
    needs_attention: ClassVar[bool] = False

    source: str
    other_source: str | None
    is_metadata_snapshot: bool
    block_bytes: int
    transaction_id: int
    time: int
    left: SideRow
    right: SideRow
    is_exact: bool
    with_same: bool
    pieces: PieceStream

    @property
    def total(self) -> DeltaTotal:
        """What all pieces add up to; known at the end of the stream."""
        return self.pieces.total

    @classmethod
    def of(  # noqa: PLR0913 - two of everything
        cls,
        pool: Pool,
        source: str,
        left: Device | Root,
        right: Device | Root,
        *,
        other: Pool,
        other_source: str,
        same: bool = False,
    ) -> Self:
        """Prepare to compare.

        Args:
            pool: The pool of the left side, which must stay open while the pieces are read.
            source: What was opened for it.
            left: The left side.
            right: The right side.
            other: The pool of the right side, which may be the same.
            other_source: What was opened for it.
            same: Whether to tell what is the same as well.

        Raises:
            ThinscopeError: The pools have data blocks of different sizes.
        """
        superblock = pool.superblock
        block_bytes, others = superblock.data_block_bytes, other.superblock.data_block_bytes
        if block_bytes != others:
            sizes = f"{exact_size(block_bytes)} and {exact_size(others)}"
            raise ThinscopeError(f"data blocks of {sizes} cannot be compared", source=other_source)
        is_exact = pool is other and isinstance(left, Device) and isinstance(right, Device)
        one, two = SideRow.of(pool, left), SideRow.of(other, right)
        sizes_of_sides = (one.virtual_bytes, two.virtual_bytes)
        table = left.delta(right, same=same)
        return cls(
            source=source,
            other_source=None if other is pool else other_source,
            is_metadata_snapshot=pool.is_metadata_snapshot,
            block_bytes=block_bytes,
            transaction_id=superblock.transaction_id,
            time=superblock.time,
            left=one,
            right=two,
            is_exact=is_exact,
            with_same=same,
            pieces=PieceStream(table, block_bytes, sizes_of_sides, same=same),
        )
