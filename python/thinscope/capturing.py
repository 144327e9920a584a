"""A copy of a pool's metadata, with its names, in one small file that can be sent."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from thinscope import _core
from thinscope.captured import (
    DOCUMENT,
    FORMAT,
    LIVE,
    METADATA,
    METADATA_SNAPSHOT,
    MOST_NAMES,
    NAMES_LIMIT,
    SECTOR,
    Capture,
    ReadBack,
    names_member,
    padding,
)
from thinscope.errors import CorruptMetadata, NamesError, NotThinMetadata, UnsupportedMetadata
from thinscope.source import Identity, named
from thinscope.target import Target, created, refuse_records, write_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from thinscope import Pool
    from thinscope.locate import Wanted
    from thinscope.names import Names
    from thinscope.pool import Progress
    from thinscope.source import Source

__all__ = ["capture"]

_ROOM = 16 << 10
"""Bytes that are kept for the document, which stands first and is known last."""

_METADATA_AT = SECTOR + _ROOM + SECTOR

_MOST_WORDS = 1000
"""Characters of an error that the document keeps."""

_MOST_LISTED = 50
"""Runs of blocks, and devices, that the document lists; it counts all."""

_BLOCK_BYTES = 4096

_PIECE = 1 << 20
"""Bytes that are copied at a time."""


def capture(  # noqa: PLR0913 - keywords
    source: Source,
    file: str | os.PathLike[str] | BinaryIO,
    *,
    names: Iterable[str | os.PathLike[str]] = (),
    more_pvs: Iterable[Source] = (),
    metadata_snapshot: bool = False,
    overwrite: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Capture:
    """Copy the metadata of a pool into one small file, with the names of its devices.

    All of it is copied, damaged or not; what a pool in use does meanwhile is noticed. The file is
    then read back. `thinscope.open` opens it like the pool itself, names included. See
    docs/fixtures.md for what it holds.

    Args:
        source: As `thinscope.open` takes it.
        file: A path, or a binary file object. A new file takes the path when all is done.
        names: As `thinscope.open` takes them.
        more_pvs: As `thinscope.open` takes them.
        metadata_snapshot: Take a pool that is in use as its held metadata snapshot keeps it; the
            file is then read so, too.
        overwrite: Whether a file that is there is replaced.
        threads: As `thinscope.open` takes them, for reading back.
        progress: As `thinscope.open` takes it.

    Returns:
        What was captured, and what was found when it was read back. That it could not be read
        back, since the metadata is damaged, is told there, and is no error.

    Raises:
        OSError: The source cannot be opened, or the file cannot be written: `FileExistsError`
            where it is there.
        SourceError: A read failed; `SourceInUse` where another program holds the source,
            `SourceChanged` where the pool committed meanwhile.
        NotThinMetadata: The source holds something else. One that lost its superblock is
            captured if other blocks of it are metadata.
        NoMetadataSnapshot: It was asked for, and the pool holds none.
        NamesError: A manager's records cannot be read, or are of another pool.
    """
    # Imported here: most questions write nothing.
    from thinscope.locate import locate  # noqa: PLC0415

    records = tuple(names)
    located = locate(
        source, records, progress, more_pvs=more_pvs, metadata_snapshot=metadata_snapshot
    )
    if len(located.names) > MOST_NAMES:
        raise NamesError(f"more than {MOST_NAMES} sources of names, which a capture cannot hold")
    opened, name = named(located.metadata)
    identity = Identity.of(opened)
    folder = source if isinstance(source, (str, os.PathLike)) else None
    refuse_records(file, records, folder)
    writing = _Writing(
        source=opened,
        name=name,
        identity=identity,
        wanted=located.names,
        is_metadata_snapshot=metadata_snapshot or located.is_metadata_snapshot,
        threads=threads,
        progress=progress,
    )
    target = Target(file, source=source, opened=identity, overwrite=overwrite)
    with target as written, _scratch(written) as scratch:
        return writing.write(scratch, _called(file))


def _called(file: object) -> str:
    if isinstance(file, (str, os.PathLike)):
        return os.fsencode(file).decode(errors="backslashreplace")
    called = getattr(file, "name", None)
    return called if isinstance(called, str) else "<file object>"


@contextmanager
def _scratch(written: Any) -> Iterator[BinaryIO]:  # noqa: ANN401 - what a `Target` yields
    """Yield a file that can be written at any place: the new one, or one that is copied at the end."""
    import sys  # noqa: PLC0415 - as for `locate`

    if isinstance(written, tuple):
        with created(written) as file:
            yield file
            os.fsync(file.fileno())
        return
    with tempfile.TemporaryFile() as file:
        yield cast("BinaryIO", file)
        file.seek(0)
        while piece := file.read(_PIECE):
            write_all(sys.stdout.buffer if written is None else written, piece)


class _Writing:
    """A capture that is being written."""

    def __init__(  # noqa: PLR0913 - keywords
        self,
        *,
        source: Any,  # noqa: ANN401 - as the core takes it
        name: str,
        identity: Identity | None,
        wanted: tuple[Wanted, ...],
        is_metadata_snapshot: bool,
        threads: int | None,
        progress: Progress | None,
    ) -> None:
        self._source, self._name = source, name
        self._is_device = identity is not None and identity.is_device
        self._wanted = wanted
        self._is_metadata_snapshot = is_metadata_snapshot
        self._threads, self._progress = threads, progress
        self._taken = datetime.now(UTC).replace(microsecond=0)

    def write(self, file: BinaryIO, called: str) -> Capture:
        """Copy, read back, and say what was found."""
        file.seek(_METADATA_AT)
        copied = _core.copy_packed(
            self._source,
            self._name,
            file,
            metadata_snapshot=self._is_metadata_snapshot,
            progress=self._progress,
        )
        self._write_header(file, _METADATA_AT - SECTOR, METADATA, copied.packed_bytes)
        names_at = _METADATA_AT + copied.packed_bytes + padding(copied.packed_bytes)
        names = [(each.found, each.pool) for each in self._wanted]
        members = self._write_names(file, names_at, names)
        self._write_document(file, self._document(copied, members))
        read_back, error, fitting = self._read_back(file)
        if fitting is not None and fitting != tuple(one for found, _ in names for one in found):
            names = [((one,), pool) for one, (_, pool) in zip(fitting, names, strict=True)]
            members = self._write_names(file, names_at, names)
        capture = Capture(
            file=called,
            file_bytes=file.seek(0, os.SEEK_END),
            source=self._name,
            is_device=self._is_device,
            kernel=os.uname().release if self._is_device else None,
            taken=self._taken,
            is_metadata_snapshot=self._is_metadata_snapshot,
            source_bytes=copied.source_bytes,
            metadata_bytes=copied.bytes,
            zero_blocks=copied.zero_blocks,
            unknown_blocks=copied.unknown_blocks,
            unreadable=tuple(copied.unreadable),
            sha256=copied.sha256,
            packed_bytes=copied.packed_bytes,
            packed_sha256=copied.packed_sha256,
            names=tuple(one for found, _ in names for one in found),
            read_back=read_back,
            error=error,
            may_be_stale=copied.may_be_stale,
        )
        document = self._document(copied, members)
        document["read_back"] = None if read_back is None else _told(read_back)
        document["error"] = error and error[:_MOST_WORDS]
        self._write_document(file, document)
        return capture

    def _write_header(self, file: BinaryIO, at: int, name: str, size: int) -> None:
        import tarfile  # noqa: PLC0415 - as for `locate`

        info = tarfile.TarInfo(name)
        info.size, info.mtime, info.mode = size, int(self._taken.timestamp()), 0o644
        file.seek(at)
        write_all(file, info.tobuf(tarfile.GNU_FORMAT))

    def _write_names(
        self, file: BinaryIO, at: int, names: Sequence[tuple[Sequence[Names], str | None]]
    ) -> list[dict[str, object]]:
        """Write the members with names from a place on, and the end of the archive."""
        import hashlib  # noqa: PLC0415 - as for `locate`

        from thinscope.names import captured  # noqa: PLC0415 - as for `locate`

        members: list[dict[str, object]] = []
        total = 0
        for number, (found, pool) in enumerate(names, 1):
            name, data = names_member(number), captured.written(found, pool)
            self._write_header(file, at, name, len(data))
            write_all(file, data + bytes(padding(len(data))))
            at = file.tell()
            total += len(data)
            if total > NAMES_LIMIT:
                message = f"more than {NAMES_LIMIT} bytes of names, which a capture cannot hold"
                raise NamesError(message)
            sha256 = hashlib.sha256(data).hexdigest()
            members.append({"member": name, "bytes": len(data), "sha256": sha256})
        file.seek(at)
        write_all(file, bytes(2 * SECTOR))
        file.truncate()
        return members

    def _write_document(self, file: BinaryIO, document: dict[str, object]) -> None:
        import json  # noqa: PLC0415 - as for `locate`

        data = json.dumps(document, indent=1).encode()
        self._write_header(file, 0, DOCUMENT, _ROOM)
        write_all(file, data.ljust(_ROOM - 1) + b"\n")

    def _document(
        self, copied: _core.Copied, members: list[dict[str, object]]
    ) -> dict[str, object]:
        from importlib.metadata import version  # noqa: PLC0415 - as for `locate`

        unreadable = [list(run) for run in copied.unreadable]
        return {
            "format": FORMAT,
            "thinscope": version("thinscope"),
            "taken": self._taken.isoformat(),
            "source": {
                "name": os.path.basename(self._name),  # noqa: PTH119 - as messages name it
                "is_device": self._is_device,
                "kernel": os.uname().release if self._is_device else None,
                "bytes": copied.source_bytes,
                "view": METADATA_SNAPSHOT if self._is_metadata_snapshot else LIVE,
            },
            "metadata": {
                "bytes": copied.bytes,
                "blocks": -(-copied.bytes // _BLOCK_BYTES),
                "zero_blocks": copied.zero_blocks,
                "unknown_blocks": copied.unknown_blocks,
                "unreadable_blocks": sum(count for _, count in copied.unreadable),
                "unreadable": unreadable[:_MOST_LISTED],
                "sha256": copied.sha256,
                "packed_bytes": copied.packed_bytes,
                "packed_sha256": copied.packed_sha256,
            },
            "names": members,
        }

    def _read_back(
        self, file: BinaryIO
    ) -> tuple[ReadBack | None, str | None, tuple[Names, ...] | None]:
        """Open what was written, as anybody would, and count what is in it.

        Returns:
            What was found or why it cannot be read, and the records that are of this pool.
        """
        from thinscope.pool import open as open_pool  # noqa: PLC0415 - as for `locate`

        fitting = None
        try:
            with open_pool(file, threads=self._threads, progress=self._progress) as pool:
                fitting = self._fitting(pool)
                return _found(pool), None, fitting
        except (CorruptMetadata, UnsupportedMetadata, NotThinMetadata) as error:
            return None, error.message, fitting

    def _fitting(self, pool: Pool) -> tuple[Names, ...]:
        """Return the names of the pool that the capture is of, which must have come through."""
        if [(each.found, each.pool) for each in pool.wanted] != [
            (each.found, each.pool) for each in self._wanted
        ]:
            raise AssertionError("names are not read back as they were written")
        return pool.fitting_names()


def _found(pool: Pool) -> ReadBack:
    sharing = pool.sharing()
    return ReadBack(
        superblock=pool.superblock,
        live_superblock=pool.live_superblock,
        data_space=pool.data_space,
        metadata_space=pool.metadata_space,
        devices=len(pool.devices),
        mapped_blocks=sum(sharing.mappings.values()),
        totals=sharing.totals,
        disagreeing=sharing.disagreeing(pool.devices.values()),
    )


def _told(found: ReadBack) -> dict[str, object]:
    """Return what was found as the document tells it."""
    superblock, totals = found.superblock, found.totals
    return {
        "transaction_id": superblock.transaction_id,
        "time": superblock.time,
        "flags": found.live_superblock.flags,
        "needs_check": found.live_superblock.needs_check,
        "metadata_snapshot": found.live_superblock.metadata_snapshot,
        "data_block_bytes": superblock.data_block_bytes,
        "devices": found.devices,
        "mapped_blocks": found.mapped_blocks,
        "data": {"total": found.data_space.total, "used": found.data_space.used},
        "metadata": {
            "total": found.metadata_space.total,
            "used": found.metadata_space.used,
            "kernel_used": found.metadata_space.kernel_used,
        },
        "agrees": found.agrees,
        "reached_blocks": totals.reached_blocks,
        "leaked_blocks": totals.leaked_blocks,
        "missing_count_blocks": totals.missing_count_blocks,
        "disagreeing_devices": len(found.disagreeing),
        "disagreeing": [list(device) for device in found.disagreeing[:_MOST_LISTED]],
    }
