"""What ``thinscope capture`` writes, and how it is read: metadata and names in one file.

It is a plain tar of regular files: ``capture.json``, ``metadata.bin.zst``, ``names/1.json`` and
so on, in this order. ``docs/fixtures.md`` tells what is in them. Nothing of it is unpacked to
disk, no name of a member is followed, and what is held in memory is bounded.
"""

from __future__ import annotations

import io
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from thinscope._core import Extents
from thinscope.errors import NamesError, SourceError
from thinscope.source import named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from tarfile import TarInfo

    from thinscope._core import SpaceUsage, Superblock, Totals
    from thinscope.names import Names
    from thinscope.source import Source

__all__ = [
    "DOCUMENT",
    "FORMAT",
    "LIVE",
    "METADATA",
    "METADATA_SNAPSHOT",
    "MOST_NAMES",
    "NAMES_LIMIT",
    "SECTOR",
    "Capture",
    "Captured",
    "Member",
    "ReadBack",
    "is_captured",
    "names_member",
    "opened",
    "padding",
]

FORMAT = 1
"""Which version of this file format is written, and read."""

DOCUMENT = "capture.json"
METADATA = "metadata.bin.zst"
LIVE, METADATA_SNAPSHOT = "live", "metadata-snapshot"
"""How the metadata in it is read."""

MOST_NAMES = 32
"""Members with names that a capture can have."""

SECTOR = 512
"""Bytes in the unit of tar: a header takes one, and members are filled up to whole ones."""

_MAGIC_AT = 257
_MAGIC = b"ustar"
_DOCUMENT_LIMIT = 1 << 20
NAMES_LIMIT = 16 << 20
"""Bytes that all names together can have."""
_METADATA_LIMIT = 17 << 30
"""Bytes that metadata can have when it is packed; there are at most 15.9 GiB of it."""

_PIECE = 1 << 20
_LONG = 60


@dataclass(frozen=True, slots=True)
class ReadBack:
    """What was found when a capture was read back.

    Attributes:
        superblock: The superblock of the view.
        live_superblock: The superblock in block 0.
        data_space: Usage of the data device, in data blocks.
        metadata_space: Usage of the metadata device, in blocks of 4 KiB.
        devices: Number of devices.
        mapped_blocks: What the devices map, summed, in data blocks.
        totals: All blocks in use, by who reaches them.
        disagreeing: Devices that map more or less than their record says: id, blocks mapped,
            blocks on record.
    """

    superblock: Superblock
    live_superblock: Superblock
    data_space: SpaceUsage
    metadata_space: SpaceUsage
    devices: int
    mapped_blocks: int
    totals: Totals
    disagreeing: tuple[tuple[int, int, int], ...]

    @property
    def agrees(self) -> bool:
        """Whether what was counted is what the pool has on record."""
        totals = self.totals
        return not (self.disagreeing or totals.leaked_blocks or totals.missing_count_blocks)


@dataclass(frozen=True, slots=True)
class Capture:
    """A capture that was written.

    Attributes:
        file: Where it was written to, as messages name it.
        file_bytes: Its size.
        source: What was captured, as messages name it.
        is_device: Whether that is a block device.
        kernel: The release of the kernel that has the device, or None.
        taken: When it was captured.
        is_metadata_snapshot: Whether it can only be read as the metadata snapshot holds the pool.
        source_bytes: Length of the source in bytes.
        metadata_bytes: Bytes copied: all, but for what lies beyond the last block that the kernel
            uses, at 15.9 GiB.
        zero_blocks: Of the blocks of 4 KiB, those that are zeros.
        unknown_blocks: Those that are neither zeros nor have the checksum of any kind of metadata.
        unreadable: Runs of blocks that could not be read, and are zeros in the capture: the first
            block, and how many.
        sha256: SHA-256 of the bytes copied, in hexadecimal digits.
        packed_bytes: What they take in the capture.
        packed_sha256: SHA-256 of that.
        names: The records of managers in it.
        read_back: What was found when it was read back, or None if it could not be read.
        error: Why it could not be read, or None.
        may_be_stale: Whether it may be older than what the kernel wrote: only of a device that
            refused to be read around the page cache.
    """

    file: str
    file_bytes: int
    source: str
    is_device: bool
    kernel: str | None
    taken: datetime
    is_metadata_snapshot: bool
    source_bytes: int
    metadata_bytes: int
    zero_blocks: int
    unknown_blocks: int
    unreadable: tuple[tuple[int, int], ...]
    sha256: str
    packed_bytes: int
    packed_sha256: str
    names: tuple[Names, ...]
    read_back: ReadBack | None
    error: str | None
    may_be_stale: bool

    @property
    def unreadable_blocks(self) -> int:
        """Blocks that could not be read."""
        return sum(count for _, count in self.unreadable)


class Member(io.RawIOBase):
    """A part of a file, read like a file of its own.

    Attributes:
        name: What messages call the file.
    """

    def __init__(
        self, file: BinaryIO, name: str, begin: int, size: int, descriptor: int | None = None
    ) -> None:
        """Read so many bytes from a place on; a descriptor is closed with it."""
        super().__init__()
        self.name = name
        self._file, self._begin, self._size, self._descriptor = file, begin, size, descriptor
        self._at = 0

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def seekable(self) -> bool:
        """Return that it can seek."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place, from the beginning, from here or from the end."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - anything with room
        """Fill a buffer with what comes next, as far as there is something."""
        room = memoryview(buffer).cast("B")
        wanted = min(len(room), max(0, self._size - self._at))
        self._file.seek(self._begin + self._at)
        piece = self._file.read(wanted) or b""
        room[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def as_owner(self, descriptor: int | None) -> Member:
        """Return the same part, with which a descriptor is closed."""
        return Member(self._file, self.name, self._begin, self._size, descriptor)

    def fileno(self) -> int:
        """Return the descriptor of the file."""
        return self._file.fileno()

    def close(self) -> None:
        """Close it, and its descriptor."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        super().close()


@dataclass(frozen=True, slots=True)
class Captured:
    """A capture that was opened.

    Attributes:
        metadata: The packed metadata.
        names: Records of managers: of each source of names those of all pools that it is about,
            and which pool is meant, if that was said.
        is_metadata_snapshot: Whether only what the metadata snapshot holds is of one state.
    """

    metadata: BinaryIO
    names: tuple[tuple[tuple[Names, ...], str | None], ...]
    is_metadata_snapshot: bool


def is_captured(source: Source) -> bool:
    """Whether a source begins like a capture; devices are not looked at."""
    try:
        if isinstance(source, (str, os.PathLike)):
            if not stat.S_ISREG(os.stat(source).st_mode):  # noqa: PTH116 - any path
                return False
            with open(source, "rb", buffering=0) as file:  # noqa: PTH123 - as above
                head = file.read(SECTOR)
        elif isinstance(source, (bytes, bytearray, memoryview)):
            head = bytes(source[:SECTOR])
        elif isinstance(source, Extents):
            return False
        else:
            source.seek(0)
            head = source.read(SECTOR)
    except Exception:  # noqa: BLE001 - the core tells what is wrong with it
        return False
    return (
        isinstance(head, bytes)
        and head.startswith(DOCUMENT.encode() + b"\0")
        and head[_MAGIC_AT:].startswith(_MAGIC)
    )


def names_member(number: int) -> str:
    """Return what a member with names is called, counted from 1."""
    return f"names/{number}.json"


def padding(size: int) -> int:
    """Return the bytes that fill a member up."""
    return -size % SECTOR


def opened(source: Source, progress: Callable[[str, int, int], object] | None = None) -> Captured:
    """Open a capture, and check that it is whole.

    Args:
        source: What `is_captured` says to be one.
        progress: As `thinscope.open` takes it.

    Raises:
        OSError: It cannot be opened.
        SourceError: It is damaged, incomplete, or of another version.
        NamesError: Names in it cannot be.
    """
    _, name = named(source)
    descriptor = None
    if isinstance(source, (str, os.PathLike)):
        # The part that is returned closes it, whenever it is let go of.
        descriptor = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
        file = cast("BinaryIO", os.fdopen(descriptor, "rb", buffering=0, closefd=False))
    elif isinstance(source, (bytes, bytearray, memoryview)):
        file = io.BytesIO(source)
    else:
        file = cast("BinaryIO", source)
    try:
        return _Reading(file, name, descriptor).read(progress)
    except BaseException:
        if descriptor is not None:
            os.close(descriptor)
        raise


class _Reading:
    """A capture that is being opened."""

    def __init__(self, file: BinaryIO, name: str, descriptor: int | None) -> None:
        self._file, self._name, self._descriptor = file, name, descriptor
        self._bytes = file.seek(0, os.SEEK_END) or file.tell()
        self._names_room = NAMES_LIMIT

    def read(self, progress: Callable[[str, int, int], object] | None) -> Captured:
        members = {}
        expected = [DOCUMENT, METADATA, *map(names_member, range(1, MOST_NAMES + 1))]
        for number, (info, begin) in enumerate(self._members()):
            if number >= len(expected) or info.name != expected[number]:
                raise self.broken(f"member {_shown(info.name)} does not belong where it is")
            members[info.name] = self._member(info, begin)
        for name in (DOCUMENT, METADATA):
            if name not in members:
                raise self.broken(f"no `{name}`")
        document = self._document(members[DOCUMENT].read())
        metadata = _Table(self, document, "metadata")
        self._check(METADATA, members[METADATA], metadata.text("packed_sha256"), progress)
        names = document.get("names")
        if not isinstance(names, list) or len(names) != len(members) - 2:
            raise self.broken(f"`{DOCUMENT}` tells of other names than there are")
        # Imported here: most captures have no names.
        from thinscope.names import captured  # noqa: PLC0415

        found = []
        for number, told in enumerate(names, 1):
            name = names_member(number)
            self._check(name, members[name], _Table(self, {"": told}, "").text("sha256"), None)
            members[name].seek(0)
            found.append(captured.read(members[name].read(), self._name, name))
        view = _Table(self, document, "source").text("view")
        if view not in (LIVE, METADATA_SNAPSHOT):
            raise self.broken(f"`{DOCUMENT}` tells of a view {_shown(view)}")
        return Captured(
            metadata=cast("BinaryIO", members[METADATA].as_owner(self._descriptor)),
            names=tuple(found),
            is_metadata_snapshot=view == METADATA_SNAPSHOT,
        )

    def _members(self) -> Iterator[tuple[TarInfo, int]]:
        """Yield the members with the places where their contents begin."""
        import tarfile  # noqa: PLC0415 - only where there is one

        at = 0
        while True:
            header = self._read(at, SECTOR)
            if not header.strip(b"\0") and len(header) == SECTOR:
                return
            at += SECTOR
            if at > self._bytes:
                raise self.broken("it ends too early")
            try:
                info = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
            except tarfile.HeaderError as error:
                raise self.broken(f"no header of a member at {at - SECTOR}: {error}") from error
            if info.type != tarfile.REGTYPE:
                raise self.broken(f"member {_shown(info.name)} is no regular file")
            yield info, at
            at += info.size + padding(info.size)

    def _member(self, info: TarInfo, begin: int) -> Member:
        limits = {DOCUMENT: _DOCUMENT_LIMIT, METADATA: _METADATA_LIMIT}
        if not 0 <= info.size <= limits.get(info.name, self._names_room):
            raise self.broken(f"`{info.name}` would have {info.size} bytes, more than can be")
        if begin + info.size > self._bytes:
            raise self.broken(f"it ends within `{info.name}`")
        if info.name not in limits:
            self._names_room -= info.size
        return Member(self._file, self._name, begin, info.size)

    def _read(self, at: int, size: int) -> bytes:
        self._file.seek(at)
        return self._file.read(size) or b""

    def _document(self, data: bytes) -> dict[str, object]:
        from thinscope.names import files  # noqa: PLC0415 - as above

        try:
            document = files.json_of(data, Path(self._name))
        except NamesError as error:
            raise self.broken(f"`{DOCUMENT}` is {error.message}") from error
        format_ = document.get("format") if isinstance(document, dict) else None
        if not isinstance(document, dict) or type(format_) is not int:
            raise self.broken(f"`{DOCUMENT}` tells no format")
        if format_ != FORMAT:
            raise SourceError(
                f"a capture of format {_shown(format_)}, and only {FORMAT} is known",
                source=self._name,
                hint="look for a newer thinscope",
            )
        return document

    def _check(
        self,
        name: str,
        member: Member,
        sha256: str,
        progress: Callable[[str, int, int], object] | None,
    ) -> None:
        """Compare a member with the hash that the document tells."""
        import hashlib  # noqa: PLC0415 - as above

        counted = hashlib.sha256()
        size = member.seek(0, os.SEEK_END)
        member.seek(0)
        while piece := member.read(_PIECE):
            counted.update(piece)
            if progress is not None:
                progress("checking", member.tell(), size)
        member.seek(0)
        if counted.hexdigest() != sha256:
            raise self.broken(f"`{name}` has another sha256 than `{DOCUMENT}` tells")

    def broken(self, why: str) -> SourceError:
        """Return the error that says why this is no capture as it was written."""
        hint = "copy it again, or capture again"
        return SourceError(f"a broken capture: {why}", source=self._name, hint=hint)


class _Table:
    """An object in the document."""

    def __init__(self, reading: _Reading, document: dict[str, object], name: str) -> None:
        found = document.get(name)
        self._reading, self._name = reading, name
        self._found: dict[str, object] = found if isinstance(found, dict) else {}

    def text(self, key: str) -> str:
        found = self._found.get(key)
        if not isinstance(found, str):
            where = f"{self._name}.{key}" if self._name else key
            raise self._reading.broken(f"`{DOCUMENT}` tells no {where}")
        return found


def _shown(value: object) -> str:
    """Return what a capture says in one short line, in ASCII."""
    text = ascii(value)
    return text if len(text) <= _LONG else f"{text[:_LONG]}..."
