"""The public face of a pool: the core's handle, and its devices by id."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple, Self

from thinscope import _core
from thinscope.captured import is_captured
from thinscope.source import Identity, named

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import TracebackType
    from typing import BinaryIO

    from thinscope._core import (
        DeviceFragmentation,
        FreeExtents,
        Mappings,
        NodeFill,
        ReferenceCounts,
        Run,
        SpaceUsage,
        Superblock,
    )
    from thinscope.locate import Wanted
    from thinscope.names import Names, Object
    from thinscope.objects import Objects
    from thinscope.orphans import Orphan
    from thinscope.sharing import Sharing
    from thinscope.source import Source
    from thinscope.who import Who

__all__ = ["Cell", "Device", "Fragmentation", "Pool", "Progress", "Recount", "open"]

Progress = Callable[[str, int, int], object]
"""Called with what is being done, steps done, and steps in all (0: not known)."""

if _core.DEBUG_BUILD:
    warnings.warn("thinscope was built without optimisation", RuntimeWarning, stacklevel=2)


def open(  # noqa: A001 - the word that users know: thinscope.open
    source: Source,
    *,
    names: Iterable[str | os.PathLike[str]] = (),
    metadata_snapshot: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Pool:
    """Open the metadata of a dm-thin pool for reading.

    Only the superblock is read; each question reads what it needs, and checks all it touches.

    Args:
        source: A path to the metadata device or a copy of it, the bytes themselves, or a binary
            file object that can seek. Gzip, zstd and pack files are unpacked. A file object is read
            from any position while the pool is used, and not closed. Also the folder of a manager
            that keeps the metadata in a file, such as ``/var/lib/docker`` in loop-lvm mode, or what
            `thinscope.capture` wrote; both give the names as well.
        names: Where to take names from: folders and files of managers' records, see docs/names.md.
            ``PATH#POOL`` where records are about several pools.
        metadata_snapshot: Read the pool as the held metadata snapshot keeps it: the way to read
            a pool that is in use.
        threads: Threads that a long question may take, at most 256; by default one a core, at
            most 8.
        progress: Called about twenty times a second during long questions, with what is being
            done, steps done, and steps in all (0: not known). What it raises ends the question.

    Returns:
        The pool, which is also a context manager.

    Raises:
        OSError: The path cannot be opened (`FileNotFoundError`, `PermissionError`, ...).
        SourceError: A read failed; `SourceInUse` where another program holds the source.
        NotThinMetadata: The source holds something else, which the message names.
        NoMetadataSnapshot: It was asked for, and the pool holds none.
        UnsupportedMetadata: A version or feature that is not known.
        CorruptMetadata: The superblock breaks a rule of the format.
        NamesError: A manager's records cannot be read, or are of another pool.
    """
    wanted: tuple[Wanted, ...] = ()
    records = tuple(names)
    if records or _is_folder(source) or is_captured(source):
        # Imported here: most pools are opened without names.
        from thinscope.locate import locate  # noqa: PLC0415

        located = locate(source, records, progress)
        source, wanted = located.metadata, located.names
        metadata_snapshot = metadata_snapshot or located.is_metadata_snapshot
    opened, name = named(source)
    core = _core.Pool(
        opened, name, metadata_snapshot=metadata_snapshot, threads=threads, progress=progress
    )
    return Pool(core, name, opened, wanted)


def _is_folder(source: Source) -> bool:
    return isinstance(source, (str, os.PathLike)) and Path(source).is_dir()


class Pool:
    """A dm-thin pool, opened for reading with `thinscope.open`.

    Attributes:
        source: The source as messages name it: a path, or what it is (``<bytes>``).
    """

    def __init__(
        self, core: _core.Pool, source: str, opened: object = None, names: Sequence[Wanted] = ()
    ) -> None:
        """Wrap an open handle; use `thinscope.open`."""
        self._open_core: _core.Pool | None = core
        self._opened = opened
        self._names = names
        self._identity = Identity.of(opened)
        self.source = source

    @property
    def _core(self) -> _core.Pool:
        if self._open_core is None:
            raise ValueError("the pool is closed")
        return self._open_core

    @property
    def superblock(self) -> Superblock:
        """The superblock of the view: the live one, or the metadata snapshot's copy."""
        return self._core.superblock

    @property
    def live_superblock(self) -> Superblock:
        """The superblock in block 0, whatever the view."""
        return self._core.live_superblock

    @property
    def is_metadata_snapshot(self) -> bool:
        """Whether the pool is read as the held metadata snapshot keeps it."""
        return self.superblock.block != 0

    @property
    def may_be_stale(self) -> bool:
        """Whether what is read may be older than what the kernel wrote.

        Only for a block device that refused to be read around the page cache.
        """
        return self._core.may_be_stale

    @property
    def data_space(self) -> SpaceUsage:
        """Usage of the data device, in data blocks; what is used is None in a snapshot view."""
        return self._core.data_space

    @property
    def metadata_space(self) -> SpaceUsage:
        """Usage of the metadata device, in blocks of 4 KiB; None as for `data_space`."""
        return self._core.metadata_space

    @cached_property
    def devices(self) -> Mapping[int, Device]:
        """The thin devices by id, ascending; read at the first use.

        Raises:
            CorruptMetadata: Top-level tree or details tree are damaged, or disagree on an id.
        """
        block_bytes = self.superblock.data_block_bytes
        devices = {
            record.id: Device(
                id=record.id,
                mapped_blocks=record.mapped_blocks,
                mapped_bytes=record.mapped_blocks * block_bytes,
                transaction_id=record.transaction_id,
                creation_time=record.creation_time,
                snapshot_time=record.snapshot_time,
                _pool=self,
            )
            for record in self._core.devices()
        }
        return MappingProxyType(devices)

    @cached_property
    def objects(self) -> Objects:
        """The objects that the devices belong to, by the names that were given.

        Raises:
            NamesError: None of the records is of this pool.
            CorruptMetadata: As for `devices`.
        """
        # Imported here: many questions are about ids alone.
        from thinscope.objects import Objects  # noqa: PLC0415

        return Objects(self.devices, self.fitting_names())

    def fitting_names(self) -> tuple[Names, ...]:
        """Return, of each source of names, the records that are of this pool.

        Raises:
            NamesError: None of them is, or it cannot be told which.
            CorruptMetadata: As for `devices`.
        """
        from thinscope.fitting import fitting  # noqa: PLC0415 - as for `objects`

        block_bytes, devices = self.superblock.data_block_bytes, self.devices
        return tuple(fitting(each.found, devices, block_bytes, each.pool) for each in self._names)

    @property
    def wanted(self) -> Sequence[Wanted]:
        """The records that names are taken from, of all pools that they are about."""
        return self._names

    @property
    def names(self) -> Sequence[Names]:
        """What each manager has on record of the pool."""
        return self.objects.names

    def find(self, words: Who | Iterable[Who]) -> tuple[Object, ...]:
        """Return the objects that words stand for, see docs/cli.md (WHO).

        Raises:
            UnknownDevice: Nothing answers to a word.
            AmbiguousName: Several objects do.
        """
        from thinscope.who import find  # noqa: PLC0415 - as for `objects`

        return find(self.objects, words, self.source)

    def device(self, word: int | str) -> Device:
        """Return the device that is meant: by its id, or by the name of its object.

        Of an object with several devices it is the one that is no part: of a container, the
        writable one.

        Raises:
            UnknownDevice: Nothing in the pool answers to it.
            AmbiguousName: Several devices do.
        """
        from thinscope.who import device  # noqa: PLC0415 - as for `objects`

        return self.devices[device(self.objects, word, self.source)]

    def orphans(self) -> tuple[Orphan, ...]:
        """Return the devices that no record knows, and the records whose device is gone.

        Without names there is nothing to compare with, and nothing is returned.
        """
        from thinscope.orphans import orphans  # noqa: PLC0415 - most questions do not ask it

        return orphans(self.objects, self.superblock.transaction_id)

    def sharing(self) -> Sharing:
        """Tell who shares which blocks: one pass, after which every question is immediate.

        Reads each distinct node of all trees once, and the data space map.

        Raises:
            CorruptMetadata: A node, or the space map, breaks a rule of the format.
        """
        from thinscope.sharing import Sharing  # noqa: PLC0415 - most questions do not ask it

        return Sharing(self._core.sharing(), self)

    def mappings(self, begin: int = 0, end: int | None = None) -> Mappings:
        """Return all mappings as a table of runs, devices by ascending id.

        See `Device.mappings` for one device. Columns: ``device``, ``virtual_begin``,
        ``data_begin``, ``length``, ``time``; blocks and lengths in data blocks. A device that
        shares blocks with others has runs of its own for them.

        Args:
            begin: First virtual block, in data blocks.
            end: One behind the last virtual block, or None for no limit.
        """
        return self._core.mappings(None, begin, end)

    def highest_blocks(self) -> Mapping[int, int | None]:
        """Return the highest virtual block that each device maps, in data blocks, by id.

        A few reads for each device. None where nothing is mapped.

        Raises:
            CorruptMetadata: A node on the way breaks a rule of the format.
        """
        return self._core.highest_blocks()

    def recount(self, *, exclusive: bool = False) -> Recount:
        """Count all mappings, reading and checking each distinct node of the trees once.

        Args:
            exclusive: Count what each device maps alone as well; many leaves are read twice.

        Raises:
            CorruptMetadata: A node breaks a rule of the format.
        """
        return Recount(*self._core.recount(exclusive))

    def fragmentation(self) -> Fragmentation:
        """Tell how scattered devices and metadata are, reading each distinct node once.

        What is free in one piece, `free_extents` tells.

        Raises:
            CorruptMetadata: A node breaks a rule of the format.
        """
        devices, leaves, internal_nodes, packed_nodes, unshared_nodes = self._core.fragmentation()
        by_id = MappingProxyType(devices)
        return Fragmentation(by_id, leaves, internal_nodes, packed_nodes, unshared_nodes)

    def free_extents(self, *, largest: int = 0) -> FreeExtents | None:
        """Tell what is free on the data device in one piece.

        The space map is read, no mapping.

        Args:
            largest: How many of the longest free extents to name.

        Returns:
            The free extents, or None through a metadata snapshot.

        Raises:
            CorruptMetadata: The space map breaks a rule of the format.
        """
        return self._core.free_extents(largest)

    def picture(self, cells: int) -> list[Cell] | None:
        """Cut the data device into cells of equal size, and tell who reaches the blocks of each.

        Args:
            cells: Most cells; a small data device has fewer. The last cell may be smaller.

        Returns:
            The cells, from the first block on, or None through a metadata snapshot.

        Raises:
            CorruptMetadata: A node or the space map breaks a rule of the format.
        """
        found = self._core.sharing().picture(cells)
        return None if found is None else [Cell(*cell) for cell in found]

    def dump(  # noqa: PLR0913 - keywords
        self,
        target: str | os.PathLike[str] | BinaryIO,
        *,
        format: Literal["xml", "human_readable"] = "xml",  # noqa: A002 - the word for it
        devices: Iterable[int | str] | None = None,
        mappings: bool = True,
        transaction_id: int | None = None,
        data_blocks: int | None = None,
        data_block_sectors: int | None = None,
    ) -> None:
        """Write the pool as text, as ``thin_dump`` does; ``thin_restore`` reads the XML.

        Runs of leaves that devices share are written once. Memory stays flat: text is written
        while mappings are read.

        Args:
            target: A path, or a binary file object. A new file takes the path when all is
                written; what was there is lost only then. What no new file can replace is written
                in place: FIFOs, devices, files with several names.
            format: ``xml``, or ``human_readable``, where ranges have both their ends in them.
            devices: Which devices, by id; by default all.
            mappings: Whether to write the mappings, or the devices alone.
            transaction_id: Written in place of the pool's own.
            data_blocks: Blocks of the data device, written in place of the pool's own.
            data_block_sectors: Sectors of 512 bytes in a data block, written in place of the
                pool's own.

        Raises:
            OSError: The target cannot be written, or is the source.
            UnknownDevice: The pool has no such device.
            CorruptMetadata: A node breaks a rule of the format.
        """
        # Imported here: most questions write nothing.
        from thinscope.target import Target  # noqa: PLC0415

        ids = None if devices is None else [self.device(who).id for who in devices]
        with Target(target, source=self._opened, opened=self._identity) as written:
            self._core.dump(
                written,
                format=format,
                devices=ids,
                with_mappings=mappings,
                transaction_id=transaction_id,
                data_blocks=data_blocks,
                data_block_sectors=data_block_sectors,
            )

    def reference_counts(self, space: Literal["data", "metadata"]) -> ReferenceCounts:
        """Return the reference counts of a space of the live pool, as a table of runs.

        Columns: ``begin``, ``length`` (in data blocks or metadata blocks), ``count`` (0: free).
        """
        return self._core.reference_counts(space)

    def close(self) -> None:
        """Let go of the source. Tables that were made before can still be read."""
        self._open_core = None
        # A capture's descriptor goes with this, even where devices keep the pool.
        self._opened = None

    def __enter__(self) -> Self:
        """Return the pool itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the pool."""
        self.close()

    def __repr__(self) -> str:
        """Show the source, and whether it is open."""
        state = "closed " if self._open_core is None else ""
        return f"<{state}Pool {self.source!r}>"


class Cell(NamedTuple):
    """Neighbouring blocks of the data device by who reaches them, in data blocks.

    All but `missing` add up to the blocks of the cell.

    Attributes:
        free: Blocks that are free.
        one_device: Blocks that one device reaches.
        several_devices: Blocks that several devices reach.
        only_metadata_snapshot: Blocks that only the metadata snapshot reaches.
        leaked: Blocks counted as used that nobody reaches.
        missing: Of those reached, blocks that are counted as free.
    """

    free: int
    one_device: int
    several_devices: int
    only_metadata_snapshot: int
    leaked: int
    missing: int


@dataclass(frozen=True, slots=True)
class Recount:
    """What all mappings add up to, counted node by node.

    Attributes:
        mapped_blocks: Blocks that each device maps, in data blocks, by ascending id.
        exclusive_blocks: Of those, the blocks that no other mapping names, or None where they
            were not asked for.
        reached_blocks: Distinct data blocks that the devices reach.
        nodes: Distinct nodes of all mapping trees, in metadata blocks.
    """

    mapped_blocks: Mapping[int, int]
    exclusive_blocks: Mapping[int, int] | None
    reached_blocks: int
    nodes: int


@dataclass(frozen=True, slots=True)
class Fragmentation:
    """How scattered devices and metadata are.

    Attributes:
        devices: How each device lies on the data device, by ascending id.
        leaves: How full the distinct leaves of all mapping trees are.
        internal_nodes: The same of the internal nodes.
        packed_nodes: Nodes that ``thin_dump`` and ``thin_restore`` of thin-provisioning-tools
            1.x would make of all mapping trees: leaves packed full, runs of leaves that devices
            share still shared unless they are less than half full, internal nodes never shared.
        unshared_nodes: Nodes that there would be if each tree was packed full and nothing was
            shared.
    """

    devices: Mapping[int, DeviceFragmentation]
    leaves: NodeFill
    internal_nodes: NodeFill
    packed_nodes: int
    unshared_nodes: int

    @property
    def nodes(self) -> int:
        """Distinct nodes of all mapping trees, in metadata blocks."""
        return self.leaves.nodes + self.internal_nodes.nodes


@dataclass(frozen=True, slots=True)
class Device:
    """A thin device of a pool, as the pool records it.

    Attributes:
        id: Its id in the pool, 24 bits.
        mapped_blocks: Blocks mapped, in data blocks, as recorded (kernel: ``mapped_blocks``).
        mapped_bytes: The same in bytes.
        transaction_id: The pool's transaction id when the device was made.
        creation_time: The pool's time when the device was made.
        snapshot_time: The pool's time when the device was last snapshotted.
    """

    id: int
    mapped_blocks: int
    mapped_bytes: int
    transaction_id: int
    creation_time: int
    snapshot_time: int
    _pool: Pool = field(repr=False, compare=False)

    @property
    def highest_block(self) -> int | None:
        """The highest virtual block that is mapped, in data blocks, or None; a few reads."""
        return self._pool._core.highest_block(self.id)  # noqa: SLF001 - same module

    def mappings(self, begin: int = 0, end: int | None = None) -> Mappings:
        """Return the device's mappings as a table of runs, by ascending virtual block.

        Only the device's own tree is read.

        Args:
            begin: First virtual block, in data blocks.
            end: One behind the last virtual block, or None for no limit.
        """
        return self._pool._core.mappings(self.id, begin, end)  # noqa: SLF001 - same module

    def lookup(self, block: int) -> Run | None:
        """Return where a virtual block lies, as a run of one block, or None; a few reads.

        What is not mapped reads as zeros, or as the device's external origin, which only names tell.
        """
        return self._pool._core.lookup(self.id, block)  # noqa: SLF001 - same module
