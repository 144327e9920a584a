"""The content of a device in a file of its own: a raw image with holes, read back and compared."""

from __future__ import annotations

import errno
import os
import stat
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Self, cast

from thinscope.errors import ThinscopeError
from thinscope.target import Target, created, refuse_records, write_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from thinscope._core import Run
    from thinscope.content import Content, SizeFrom
    from thinscope.pool import Device, Pool, Progress
    from thinscope.source import Identity

__all__ = ["Export", "export"]

_PIECE = 1 << 20
_ZEROS = bytes(_PIECE)

_STEP = 4096
"""Bytes that become a hole together: a block of most file systems."""

_TELL_EVERY = 0.05
"""Seconds between two reports of progress."""


@dataclass(frozen=True, slots=True)
class Export:
    """The content of a device that was written to a file.

    Attributes:
        file: Where it was written to, as messages name it.
        device: Id of the device.
        size: Length of the device, and of the file, in bytes.
        size_from: Where that is from: ``argument``, ``names`` or ``mappings``.
        data: What the pool's data device was read from, as messages name it.
        origin: The same of the external origin, or None.
        origin_bytes: Bytes that were read from the external origin.
        mapped_blocks: Blocks that the device maps before its end, in data blocks.
        mapped_bytes: Bytes in them, up to the end.
        beyond_blocks: Blocks that it maps behind its end, which are no part of the content.
        written_bytes: Bytes that the file holds; the others are in holes.
        follows_holes: Whether the holes are those of the device; otherwise they are whatever is zeros.
        is_sparse: Whether there are holes at all: not in what was written in place.
        is_read_back: Whether the file was read back and compared: not what cannot be read.
        sha256: SHA-256 of the whole content, holes included, in hexadecimal digits.
        may_be_stale: Whether it may be older than what the kernel wrote: only of a block device
            that refused to be read around the page cache.
    """

    file: str
    device: int
    size: int
    size_from: SizeFrom
    data: str
    origin: str | None
    origin_bytes: int
    mapped_blocks: int
    mapped_bytes: int
    beyond_blocks: int
    written_bytes: int
    follows_holes: bool
    is_sparse: bool
    is_read_back: bool
    sha256: str
    may_be_stale: bool


def export(  # noqa: PLR0913 - keywords
    content: Content,
    device: Device,
    pool: Pool,
    file: str | os.PathLike[str] | BinaryIO,
    *,
    sources: tuple[object, Identity | None],
    kept: Iterable[tuple[object, str]],
    follow_holes: bool,
    overwrite: bool,
    progress: Progress | None,
) -> Export:
    """Write the content of a device to a file.

    Args:
        content: The content.
        device: The device.
        pool: Its pool.
        file: As `Device.export` takes it.
        sources: What the metadata is read from, and its identity when it was opened.
        kept: What else is never written to, each with what it is.
        follow_holes: As `Device.export` takes it.
        overwrite: As `Device.export` takes it.
        progress: As `Device.export` takes it.

    Raises:
        OSError: As `Device.export` says.
        ThinscopeError: As `Device.open` says, or the holes that are asked for cannot be told.
    """
    has_origin = content.origin is not None
    if follow_holes and has_origin:
        raise ThinscopeError(
            "where the device maps nothing the file has the external origin's content, no holes",
            source=pool.source,
            hint="without --follow-holes (in Python: follow_holes) whatever is zeros is a hole",
        )
    opened, identity = sources
    refuse_records(file, [names.source for wanted in pool.wanted for names in wanted.found])
    target = Target(file, source=opened, opened=identity, overwrite=overwrite, kept=kept)
    told = _Told(progress)
    block = pool.superblock.data_block_bytes
    behind = -(-content.size // block)
    exporting = _Exporting(content, told, follows_holes=follow_holes)
    with target as written:
        out = _Sparse(written) if isinstance(written, tuple) else _Stream(written)
        with out:
            out.begin(content.size)
            exporting.copy(_stretches(device.mappings(0, behind), block, content.size), out)
            out.end(content.size)
            is_read_back = out.read_back(content.size, exporting.sha256, file, told)
            # Before the file takes its name: the pool may have changed.
            mapped_blocks = sum(run.length for run in device.mappings(0, behind))
            beyond_blocks = sum(run.length for run in device.mappings(behind))
    return Export(
        file=_called(file),
        device=device.id,
        size=content.size,
        size_from=content.size_from,
        data=content.data,
        origin=content.origin,
        origin_bytes=exporting.origin_bytes,
        mapped_blocks=mapped_blocks,
        mapped_bytes=exporting.mapped_bytes,
        beyond_blocks=beyond_blocks,
        written_bytes=exporting.written_bytes if out.is_sparse else content.size,
        follows_holes=follow_holes and out.is_sparse,
        is_sparse=out.is_sparse,
        is_read_back=is_read_back,
        sha256=exporting.sha256,
        may_be_stale=content.may_be_stale,
    )


def _called(file: object) -> str:
    if isinstance(file, (str, os.PathLike)):
        return os.fsencode(file).decode(errors="backslashreplace")
    called = getattr(file, "name", None)
    return called if isinstance(called, str) else "<file object>"


def _stretches(runs: Iterable[Run], block: int, size: int) -> Iterator[tuple[int, int, bool]]:
    """Yield the device from begin to end: where a stretch begins and ends, and whether it is mapped."""
    begin = end = 0
    for run in runs:
        first = run.virtual_begin * block
        if first > end:
            if begin < end:
                yield begin, end, True
            yield end, first, False
            begin = first
        end = min(first + run.length * block, size)
    if begin < end:
        yield begin, end, True
    if end < size:
        yield end, size, False


class _Told:
    """Tells how far it is, about twenty times a second."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._last = 0.0

    def __call__(self, phase: str, done: int, total: int) -> None:
        if self._progress is None:
            return
        now = time.monotonic()
        if now - self._last >= _TELL_EVERY:
            self._last = now
            self._progress(phase, done, total)


class _Exporting:
    """Content that is being copied.

    Attributes:
        mapped_bytes: Bytes of it that the device maps.
        origin_bytes: Bytes of it that are from the external origin.
        written_bytes: Bytes of it that were not left out as holes.
    """

    def __init__(self, content: Content, told: _Told, *, follows_holes: bool) -> None:
        self._content, self._told, self._follows_holes = content, told, follows_holes
        import hashlib  # noqa: PLC0415 - most questions write nothing

        self._hash = hashlib.sha256()
        self.mapped_bytes = self.origin_bytes = self.written_bytes = 0

    @property
    def sha256(self) -> str:
        """The hash of what was copied."""
        return self._hash.hexdigest()

    def copy(self, stretches: Iterator[tuple[int, int, bool]], out: _Sparse | _Stream) -> None:
        """Copy everything."""
        has_origin = self._content.origin is not None
        for begin, end, is_mapped in stretches:
            for at in range(begin, end, _PIECE):
                size = min(_PIECE, end - at)
                self._told("exporting", at, self._content.size)
                if not is_mapped and not has_origin:
                    self._hash.update(_ZEROS if size == _PIECE else _ZEROS[:size])
                    out.hole(size)
                    continue
                piece = self._content.read_at(at, size)
                self._hash.update(piece)
                self._write(piece, out)
                if is_mapped:
                    self.mapped_bytes += size
                else:
                    self.origin_bytes += size

    def _write(self, piece: bytes, out: _Sparse | _Stream) -> None:
        parts = [(piece, False)] if self._follows_holes else _parted(piece)
        for part, is_zero in parts:
            if is_zero:
                out.hole(len(part))
            else:
                out.write(part)
                self.written_bytes += len(part)


def _parted(piece: bytes) -> list[tuple[bytes, bool]]:
    """Part a piece where zeros begin and end, in steps."""
    if piece == _ZEROS[: len(piece)]:
        return [(piece, True)]
    zeros = _ZEROS[:_STEP]
    parts, begin, is_zero = [], 0, piece[:_STEP] == zeros[: len(piece)]
    for at in range(_STEP, len(piece), _STEP):
        step = piece[at : at + _STEP]
        if (step == zeros[: len(step)]) is not is_zero:
            parts.append((piece[begin:at], is_zero))
            begin, is_zero = at, not is_zero
    parts.append((piece[begin:] if begin else piece, is_zero))
    return parts


class _Sparse:
    """A new file: what is not written is a hole."""

    is_sparse = True

    def __init__(self, new: tuple[str, tuple[int, int, int] | None]) -> None:
        self._file = created(new)
        self._at = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def begin(self, size: int) -> None:
        """Give the file its length, which may be more than its file system can have."""
        self._file.truncate(size)

    def write(self, piece: bytes) -> None:
        """Write what comes next."""
        self._file.seek(self._at)
        write_all(self._file, piece)
        self._at += len(piece)

    def hole(self, size: int) -> None:
        """Leave out what comes next."""
        self._at += size

    def end(self, size: int) -> None:
        """Have it on the disk."""
        del size
        os.fsync(self._file.fileno())

    def read_back(self, size: int, sha256: str, file: object, told: _Told) -> bool:
        """Compare what the disk has."""
        del file
        _compare(self._file.fileno(), size, sha256, told)
        return True


class _Stream:
    """What is written from begin to end, zeros as well."""

    is_sparse = False

    def __init__(self, file: Any) -> None:  # noqa: ANN401 - what a `Target` yields
        self._file = sys.stdout.buffer if file is None else cast("BinaryIO", file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def begin(self, size: int) -> None:
        """Take what comes as it comes."""

    def write(self, piece: bytes) -> None:
        """Write what comes next."""
        write_all(self._file, piece)

    def hole(self, size: int) -> None:
        """Write zeros."""
        write_all(self._file, _ZEROS if size == _PIECE else _ZEROS[:size])

    def end(self, size: int) -> None:
        """Have it where it goes."""
        del size
        self._file.flush()

    def read_back(self, size: int, sha256: str, file: object, told: _Told) -> bool:
        """Compare what was written in place; nothing else can be read back."""
        if not isinstance(file, (str, os.PathLike)):
            return False
        kind = os.stat(file).st_mode  # noqa: PTH116 - any path
        if not (stat.S_ISREG(kind) or stat.S_ISBLK(kind)):
            return False
        os.fsync(self._file.fileno())
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _compare(descriptor, size, sha256, told)
        finally:
            os.close(descriptor)
        return True


def _compare(descriptor: int, size: int, sha256: str, told: _Told) -> None:
    """Read a file up to a size, and compare its hash.

    Raises:
        OSError: It is another one.
    """
    import hashlib  # noqa: PLC0415 - as above

    # Not what the page cache still has, but what is on the disk.
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    found = hashlib.sha256()
    at = 0
    while at < size:
        begin, end = _next_data(descriptor, at, size)
        for hole in range(at, begin, _PIECE):
            told("reading back", hole, size)
            found.update(_ZEROS[: min(_PIECE, begin - hole)])
        at = begin
        while at < end:
            told("reading back", at, size)
            piece = os.pread(descriptor, min(_PIECE, end - at), at)
            if not piece:
                raise OSError(errno.EIO, "it is shorter than what was written to it")
            found.update(piece)
            at += len(piece)
    if found.hexdigest() != sha256:
        raise OSError(errno.EIO, "what is read back from it is not what was written")


def _next_data(descriptor: int, at: int, size: int) -> tuple[int, int]:
    """Return where a file has something from a place on: begin and end."""
    try:
        begin = os.lseek(descriptor, at, os.SEEK_DATA)
        return min(begin, size), min(os.lseek(descriptor, begin, os.SEEK_HOLE), size)
    except OSError as error:
        if error.errno == errno.ENXIO:  # only holes
            return size, size
        return at, size
