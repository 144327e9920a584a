"""What is put in place of a file, or not: links, files that come meanwhile, disks that are full."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

import thinscope
from tests.cli.conftest import WALKTHROUGH
from tests.conftest import FIXTURES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Run

SOURCE = str(FIXTURES / WALKTHROUGH)
SIZE = 1 << 20


@pytest.fixture
def file(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder / "file"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "data.img"
    with path.open("wb") as opened:
        opened.truncate(20 << 30)
    return path


def words(name: str, file: Path, data: Path) -> list[str]:
    return {
        "export": ["export", SOURCE, "1", "--data", str(data), "--size", "1M", "-o", str(file)],
        "capture": ["capture", SOURCE, "-o", str(file)],
        "thin_dump": ["thin_dump", SOURCE, "-o", str(file)],
        "salvage": ["salvage", SOURCE, "--dump", str(file)],
    }[name]


ASKING, REPLACING = ("export", "capture"), ("thin_dump", "salvage")


@pytest.mark.parametrize("name", ASKING)
@pytest.mark.parametrize("has_links", [True, False])
def test_a_file_that_comes_meanwhile_stays(  # noqa: PLR0913, PLR0917 - fixtures
    command: Run,
    file: Path,
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    has_links: bool,  # noqa: FBT001 - a parameter
) -> None:
    """After it was looked whether there is one, and before the new one is put there."""
    real: Callable[..., None] = os.fsync

    def put_there(descriptor: int) -> None:
        real(descriptor)
        if not file.exists():
            file.write_bytes(b"dear")

    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "fsync", put_there)
    if not has_links:
        monkeypatch.setattr(os, "link", refuse)
    ran = command(*words(name, file, data))
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"thinscope: {file}: there is something in it\n")
    assert file.read_bytes() == b"dear"
    assert [path.name for path in file.parent.iterdir()] == ["file"]


@pytest.mark.parametrize("name", ASKING)
def test_file_systems_without_links(
    command: Run, file: Path, data: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    assert command(*words(name, file, data)).code == 0
    assert [path.name for path in file.parent.iterdir()] == ["file"]


@pytest.mark.parametrize("name", ASKING)
def test_what_is_there_is_replaced_only_when_asked(
    command: Run, file: Path, data: Path, name: str
) -> None:
    file.write_bytes(b"dear")
    assert command(*words(name, file, data)).code == 2
    assert file.read_bytes() == b"dear"
    inode = file.stat().st_ino
    assert command(*words(name, file, data), "--force").code == 0
    assert file.stat().st_ino != inode
    assert file.stat().st_size != 4


@pytest.mark.parametrize("name", ASKING)
def test_an_empty_file_is_nothing(command: Run, file: Path, data: Path, name: str) -> None:
    file.touch()
    assert command(*words(name, file, data)).code == 0
    assert file.stat().st_size


@pytest.mark.parametrize("name", REPLACING)
def test_a_dump_replaces_without_asking(command: Run, file: Path, data: Path, name: str) -> None:
    """As thin_dump does; but whole, or not at all."""
    file.write_bytes(b"older")
    inode = file.stat().st_ino
    assert command(*words(name, file, data)).code == 0
    assert file.read_bytes().startswith(b"<superblock ")
    assert file.stat().st_ino != inode


@pytest.mark.parametrize("name", [*ASKING, *REPLACING])
def test_a_link_stays_a_link(command: Run, file: Path, data: Path, name: str) -> None:
    """What it leads to is written; where that is not there yet, it is made."""
    behind = file.parent / "behind"
    file.symlink_to(behind)
    assert command(*words(name, file, data)).code == 0
    assert file.is_symlink()
    assert behind.stat().st_size
    content = behind.read_bytes()
    more = ["--force"] if name in ASKING else []
    assert command(*words(name, file, data), *more).code == 0
    assert file.is_symlink()
    assert len(behind.read_bytes()) == len(content)
    if name in ASKING:
        assert command(*words(name, file, data)).code == 2


@pytest.mark.parametrize("name", [*ASKING, *REPLACING])
def test_a_link_to_the_source_is_the_source(
    command: Run, file: Path, data: Path, tmp_path: Path, name: str
) -> None:
    source = tmp_path / "pool.bin"
    source.write_bytes((FIXTURES / WALKTHROUGH).read_bytes())
    file.symlink_to(source)
    line = [str(source) if word == SOURCE else word for word in words(name, file, data)]
    ran = command(*line, *(["--force"] if name in ASKING else []))
    assert ran.code in {2, 64}
    assert "it is the source, which is never written to" in ran.err
    assert source.read_bytes() == (FIXTURES / WALKTHROUGH).read_bytes()


def test_sources_are_found_through_links(command: Run, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(SOURCE)
    assert (
        command("devices", link).out.splitlines()[1:]
        == (command("devices", SOURCE).out.splitlines()[1:])
    )


def test_a_link_to_a_pipe_or_a_folder_is_no_source(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for target in (pipe, tmp_path):
        link = tmp_path / f"to-{target.name}"
        link.symlink_to(target)
        with pytest.raises(thinscope.errors.NotThinMetadata):
            thinscope.open(link)
