"""No command opens a source for writing: the kernel tells of every file that was."""

from __future__ import annotations

import ctypes
import os
import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from fixtures import docker_folder
from tests.cli.conftest import MORE_WORDS
from tests.cli.test_tolerant import GOING_ON, TESTED_ELSEWHERE
from tests.conftest import CAPTURES, FIXTURES
from tests.oracle import answers
from tests.oracle.peer import write_sparse
from thinscope.cli.commands import COMMANDS, PEERS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.conftest import Run

OPENED, READ, CLOSED = 0x20, 0x01, 0x10
"""What the kernel tells of a file that is read: IN_OPEN, IN_ACCESS, IN_CLOSE_NOWRITE."""

ALL_EVENTS = 0xFFF
"""Among them IN_CLOSE_WRITE: a file that was open for writing is closed."""

IS_FOLDER = 0x40000000

PEERS_WORDS = {
    "thin_delta": ("--thin1", "0", "--thin2", "1"),
    "thin_rmap": ("--region", "0..100"),
}
"""What commands of thin-provisioning-tools need besides SOURCE."""


@contextmanager
def watched(*paths: Path) -> Iterator[set[tuple[str, int]]]:
    """Yield a set that has in the end what was done to files and to what is in folders."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    assert descriptor >= 0
    names = {}
    for path in paths:
        watch = libc.inotify_add_watch(descriptor, os.fsencode(path), ALL_EVENTS)
        assert watch >= 0, os.strerror(ctypes.get_errno())
        names[watch] = path.name
    done: set[tuple[str, int]] = set()
    try:
        yield done
        while True:
            try:
                data = os.read(descriptor, 1 << 16)
            except BlockingIOError:
                break
            while data:
                watch, event, _, length = struct.unpack_from("iIII", data)
                done.add((names[watch], event & ~IS_FOLDER))
                data = data[16 + length :]
    finally:
        os.close(descriptor)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A pool that is not packed, alone in a folder."""
    folder = tmp_path / "source"
    folder.mkdir()
    path = folder / "pool.bin"
    path.write_bytes(answers.image(CAPTURES["churn-b"]))
    return path


def questions() -> Iterator[tuple[str, ...]]:
    for name in [*COMMANDS, *PEERS]:
        if name != "thin_metadata_size":  # which has no source
            yield (name, *PEERS_WORDS.get(name, ()))
        if name in {*GOING_ON, *TESTED_ELSEWHERE}:
            yield (name, "--tolerant")
        if name in {*GOING_ON, "owners", "delta"}:
            yield (name, "--metadata-snapshot")
    yield "salvage", "--dump", "-"
    yield "thin_dump", "--repair"
    yield "thin_check", "--auto-repair"
    yield "thin_check", "--clear-needs-check-flag"


@pytest.mark.parametrize("words", list(questions()), ids=" ".join)
def test_sources_are_read_alone(
    process: Run, source: Path, words: tuple[str, ...], tmp_path: Path
) -> None:
    name, *options = words
    more = list(MORE_WORDS.get(name, ()))
    if name == "capture":
        more = ["-o", str(tmp_path / "captured.tar")]
    before = source.read_bytes()
    with watched(source, source.parent) as done:
        ran = process(name, source, *more, *options)
    assert ran.code in {0, 1}, ran.err
    assert {event for what, event in done if what == source.name} == {OPENED, READ, CLOSED}
    assert {event for _, event in done} == {OPENED, READ, CLOSED}
    assert source.read_bytes() == before


def test_data_and_origin_are_read_alone(process: Run, source: Path, tmp_path: Path) -> None:
    data, origin = source.with_name("data.img"), source.with_name("origin.img")
    for path, size in ((data, 20 << 30), (origin, 1 << 20)):
        with path.open("wb") as file:
            file.truncate(size)
    words = ["1", "--data", data, "--origin", origin, "--size", "1M"]
    with watched(data, origin, source.parent) as done:
        ran = process("export", source, *words, "-o", tmp_path / "exported.img")
    assert ran.code == 0, ran.err
    assert {event for _, event in done} == {OPENED, READ, CLOSED}


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A physical volume in a folder of its own: 2.5 GiB, which are unpacked once."""
    image = tmp_path_factory.mktemp("disk") / "pv.img"
    write_sparse(image, answers.content(FIXTURES / "lvm-b/pv.zst"))
    return image


@pytest.mark.parametrize(
    "words",
    [("overview",), ("pools",), ("owners",), ("doctor",), ("undelete",), ("export", "1", "-o")],
    ids=" ".join,
)
def test_disk_images_are_read_alone(
    process: Run, disk: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    name, *more = words
    if name == "export":
        more.append(str(tmp_path / "exported.img"))
    with watched(disk, disk.parent) as done:
        ran = process(name, disk, *more)
    assert ran.code in {0, 1}, ran.err
    assert {event for _, event in done} == {OPENED, READ, CLOSED}


@pytest.mark.parametrize("name", ["overview", "check", "doctor", "salvage", "undelete"])
def test_folders_of_managers_are_read_alone(process: Run, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "docker"
    docker_folder.unpack(folder)
    folders = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    with watched(*folders) as done:
        ran = process(name, folder)
    assert ran.code in {0, 1}, ran.err
    assert {event for _, event in done} <= {OPENED, READ, CLOSED}
    assert OPENED in {event for _, event in done}


def test_a_file_that_can_only_be_read(process: Run, source: Path) -> None:
    source.chmod(0o400)
    assert process("check", source).code == 0


def test_the_kernel_tells_of_writers(source: Path) -> None:
    with watched(source, source.parent) as done, source.open("r+b"):
        pass
    assert ("pool.bin", 0x08) in done
