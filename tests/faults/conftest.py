"""A small pool in two states, and a program that runs commands on it with a fault at each read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from tests.cli.conftest import command, environment
from tests.conftest import ROOT
from tests.faults.driver import Plan, Ran

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["command"]  # a fixture of the command line's tests

STATE = "churn --span 30 --metadata-snapshot --metadata-blocks 300 --data-blocks 500"
"""A pool with snapshots, what is left of deleted devices, and a held metadata snapshot."""

EARLIER, LATER = "--steps 60", "--steps 75"


def built(testkit: str, words: str, path: Path) -> Path:
    command = [testkit, "build", *words.split(), "-o", path]
    subprocess.run(command, check=True, capture_output=True)
    return path


@pytest.fixture(scope="session")
def earlier(testkit: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pool of some 100 metadata blocks."""
    return built(testkit, f"{STATE} {EARLIER}", tmp_path_factory.mktemp("faults") / "earlier.bin")


@pytest.fixture(scope="session")
def later(testkit: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same pool after some more steps."""
    return built(testkit, f"{STATE} {LATER}", tmp_path_factory.mktemp("faults") / "later.bin")


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shim") / "shim.so"
    source = ROOT / "tests/faults/shim.c"
    command = ["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o", path, source]
    subprocess.run([*command, "-ldl"], check=True)
    return path


class AtEachRead(Protocol):
    def __call__(self, words: Sequence[str], fault: str, **more: object) -> list[Ran]: ...


@pytest.fixture
def at_each_read(shim: Path, earlier: Path, tmp_path: Path) -> AtEachRead:
    """Run a command for each of its reads, with a fault there.

    The words are those of the command; `SOURCE` stands for the pool, `FILE` for what it writes.
    """
    output = tmp_path / "output"
    output.mkdir()
    names = {"SOURCE": tmp_path / "pool.bin", "FILE": output / "file"}

    def run(words: Sequence[str], fault: str, **more: object) -> list[Ran]:
        plan = Plan(
            words=[str(names.get(word, word)) for word in words],
            source=str(names["SOURCE"]),
            content=str(earlier),
            fault=fault,
            output=str(output),
            **more,  # type: ignore[arg-type]
        )
        done = subprocess.run(
            [sys.executable, ROOT / "tests/faults/driver.py"],
            input=json.dumps(asdict(plan)),
            cwd=tmp_path,
            env=environment(LD_PRELOAD=os.fspath(shim)),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return [Ran(**ran) for ran in json.loads(done.stdout)]

    return run


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data device of zeros, large enough for the pool."""
    path = tmp_path_factory.mktemp("faults") / "data.img"
    with path.open("wb") as file:
        file.truncate(500 << 16)
    return path
