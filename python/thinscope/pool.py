"""The public face of a pool: the core's handle, and its devices by id."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple, Self

from thinscope import _core
from thinscope.device import Device, Root
from thinscope.locate import locate
from thinscope.source import Identity, named

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Sequence
    from types import TracebackType
    from typing import BinaryIO

    from thinscope._core import (
        Delta,
        DeviceFragmentation,
        FreeExtents,
        Mappings,
        NodeFill,
        Owners,
        ReferenceCounts,
        SpaceUsage,
        Superblock,
    )
    from thinscope.gaps import Gaps
    from thinscope.locate import Located, Wanted
    from thinscope.names import Names, Object
    from thinscope.objects import Objects
    from thinscope.orphans import Orphan
    from thinscope.sharing import Sharing
    from thinscope.source import Source
    from thinscope.survey import Survey
    from thinscope.who import Who

__all__ = ["Cell", "Device", "Fragmentation", "Pool", "Progress", "Recount", "Root", "open"]

Progress = Callable[[str, int, int], object]
"""Called with what is being done, steps done, and steps in all (0: not known)."""

_BLOCK_LIMIT = (1 << 64) - 1
"""More than the number of any block."""

if _core.DEBUG_BUILD:
    warnings.warn("thinscope was built without optimisation", RuntimeWarning, stacklevel=2)


def open(  # noqa: A001, PLR0913 - the word that users know: thinscope.open; keywords
    source: Source,
    *,
    names: Iterable[str | os.PathLike[str]] = (),
    more_pvs: Iterable[Source] = (),
    metadata_snapshot: bool = False,
    tolerant: bool = False,
    root: int | None = None,
    data_block_sectors: int | None = None,
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
            `thinscope.capture` wrote; both give the names as well. So does a physical volume of LVM,
            or a disk or an image with one, where the data lies as well: see docs/images.md. Of
            several pools ``PATH:GROUP/POOL`` names one.
        names: Where to take names from: folders and files of managers' records, see docs/names.md.
            ``PATH#POOL`` where records are about several pools.
        more_pvs: More physical volumes of the same volume group, or images with them.
        metadata_snapshot: Read the pool as the held metadata snapshot keeps it: the way to read
            a pool that is in use.
        tolerant: Go on around what is broken below the superblock, instead of ending with
            `CorruptMetadata`: nothing is put in its place, and `Pool.gaps` tells what is missing.
        root: Open the state, or the single device, that has its root in this metadata block,
            see `thinscope.salvage`; reads every block.
        data_block_sectors: Sectors of 512 bytes in a data block, where `root` is given and no
            superblock tells.
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
        SeveralPools: An image holds several pools, and none was named.
        NamesError: A manager's records cannot be read, or are of another pool; an image does not
            hold the pool that was named.
        UnknownRoot: The block is the root of nothing.
        ValueError: A root was given together with the metadata snapshot, or a size without a root.
    """
    if root is not None:
        # Imported here: most pools are opened by their superblock.
        from thinscope.salvaging import salvage  # noqa: PLC0415

        if metadata_snapshot:
            raise ValueError("a root is that of one state: not of the metadata snapshot as well")
        found = salvage(
            source,
            names=names,
            more_pvs=more_pvs,
            data_block_sectors=data_block_sectors,
            threads=threads,
            progress=progress,
        )
        return found.open(root, tolerant=tolerant)
    if data_block_sectors is not None:
        raise ValueError("data_block_sectors goes with root")
    located = locate(
        source, names, progress, more_pvs=more_pvs, metadata_snapshot=metadata_snapshot
    )
    metadata_snapshot = metadata_snapshot or located.is_metadata_snapshot
    opened, name = named(located.metadata)
    core = _core.Pool(
        opened,
        name,
        metadata_snapshot=metadata_snapshot,
        tolerant=tolerant,
        threads=threads,
        progress=progress,
    )
    return Pool(core, name, opened, located)


class Pool:
    """A dm-thin pool, opened for reading with `thinscope.open`.

    Attributes:
        source: The source as messages name it: a path, or what it is (``<bytes>``).
        data: What the data device is read from where the source tells it, as an image does; else
            None.
        why_no_data: Why an image does not tell it, or None.
        volumes: Other volumes that can be read where the source has them, by name: those that
            thin volumes have as external origins are some of them. One of which a part is
            missing raises `SourceError` when it is looked up.
    """

    def __init__(
        self,
        core: _core.Pool,
        source: str,
        opened: object = None,
        located: Located | None = None,
    ) -> None:
        """Wrap an open handle; use `thinscope.open`."""
        self._open_core: _core.Pool | None = core
        self._opened = opened
        self._names: Sequence[Wanted] = located.names if located else ()
        self.data: Source | None = located.data if located else None
        self.why_no_data: str | None = located.why_no_data if located else None
        self.volumes: Mapping[str, Source] = located.volumes if located else {}
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
    def is_salvaged(self) -> bool:
        """Whether the pool is a state that was salvaged; what is used of spaces is not known."""
        return self._core.is_salvaged

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
                is_recorded=record.is_recorded,
                _pool=self,
            )
            for record in self._core.devices()
        }
        return MappingProxyType(devices)

    @cached_property
    def gaps(self) -> Gaps:
        """What is missing of the devices of a pool that was opened as tolerant.

        Reads all mappings at the first use. Of a pool that was not, nothing is missing: the first
        thing that is broken ends the question.

        Raises:
            SourceError: A read failed in another way than that a block cannot be read.
        """
        from thinscope.gaps import Gaps  # noqa: PLC0415 - most pools are whole

        return Gaps.of(self._core)

    @property
    def is_tolerant(self) -> bool:
        """Whether it goes on around what is broken."""
        return self._core.is_tolerant

    @property
    def is_whole(self) -> bool:
        """Whether nothing was broken of all that was read so far of a pool opened as tolerant.

        After `gaps` that is true of all devices, after all `owners` of the held metadata snapshot
        too. What is lost may hold blocks that seem to be leaked.
        """
        return self._core.is_whole

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
        if isinstance(word, int) and word in self.devices:
            return self.devices[word]
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

    def owners(
        self, *blocks: int | range, times: bool = True, metadata_snapshot: bool = True
    ) -> Owners:
        """Return who holds blocks of the data device, as a table: the reverse of `mappings`.

        Each distinct leaf is read once, whatever shares it. Columns: ``data_begin``, ``length``,
        ``device``, ``virtual_begin``, ``time``, ``only_metadata_snapshot``; blocks and lengths in
        data blocks. Rows come by first data block, then by device; each is as long as it can be
        within the blocks that are asked about. Of the live pool, what only the held metadata
        snapshot has is told as such: the device has it no more, or is gone.

        Args:
            blocks: Blocks of the data device, or ranges of them with a step of 1; none: all blocks.
            times: Whether to tell times; else they are 0, and no row ends where the time changes.
            metadata_snapshot: Whether the held metadata snapshot is a holder as well.

        Raises:
            ValueError: A block is negative, or a range has another step.
        """
        ranges = list(map(_block_range, blocks)) if blocks else None
        return self._core.owners(ranges, with_times=times, with_snapshot=metadata_snapshot)

    def root(self, block: int) -> Root:
        """Return the mapping tree whose root lies in a block of the metadata, to be compared.

        Whether there is one, reading it tells.

        Args:
            block: Number of the metadata block, 4 KiB each.

        Raises:
            ValueError: The number is negative.
        """
        if block < 0:
            raise ValueError(f"a metadata block is not negative: {block}")
        return Root(block=block, _pool=self)

    def _delta(
        self,
        side: tuple[bool, int],
        other: Pool,
        other_side: tuple[bool, int],
        *,
        same: bool,
    ) -> Delta:
        is_same_source = self._opened is not None and (
            self._opened is other._opened
            or (self._identity is not None and self._identity == other._identity)
        )
        return self._core.delta(
            side, other._core, other_side, is_same_source=is_same_source, with_same=same
        )

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

    def survey(self, device: Device, *, data: Source | None = None) -> Survey:
        """Tell what became of the mappings of a device that another state of this pool has.

        That is a pool opened from the same metadata, through its metadata snapshot or as an older
        state that was found, or from a copy made earlier. Reads each distinct node of all trees
        once, and the data space map. A tolerant pool does not go around damage here: what a lost
        node maps would be called free.

        Args:
            device: The device, of the other pool.
            data: The pool's data device or a raw copy of it, as `Device.open` takes it: then it is
                told how many of the blocks that are free now are all zeros.

        Raises:
            ValueError: This is no live pool, or the other has blocks of another size.
            OSError: The data cannot be opened.
            SourceError: A read failed.
            CorruptMetadata: A node, or the space map, breaks a rule of the format.
        """
        from thinscope.survey import survey  # noqa: PLC0415 - most questions do not ask it

        then = device._pool  # noqa: SLF001 - same module
        if self.is_metadata_snapshot:
            raise ValueError("through a metadata snapshot it is not known what is free now")
        sizes = [pool.superblock.data_block_bytes for pool in (self, then)]
        if len(set(sizes)) > 1:
            raise ValueError(f"blocks of {sizes[1]} bytes are of another pool: here are {sizes[0]}")
        return survey(self._core, then._core, device, data)  # noqa: SLF001 - same module

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
        self._opened = self.data = None
        self.volumes = {}

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


def _block_range(blocks: int | range) -> tuple[int, int]:
    """Return the begin and the end of some blocks, within what a block's number can be."""
    if isinstance(blocks, int):
        blocks = range(blocks, blocks + 1)
    if blocks.step != 1:
        raise ValueError(f"a range of blocks has a step of 1: {blocks}")
    if blocks.start < 0 and blocks:
        raise ValueError(f"a block is not negative: {blocks.start}")
    begin, end = max(blocks.start, 0), max(blocks.stop, 0)
    return min(begin, _BLOCK_LIMIT), min(end, _BLOCK_LIMIT)
