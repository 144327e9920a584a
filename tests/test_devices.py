"""Block devices: read around the page cache, and refused while somebody holds them.

These tests attach a loop device, which takes root.
"""

from __future__ import annotations

import os
import subprocess
from shutil import which
from typing import TYPE_CHECKING

import pytest

import thinscope
from thinscope import errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CAN_ATTACH = os.geteuid() == 0 and os.path.exists("/dev/loop-control") and which("losetup")  # noqa: PTH110
pytestmark = pytest.mark.skipif(not CAN_ATTACH, reason="attaching a loop device takes root")


@pytest.fixture
def file(churn: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "metadata"
    path.write_bytes(churn)
    return path


@pytest.fixture
def device(file: Path) -> Iterator[str]:
    attach = subprocess.run(
        ["losetup", "--find", "--show", file], capture_output=True, check=True, text=True
    )
    yield attach.stdout.strip()
    subprocess.run(["losetup", "--detach", attach.stdout.strip()], check=True)


def test_a_device_reads_like_a_file(device: str, churn: bytes) -> None:
    pool = thinscope.open(device)
    assert pool.recount() == thinscope.open(churn).recount()
    assert not pool.may_be_stale
    assert list(pool.mappings()) == list(thinscope.open(churn).mappings())


def test_reads_go_around_the_page_cache(device: str, file: Path, churn: bytes) -> None:
    """What changes below the device's page cache, as the device mapper does it, is seen."""
    with open(device, "rb") as cached:  # noqa: PTH123
        cached.read()
        with file.open("r+b") as below:
            below.seek(4096)
            below.write(b"\x55" * (len(churn) - 4096))
        with pytest.raises(errors.CorruptMetadata):
            thinscope.open(device).recount()


def test_a_file_behind_a_loop_device_is_in_use(device: str, file: Path, tmp_path: Path) -> None:
    other_name = tmp_path / "link"
    other_name.symlink_to(file)
    for path in (file, other_name):
        with pytest.raises(errors.SourceInUse, match=f"the file behind {device}") as caught:
            thinscope.open(path)
        assert "reserve_metadata_snap" in (caught.value.hint or "")
        snapshot = thinscope.open(path, metadata_snapshot=True)
        assert snapshot.recount().reached_blocks == 3559


def test_the_file_behind_a_loop_device_is_not_written(
    device: str, file: Path, churn: bytes
) -> None:
    for target in (device, file):
        with pytest.raises(OSError, match="it is the source"):
            thinscope.open(device).dump(target)
    assert file.read_bytes() == churn


def test_a_device_that_somebody_holds_is_in_use(device: str) -> None:
    holder = os.open(device, os.O_RDONLY | os.O_EXCL)
    try:
        with pytest.raises(errors.SourceInUse, match="holds the device"):
            thinscope.open(device)
        assert thinscope.open(device, metadata_snapshot=True).recount().reached_blocks == 3559
    finally:
        os.close(holder)
    assert thinscope.open(device).recount().reached_blocks == 3725


def test_a_block_of_what_is_in_use(device: str, file: Path, churn: bytes) -> None:
    """One block is read at once, so there is nothing that could change in between."""
    expected = thinscope.read_block(churn, 1097)
    holder = os.open(device, os.O_RDONLY | os.O_EXCL)
    try:
        assert thinscope.read_block(device, 1097) == expected
        assert thinscope.read_block(file, 1097) == expected
    finally:
        os.close(holder)
    with file.open("r+b") as below:
        below.seek(1097 * 4096)
        below.write(b"\x55" * 4096)
    assert thinscope.read_block(device, 1097).data == b"\x55" * 4096
    with pytest.raises(errors.SourceError, match="the source has 4096 blocks"):
        thinscope.read_block(device, 4096)
