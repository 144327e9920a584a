"""How scattered the devices are, what is free in one piece, and how full the nodes are."""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, ClassVar, Self

from thinscope.report.picture import Picture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import thinscope
    from thinscope import Pool

__all__ = [
    "IO_SIZES",
    "DeviceRow",
    "Extent",
    "Fragmentation",
    "FreeExtents",
    "LengthRow",
    "NodeFill",
    "Nodes",
    "ReadRow",
    "Total",
]

IO_SIZES = tuple(1 << power for power in range(7))
"""Data blocks in an I/O, in the order of `DeviceRow.reads`."""


@dataclass(frozen=True, slots=True)
class LengthRow:
    """Runs or free extents with lengths from one power of two up to the next.

    Attributes:
        shortest: The shortest length of the class, in data blocks.
        shortest_bytes: The same in bytes.
        longest: The longest length of the class, in data blocks.
        longest_bytes: The same in bytes.
        count: How many there are.
        blocks: Data blocks in all of them.
        bytes: The same in bytes.
    """

    shortest: int
    shortest_bytes: int
    longest: int
    longest_bytes: int
    count: int
    blocks: int
    bytes: int

    @classmethod
    def of(cls, length: thinscope.LengthClass, block_bytes: int) -> Self:
        """Take over a class of lengths."""
        return cls(
            shortest=length.shortest,
            shortest_bytes=length.shortest * block_bytes,
            longest=length.longest,
            longest_bytes=length.longest * block_bytes,
            count=length.count,
            blocks=length.blocks,
            bytes=length.blocks * block_bytes,
        )


@dataclass(frozen=True, slots=True)
class ReadRow:
    """Reading a device once from begin to end in aligned I/Os of one size.

    Attributes:
        io_blocks: Data blocks in an I/O.
        io_bytes: The same in bytes.
        ios: I/Os with at least one mapped block.
        pieces: Parts of runs, which end where an I/O ends.
    """

    io_blocks: int
    io_bytes: int
    ios: int
    pieces: int

    @classmethod
    def of(cls, reads: thinscope.Reads, block_bytes: int) -> Self:
        """Take over the reading in one size."""
        return cls(
            io_blocks=reads.io_blocks,
            io_bytes=reads.io_blocks * block_bytes,
            ios=reads.ios,
            pieces=reads.pieces,
        )


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """How a device lies on the data device.

    Attributes:
        id: Its id in the pool.
        name: What it is called.
        mapped_blocks: Blocks mapped, in data blocks, as counted.
        mapped_bytes: The same in bytes.
        neighbours: Pairs of neighbouring virtual blocks that are both mapped.
        contiguous: Of those, the pairs that are neighbours on the data device too.
        runs: Blocks that follow each other in the device and on the data device, as long as can be.
        median_run: The shortest length that half of the runs or more do not exceed, in data blocks.
        median_run_bytes: The same in bytes.
        longest_run: Length of the longest run, in data blocks.
        longest_run_bytes: The same in bytes.
        seeks: Of reading it once: blocks that do not begin where the one read before ended.
        seek_blocks: Sum over the seeks of the data blocks between.
        seek_bytes: The same in bytes.
        run_lengths: The runs by their lengths.
        reads: The reading by I/O size.
    """

    id: int
    name: str
    mapped_blocks: int
    mapped_bytes: int
    neighbours: int
    contiguous: int
    runs: int
    median_run: int
    median_run_bytes: int
    longest_run: int
    longest_run_bytes: int
    seeks: int
    seek_blocks: int
    seek_bytes: int
    run_lengths: tuple[LengthRow, ...]
    reads: tuple[ReadRow, ...]

    @classmethod
    def of(
        cls, id_: int, name: str, device: thinscope.DeviceFragmentation, block_bytes: int
    ) -> Self:
        """Take over what was found of a device."""
        return cls(
            id=id_,
            name=name,
            mapped_blocks=device.mapped_blocks,
            mapped_bytes=device.mapped_blocks * block_bytes,
            neighbours=device.neighbours,
            contiguous=device.contiguous,
            runs=device.runs,
            median_run=device.median_run,
            median_run_bytes=device.median_run * block_bytes,
            longest_run=device.longest_run,
            longest_run_bytes=device.longest_run * block_bytes,
            seeks=device.seeks,
            seek_blocks=device.seek_blocks,
            seek_bytes=device.seek_blocks * block_bytes,
            run_lengths=tuple(LengthRow.of(row, block_bytes) for row in device.run_lengths),
            reads=tuple(ReadRow.of(row, block_bytes) for row in device.reads),
        )


@dataclass(frozen=True, slots=True)
class Total:
    """What the devices that are listed add up to; shared blocks count once for each of them.

    Attributes:
        mapped_blocks: Blocks mapped, in data blocks.
        mapped_bytes: The same in bytes.
        neighbours: Pairs of neighbouring virtual blocks that are both mapped.
        contiguous: Of those, the pairs that are neighbours on the data device too.
        runs: Runs.
        seeks: Seeks of reading each of them once.
        seek_blocks: Sum over the seeks of the data blocks between.
        seek_bytes: The same in bytes.
    """

    mapped_blocks: int
    mapped_bytes: int
    neighbours: int
    contiguous: int
    runs: int
    seeks: int
    seek_blocks: int
    seek_bytes: int

    @classmethod
    def of(cls, devices: Sequence[DeviceRow]) -> Self:
        """Add up devices."""
        return cls(
            mapped_blocks=sum(row.mapped_blocks for row in devices),
            mapped_bytes=sum(row.mapped_bytes for row in devices),
            neighbours=sum(row.neighbours for row in devices),
            contiguous=sum(row.contiguous for row in devices),
            runs=sum(row.runs for row in devices),
            seeks=sum(row.seeks for row in devices),
            seek_blocks=sum(row.seek_blocks for row in devices),
            seek_bytes=sum(row.seek_bytes for row in devices),
        )


@dataclass(frozen=True, slots=True)
class Extent:
    """A stretch of free blocks, as long as it can be.

    Attributes:
        begin: Its first block on the data device.
        begin_bytes: The same in bytes.
        length: Number of blocks.
        length_bytes: The same in bytes.
    """

    begin: int
    begin_bytes: int
    length: int
    length_bytes: int


@dataclass(frozen=True, slots=True)
class FreeExtents:
    """What is free on the data device in one piece.

    Attributes:
        count: Number of free extents.
        blocks: Free blocks, in data blocks.
        bytes: The same in bytes.
        longest: Length of the longest free extent, in data blocks.
        longest_bytes: The same in bytes.
        lengths: The free extents by their lengths.
        largest: The longest of them, as many as were asked for, the longest first.
    """

    count: int
    blocks: int
    bytes: int
    longest: int
    longest_bytes: int
    lengths: tuple[LengthRow, ...]
    largest: tuple[Extent, ...]

    @classmethod
    def of(cls, free: thinscope.FreeExtents, block_bytes: int) -> Self:
        """Take over what was found free."""
        return cls(
            count=free.count,
            blocks=free.blocks,
            bytes=free.blocks * block_bytes,
            longest=free.longest,
            longest_bytes=free.longest * block_bytes,
            lengths=tuple(LengthRow.of(row, block_bytes) for row in free.lengths),
            largest=tuple(
                Extent(begin, begin * block_bytes, length, length * block_bytes)
                for begin, length in free.largest
            ),
        )


@dataclass(frozen=True, slots=True)
class NodeFill:
    """How full the distinct nodes of one kind are.

    Attributes:
        nodes: Distinct nodes, in metadata blocks.
        entries: Entries in use.
        room: Entries that the nodes have room for.
        tenths: Nodes by the tenth of their room that is in use; full ones are in the last.
    """

    nodes: int
    entries: int
    room: int
    tenths: tuple[int, ...]

    @classmethod
    def of(cls, fill: thinscope.NodeFill) -> Self:
        """Take over how full nodes are."""
        return cls(fill.nodes, fill.entries, fill.room, tuple(fill.tenths))


@dataclass(frozen=True, slots=True)
class Nodes:
    """The nodes of all mapping trees, and what packing would make of them.

    Attributes:
        nodes: Distinct nodes, in metadata blocks.
        bytes: The same in bytes.
        leaves: How full the leaves are.
        internal_nodes: How full the internal nodes are.
        packed_nodes: Nodes after ``thin_dump`` and ``thin_restore``, in metadata blocks.
        packed_bytes: The same in bytes.
        unshared_nodes: Nodes of trees packed full that share nothing, in metadata blocks.
        unshared_bytes: The same in bytes.
    """

    nodes: int
    bytes: int
    leaves: NodeFill
    internal_nodes: NodeFill
    packed_nodes: int
    packed_bytes: int
    unshared_nodes: int
    unshared_bytes: int

    @classmethod
    def of(cls, found: thinscope.Fragmentation, block_bytes: int) -> Self:
        """Take over what was found of the nodes."""
        return cls(
            nodes=found.nodes,
            bytes=found.nodes * block_bytes,
            leaves=NodeFill.of(found.leaves),
            internal_nodes=NodeFill.of(found.internal_nodes),
            packed_nodes=found.packed_nodes,
            packed_bytes=found.packed_nodes * block_bytes,
            unshared_nodes=found.unshared_nodes,
            unshared_bytes=found.unshared_nodes * block_bytes,
        )


@dataclass(frozen=True, slots=True)
class Fragmentation:
    """How scattered a pool is.

    Attributes:
        source: What was opened, as it was named.
        is_metadata_snapshot: Whether the pool was read as the metadata snapshot keeps it.
        block_bytes: Bytes in a data block.
        transaction_id: The pool's transaction id.
        time: The pool's time.
        only: Ids of the devices asked for, ascending; None for all.
        devices: These devices, by ascending id.
        total: What they add up to.
        free: What is free on the data device; None through a metadata snapshot.
        nodes: The nodes of the mapping trees of all devices.
        picture: The data device from begin to end; None: not asked for, or not known through a
            metadata snapshot.
    """

    schema: ClassVar[str] = "thinscope.fragmentation/1"
    needs_attention: ClassVar[bool] = False

    source: str
    is_metadata_snapshot: bool
    block_bytes: int
    transaction_id: int
    time: int
    only: tuple[int, ...] | None
    devices: tuple[DeviceRow, ...]
    total: Total
    free: FreeExtents | None
    nodes: Nodes
    picture: Picture | None

    @property
    def by_seeks(self) -> tuple[DeviceRow, ...]:
        """The devices, those with most seeks first, among equal ones by id."""
        return tuple(sorted(self.devices, key=lambda row: (-row.seeks, row.id)))

    def column_names(self) -> tuple[str, ...]:
        """Return the names of what `rows` yields: of the numbers, then by I/O size."""
        by_size = (f"{name}_{blocks}" for blocks in IO_SIZES for name in ("ios", "pieces"))
        return (*_NUMBERS, *by_size)

    def rows(self) -> Iterator[tuple[int, ...]]:
        """Yield the devices as rows of numbers."""
        for row in self.devices:
            by_size = ((reads.ios, reads.pieces) for reads in row.reads)
            yield (*_numbers(row), *chain.from_iterable(by_size))

    @classmethod
    def of(
        cls,
        pool: Pool,
        source: str,
        *,
        who: Iterable[str] = (),
        free_extents: int = 0,
        picture: bool = False,
    ) -> Self:
        """Read all mappings, and the space map of the data device.

        Args:
            pool: The pool.
            source: What was opened.
            who: The devices to list; none means all.
            free_extents: How many of the longest free extents to list.
            picture: Whether to find out who reaches what, for a picture of the data device.

        Raises:
            UnknownDevice: The pool has no such device.
        """
        superblock = pool.superblock
        block_bytes = superblock.data_block_bytes
        only = tuple(sorted({pool.device(name).id for name in who})) or None
        found = pool.fragmentation()
        free = pool.free_extents(largest=free_extents)
        devices = tuple(_rows(pool, found.devices, only))
        return cls(
            source=source,
            is_metadata_snapshot=pool.is_metadata_snapshot,
            block_bytes=block_bytes,
            transaction_id=superblock.transaction_id,
            time=superblock.time,
            only=only,
            devices=devices,
            total=Total.of(devices),
            free=None if free is None else FreeExtents.of(free, block_bytes),
            nodes=Nodes.of(found, pool.metadata_space.block_bytes),
            picture=Picture.of(pool) if picture else None,
        )


_NUMBERS = tuple(
    field.name for field in fields(DeviceRow) if field.name not in {"run_lengths", "reads"}
)
_numbers: Callable[[DeviceRow], tuple[int, ...]] = attrgetter(*_NUMBERS)


def _rows(
    pool: Pool, devices: Mapping[int, thinscope.DeviceFragmentation], only: tuple[int, ...] | None
) -> Iterable[DeviceRow]:
    label, block_bytes = pool.objects.label, pool.superblock.data_block_bytes
    ids = devices if only is None else only
    return (DeviceRow.of(id_, label(id_), devices[id_], block_bytes) for id_ in ids)
