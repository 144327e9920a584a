"""A pool that commits while it is read: the report is built again, or there is none."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import thinscope
from tests.cli.conftest import ATTENTION, MORE_WORDS, OF_POOLS, Ran, write_field
from tests.conftest import CAPTURES
from tests.oracle import answers
from thinscope import Pool
from thinscope.cli import main
from thinscope.report.render import FORMATS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run

TRANSACTION_ID = 48
FIRST = 1000


class Commits:
    """Commits to an image a number of times, each time a pool is opened."""

    def __init__(self, path: Path, times: int) -> None:
        self.path, self.left, self.transaction_id = path, times, FIRST
        self._open = thinscope.open

    def commit(self) -> None:
        if self.left:
            self.left -= 1
            self.transaction_id += 1
            with self.path.open("r+b") as image:
                block = bytearray(image.read(4096))
                write_field(block, TRANSACTION_ID, 8, self.transaction_id)
                image.seek(0)
                image.write(block)

    def open(self, *arguments: object, **options: object) -> Pool:
        pool = self._open(*arguments, **options)  # type: ignore[arg-type]
        self.commit()
        return pool


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "live.bin"
    path.write_bytes(answers.image(CAPTURES["walkthrough-b"]))
    return path


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("name", OF_POOLS)
def test_built_again(
    command: Run, path: Path, monkeypatch: pytest.MonkeyPatch, name: str, times: int
) -> None:
    monkeypatch.setattr(thinscope, "open", Commits(path, times).open)
    ran = command(name, path, *MORE_WORDS.get(name, ()), "--format", "json")
    assert (ran.code, ran.err) == (name in ATTENTION, "")
    report = json.loads(ran.out)
    [told] = [each for each in (report, *report.get("pools", ())) if "transaction_id" in each]
    assert told["transaction_id"] == FIRST + times


@pytest.mark.parametrize("name", OF_POOLS)
def test_no_answer_after_four_states(
    command: Run, path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    commits = Commits(path, 9)
    monkeypatch.setattr(thinscope, "open", commits.open)
    ran = command(name, path, *MORE_WORDS.get(name, ()))
    assert (ran.code, ran.out, commits.transaction_id) == (2, "", FIRST + 4)
    message, hint = ran.err.splitlines()
    assert message == f"thinscope: {path}: the pool changed while it was read"
    assert hint.startswith("hint: the pool is live: make a metadata snapshot")


class Stdout(io.StringIO):
    """Commits when the first rows are written."""

    def __init__(self, commits: Commits) -> None:
        super().__init__()
        self.commits = commits

    def write(self, text: str) -> int:
        self.commits.commit()
        return super().write(text)


@pytest.mark.parametrize("format_", FORMATS)
def test_rows_that_are_printed_stay(
    testkit: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    format_: str,
) -> None:
    path = tmp_path / "large.bin"
    subprocess.run(
        [testkit, "build", "one-device", "--mappings", "600000", "-o", path],
        check=True,
        capture_output=True,
    )
    stdout = Stdout(Commits(path, 1))
    monkeypatch.setattr(sys, "stdout", stdout)
    code = main(["mappings", os.fspath(path), "--format", format_])
    ran = Ran(code, stdout.getvalue(), capsys.readouterr().err)
    assert ran.code == 2
    assert "the pool changed while it was read" in ran.err
    assert ran.out
    assert "mapped_blocks" not in ran.out.removeprefix(ran.out[:500])
    assert "600,000 blocks" not in ran.out
    if format_ == "json":
        with pytest.raises(json.JSONDecodeError):
            json.loads(ran.out)
