"""Folders of managers, unpacked from the captures or written by hand."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
import zstandard

from tests.conftest import FIXTURES
from tests.names import docker_folder


@pytest.fixture(scope="session")
def docker_b(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Docker's folder of the capture, without the loop files; not to be changed."""
    root = tmp_path_factory.mktemp("docker-b") / "docker"
    packed = (FIXTURES / "docker-b" / "docker-root.tar.zst").read_bytes()
    unpacked = zstandard.ZstdDecompressor().stream_reader(packed).read()
    with tarfile.open(fileobj=io.BytesIO(unpacked)) as archive:
        # Not the device node that Docker made for quotas.
        plain = [member for member in archive if member.isreg() or member.isdir()]
        archive.extractall(root, plain, filter="data")
    return root


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A small Docker folder, healthy."""
    root = tmp_path / "docker"
    docker_folder.small(root)
    return root
