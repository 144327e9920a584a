"""Folders of managers, unpacked from the captures or written by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures import docker_folder as captured
from tests.names import docker_folder


@pytest.fixture(scope="session")
def docker_b(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Docker's folder of the capture, without the loop files; not to be changed."""
    root = tmp_path_factory.mktemp("docker-b") / "docker"
    captured.unpack_records(root)
    return root


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A small Docker folder, healthy."""
    root = tmp_path / "docker"
    docker_folder.small(root)
    return root
