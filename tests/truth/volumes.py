"""What volumes read as, put together from the data device by the mappings that thinscope tells.

A volume whose sha256 is the guest's has every mapping right, and every hole.
"""

from __future__ import annotations

import contextlib
import hashlib
import tarfile
from typing import IO, TYPE_CHECKING, NamedTuple

import zstandard

from tests.conftest import FIXTURES
from tests.truth.case import Workshop
from tests.truth.origins import Origins, Piece
from tests.truth.record import Row, Silent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from tests.truth.case import Case
    from tests.truth.origins import Origin

_STEP = 1 << 20
_ZEROS = bytes(_STEP)
_SECTOR = 512


class Said(NamedTuple):
    """The guest's hash of a volume."""

    name: str
    sha256: str


def rows(case: Case) -> Iterator[Row | Silent]:
    """The hash of every volume beside the guest's."""
    packed = {what: case.capture[what] for what in ("data", "pv") if what in case.capture}
    if "data" not in packed:
        yield Silent("sha256", "the capture keeps no data")
        return
    volumes = _Volumes(case)
    with contextlib.ExitStack() as stack:
        said = list(_said(case))
        wanted = packed if volumes.origins.are_elsewhere else {"data": packed["data"]}
        images = {
            what: stack.enter_context(_image(FIXTURES / case.capture["folder"] / name))
            for what, name in wanted.items()
        }
        if case.truth.table is not None:
            size = images["data"].seek(0, 2)
            yield Row("sha256", "bytes of data", size, case.truth.table.sectors * _SECTOR)
        for name, theirs in said:
            yield _compared(volumes, images, case.id_of(name), Said(name, theirs))


def _compared(
    volumes: _Volumes, images: Mapping[str, IO[bytes]], device: int, said: Said
) -> Row | Silent:
    ours = "nothing"
    for origin in volumes.origins.of(device):
        pieces = list(volumes.pieces(device, origin))
        if not {piece.image for piece in pieces} <= {*images, None}:
            return Silent("sha256", f"{said.name} has an external origin that was not captured")
        ours = _digest(images, pieces)
        if ours == said.sha256:
            break
    return Row("sha256", f"content of {said.name}", ours, said.sha256)


def _said(case: Case) -> Iterator[Said]:
    """Names and hashes: ``<sha256>  <name>``, ``<name> <sha256> <sectors>``, ``<id> <sha256>  -``."""
    for line in case.text("sha256").splitlines():
        first, second, *_ = line.split()
        yield Said(second, first) if len(first) == 64 else Said(first, second)


@contextlib.contextmanager
def _image(packed: Path) -> Iterator[IO[bytes]]:
    """A disk as a sparse file."""
    path = Workshop.folder / "data"
    with packed.open("rb") as source:
        stream = zstandard.ZstdDecompressor().stream_reader(source)
        if packed.name.endswith(".tar.zst"):
            with tarfile.open(fileobj=stream, mode="r|") as tar:
                member = tar.next()
                assert member is not None
                assert member.name == path.name
                tar.extract(member, path.parent, filter="data")
        else:
            _unpack(stream, path)
    with path.open("rb") as file:
        path.unlink()
        yield file


def _unpack(stream: IO[bytes], path: Path) -> None:
    with path.open("wb") as file:
        while piece := stream.read(_STEP):
            file.seek(len(piece), 1) if piece == _ZEROS[: len(piece)] else file.write(piece)
        file.truncate()


def _digest(images: Mapping[str, IO[bytes]], pieces: Iterable[Piece]) -> str:
    found = hashlib.sha256()
    for piece in pieces:
        file = images[piece.image] if piece.image else None
        if file:
            file.seek(piece.begin)
        for at in range(0, piece.length, _STEP):
            length = min(_STEP, piece.length - at)
            found.update(file.read(length) if file else _ZEROS[:length])
    return found.hexdigest()


class _Volumes:
    """Where the bytes of volumes are."""

    def __init__(self, case: Case) -> None:
        self.origins = Origins(case)
        self._pool = case.pool()
        self._sizes = {id_: said.sectors * _SECTOR for id_, said in case.truth.devices.items()}

    def pieces(self, device: int, origin: Origin) -> Iterator[Piece]:
        """The whole volume, in order."""
        block, size = self._pool.superblock.data_block_bytes, self._sizes[device]
        at = 0
        for run in self._pool.devices[device].mappings():
            begin = run.virtual_begin * block
            if begin >= size:  # the volume was shrunk
                break
            yield from self._hole(origin, at, begin)
            at = min(begin + run.length * block, size)
            yield Piece("data", run.data_begin * block, at - begin)
        yield from self._hole(origin, at, size)

    def _hole(self, origin: Origin, begin: int, end: int) -> Iterator[Piece]:
        """What is read where nothing is mapped: the origin, and zeros behind its end."""
        at = 0
        for piece in self._all_of(origin) if begin < end else ():
            low, high = max(begin, at), min(end, at + piece.length)
            if low < high:
                yield Piece(piece.image, piece.begin + low - at, high - low)
            at += piece.length
        begin = max(begin, min(at, end))
        if begin < end:
            yield Piece(None, 0, end - begin)

    def _all_of(self, origin: Origin) -> Iterable[Piece]:
        if isinstance(origin, int):
            return self.pieces(origin, self.origins.of(origin)[0])
        return origin
