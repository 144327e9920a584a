"""Internal nodes are read by several threads, and nobody can tell."""

from __future__ import annotations

import io
import struct
import subprocess
import time
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import pytest

import thinscope
from tests.oracle.reader import BLOCK, Image
from thinscope import errors

if TYPE_CHECKING:
    from pathlib import Path

DEVICES = 1300
MAPPINGS = 300
INTERNAL = (1,)
"""Flags of an internal node."""


@pytest.fixture(scope="module")
def many_roots(testkit: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More trees than one thread takes at a time, each with a root above its leaves."""
    path = tmp_path_factory.mktemp("pools") / "many-roots.bin"
    shape = ["snapshots-own-spines", "--changed", "0", "--leaf-fill", "126"]
    sizes = ["--devices", str(DEVICES - 1), "--mappings", str(MAPPINGS)]
    subprocess.run([testkit, "build", *shape, *sizes, "-o", path], check=True)
    return path


@pytest.fixture(scope="module")
def holders(many_roots: Path) -> dict[int, set[int]]:
    """Of each data block the devices that map it, by the second reader."""
    found: dict[int, set[int]] = defaultdict(set)
    for device, mappings in Image(many_roots.read_bytes()).live.mappings.items():
        for mapping in mappings.values():
            found[mapping.data].add(device)
    return found


def roots(data: bytes) -> list[int]:
    """The roots of the devices, in disk order: they have three entries."""
    headers = ((at, struct.unpack_from("<4xI8xI", data, at)) for at in range(0, len(data), BLOCK))
    return [at // BLOCK for at, header in headers if header == (*INTERNAL, -(-MAPPINGS // 126))]


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_all_are_read(many_roots: Path, holders: dict[int, set[int]], threads: int) -> None:
    data = many_roots.read_bytes()
    alone = Counter(
        device for devices in holders.values() if len(devices) == 1 for device in devices
    )
    assert len(roots(data)) == DEVICES
    for source in (many_roots, data, io.BytesIO(data)):
        found = thinscope.open(source, threads=threads).recount(exclusive=True)
        assert [*found.mapped_blocks.values()] == [MAPPINGS] * DEVICES
        assert found.reached_blocks == len(holders)
        assert Counter(found.exclusive_blocks) == alone


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_of_several_errors_the_first_on_disk_is_told(many_roots: Path, threads: int) -> None:
    data = bytearray(many_roots.read_bytes())
    spoiled = [roots(data)[number] for number in (300, 310, 700, 1299)]
    for block in reversed(spoiled):
        data[block * BLOCK + 100] ^= 1
        for _ in range(5):
            with pytest.raises(errors.CorruptMetadata) as caught:
                thinscope.open(bytes(data), threads=threads).recount()
            assert caught.value.block == block


@pytest.mark.parametrize("threads", [1, 5])
def test_what_progress_raises_ends_it(many_roots: Path, threads: int) -> None:
    class Enough(Exception):
        pass

    def progress(phase: str, done: int, total: int) -> None:
        del total
        if phase == "reading internal nodes" and done:
            raise Enough

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            time.sleep(0.02)
            return super().read(size)

    pool = thinscope.open(Slow(many_roots.read_bytes()), threads=threads, progress=progress)
    with pytest.raises(Enough):
        pool.recount()
