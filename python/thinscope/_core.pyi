"""
The compiled core of thinscope: pools by device id. Use `thinscope`, which adds the rest.
"""

from _typeshed import SupportsGetItem
from os import PathLike
from typing import Any, Final, SupportsIndex, final

__all__ = [
    "DEBUG_BUILD",
    "CountRun",
    "CountRunIterator",
    "DeviceRecord",
    "Mappings",
    "Pool",
    "ReferenceCounts",
    "Run",
    "RunIterator",
    "SpaceUsage",
    "Superblock",
    "checksums",
    "read_block",
]

DEBUG_BUILD: Final[bool]
"""
Whether this was built without optimisation: correct, but no measure of speed.
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
    @property
    def superblock(self, /) -> Superblock:
        """
        The superblock of the view: the live one, or the metadata snapshot's copy.
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

def checksums(block: bytes) -> dict[str, int]:
    """
    The checksum that a block of 4096 bytes must carry in its first field, by kind of block.
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
