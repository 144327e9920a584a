"""The command as a process and in this one, golden files, and pools with an edited superblock."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from tests.conftest import CAPTURES, FIXTURES, ROOT
from tests.oracle import answers, reader
from thinscope.cli import main
from thinscope.cli.commands import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Mapping

GOLDEN = Path(__file__).parent / "golden"
WALKTHROUGH = "walkthrough-b/metadata.bin.zst"
DOCKER = "docker-b/metadata.bin.zst"
CHURN = "churn-b/metadata.bin.zst"
FULL = "full-b/full.bin.zst"
NEEDS_CHECK = "full-b/needs-check.bin.zst"

MORE_WORDS = {
    "block": ["0"],
    "reclaim": ["*"],
    "plan": ["--free", "1M"],
    "orphans": ["--names", "../tests/cli/names.csv"],
    "delta": ["1", "2"],
    "capture": ["-o", "../target/capture.tar", "--force"],
    "export": [
        *("1", "--data", "../target/zeros.img", "--size", "1M"),
        *("-o", "../target/export.img", "--force"),
    ],
}
"""What a command needs behind SOURCE."""

ATTENTION = {"orphans"}
"""Commands that find something with these words."""

OF_POOLS = [
    name
    for name in COMMANDS
    if name not in {"block", "capture", "check", "doctor", "salvage", "undelete"}
]
"""Commands that open a pool; the others take what is damaged as well."""

COMMAND = (sys.executable, "-m", "thinscope")


def json_document() -> str:
    """Return the page that documents JSON."""
    return (ROOT / "docs/json.md").read_text()


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str


class Run(Protocol):
    def __call__(self, *arguments: str | bytes | Path, **environment: str) -> Ran: ...


def environment(**more: str) -> dict[str, str]:
    """Return an environment that says nothing of terminals, but for what is given."""
    silent = {"COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TERM", "THINSCOPE_TRACEBACK"}
    silent.add("PYTHONUNBUFFERED")  # a way of the machine, which hides what is not flushed
    return {k: v for k, v in os.environ.items() if k not in silent} | {"LC_ALL": "C.UTF-8"} | more


@pytest.fixture(scope="session", autouse=True)
def _zeros() -> None:
    """A data device for any captured pool, of which nothing was kept."""
    with (ROOT / "target/zeros.img").open("wb") as file:
        file.truncate(20 << 30)


@pytest.fixture
def process() -> Run:
    """Run the command as a process, with pipes, in the folder of the captures."""

    def run(*arguments: str | bytes | Path, **more: str) -> Ran:
        done = subprocess.run(
            [*COMMAND, *arguments],
            cwd=FIXTURES,
            env=environment(**more),
            capture_output=True,
            check=False,
        )
        assert b"Traceback" not in done.stderr
        assert b"Exception ignored" not in done.stderr
        return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command in this process, in the folder of the captures."""
    monkeypatch.chdir(FIXTURES)

    def run(*arguments: str | bytes | Path, **more: str) -> Ran:
        with monkeypatch.context() as patch:
            for name, value in ({"COLUMNS": "80"} | more).items():
                patch.setenv(name, value)
            code = main([os.fsdecode(argument) for argument in arguments])
        return Ran(code, *capsys.readouterr())

    return run


@pytest.fixture
def golden() -> Golden:
    """Compare with a golden file; THINSCOPE_GOLDEN=1 writes it instead."""
    return Golden()


class Golden:
    """Compares text with golden files."""

    def __call__(self, name: str, text: str) -> None:
        path = GOLDEN / name
        if os.environ.get("THINSCOPE_GOLDEN"):
            path.write_text(text, newline="")
        expected = path.read_text() if path.exists() else "(no such file)"
        assert text == expected, f"{path.name} differs: THINSCOPE_GOLDEN=1 writes it anew"


class Edit(Protocol):
    def __call__(self, capture: str, fields: Mapping[int, tuple[int, int]]) -> Path: ...


@pytest.fixture
def edited(tmp_path: Path) -> Edit:
    """A copy of a capture with some fields changed: `{offset: (width, value)}`.

    The checksums of the blocks, which are superblocks or nodes, are put right.
    """

    def edit(capture: str, fields: Mapping[int, tuple[int, int]]) -> Path:
        data = bytearray(answers.image(CAPTURES[capture]))
        for offset, (width, value) in fields.items():
            write_field(data, offset, width, value)
        path = tmp_path / f"{capture}.bin"
        path.write_bytes(data)
        return path

    return edit


def write_field(data: bytearray, offset: int, width: int, value: int) -> None:
    """Change a field of an image, and put the checksum of its block right."""
    data[offset : offset + width] = value.to_bytes(width, "little")
    begin = offset - offset % reader.BLOCK
    salt = reader.NODE_SALT if begin else reader.SUPERBLOCK_SALT
    checksum = reader.checksum(bytes(data[begin : begin + reader.BLOCK]), salt)
    data[begin : begin + 4] = checksum.to_bytes(4, "little")
