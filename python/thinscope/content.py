"""What a device reads as: a file over the pool's data device."""

from __future__ import annotations

import errno
import io
import os
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from thinscope._core import Extents
from thinscope.errors import SourceInUse, ThinscopeError
from thinscope.source import Identity, named

if TYPE_CHECKING:
    from thinscope import _core
    from thinscope.pool import Device, Pool
    from thinscope.source import Source

__all__ = ["Content", "SizeFrom", "content"]

_MOST = 1 << 20
"""Bytes that are read at once: between two reads a signal is heard."""

_LONGEST = (1 << 63) - 1
"""Bytes that a file can have."""

SizeFrom: TypeAlias = Literal["argument", "names", "mappings"]
"""Where a size is from: it was given, is on record, or is where the highest mapped block ends."""


class Content(io.RawIOBase):
    """The content of a device as a raw file that can only be read.

    `Device.open` returns a buffered file, of which this is `raw`.

    Attributes:
        name: What messages call it: pool and device.
        device: Id of the device.
        size: Length in bytes.
        size_from: Where that is from.
        data: What the pool's data device is read from, as messages name it.
        origin: The same of the external origin, or None where holes are zeros.
        may_be_stale: Whether what is read may be older than what the kernel wrote: only of a block
            device that refused to be read around the page cache.
    """

    def __init__(  # noqa: PLR0913 - keywords
        self,
        core: _core.Content,
        *,
        name: str,
        device: int,
        size_from: SizeFrom,
        data: str,
        origin: str | None,
    ) -> None:
        """Wrap a handle; use `Device.open`."""
        super().__init__()
        self._core = core
        self._at = 0
        self.name = name
        self.mode = "rb"
        self.device = device
        self.size = core.size
        self.size_from = size_from
        self.data = data
        self.origin = origin
        self.may_be_stale = core.may_be_stale

    def readable(self) -> bool:
        """Return that it can be read."""
        self._check_open()
        return True

    def seekable(self) -> bool:
        """Return that it can seek."""
        self._check_open()
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a byte from the beginning, from here or from the end, also behind it.

        Raises:
            OSError: It lies before the beginning.
        """
        self._check_open()
        bases = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}
        if whence not in bases:
            raise ValueError(f"whence must be 0, 1 or 2, not {whence}")
        at = bases[whence] + offset
        if at < 0:
            raise OSError(errno.EINVAL, "negative seek position")
        self._at = at
        return at

    def tell(self) -> int:
        """Return where the next byte is read."""
        self._check_open()
        return self._at

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - anything with room
        """Fill a buffer with what comes next, with 1 MiB of it at most.

        Returns:
            How many bytes there are, 0 at the end.
        """
        room = memoryview(buffer).cast("B")
        piece = self.read_at(self._at, min(len(room), _MOST))
        room[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def readall(self) -> bytes:
        """Return everything from here to the end."""
        pieces = []
        while piece := self.read_at(self._at, _MOST):
            self._at += len(piece)
            pieces.append(piece)
        return b"".join(pieces)

    def read_at(self, offset: int, size: int) -> bytes:
        """Return bytes from a place on, fewer where the device ends; any thread may do so.

        Args:
            offset: Where, in bytes.
            size: How many, at most 64 MiB.

        Raises:
            SourceError: Data, origin or metadata could not be read, or the data ends before a
                block that the device maps; `SourceChanged` where the pool committed since.
            CorruptMetadata: A node of the device's tree breaks a rule of the format.
        """
        self._check_open()
        return self._core.read(offset, size) if offset < self.size else b""

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")

    def __repr__(self) -> str:
        """Show what it is of, and how long it is."""
        state = "closed " if self.closed else ""
        return f"<{state}Content {self.name!r}, {self.size} bytes>"


def content(  # noqa: PLR0913 - keywords
    pool: Pool,
    core: _core.Pool,
    device: Device,
    *,
    opened: object,
    data: Source | None,
    origin: Source | None,
    size: int | None,
    inconsistent: bool,
) -> Content:
    """Open the content of a device.

    Args:
        pool: The pool.
        core: Its handle.
        device: The device.
        opened: What the pool's metadata is read from.
        data: As `Device.open` takes it.
        origin: As `Device.open` takes it.
        size: As `Device.open` takes it.
        inconsistent: As `Device.open` takes it.

    Raises:
        OSError: Data or origin cannot be opened.
        ThinscopeError: As `Device.open` says.
    """
    if pool.is_metadata_snapshot and not inconsistent:
        raise ThinscopeError(
            "through a metadata snapshot the content is of no point in time: blocks that the "
            "snapshot knows are written over in place",
            source=pool.source,
            hint="deactivate the pool and read it itself, or take what is there now with "
            "--inconsistent (in Python: inconsistent=True)",
        )
    if data is None:
        data = pool.data
    if data is None:
        raise ThinscopeError(
            pool.why_no_data
            or "metadata alone holds no content: it lies on the pool's data device",
            source=pool.source,
            hint="give the data device (LVM: VG-POOL_tdata), or a raw copy of it, with --data DATA "
            "(in Python: data=)",
        )
    read_from = pool.objects.external_origin(device.id)
    label = pool.objects.label(device.id)
    if read_from is not None and origin is None:
        origin = pool.volumes.get(read_from)
    if read_from is not None and origin is None:
        raise ThinscopeError(
            f"{label} reads {read_from}, its external origin, where it maps nothing",
            source=pool.source,
            hint="give that volume, or a raw copy of it, with --origin FILE (in Python: origin=)",
        )
    data_opened, data_name = named(data)
    # Extents of one disk may well be both.
    own = None if isinstance(data, Extents) else Identity.of(opened)
    if data is opened or (own is not None and Identity.of(data) == own):
        raise ThinscopeError(
            "this is the pool's metadata, not its data",
            source=data_name,
            hint="give the pool's data device (LVM: VG-POOL_tdata), or a raw copy of it",
        )
    origin_opened = None if origin is None else named(origin)
    length, size_from = _size(pool, device, size)
    try:
        handle = core.content(
            device.id, length, (data_opened, data_name), origin_opened, inconsistent
        )
    except SourceInUse as error:
        raise SourceInUse(error.message, source=error.source, hint=_IN_USE) from error
    return Content(
        handle,
        name=f"{pool.source}: {label}",
        device=device.id,
        size_from=size_from,
        data=data_name,
        origin=None if origin_opened is None else origin_opened[1],
    )


_IN_USE = (
    "deactivate the pool, or take what is there now with --inconsistent (in Python: "
    "inconsistent=True): while it is in use, blocks are written over"
)


def _size(pool: Pool, device: Device, size: int | None) -> tuple[int, SizeFrom]:
    """Return the length of a device in bytes, and where that is from."""
    size_from: SizeFrom = "argument"
    if size is None:
        size_from = "names"
        size = pool.objects.virtual_bytes(device.id)
    if size is None:
        size_from = "mappings"
        highest = device.highest_block
        size = 0 if highest is None else (highest + 1) * pool.superblock.data_block_bytes
    if size < 0:
        raise ValueError("a size is not negative")
    if size > _LONGEST:
        raise ThinscopeError(
            f"device {device.id} would have {size} bytes, more than any file",
            source=pool.source,
            hint="give its size with --size SIZE (in Python: size=)",
        )
    return size, size_from
