"""Programs of the host, the disk that goes back and forth, and the order of modules."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from fixtures.capture import guest, kernels, tools
from fixtures.capture.errors import CaptureError


def test_programs_that_are_there() -> None:
    tools.need({"sh": "dash", "tar": "tar"})


def test_programs_that_are_not_there() -> None:
    wanted = {"sh": "dash", "no-such-a": "two", "no-such-b": "one", "no-such-c": "two"}
    with pytest.raises(CaptureError) as caught:
        tools.need(wanted)
    assert str(caught.value) == (
        "no-such-a, no-such-b, no-such-c not found; `apt-get install one two` installs it"
    )


def test_what_a_program_says_is_logged(tmp_path: Path) -> None:
    log = tmp_path / "log"
    tools.run(["sh", "-c", "echo one; echo two >&2"], log)
    tools.run(["echo", tmp_path / "three"], log)
    assert log.read_text() == f"one\ntwo\n{tmp_path}/three\n"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo begin; echo last words >&2; exit 7", "sh ended with 7: last words"),
        ("exit 1", "sh ended with 1: it said nothing"),
    ],
)
def test_a_program_that_fails(tmp_path: Path, script: str, said: str) -> None:
    log = tmp_path / "log"
    log.write_text("of another program\n")
    with pytest.raises(CaptureError) as caught:
        tools.run(["sh", "-c", script], log)
    assert str(caught.value) == f"{said} (all in {log})"


def test_what_the_guest_is_handed(tmp_path: Path) -> None:
    files = guest.handed("keep pool\n", 2)
    assert files["scenario.sh"] == b"BOOT=2\nkeep pool\n"
    assert {"run.sh", "library.sh", "write.py"} <= files.keys()
    disk = tmp_path / "disk"
    guest.fill(disk, files, 4 << 20)
    assert disk.stat().st_size == 4 << 20
    with tarfile.open(disk) as tar:
        assert tar.getnames() == list(files)
        for name, content in files.items():
            file = tar.extractfile(name)
            assert file is not None
            assert file.read() == content


def test_more_than_the_disk_takes(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="would be larger than 2097152 bytes"):
        guest.fill(tmp_path / "disk", {"large": bytes(2 << 20)}, 2 << 20)


def test_modules_come_behind_those_that_they_need(tmp_path: Path) -> None:
    needs = {
        "virtio_blk": "virtio",
        "virtio_pci": "virtio,virtio-ring",
        "virtio": "virtio-ring",
        "virtio-ring": "",
        "ext4": "jbd2,built-in",
        "jbd2": "",
        "other": "",
    }
    for name, needed in needs.items():
        path = tmp_path / f"kernel/{name}.ko"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"\0license=GPL\0depends=%b\0name=x\0" % needed.encode())
    found = kernels._in_order(kernels.Kernel("6.1", "6.1.0", tmp_path, tmp_path))
    names = [path.stem for path in found]
    assert sorted(names) == ["ext4", "jbd2", "virtio", "virtio-ring", "virtio_blk", "virtio_pci"]
    for name, needed in needs.items():
        for each in needed.split(",") if name in names else ():
            if each in names:
                assert names.index(each) < names.index(name)
