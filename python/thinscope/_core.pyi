"""
The compiled core of thinscope: pools by device id. Use `thinscope`, which adds the rest.
"""

from _typeshed import SupportsGetItem
from os import PathLike
from typing import Any, Final, SupportsIndex, final

__all__ = [
    "DEBUG_BUILD",
    "CheckFinding",
    "Checked",
    "Content",
    "Copied",
    "CountRun",
    "CountRunIterator",
    "DeletedDevice",
    "Delta",
    "DeviceFragmentation",
    "DeviceRecord",
    "DeviceUsage",
    "Extents",
    "FreeExtents",
    "Group",
    "LengthClass",
    "Mappings",
    "Matrix",
    "Misfit",
    "NodeFill",
    "Owner",
    "OwnerIterator",
    "OwnerLines",
    "Owners",
    "Pair",
    "PairIterator",
    "Piece",
    "PieceIterator",
    "PieceLines",
    "Plan",
    "PlanStep",
    "Pool",
    "Reads",
    "Reclaim",
    "ReferenceCounts",
    "Run",
    "RunIterator",
    "Salvage",
    "SalvagedState",
    "SalvagedTree",
    "SetUsage",
    "Sharing",
    "SpaceUsage",
    "Superblock",
    "SurveyedRun",
    "Totals",
    "check",
    "checksums",
    "copy_packed",
    "identity",
    "read_block",
]

DEBUG_BUILD: Final[bool]
"""
Whether this was built without optimisation: correct, but no measure of speed.
"""

@final
class CheckFinding:
    """
    Something wrong with the metadata.
    """
    @property
    def affected(self, /) -> list[tuple[int, bool, int, int, int | None]]:
        """
        What is lost of devices.
        """
    @property
    def block(self, /) -> int | None:
        """
        The metadata block, or None.
        """
    @property
    def blocks(self, /) -> list[tuple[int, int]]:
        """
        The first of the blocks, as runs: first block, number of blocks.
        """
    @property
    def code(self, /) -> str:
        """
        What it is, in a word that does not change from release to release.
        """
    @property
    def count(self, /) -> int:
        """
        How many of what the code says.
        """
    @property
    def expected(self, /) -> str | None:
        """
        What the rule asks for, or None.
        """
    @property
    def field(self, /) -> str | None:
        """
        The field, under its kernel name where it has one, or None.
        """
    @property
    def found(self, /) -> str | None:
        """
        What is there, or None.
        """
    @property
    def hint(self, /) -> str | None:
        """
        What to do next, or None.
        """
    @property
    def is_damage(self, /) -> bool:
        """
        Whether the metadata is broken; else it is good to know.
        """
    @property
    def message(self, /) -> str:
        """
        The same as a sentence.
        """
    @property
    def more_affected(self, /) -> int:
        """
        Ranges of devices beyond those named.
        """
    @property
    def offset(self, /) -> int | None:
        """
        Where in the source the field lies, in bytes, or None.
        """
    @property
    def path(self, /) -> list[tuple[str, int]]:
        """
        From the superblock to the block: what lies there, and its number.
        """
    @property
    def structure(self, /) -> str | None:
        """
        What the block is, or None.
        """

@final
class Checked:
    """
    What a check found, and what it looked at.
    """
    @property
    def devices(self, /) -> list[int]:
        """
        Devices looked at, by ascending id.
        """
    @property
    def findings(self, /) -> list[CheckFinding]:
        """
        What is wrong.
        """
    @property
    def has_metadata_snapshot(self, /) -> bool:
        """
        Whether a metadata snapshot is held.
        """
    @property
    def mappings(self, /) -> int:
        """
        Mappings, those of a shared leaf counted once.
        """
    @property
    def may_be_stale(self, /) -> bool:
        """
        Whether reads may have returned old blocks.
        """
    @property
    def metadata_free_blocks(self, /) -> int | None:
        """
        Free blocks of the metadata as the superblock counts them, or None.
        """
    @property
    def nodes(self, /) -> int:
        """
        Distinct nodes of mapping trees.
        """
    @property
    def transaction_id(self, /) -> int | None:
        """
        The pool's transaction id, or None.
        """

@final
class Content:
    """
    What a device reads as. `Device.open` makes a file of it.
    """
    def __repr__(self, /) -> str: ...
    @property
    def may_be_stale(self, /) -> bool:
        """
        Whether what is read may be older than what the kernel wrote: a device refused to be read
        around the page cache.
        """
    def read(self, /, offset: SupportsIndex, length: SupportsIndex) -> bytes:
        """
        Reads so many bytes from an offset on, or as many as there are before the device's end.
        """
    @property
    def size(self, /) -> int:
        """
        Length of the device in bytes.
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
class DeletedDevice:
    """
    A device that other states have and the live one has not.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def creation_time(self, /) -> int:
        """
        The pool's time when it was made.
        """
    @property
    def id(self, /) -> int:
        """
        Its id.
        """
    @property
    def is_consistent(self, /) -> bool:
        """
        Whether the state is consistent.
        """
    @property
    def is_whole(self, /) -> bool:
        """
        Whether they are all, and none is later than the state.
        """
    @property
    def mapped_blocks(self, /) -> int:
        """
        Its mappings that are left, in data blocks.
        """
    @property
    def recorded_blocks(self, /) -> int:
        """
        Its mappings there on record, in data blocks.
        """
    @property
    def root(self, /) -> int:
        """
        Root of its tree there.
        """
    @property
    def state(self, /) -> int:
        """
        The number of the best state that has it.
        """
    @property
    def state_root(self, /) -> int:
        """
        The metadata block that stands for that state.
        """
    @property
    def transaction_id(self, /) -> int:
        """
        The pool's transaction id when it was made.
        """

@final
class Delta:
    """
    What two mapping trees have in common and what not, as a table of pieces by ascending virtual
    block; none goes on across a break on the data device.

    Columns: `kind` (string: `left_only`, `right_only`, `different` or `same`), `virtual_begin` and
    `length` (uint64, in data blocks), `left_data_begin` and `right_data_begin` (uint64, null where
    the side maps nothing), `left_time` and `right_time` (uint32, likewise: the pool's time at
    allocation). Nothing is read before the table is; then only what differs. It can be read again,
    by iteration or through the Arrow C stream.
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
    def __iter__(self, /) -> PieceIterator:
        """
        The pieces as objects, one at a time.
        """
    def __repr__(self, /) -> str: ...
    @property
    def is_same_metadata(self, /) -> bool:
        """
        Whether both sides are in the same state of the same metadata: then what they share is
        passed over, and a mapping's time says nothing more than its block. Else blocks that were
        given out again, which the time tells, are different.
        """
    def lines(self, /, *, detailed: bool) -> PieceLines:
        """
        The table in the words of `thin_delta`: an element for each range, many in one string; with
        `detailed` they tell where the blocks lie on the data device.
        """

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
    def is_recorded(self, /) -> bool:
        """
        Whether the pool has a record of it. Where that is lost, blocks are counted, times are the
        latest of the mappings, and the transaction id is 0.
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
class Extents:
    """
    Ranges of other sources, one behind the other; taken for a source by all that takes one.

    A piece is `(length, [(source, begin), ...], stripe_bytes)`, in bytes. Without pieces it is all
    of one source, unpacked if it is packed.
    """
    def __new__(
        cls,
        /,
        sources: SupportsGetItem[int, Extents | bytes | bytearray | str | PathLike[str] | Any],
        name: str,
        pieces: SupportsGetItem[
            int,
            tuple[
                SupportsIndex,
                SupportsGetItem[int, tuple[SupportsIndex, SupportsIndex]],
                SupportsIndex,
            ],
        ]
        | None = None,
        *,
        identity: Any | None = None,
        shared: bool = False,
        progress: Any | None = None,
    ) -> Extents:
        """
        Opens paths, for reading only, and takes bytes, binary file objects and other extents as
        they are. At most one file object can be below. `name` is what messages call it, `identity`
        is kept as it is; `shared` opens what another program holds.
        """
    def __repr__(self, /) -> str: ...
    @property
    def identity(self, /) -> Any | None:
        """
        What it was given as its identity.
        """
    @property
    def length(self, /) -> int:
        """
        Length in bytes.
        """
    @property
    def may_be_stale(self, /) -> bool:
        """
        Whether reads may return old bytes: a device refused to be read around the page cache.
        """
    @property
    def name(self, /) -> str:
        """
        What messages call it.
        """
    def read(self, /, offset: SupportsIndex, length: SupportsIndex) -> bytes:
        """
        The bytes from `offset` on, fewer where it ends.
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
class Misfit:
    """
    Something that does not fit in a state.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def device(self, /) -> int | None:
        """
        The id of the first of them, or None.
        """
    @property
    def devices(self, /) -> int:
        """
        Devices that it is about; 0 where they were not told one by one.
        """
    @property
    def expected(self, /) -> int | None:
        """
        Of that device, what was expected (mappings, a time, or data blocks), or None.
        """
    @property
    def found(self, /) -> int | None:
        """
        What was found, or None.
        """
    @property
    def kind(self, /) -> str:
        """
        What it is: `no-listing`, `no-details`, `other-details`, `ids`, `count`, `incomplete`,
        `time` or `data-end`.
        """
    @property
    def message(self, /) -> str:
        """
        The same in words, with the first device that it is about.
        """

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
class Owner:
    """
    Blocks of the data device that a device holds: mappings that are consecutive in data block and
    virtual block, and have one time.
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
    def only_metadata_snapshot(self, /) -> bool:
        """
        Whether only the held metadata snapshot has these mappings: the device has them no more, or
        is gone.
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
class OwnerIterator:
    """
    Iterates over the rows of a table of owners.
    """
    def __iter__(self, /) -> OwnerIterator: ...
    def __next__(self, /) -> Owner: ...

@final
class OwnerLines:
    """
    Iterates over the text of a table of owners.
    """
    def __iter__(self, /) -> OwnerLines: ...
    def __next__(self, /) -> str: ...

@final
class Owners:
    """
    Who holds blocks of the data device, as a table: by ascending first data block, then by device,
    then by virtual block; each row as long as it can be.

    Columns: `data_begin` (uint64, in data blocks), `length` (uint64, blocks), `device` (uint32,
    id), `virtual_begin` (uint64, in data blocks), `time` (uint32, the pool's time at allocation),
    `only_metadata_snapshot` (bool, whether only the held metadata snapshot has the mappings).
    Nothing is read before the table is; then all distinct leaves are read once. It can be read
    again, by iteration or through the Arrow C stream.
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
    def __iter__(self, /) -> OwnerIterator:
        """
        The rows as objects, one at a time.
        """
    def __repr__(self, /) -> str: ...
    def lines(self, /) -> OwnerLines:
        """
        The table in the words of `thin_rmap`: a line for each row, many in one string.
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
class Piece:
    """
    Virtual blocks of one kind that follow each other, on the data device as well.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def kind(self, /) -> str:
        """
        What they are: `left_only`, `right_only`, `different` or `same`.
        """
    @property
    def left_data_begin(self, /) -> int | None:
        """
        First block of the data device on the left side, in data blocks, or None.
        """
    @property
    def left_time(self, /) -> int | None:
        """
        The pool's time when the blocks on the left side were allocated, or None.
        """
    @property
    def length(self, /) -> int:
        """
        Number of blocks.
        """
    @property
    def right_data_begin(self, /) -> int | None:
        """
        First block of the data device on the right side, in data blocks, or None.
        """
    @property
    def right_time(self, /) -> int | None:
        """
        The pool's time when the blocks on the right side were allocated, or None.
        """
    @property
    def virtual_begin(self, /) -> int:
        """
        First block of the device, in data blocks.
        """

@final
class PieceIterator:
    """
    Iterates over the pieces of a table.
    """
    def __iter__(self, /) -> PieceIterator: ...
    def __next__(self, /) -> Piece: ...
    @property
    def nodes_read(self, /) -> int:
        """
        Nodes of the two trees that were read so far, in metadata blocks.
        """

@final
class PieceLines:
    """
    Iterates over the text of a table of pieces.
    """
    def __iter__(self, /) -> PieceLines: ...
    def __next__(self, /) -> str: ...

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
        source: Extents | bytes | bytearray | str | PathLike[str] | Any,
        name: str,
        *,
        metadata_snapshot: bool = False,
        tolerant: bool = False,
        threads: SupportsIndex | None = None,
        progress: Any | None = None,
    ) -> Pool:
        """
        Opens a path, bytes or a binary file object; `name` is what messages call it.
        """
    def content(
        self,
        /,
        device: SupportsIndex,
        size: SupportsIndex,
        data: tuple[Extents | bytes | bytearray | str | PathLike[str] | Any, str],
        origin: tuple[Extents | bytes | bytearray | str | PathLike[str] | Any, str] | None,
        shared: bool,
    ) -> Content:
        """
        What a device reads as, so many bytes of it, over the pool's data device and, where it
        maps nothing, over an external origin. Both come with what messages call them; sources
        that another program holds are taken where `shared` is set.
        """
    @property
    def data_space(self, /) -> SpaceUsage:
        """
        Usage of the data device.
        """
    def delta(
        self,
        /,
        side: tuple[bool, SupportsIndex],
        other: Pool,
        other_side: tuple[bool, SupportsIndex],
        *,
        is_same_source: bool = False,
        with_same: bool = False,
    ) -> Delta:
        """
        What two mapping trees have in common and what not. A side is `(True, id)` of a device or
        `(False, block)` of a root. With `is_same_source` both pools were opened from one source.
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
    def gaps(
        self, /, most: SupportsIndex
    ) -> tuple[
        list[tuple[int, int, int, int | None, str]],
        int,
        list[tuple[str, int, int, int | None, str]],
        bool,
    ]:
        """
        What is missing of the devices of a tolerant pool, since it is broken: so many gaps at most,
        each as device id, first and last virtual block (2⁶⁴ - 1: to the end), the broken metadata
        block or None, and what is wrong with it; how many more there are; what is lost of the trees
        that list the devices: tree, first and last device id, block or None, what is wrong; and
        whether something of the held metadata snapshot is missing.
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
    def is_salvaged(self, /) -> bool:
        """
        Whether it is a state that was salvaged.
        """
    @property
    def is_tolerant(self, /) -> bool:
        """
        Whether it is read around what is broken.
        """
    @property
    def is_whole(self, /) -> bool:
        """
        Whether nothing that was read so far was broken.
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
    def owners(
        self,
        /,
        ranges: SupportsGetItem[int, tuple[SupportsIndex, SupportsIndex]] | None = None,
        *,
        with_times: bool = True,
        with_snapshot: bool = True,
    ) -> Owners:
        """
        Who holds the data blocks of some ranges, each from its begin up to but without its end, or
        all blocks.
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
    def survey(
        self,
        /,
        old: Pool,
        device: SupportsIndex,
        data: tuple[Extents | bytes | bytearray | str | PathLike[str] | Any, str] | None,
    ) -> list[SurveyedRun]:
        """
        Grades the mappings of a device of another state of the pool, `old`; of those that are free
        now, blocks of zeros are counted where there is data.
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
class Salvage:
    """
    What is left in a source, by ids. `thinscope.Salvage` is its public face.
    """
    def __new__(
        cls,
        /,
        source: Extents | bytes | bytearray | str | PathLike[str] | Any,
        name: str,
        *,
        threads: SupportsIndex | None = None,
        progress: Any | None = None,
    ) -> Salvage:
        """
        Reads all blocks of a path, bytes or a binary file object; `name` is what messages call it.
        """
    @property
    def best(self, /) -> int | None:
        """
        The place among the states of the one to go on with, or None.
        """
    @property
    def blocks(self, /) -> dict[str, int]:
        """
        Metadata blocks by what they are.
        """
    @property
    def data_block_sectors(self, /) -> int | None:
        """
        Sectors in a data block, or None where no superblock tells.
        """
    @property
    def data_blocks(self, /) -> int | None:
        """
        Blocks of the data device, or None where no superblock tells.
        """
    def deleted(self, /) -> tuple[list[DeletedDevice], bool]:
        """
        The devices that states have and the live one, or the best one, has not, by ascending id;
        and whether all states were looked at.
        """
    def devices(self, /, state: SupportsIndex) -> list[tuple[DeviceRecord, int]]:
        """
        The devices of a state that have trees, each with its root, by ascending id.
        """
    @property
    def live_superblock(self, /) -> Superblock | None:
        """
        The superblock in block 0, or None where it is damaged.
        """
    @property
    def may_be_stale(self, /) -> bool:
        """
        Whether what was read may be older than what the kernel wrote.
        """
    def open(
        self,
        /,
        root: SupportsIndex,
        *,
        data_block_sectors: SupportsIndex | None = None,
        tolerant: bool = False,
    ) -> Pool:
        """
        Opens what a block stands for: a state, or a single device by the root of its tree.
        """
    def state_of(self, /, root: SupportsIndex) -> int | None:
        """
        The place among the states of the one that a block stands for, or None.
        """
    @property
    def states(self, /) -> list[SalvagedState]:
        """
        All states, best first.
        """
    @property
    def trees(self, /) -> list[SalvagedTree]:
        """
        Trees that no list of devices names, larger ones first.
        """
    @property
    def unreadable(self, /) -> list[tuple[int, int]]:
        """
        Runs of blocks that could not be read: the first, and how many.
        """

@final
class SalvagedState:
    """
    A state that the pool is in, or was in.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def broken_devices(self, /) -> int:
        """
        Of those, devices whose trees have lost nodes, or are not found.
        """
    @property
    def details_root(self, /) -> int | None:
        """
        Root of the details tree, or None where that is lost.
        """
    @property
    def devices(self, /) -> int:
        """
        Devices.
        """
    @property
    def is_consistent(self, /) -> bool:
        """
        Whether nothing contradicts it: ids, counts, keys, heights and times fit. No proof.
        """
    @property
    def is_live(self, /) -> bool:
        """
        Whether it is the state of the live superblock.
        """
    @property
    def is_metadata_snapshot(self, /) -> bool:
        """
        Whether it is the state of the metadata snapshot that is held.
        """
    @property
    def is_whole(self, /) -> bool:
        """
        Whether every device's tree is there.
        """
    @property
    def mapped_blocks(self, /) -> int:
        """
        Mappings of all devices, in data blocks, as counted; as recorded where roots are lost.
        """
    @property
    def mapping_root(self, /) -> int | None:
        """
        Root of the top-level tree, or None where that is lost.
        """
    @property
    def misfits(self, /) -> list[Misfit]:
        """
        What does not fit.
        """
    @property
    def number(self, /) -> int:
        """
        From 1, best first.
        """
    @property
    def other_details(self, /) -> int:
        """
        Details roots with other records that would do as well.
        """
    @property
    def root(self, /) -> int:
        """
        The metadata block that stands for it: the top-level root, else the details root.
        """
    @property
    def superblock(self, /) -> int | None:
        """
        The block of the superblock that names the roots, or None where none does.
        """
    @property
    def time(self, /) -> int:
        """
        The superblock's time, else the highest of the records, else of the mappings.
        """
    @property
    def transaction_id(self, /) -> int:
        """
        The superblock's transaction id, else one more than the highest of the records; no more
        than the live superblock's.
        """

@final
class SalvagedTree:
    """
    A whole mapping tree that no list of devices names: of a device, or a part of one.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def first_block(self, /) -> int:
        """
        The lowest virtual block that it maps, in data blocks.
        """
    @property
    def last_block(self, /) -> int:
        """
        The highest.
        """
    @property
    def levels(self, /) -> int:
        """
        Levels of nodes.
        """
    @property
    def mapped_blocks(self, /) -> int:
        """
        Its mappings, in data blocks.
        """
    @property
    def root(self, /) -> int:
        """
        The metadata block of its root.
        """
    @property
    def time(self, /) -> int:
        """
        The time of the youngest mapping.
        """

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
    @property
    def is_whole(self, /) -> bool:
        """
        Whether all mappings could be read; only of a tolerant pool may some be lost.
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
class SurveyedRun:
    """
    Mappings of an old device that follow each other, and what became of them.
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
    def grade(self, /) -> str:
        """
        What became of them: `same`, `reused`, `held`, `free` or `unreached`.
        """
    @property
    def length(self, /) -> int:
        """
        Number of blocks.
        """
    @property
    def owners(self, /) -> list[int]:
        """
        Ids of the live devices that map the blocks, ascending.
        """
    @property
    def time(self, /) -> int:
        """
        The pool's time when the blocks were allocated for the device.
        """
    @property
    def virtual_begin(self, /) -> int:
        """
        First block of the device, in data blocks.
        """
    @property
    def zero_blocks(self, /) -> int | None:
        """
        How many of them are all zeros; None where the data was not asked: only of those that are
        free.
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

def check(
    source: Extents | bytes | bytearray | str | PathLike[str] | Any,
    name: str,
    *,
    metadata_snapshot: bool = False,
    depth: str = "all",
    mapping_root: SupportsIndex | None = None,
    details_root: SupportsIndex | None = None,
    threads: SupportsIndex | None = None,
    progress: Any | None = None,
) -> Checked:
    """
    Checks the metadata in a path, bytes or a binary file object, whatever state it is in; `name` is
    what messages call it. How far down: `superblock`, `devices` or `all`.
    """

def checksums(block: bytes) -> dict[str, int]:
    """
    The checksum that a block of 4096 bytes must carry in its first field, by kind of block.
    """

def copy_packed(
    source: Extents | bytes | bytearray | str | PathLike[str] | Any,
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

def identity(
    source: Extents | bytes | bytearray | str | PathLike[str] | Any, name: str
) -> tuple[str, str] | None:
    """
    What a source is by its first block, unpacked if it is packed, that is not thin metadata: a
    short name, and words. None where it claims to be. What is in use is looked at as well.
    """

def read_block(
    source: Extents | bytes | bytearray | str | PathLike[str] | Any,
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
