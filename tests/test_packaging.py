"""The source distribution is whole, and builds with the locked versions."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tomllib
from typing import TYPE_CHECKING

import pytest

from tests.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

NEEDED = [
    *("CHANGELOG.md", "Cargo.lock", "Cargo.toml", "LICENSE-APACHE", "LICENSE-MIT", "README.md"),
    *("pyproject.toml", "python/thinscope/_core.pyi", "python/thinscope/py.typed"),
    *("rust/core/src/lib.rs", "rust/py/src/lib.rs"),
]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdist")
    subprocess.run(
        [sys.executable, "-m", "maturin", "sdist", "--out", folder],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return archive.with_name(archive.name.removesuffix(".tar.gz"))


def test_nothing_is_missing(unpacked: Path) -> None:
    assert [name for name in NEEDED if not (unpacked / name).exists()] == []


def versions(lock: Path) -> set[tuple[str, str]]:
    packages = tomllib.loads(lock.read_text())["package"]
    return {(package["name"], package["version"]) for package in packages}


def test_cargo_takes_the_locked_versions(unpacked: Path) -> None:
    """The workspace of the sdist is smaller, so its lock shrinks; no version may change."""
    before = versions(unpacked / "Cargo.lock")
    subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--offline"],
        cwd=unpacked,
        check=True,
        capture_output=True,
    )
    after = versions(unpacked / "Cargo.lock")
    assert after <= before
    assert {"pyo3", "zerocopy", "arrow-array"} <= {name for name, _ in after}
