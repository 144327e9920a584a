"""A thin device of a pool, and a mapping tree by its root."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os
    from typing import BinaryIO

    from thinscope._core import Delta, Mappings, Run
    from thinscope.content import Content
    from thinscope.exporting import Export
    from thinscope.pool import Pool, Progress
    from thinscope.source import Source

__all__ = ["Device", "Root"]

_BUFFER = 128 << 10
"""Bytes of content that are read ahead: a few data blocks."""


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
        is_recorded: Whether the pool has a record of it. Where that is lost, which only a tolerant
            pool goes on after, blocks are counted, times are the latest of the mappings, and the
            transaction id is 0.
    """

    id: int
    mapped_blocks: int
    mapped_bytes: int
    transaction_id: int
    creation_time: int
    snapshot_time: int
    is_recorded: bool
    _pool: Pool = field(repr=False, compare=False)

    def delta(self, other: Device | Root, *, same: bool = False) -> Delta:
        """Return what the device and another one have in common and what not, as a table.

        Columns: ``kind`` (``left_only``, ``right_only``, ``different`` or ``same``; this device
        is the left side), ``virtual_begin``, ``length``, ``left_data_begin``,
        ``right_data_begin``, ``left_time``, ``right_time``; blocks and lengths in data blocks.

        Within one pool, a device and its snapshot are compared exactly, and only the nodes that
        differ are read. The other device may also be of another pool or capture; then both are
        read whole, and what is told is about *allocation*: writing in place to blocks that no
        snapshot has changes no mapping, so ``same`` does not mean the same content then.

        Args:
            other: The right side.
            same: Whether to tell what is the same as well; then what both have is read, once.
        """
        pool, others = self._pool, other._pool  # noqa: SLF001 - a part of the pool
        return pool._delta(self._side, others, other._side, same=same)  # noqa: SLF001 - a part of the pool

    @property
    def _side(self) -> tuple[bool, int]:
        return True, self.id

    @property
    def highest_block(self) -> int | None:
        """The highest virtual block that is mapped, in data blocks, or None; a few reads."""
        return self._pool._core.highest_block(self.id)  # noqa: SLF001 - a part of the pool

    def mappings(self, begin: int = 0, end: int | None = None) -> Mappings:
        """Return the device's mappings as a table of runs, by ascending virtual block.

        Only the device's own tree is read.

        Args:
            begin: First virtual block, in data blocks.
            end: One behind the last virtual block, or None for no limit.
        """
        return self._pool._core.mappings(self.id, begin, end)  # noqa: SLF001 - a part of the pool

    def lookup(self, block: int) -> Run | None:
        """Return where a virtual block lies, as a run of one block, or None; a few reads.

        What is not mapped reads as zeros, or as the device's external origin, which only names tell.
        """
        return self._pool._core.lookup(self.id, block)  # noqa: SLF001 - a part of the pool

    def open(
        self,
        data: Source | None = None,
        *,
        size: int | None = None,
        origin: Source | None = None,
        inconsistent: bool = False,
    ) -> io.BufferedReader:
        """Open the content of the device as a binary file that can seek.

        Nothing is read but what is asked for. Where nothing is mapped there are zeros, or the
        content of the external origin and zeros behind its end. The file can still be read when
        the pool is closed.

        Args:
            data: The pool's data device or a raw copy of it: a path, the bytes themselves, or a
                binary file object that can seek. By default `Pool.data`.
            size: Length of the device in bytes. By default as its record says, else up to the end
                of the highest mapped block.
            origin: The external origin of the device, likewise; ``b""`` reads as zeros. It must be
                given where the records say that there is one.
            inconsistent: Read content that is of no point in time as well: through a metadata
                snapshot, or of a device that is in use.

        Raises:
            OSError: Data or origin cannot be opened.
            SourceInUse: Another program holds one of them.
            SourceError: A read failed.
            ThinscopeError: There is no data, it is the metadata, the origin is missing, or the
                content would be of no point in time.
            CorruptMetadata: A node of the device's tree breaks a rule of the format.
        """
        return io.BufferedReader(
            self._content(data, size=size, origin=origin, inconsistent=inconsistent), _BUFFER
        )

    def export(  # noqa: PLR0913 - keywords
        self,
        file: str | os.PathLike[str] | BinaryIO,
        data: Source | None = None,
        *,
        size: int | None = None,
        origin: Source | None = None,
        inconsistent: bool = False,
        follow_holes: bool = False,
        overwrite: bool = False,
        progress: Progress | None = None,
    ) -> Export:
        """Write the content of the device to a file, as a raw image with holes, and read it back.

        Args:
            file: A path, or a binary file object. A new file takes the path when all is written and
                compared. What no new file can replace is written in place and without holes, as is
                what a file object takes.
            data: As `open` takes it, and what follows.
            size: Length of the device in bytes.
            origin: The external origin of the device.
            inconsistent: Whether content that is of no point in time will do.
            follow_holes: Make the holes of the file those of the device: mapped blocks of zeros are
                written. By default whatever is zeros becomes a hole, in steps of 4 KiB.
            overwrite: Whether a file that is there is replaced.
            progress: As `thinscope.open` takes it.

        Raises:
            OSError: The file cannot be written, `FileExistsError` where it is there, or is not what
                was written when it is read back.
            ThinscopeError: As `open` says.
        """
        from thinscope.exporting import export  # noqa: PLC0415 - most questions write nothing

        content = self._content(data, size=size, origin=origin, inconsistent=inconsistent)
        sources = (self._pool._opened, self._pool._identity)  # noqa: SLF001 - a part of the pool
        kept = ((data or self._pool.data, "the data"), (origin, "the external origin"))
        with content:
            return export(
                content,
                self,
                self._pool,
                file,
                sources=sources,
                kept=kept,
                follow_holes=follow_holes,
                overwrite=overwrite,
                progress=progress,
            )

    def _content(
        self,
        data: Source | None,
        *,
        size: int | None,
        origin: Source | None,
        inconsistent: bool,
    ) -> Content:
        from thinscope.content import content  # noqa: PLC0415 - most questions are of metadata alone

        pool = self._pool
        return content(
            pool,
            pool._core,  # noqa: SLF001 - a part of the pool
            self,
            opened=pool._opened,  # noqa: SLF001 - a part of the pool
            data=data,
            origin=origin,
            size=size,
            inconsistent=inconsistent,
        )


@dataclass(frozen=True, slots=True)
class Root:
    """A mapping tree by its root, whether a device has it or not.

    Attributes:
        block: Number of the metadata block in which the root lies.
    """

    block: int
    _pool: Pool = field(repr=False, compare=False)

    def delta(self, other: Device | Root, *, same: bool = False) -> Delta:
        """Return what the tree and another one have in common and what not, see `Device.delta`.

        Raises:
            ThinscopeError: No root can lie in the block.
            CorruptMetadata: What lies there is no mapping tree.
        """
        pool, others = self._pool, other._pool  # noqa: SLF001 - a part of the pool
        return pool._delta(self._side, others, other._side, same=same)  # noqa: SLF001 - a part of the pool

    @property
    def _side(self) -> tuple[bool, int]:
        return False, self.block
