"""Captured pools and generated ones, for all tests."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from fixtures import docker_folder
from tests.oracle import answers, peer

# The same examples each time, unless more are asked for.
MORE = os.environ.get("THINSCOPE_EXAMPLES")
settings.register_profile("same", derandomize=True, deadline=None, database=None)
settings.register_profile("more", max_examples=int(MORE or 100), deadline=None)
settings.load_profile("more" if MORE else "same")

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "fixtures"
CAPTURES = {entry["name"]: entry for entry in answers.manifest()}
SAMPLES = answers.samples()
"""Captured pools for tests that do not need them all; `tests/truth` takes every one."""


def examples(usual: int) -> settings:
    """Return how many examples a test of properties takes, if no other number is asked for."""
    return settings() if MORE else settings(max_examples=usual)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes `capture` once over each of the samples."""
    if "capture" in metafunc.fixturenames:
        metafunc.parametrize("capture", SAMPLES.values(), ids=SAMPLES.keys(), scope="session")


def capture_path(name: str) -> Path:
    """Return the compressed metadata of a captured pool."""
    return FIXTURES / CAPTURES[name]["metadata"]


@pytest.fixture(scope="session")
def image(capture: dict[str, Any]) -> bytes:
    """The unpacked metadata of the capture."""
    return answers.image(capture)


@pytest.fixture(scope="session")
def walkthrough() -> bytes:
    """The unpacked metadata of the smallest capture: three devices."""
    return answers.image(CAPTURES["walkthrough-b"])


@pytest.fixture(scope="session")
def churn() -> bytes:
    """The unpacked metadata of the capture with a held metadata snapshot: 34 devices."""
    return answers.image(CAPTURES["churn-b"])


@pytest.fixture(scope="session")
def testkit() -> str:
    """The program that builds pools."""
    program = os.environ.get("THINSCOPE_TESTKIT", str(ROOT / "target/ci/testkit"))
    if not Path(program).exists():
        pytest.fail(f"{program} is not built: `make test` builds it")
    return program


@pytest.fixture(scope="session")
def pool_folders(testkit: str, tmp_path_factory: pytest.TempPathFactory) -> peer.Folders:
    """A folder for each pool that the peer was asked about, its metadata in `pool.bin`."""
    return peer.Folders(tmp_path_factory.mktemp("peer"), Path(testkit))


@pytest.fixture(scope="session")
def ten_million(testkit: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pool with one device of ten million mappings."""
    path = tmp_path_factory.mktemp("pools") / "ten-million.bin"
    subprocess.run(
        [testkit, "build", "one-device", "--mappings", "10000000", "-o", path], check=True
    )
    return path


@pytest.fixture(scope="session")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The captured folder of Docker, with the pool's metadata in it; not to be changed."""
    folder = tmp_path_factory.mktemp("captures") / "docker"
    docker_folder.unpack(folder)
    return folder
