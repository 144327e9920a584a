"""A full disk under everything that is written: one line, nothing half, what was there stays."""

from __future__ import annotations

import resource
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import COMMAND, MORE_WORDS, environment
from tests.cli.test_read_only import PEERS_WORDS
from tests.conftest import FIXTURES
from thinscope.cli.commands import COMMANDS, PEERS

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = "docker-b/metadata.bin.zst"
LIMIT = 16 << 10
"""Bytes that a file may have: less than any of those that are written here."""

WRITING = {
    "export": ["export", SOURCE, "9", "--size", "1M", "-o"],
    "capture": ["capture", SOURCE, "-o"],
    "thin_dump": ["thin_dump", SOURCE, "-o"],
    "human_readable": ["thin_dump", SOURCE, "--format", "human_readable", "-o"],
    "repair": ["thin_dump", SOURCE, "--repair", "-o"],
    "salvage": ["salvage", SOURCE, "--dump"],
}
FORCED = {"export", "capture"}


def limited() -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, LIMIT))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data device of ones at its beginning."""
    path = tmp_path_factory.mktemp("data") / "data.img"
    with path.open("wb") as file:
        for _ in range(64):
            file.write(b"\1" * (1 << 20))
        file.truncate(20 << 30)
    return path


def run(
    line: list[str], data: Path, *, is_limited: bool = True
) -> subprocess.CompletedProcess[str]:
    more = ["--data", str(data)] if line[0] == "export" else []
    return subprocess.run(
        [*COMMAND, *line, *more],
        cwd=FIXTURES,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limited if is_limited else None,
    )


def code_of(name: str) -> int:
    return 64 if WRITING[name][0].startswith("thin_") else 2


@pytest.mark.parametrize("is_there", [False, True])
@pytest.mark.parametrize("name", WRITING)
def test_a_file(name: str, data: Path, tmp_path: Path, is_there: bool) -> None:  # noqa: FBT001
    """The limit of a file's size stands for the end of a disk."""
    folder = tmp_path / "out"
    folder.mkdir()
    file = folder / "file"
    if is_there:
        file.write_bytes(b"dear")
    more = ["--force"] if is_there and name in FORCED else []
    ran = run([*WRITING[name], str(file), *more], data)
    assert (ran.returncode, ran.stdout) == (code_of(name), "")
    assert ran.stderr.splitlines()[-1] == f"thinscope: {file}: file too large"
    assert len(ran.stderr.splitlines()) == 1
    assert [path.name for path in folder.iterdir()] == (["file"] if is_there else [])
    assert not is_there or file.read_bytes() == b"dear"


@pytest.mark.parametrize("name", WRITING)
def test_a_device_that_is_full(name: str, data: Path) -> None:
    """It is written in place, and stays."""
    ran = run([*WRITING[name], "/dev/full"], data, is_limited=False)
    assert (ran.returncode, ran.stdout) == (code_of(name), "")
    assert ran.stderr == "thinscope: /dev/full: no space left on device\n"


@pytest.mark.parametrize("name", [*COMMANDS, *PEERS])
def test_stdout(name: str, data: Path) -> None:
    """Text of each command, and the content of an export."""
    own = PEERS_WORDS.get(name, ()) if name in PEERS else MORE_WORDS.get(name, ())
    line = [name, SOURCE, *own]
    if name == "export":
        line = [*WRITING["export"], "-", "--data", str(data)]
    elif name == "thin_metadata_size":
        line = [name, "-b", "64k", "-s", "1g", "-m", "10"]
    elif name == "thin_delta":
        line = [name, SOURCE, "--thin1", "1", "--thin2", "2"]
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - a device
        ran = subprocess.run(
            [*COMMAND, *line],
            cwd=FIXTURES,
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ran.returncode == (64 if name in PEERS else 2), ran.stderr
    [line_] = ran.stderr.splitlines()
    assert line_.startswith("thinscope: ")
    assert line_.endswith("no space left on device")
