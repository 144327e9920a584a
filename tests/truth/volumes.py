"""What volumes read as over the captured data device.

A volume whose sha256 is the guest's has every mapping right, every hole, and its external origin.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import tarfile
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import zstandard

from tests.conftest import FIXTURES
from tests.truth.case import Workshop
from tests.truth.origins import Origins
from tests.truth.record import Row, Silent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.truth.case import Case
    from tests.truth.origins import Origin, Piece

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
        if not isinstance(origin, int) and not {piece.image for piece in origin} <= {*images}:
            return Silent("sha256", f"{said.name} has an external origin that was not captured")
        with volumes.open(device, origin, images) as file:
            ours = hashlib.file_digest(file, "sha256").hexdigest()
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


class _Volumes:
    """The volumes as files."""

    def __init__(self, case: Case) -> None:
        self.origins = Origins(case)
        self._pool = case.pool()
        self._sizes = {id_: said.sectors * _SECTOR for id_, said in case.truth.devices.items()}

    def open(
        self, device: int, origin: Origin, images: Mapping[str, IO[bytes]]
    ) -> io.BufferedReader:
        """A volume over what it reads where it maps nothing."""
        if isinstance(origin, int):
            below: Any = self.open(origin, self.origins.of(origin)[0], images)
        else:
            below = b"".join(_bytes(images, piece) for piece in origin)
        data: Any = images["data"]
        return self._pool.devices[device].open(data, size=self._sizes[device], origin=below)


def _bytes(images: Mapping[str, IO[bytes]], piece: Piece) -> bytes:
    if piece.image is None:
        return bytes(piece.length)
    images[piece.image].seek(piece.begin)
    return images[piece.image].read(piece.length)
