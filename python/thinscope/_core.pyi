"""
The compiled core of thinscope: pools by device id. Use `thinscope`, which adds the rest.
"""

from _typeshed import SupportsGetItem
from os import PathLike
from typing import Any, Final, SupportsIndex, final

__all__ = [
    "DEBUG_BUILD",
    "Copied",
    "CountRun",
    "CountRunIterator",
    "DeviceFragmentation",
    "DeviceRecord",
    "DeviceUsage",
    "FreeExtents",
    "Group",
    "LengthClass",
    "Mappings",
    "Matrix",
    "NodeFill",
    "Pair",
    "PairIterator",
    "Plan",
    "PlanStep",
    "Pool",
    "Reads",
    "Reclaim",
    "ReferenceCounts",
    "Run",
    "RunIterator",
    "SetUsage",
    "Sharing",
    "SpaceUsage",
    "Superblock",
    "Totals",
    "checksums",
    "copy_packed",
    "read_block",
]

DEBUG_BUILD: Final[bool]
"""
Whether this was built without optimisation: correct, but no measure of speed.
"""

@final
class Copied:
    """
    What was copied of a source.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    @property
    def bytes(self, /) -> int:
        """
        Bytes copied: all of them, but for what lies beyond the last block that the kernel uses.
        """
    @property
    def may_be_stale(self, /) -> bool:
        """
        Whether it may be older than what the kernel wrote: the device refused to be read around
        the page cache.
        """
    @property
    def packed_bytes(self, /) -> int:
        """
        Bytes written.
        """
    @property
    def packed_sha256(self, /) -> str:
        """
        SHA-256 of the bytes written, in hexadecimal digits.
        """
    @property
    def sha256(self, /) -> str:
        """
        SHA-256 of the bytes copied, in hexadecimal digits.
        """
    @property
    def source_bytes(self, /) -> int:
        """
        Length of the source in bytes, unpacked.
        """
    @property
    def unknown_blocks(self, /) -> int:
        """
        Blocks that are neither zero nor carry the checksum of any kind of metadata.
        """
    @property
    def unreadable(self, /) -> list[tuple[int, int]]:
        """
        Runs of blocks that could not be read, and are zero in the copy: the first, and how many.
        """
    @property
    def zero_blocks(self, /) -> int:
        """
        Blocks of zeros.
        """

@final
class CountRun:
    """
    Neighbouring blocks with the same reference count.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def begin(self, /) -> int:
        """
        First block.
        """
    @property
    def count(self, /) -> int:
        """
        References to each of them; 0: free.
        """
    @property
    def length(self, /) -> int:
        """
        Number of blocks.
        """

@final
class CountRunIterator:
    """
    Iterates over the runs of a table.
    """
    def __iter__(self, /) -> CountRunIterator: ...
    def __next__(self, /) -> CountRun: ...

@final
class DeviceFragmentation:
    """
    How a device lies on the data device, and what reading it from begin to end costs there.

    A run is a stretch of blocks that follow each other in the device and on the data device, as
    long as it can be. When they were allocated does not matter here; the runs of `mappings` also
    end where the time changes.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def contiguity(self, /) -> float | None:
        """
        The share of `neighbours` that are `contiguous`, or None where there are none.
        """
    @property
    def contiguous(self, /) -> int:
        """
        Of those, the pairs that are neighbours on the data device too, d and d + 1.
        """
    @property
    def longest_run(self, /) -> int:
        """
        Length of the longest run, in data blocks; 0 where nothing is mapped.
        """
    @property
    def mapped_blocks(self, /) -> int:
        """
        Blocks mapped, in data blocks, as counted.
        """
    @property
    def mean_run(self, /) -> float | None:
        """
        Mean length of a run in data blocks, or None where nothing is mapped.
        """
    @property
    def mean_seek(self, /) -> float | None:
        """
        Mean distance of a seek in data blocks, or None where there is none.
        """
    @property
    def median_run(self, /) -> int:
        """
        The median length of a run, in data blocks: the shortest one that half of the runs, or
        more, do not exceed; 0 where nothing is mapped.
        """
    @property
    def neighbours(self, /) -> int:
        """
        Pairs of neighbouring blocks of the device, v and v + 1, that are both mapped.
        """
    @property
    def reads(self, /) -> list[Reads]:
        """
        The same reading in I/Os of 1, 2, 4, ... 64 data blocks.
        """
    @property
    def run_lengths(self, /) -> list[LengthClass]:
        """
        The runs by their lengths, in classes of powers of two, from 1 up to that of the longest.
        """
    @property
    def runs(self, /) -> int:
        """
        Number of runs: `mapped_blocks` - `contiguous`.
        """
    @property
    def seek_blocks(self, /) -> int:
        """
        Sum over the seeks of the data blocks between, forwards or backwards.
        """
    @property
    def seeks(self, /) -> int:
        """
        Seeks of reading the mapped blocks once, by ascending virtual block: how many times a
        block does not begin on the data device where the one read before ended. Holes cost nothing.
        """

@final
class DeviceRecord:
    """
    A device as the pool records it.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    @property
    def creation_time(self, /) -> int:
        """
        The pool's time when the device was made.
        """
    @property
    def id(self, /) -> int:
        """
        Its id in the pool, 24 bits.
        """
    @property
    def mapped_blocks(self, /) -> int:
        """
        Blocks mapped, in data blocks, as recorded.
        """
    @property
    def snapshot_time(self, /) -> int:
        """
        The pool's time when the device was last snapshotted.
        """
    @property
    def transaction_id(self, /) -> int:
        """
        The pool's transaction id when the device was made.
        """

@final
class DeviceUsage:
    """
    What a device holds, in data blocks.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    @property
    def exclusive_blocks(self, /) -> int:
        """
        Of those, blocks that no other device reaches; the metadata snapshot is no device.
        """
    @property
    def id(self, /) -> int:
        """
        Id of the device.
        """
    @property
    def mapped_blocks(self, /) -> int:
        """
        Distinct blocks that it reaches.
        """
    @property
    def mappings(self, /) -> int:
        """
        How many mappings it has.
        """
    @property
    def shared_blocks(self, /) -> int:
        """
        Of those mapped, blocks that other devices reach too.
        """
    @property
    def shared_by(self, /) -> list[tuple[int, int]]:
        """
        Blocks by the number of devices that reach them, ascending: (devices, blocks). The sum
        of blocks/devices is the fair share.
        """

@final
class FreeExtents:
    """
    The free extents of the data device: stretches of free blocks, as long as they can be.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def blocks(self, /) -> int:
        """
        Free blocks, in data blocks.
        """
    @property
    def count(self, /) -> int:
        """
        How many there are.
        """
    @property
    def largest(self, /) -> list[tuple[int, int]]:
        """
        First block and length of the longest ones, as many as were asked for: the longest first,
        among equal ones the lowest.
        """
    @property
    def lengths(self, /) -> list[LengthClass]:
        """
        By their lengths, in classes of powers of two, from 1 up to that of the longest.
        """
    @property
    def longest(self, /) -> int:
        """
        Length of the longest one, in data blocks; 0 where no block is free.
        """

@final
class Group:
    """
    Devices that share blocks with each other and with no other device.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    @property
    def blocks(self, /) -> int:
        """
        Data blocks that these reach and nobody else.
        """
    @property
    def devices(self, /) -> list[int]:
        """
        Ids of the devices, ascending.
        """
    @property
    def has_metadata_snapshot(self, /) -> bool:
        """
        Whether the metadata snapshot reaches the blocks too.
        """

@final
class LengthClass:
    """
    Runs or free extents with lengths from one power of two up to the next.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def blocks(self, /) -> int:
        """
        Data blocks in all of them.
        """
    @property
    def count(self, /) -> int:
        """
        How many there are.
        """
    @property
    def longest(self, /) -> int:
        """
        The longest length of the class, in data blocks: one less than the next power of two.
        """
    @property
    def shortest(self, /) -> int:
        """
        The shortest length of the class, in data blocks: a power of two.
        """

@final
class Mappings:
    """
    The mappings of one device or of all, as a table of runs: devices by ascending id, runs by
    ascending virtual block, each as long as it can be.

    Columns: `device` (uint32, id), `virtual_begin` and `data_begin` (uint64, in data blocks),
    `length` (uint64, blocks), `time` (uint32, the pool's time at allocation). Nothing is read
    before the table is: iterate over it, or hand it to anything that takes an Arrow stream
    (`polars.DataFrame(table)`, DuckDB, `pyarrow.table(table)`). It can be read again.
    """
    def __arrow_c_schema__(self, /) -> "object":
        """
        The columns' names and types as an Arrow C schema.
        """
    def __arrow_c_stream__(self, /, requested_schema: Any | None = None) -> "object":
        """
        The table as an Arrow C stream (the Arrow `PyCapsule` interface). The schema asked for is
        a wish that is not granted: the columns are as documented.
        """
    def __iter__(self, /) -> RunIterator:
        """
        The runs as objects, one at a time.
        """
    def __repr__(self, /) -> str: ...

@final
class Matrix:
    """
    How many blocks each two devices share, as a table of the pairs that share any, by ascending
    ids.

    Columns: `device_a` and `device_b` (uint32, ids, `device_a` is the lower one), `blocks`
    (uint64, data blocks that both reach). Computed row by row as it is read: iterate over it, or
    hand it to anything that takes an Arrow stream. It can be read again.
    """
    def __arrow_c_schema__(self, /) -> "object":
        """
        The columns' names and types as an Arrow C schema.
        """
    def __arrow_c_stream__(self, /, requested_schema: Any | None = None) -> "object":
        """
        The table as an Arrow C stream (the Arrow `PyCapsule` interface). The schema asked for is
        a wish that is not granted: the columns are as documented.
        """
    def __iter__(self, /) -> PairIterator:
        """
        The pairs as objects, one at a time.
        """
    def __repr__(self, /) -> str: ...

@final
class NodeFill:
    """
    How full the distinct nodes of one kind are, over the mapping trees of all devices.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def entries(self, /) -> int:
        """
        Entries in use.
        """
    @property
    def mean(self, /) -> float | None:
        """
        The mean share of a node's room that is in use, or None where there is no node.
        """
    @property
    def nodes(self, /) -> int:
        """
        Distinct nodes, in metadata blocks.
        """
    @property
    def room(self, /) -> int:
        """
        Entries that the nodes have room for, 252 each.
        """
    @property
    def tenths(self, /) -> list[int]:
        """
        Nodes by the tenth of their room that is in use, ten numbers; full ones are in the last.
        """

@final
class Pair:
    """
    Two devices and what they share.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def blocks(self, /) -> int:
        """
        Data blocks that both reach.
        """
    @property
    def device_a(self, /) -> int:
        """
        Id of the device with the lower id.
        """
    @property
    def device_b(self, /) -> int:
        """
        Id of the other one.
        """

@final
class PairIterator:
    """
    Iterates over the pairs of a table.
    """
    def __iter__(self, /) -> PairIterator: ...
    def __next__(self, /) -> Pair: ...

@final
class Plan:
    """
    Which objects to delete, in an order that is possible.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def freed_blocks(self, /) -> int:
        """
        Data blocks that all steps free.
        """
    @property
    def is_reached(self, /) -> bool:
        """
        Whether that is as much as was asked for.
        """
    @property
    def most_blocks(self, /) -> int:
        """
        Data blocks that deleting every object that can go would free.
        """
    @property
    def steps(self, /) -> list[PlanStep]:
        """
        The steps, in an order that is possible.
        """

@final
class PlanStep:
    """
    Objects that go together.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def collected(self, /) -> list[int]:
        """
        What goes by itself then, by position, in the order in which it does.
        """
    @property
    def gain_blocks(self, /) -> int:
        """
        Data blocks that this step frees.
        """
    @property
    def objects(self, /) -> list[int]:
        """
        What is deleted, by position, in an order that is possible.
        """
    @property
    def total_blocks(self, /) -> int:
        """
        Data blocks that this step and all before it free.
        """

@final
class Pool:
    """
    An open pool, by device ids. `thinscope.Pool` is its public face.
    """
    def __new__(
        cls,
        /,
        source: bytes | bytearray | str | PathLike[str] | Any,
        name: str,
        *,
        metadata_snapshot: bool = False,
        threads: SupportsIndex | None = None,
        progress: Any | None = None,
    ) -> Pool:
        """
        Opens a path, bytes or a binary file object; `name` is what messages call it.
        """
    @property
    def data_space(self, /) -> SpaceUsage:
        """
        Usage of the data device.
        """
    def devices(self, /) -> list[DeviceRecord]:
        """
        The devices' records, by ascending id.
        """
    def dump(
        self,
        /,
        target: tuple[
            str | PathLike[str], tuple[SupportsIndex, SupportsIndex, SupportsIndex] | None
        ]
        | Any
        | None,
        *,
        format: str,
        devices: SupportsGetItem[int, SupportsIndex] | None,
        with_mappings: bool,
        transaction_id: SupportsIndex | None = None,
        data_blocks: SupportsIndex | None = None,
        data_block_sectors: SupportsIndex | None = None,
    ) -> None:
        """
        Writes the pool as text to a new file, to a binary file object, or to stdout. What the
        header says can be said otherwise.
        """
    def fragmentation(
        self, /
    ) -> tuple[dict[int, DeviceFragmentation], NodeFill, NodeFill, int, int]:
        """
        Tells how scattered things are, by reading each distinct node once: what each device comes
        to by id, how full leaves and internal nodes are, the nodes that packing would leave, and
        the nodes that there would be if nothing was shared.
        """
    def free_extents(self, /, largest: SupportsIndex) -> FreeExtents | None:
        """
        The free extents of the data device, the longest ones named; None through a metadata
        snapshot.
        """
    def highest_block(self, /, device: SupportsIndex) -> int | None:
        """
        The highest virtual block that a device maps, or None.
        """
    def highest_blocks(self, /) -> dict[int, int | None]:
        """
        The highest virtual block that each device maps, or None, by device id.
        """
    @property
    def live_superblock(self, /) -> Superblock:
        """
        The superblock in block 0, whatever the view.
        """
    def lookup(self, /, device: SupportsIndex, block: SupportsIndex) -> Run | None:
        """
        Where a virtual block of a device lies, as a run of one block, or None.
        """
    def mappings(
        self,
        /,
        device: SupportsIndex | None = None,
        begin: SupportsIndex = 0,
        end: SupportsIndex | None = None,
    ) -> Mappings:
        """
        The mappings of one device, or of all, from virtual block `begin` up to but without `end`.
        """
    @property
    def may_be_stale(self, /) -> bool:
        """
        Whether what is read may be older than what the kernel wrote: the device refused to be
        read around the page cache.
        """
    @property
    def metadata_space(self, /) -> SpaceUsage:
        """
        Usage of the metadata device.
        """
    def recount(
        self, /, with_exclusive: bool
    ) -> tuple[dict[int, int], dict[int, int] | None, int, int]:
        """
        Counts all mappings by reading each distinct node once: blocks mapped by device id, of
        those the exclusive ones or None, distinct data blocks reached, distinct nodes.
        """
    def reference_counts(self, /, space: str) -> ReferenceCounts:
        """
        The reference counts of the data or the metadata space.
        """
    def sharing(self, /) -> Sharing:
        """
        Who shares what: reads each distinct node once, and is found once.
        """
    @property
    def superblock(self, /) -> Superblock:
        """
        The superblock of the view: the live one, or the metadata snapshot's copy.
        """

@final
class Reads:
    """
    Reading a device once from begin to end in aligned I/Os of one size.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def io_blocks(self, /) -> int:
        """
        Data blocks of the device in an I/O: a power of two. I/O n begins at n times as many.
        """
    @property
    def ios(self, /) -> int:
        """
        I/Os with at least one mapped block; the others read zeros, and cost nothing.
        """
    @property
    def pieces(self, /) -> int:
        """
        Pieces on the data device: parts of runs, which end where an I/O ends.
        """
    @property
    def pieces_per_io(self, /) -> float | None:
        """
        Mean number of pieces in an I/O, or None where there is none: at least 1.
        """
    @property
    def seeks(self, /) -> int:
        """
        Pieces that do not begin where the one before ended: the same for each size.
        """
    @property
    def seeks_per_io(self, /) -> float | None:
        """
        Mean number of seeks of an I/O, or None where there is none.
        """

@final
class Reclaim:
    """
    What deleting a set of devices would free, in data blocks where nothing else is said. Freed,
    kept and still held add up to mapped.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    @property
    def alone_blocks(self, /) -> list[int]:
        """
        What deleting only one group would free, for each.
        """
    @property
    def freed_blocks(self, /) -> int:
        """
        Of those, blocks that nobody else reaches.
        """
    @property
    def freed_metadata_blocks(self, /) -> int:
        """
        Nodes of mapping trees that nobody else reaches: metadata blocks.
        """
    @property
    def holders(self, /) -> list[tuple[int, int]]:
        """
        The devices outside that reach blocks of the set, and how many: most blocks first, then
        by ascending id.
        """
    @property
    def kept_by_metadata_snapshot_blocks(self, /) -> int:
        """
        Of those, blocks that no other device reaches, but the metadata snapshot: freed when it
        is released.
        """
    @property
    def kept_metadata_blocks(self, /) -> int:
        """
        Nodes of mapping trees that beside the set only the metadata snapshot reaches: metadata
        blocks.
        """
    @property
    def mapped_blocks(self, /) -> int:
        """
        Distinct blocks that the set reaches.
        """
    @property
    def still_held_blocks(self, /) -> int:
        """
        Of those, blocks that other devices reach.
        """

@final
class ReferenceCounts:
    """
    The reference counts of a space map, as a table of runs by ascending block; the lengths add
    up to all blocks of the space, and neighbouring runs differ in their count.

    Columns: `begin` and `length` (uint64, in data blocks or in metadata blocks of 4 KiB),
    `count` (uint32; 0: free). Iterate over it, or hand it to anything that takes an Arrow
    stream. It can be read again. Always of the live pool: a metadata snapshot has no space maps.
    """
    def __arrow_c_schema__(self, /) -> "object":
        """
        The columns' names and types as an Arrow C schema.
        """
    def __arrow_c_stream__(self, /, requested_schema: Any | None = None) -> "object":
        """
        The table as an Arrow C stream (the Arrow `PyCapsule` interface). The schema asked for is
        a wish that is not granted: the columns are as documented.
        """
    def __iter__(self, /) -> CountRunIterator:
        """
        The runs as objects, one at a time.
        """
    def __repr__(self, /) -> str: ...

@final
class Run:
    """
    Mappings that are consecutive in virtual block and data block, and have one time.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def data_begin(self, /) -> int:
        """
        First block of the data device, in data blocks.
        """
    @property
    def device(self, /) -> int:
        """
        Id of the device.
        """
    @property
    def length(self, /) -> int:
        """
        Number of blocks.
        """
    @property
    def time(self, /) -> int:
        """
        The pool's time when the blocks were allocated.
        """
    @property
    def virtual_begin(self, /) -> int:
        """
        First block of the device, in data blocks.
        """

@final
class RunIterator:
    """
    Iterates over the runs of a table.
    """
    def __iter__(self, /) -> RunIterator: ...
    def __next__(self, /) -> Run: ...

@final
class SetUsage:
    """
    What a set of devices holds, in data blocks.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    @property
    def exclusive_blocks(self, /) -> int:
        """
        Of those, blocks that no device outside the set reaches; the metadata snapshot is no
        device.
        """
    @property
    def mapped_blocks(self, /) -> int:
        """
        Distinct blocks that the set reaches.
        """
    @property
    def reclaimable_blocks(self, /) -> int:
        """
        Of those, blocks that the metadata snapshot does not reach either.
        """
    @property
    def shared_by(self, /) -> list[tuple[int, int]]:
        """
        By the number of devices that reach a block, ascending: (devices, blocks times devices
        of the set that reach them). The sum of blocks/devices is the fair share.
        """

@final
class Sharing:
    """
    Who shares what in a pool, as of when it was read: answers are immediate and need no source.
    """
    def __repr__(self, /) -> str: ...
    def devices(self, /) -> list[DeviceUsage]:
        """
        What each device holds, by ascending id.
        """
    def groups(self, /, limit: SupportsIndex) -> list[Group]:
        """
        The groups of two devices or more that share most blocks: most blocks first, then by
        their devices, first those that the metadata snapshot does not have.
        """
    @property
    def has_metadata_snapshot(self, /) -> bool:
        """
        Whether a held metadata snapshot is a holder beside the devices.
        """
    def leaked(self, /) -> list[tuple[int, int]] | None:
        """
        Blocks that are counted as used and reached by nobody, as runs (begin, length) of data
        blocks, ascending, or None through a metadata snapshot.
        """
    def matrix(self, /) -> Matrix:
        """
        How many blocks each two devices share.
        """
    def missing(self, /) -> list[tuple[int, int]] | None:
        """
        Blocks that are reached, but counted as free, as runs (begin, length) of data blocks,
        ascending, or None through a metadata snapshot.
        """
    def picture(self, /, cells: SupportsIndex) -> list[tuple[int, int, int, int, int, int]] | None:
        """
        The data device cut into at most so many cells of one size, and never into more than 2**20;
        the last may be smaller. Of each cell, in data blocks: free, reached by one device, by several
        devices, by the metadata snapshot alone, leaked, which add up to the cell; and of those
        reached the ones counted as free. None through a metadata snapshot.
        """
    def plan(
        self,
        /,
        objects: SupportsGetItem[
            int,
            tuple[
                SupportsGetItem[int, SupportsIndex], SupportsGetItem[int, SupportsIndex], bool, bool
            ],
        ],
        target_blocks: SupportsIndex,
        *,
        min_each_blocks: SupportsIndex = 0,
        in_order: bool = False,
    ) -> Plan:
        """
        Plans which objects to delete so that `target_blocks` data blocks come free.

        An object is (ids of its devices, positions of the objects that it stands on and that
        cannot go before it, whether it goes by itself as soon as nobody uses it any more,
        whether it may go). Who may not go keeps all that it stands on. A step that frees less
        than `min_each_blocks` is not taken. `in_order` takes the objects in their order, rather
        than those that free most.
        """
    def reclaim(
        self,
        /,
        groups: SupportsGetItem[int, SupportsGetItem[int, SupportsIndex]],
        also: SupportsGetItem[int, SupportsIndex],
    ) -> Reclaim:
        """
        What deleting the devices of all groups and `also` would free.
        """
    def shared_with(self, /, device: SupportsIndex) -> list[tuple[int, int]]:
        """
        How many blocks each other device reaches of those that one device does: (id, blocks),
        by ascending id, without those that reach none.
        """
    def totals(self, /) -> Totals:
        """
        Sums over the whole pool.
        """
    def usage(
        self, /, groups: SupportsGetItem[int, SupportsGetItem[int, SupportsIndex]]
    ) -> list[SetUsage]:
        """
        What each of some sets of devices holds; a device may be in several.
        """

@final
class SpaceUsage:
    """
    Usage of the data device or of the metadata device, in blocks and bytes.

    What is used is not known through a metadata snapshot (None): the live pool goes on
    allocating.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def block_bytes(self, /) -> int:
        """
        Bytes in a block.
        """
    @property
    def free(self, /) -> int | None:
        """
        Blocks not allocated, or None through a metadata snapshot.
        """
    @property
    def free_bytes(self, /) -> int | None:
        """
        `free` in bytes.
        """
    @property
    def kernel_used(self, /) -> int | None:
        """
        Used blocks as `dmsetup status` tells them: for metadata it adds a reserve of a tenth of
        the space, at most 4096 blocks. None through a metadata snapshot.
        """
    @property
    def total(self, /) -> int:
        """
        Blocks in all, as the space map counts them.
        """
    @property
    def total_bytes(self, /) -> int:
        """
        `total` in bytes.
        """
    @property
    def used(self, /) -> int | None:
        """
        Blocks allocated, or None through a metadata snapshot.
        """
    @property
    def used_bytes(self, /) -> int | None:
        """
        `used` in bytes.
        """

@final
class Superblock:
    """
    The superblock of a pool (kernel: `struct thin_disk_superblock`), checked.

    Of the live pool, or the copy that the metadata snapshot holds.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def block(self, /) -> int:
        """
        The metadata block where it lies: 0, or the metadata snapshot's.
        """
    @property
    def compat_flags(self, /) -> int:
        """
        Features that may be ignored (`compat_flags`).
        """
    @property
    def compat_ro_flags(self, /) -> int:
        """
        Features that a reader may ignore (`compat_ro_flags`).
        """
    @property
    def data_block_bytes(self, /) -> int:
        """
        Bytes in a data block.
        """
    @property
    def data_block_sectors(self, /) -> int:
        """
        Sectors of 512 bytes in a data block (`data_block_size`).
        """
    @property
    def details_root(self, /) -> int:
        """
        Root of the details tree (`device_details_root`).
        """
    @property
    def flags(self, /) -> int:
        """
        All flags (`flags`); bit 0 is `needs_check`.
        """
    @property
    def formatted_metadata_blocks(self, /) -> int:
        """
        Metadata blocks when the pool was made (`metadata_nr_blocks`); growth does not raise it.
        """
    @property
    def incompat_flags(self, /) -> int:
        """
        Features that must be known (`incompat_flags`); always 0 in a pool that opens.
        """
    @property
    def mapping_root(self, /) -> int:
        """
        Root of the top-level tree (`data_mapping_root`).
        """
    @property
    def metadata_snapshot(self, /) -> int | None:
        """
        The metadata block of the held metadata snapshot (`held_root`), or None.
        """
    @property
    def needs_check(self, /) -> bool:
        """
        Whether the kernel asks for a check before the pool is used again.
        """
    @property
    def time(self, /) -> int:
        """
        The snapshot counter (`time`).
        """
    @property
    def transaction_id(self, /) -> int:
        """
        User space's transaction id (`trans_id`).
        """
    @property
    def uuid(self, /) -> bytes:
        """
        16 bytes, zero in practice (`uuid`).
        """
    @property
    def version(self, /) -> int:
        """
        Version of the format (`version`): 1 or 2.
        """

@final
class Totals:
    """
    Sums over the whole pool, in data blocks where nothing else is said. One device, several
    devices, only in the metadata snapshot and leaked, less the missing count, add up to used.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    @property
    def classes(self, /) -> int:
        """
        Different sets of holders that blocks have.
        """
    @property
    def kept_by_metadata_snapshot_blocks(self, /) -> int:
        """
        Blocks that the metadata snapshot reaches, whoever else does.
        """
    @property
    def leaked_blocks(self, /) -> int | None:
        """
        Blocks counted as used that nobody reaches, or None through a metadata snapshot.
        """
    @property
    def missing_count_blocks(self, /) -> int | None:
        """
        Blocks that are reached, but counted as free, or None through a metadata snapshot.
        """
    @property
    def nodes(self, /) -> int:
        """
        Distinct nodes of the devices' mapping trees: metadata blocks.
        """
    @property
    def one_device_blocks(self, /) -> int:
        """
        Blocks that one device reaches.
        """
    @property
    def only_metadata_snapshot_blocks(self, /) -> int:
        """
        Blocks that only the metadata snapshot reaches.
        """
    @property
    def only_metadata_snapshot_nodes(self, /) -> int:
        """
        Distinct nodes of mapping trees that only the metadata snapshot reaches: metadata blocks.
        """
    @property
    def reached_blocks(self, /) -> int:
        """
        Blocks that devices reach.
        """
    @property
    def several_devices_blocks(self, /) -> int:
        """
        Blocks that several devices reach.
        """
    @property
    def used_blocks(self, /) -> int | None:
        """
        Blocks counted as used, or None through a metadata snapshot.
        """

def checksums(block: bytes) -> dict[str, int]:
    """
    The checksum that a block of 4096 bytes must carry in its first field, by kind of block.
    """

def copy_packed(
    source: bytes | bytearray | str | PathLike[str] | Any,
    name: str,
    target: tuple[str | PathLike[str], tuple[SupportsIndex, SupportsIndex, SupportsIndex] | None]
    | Any,
    *,
    metadata_snapshot: bool = False,
    progress: Any | None = None,
) -> Copied:
    """
    Writes the metadata of a path, bytes or a binary file object as one zstd frame, damaged or
    not; `name` is what messages call it.
    """

def read_block(
    source: bytes | bytearray | str | PathLike[str] | Any,
    name: str,
    block: SupportsIndex,
    *,
    progress: Any | None = None,
) -> tuple[bytes, int, bool]:
    """
    Reads a block of a path, bytes or a binary file object, in use or not; `name` is what
    messages call it. Returns its bytes, fewer than 4096 where the source ends in it; the length
    of the source in bytes; and whether the bytes may be older than what the kernel wrote.
    """
