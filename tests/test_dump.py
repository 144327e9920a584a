"""`Pool.dump`: what is written, where to, and what is left when it fails."""

from __future__ import annotations

import errno
import io
import os
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

import thinscope
from tests.oracle.reader import BLOCK, Image, Role
from thinscope import errors


def text_of(source: bytes | Path, **asked: Any) -> str:
    written = io.BytesIO()
    thinscope.open(source).dump(written, **asked)
    return written.getvalue().decode()


def mappings_of(xml: str) -> dict[int, dict[int, tuple[int, int]]]:
    """Return all mappings of all devices, one by one, with what is shared put in its places."""
    root = ET.fromstring(xml)  # noqa: S314
    shared = {each.attrib["name"]: list(each) for each in root.findall("def")}
    devices: dict[int, dict[int, tuple[int, int]]] = {}
    for device in root.findall("device"):
        found = devices.setdefault(int(device.attrib["dev_id"]), {})
        elements: list[ET.Element] = []
        for element in device:
            elements += shared[element.attrib["name"]] if element.tag == "ref" else [element]
        for element in elements:
            is_range = element.tag == "range_mapping"
            begin, data, length = (
                int(element.get(name, "1"))
                for name in (
                    ("origin_begin", "data_begin", "length")
                    if is_range
                    else ("origin_block", "data_block", "length")
                )
            )
            for at in range(length):
                assert begin + at not in found
                found[begin + at] = data + at, int(element.attrib["time"])
        assert len(found) == int(device.attrib["mapped_blocks"])
    return devices


def test_holds_every_mapping_of_every_device(image: bytes) -> None:
    pool = thinscope.open(image)
    expected: dict[int, dict[int, tuple[int, int]]] = {each: {} for each in pool.devices}
    for run in pool.mappings():
        for at in range(run.length):
            expected[run.device][run.virtual_begin + at] = run.data_begin + at, run.time
    assert mappings_of(text_of(image)) == expected


def test_a_run_that_is_longer_than_any_window(testkit: str, tmp_path: Path) -> None:
    """Two thousand leaves and more, which are one run."""
    path = tmp_path / "pool.bin"
    shape = ["one-device", "--mappings", "600000", "--run", "1000000000", "--time", "1"]
    subprocess.run([testkit, "build", *shape, "-o", path], check=True, capture_output=True)
    [run] = thinscope.open(path).mappings()
    lines = text_of(path).splitlines()
    [line] = [line for line in lines if "_mapping " in line]
    place = f'origin_begin="{run.virtual_begin}" data_begin="{run.data_begin}"'
    assert line == f'    <range_mapping {place} length="600000" time="{run.time}"/>'


def test_the_header_can_say_something_else(walkthrough: bytes) -> None:
    xml = text_of(
        walkthrough, mappings=False, transaction_id=7, data_blocks=8, data_block_sectors=256
    )
    head = ET.fromstring(xml).attrib  # noqa: S314
    said = head["transaction"], head["nr_data_blocks"], head["data_block_size"]
    assert said == ("7", "8", "256")


def test_a_metadata_snapshot_says_the_live_number_of_data_blocks(churn: bytes) -> None:
    written = io.BytesIO()
    pool = thinscope.open(churn, metadata_snapshot=True)
    pool.dump(written)
    assert f'nr_data_blocks="{pool.data_space.total}"' in written.getvalue().decode()[:200]


def test_devices_by_id_and_by_digits(churn: bytes) -> None:
    assert text_of(churn, devices=[2, "1", 2]) == text_of(churn, devices=[1, 2])
    with pytest.raises(errors.UnknownDevice):
        text_of(churn, devices=[1, 99999])


def test_no_device_at_all_is_none(churn: bytes) -> None:
    assert "<device" not in text_of(churn, devices=[])


def test_an_unknown_format(walkthrough: bytes) -> None:
    with pytest.raises(ValueError, match="`xml` or `human_readable`"):
        text_of(walkthrough, format="json")


class TestTargets:
    def test_a_new_file_has_the_usual_mode(self, walkthrough: bytes, tmp_path: Path) -> None:
        path = tmp_path / "pool.xml"
        thinscope.open(walkthrough).dump(path)
        (tmp_path / "usual").touch()
        assert path.read_text() == text_of(walkthrough)
        assert path.stat().st_mode == (tmp_path / "usual").stat().st_mode
        assert names_in(tmp_path) == ["pool.xml", "usual"]

    def test_what_was_there_is_replaced(self, walkthrough: bytes, tmp_path: Path) -> None:
        path = tmp_path / "pool.xml"
        path.write_text("x" * 500_000)
        path.chmod(0o604)
        (tmp_path / "link").symlink_to("pool.xml")
        thinscope.open(walkthrough).dump(str(tmp_path / "link"))
        assert path.read_text() == text_of(walkthrough)
        assert stat.S_IMODE(path.stat().st_mode) == 0o604
        assert (tmp_path / "link").is_symlink()

    def test_what_was_there_stays_when_it_fails(self, churn: bytes, tmp_path: Path) -> None:
        path = tmp_path / "pool.xml"
        path.write_text("precious")
        pool = thinscope.open(damaged_leaf(churn))
        with pytest.raises(errors.CorruptMetadata):
            pool.dump(path)
        assert path.read_text() == "precious"
        with pytest.raises(errors.CorruptMetadata):
            pool.dump(tmp_path / "new.xml")
        assert names_in(tmp_path) == ["pool.xml"]

    def test_a_folder_that_is_not_there(self, walkthrough: bytes, tmp_path: Path) -> None:
        path = tmp_path / "absent" / "pool.xml"
        with pytest.raises(FileNotFoundError) as caught:
            thinscope.open(walkthrough).dump(path)
        assert caught.value.filename == str(path)

    def test_a_folder(self, walkthrough: bytes, tmp_path: Path) -> None:
        with pytest.raises(IsADirectoryError):
            thinscope.open(walkthrough).dump(tmp_path)

    def test_a_full_device(self, walkthrough: bytes) -> None:
        with pytest.raises(OSError, match="No space left on device") as caught:
            thinscope.open(walkthrough).dump("/dev/full")
        assert caught.value.filename == "/dev/full"

    def test_a_file_that_grows_too_large(self, churn: bytes, tmp_path: Path) -> None:
        """The limit stands for a full disk: the file is named, and is not there."""
        (tmp_path / "pool.bin").write_bytes(churn)
        program = (
            "import resource, signal, thinscope;"
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000,) * 2);"
            "thinscope.open('pool.bin').dump('pool.xml')"
        )
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, text=True)
        assert done.stderr.endswith("OSError: [Errno 27] File too large: 'pool.xml'\n")
        assert names_in(tmp_path) == ["pool.bin"]

    def test_owner_and_mode_are_those_of_what_was_there(
        self, walkthrough: bytes, tmp_path: Path
    ) -> None:
        path = tmp_path / "pool.xml"
        path.touch(mode=0o640)
        path.chmod(0o4640)
        if os.geteuid() == 0:
            os.chown(path, 65534, 65533)
        before = path.stat()
        thinscope.open(walkthrough).dump(path)
        after = path.stat()
        assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)
        assert stat.S_IMODE(after.st_mode) == 0o640

    def test_a_file_with_two_names_keeps_them(self, walkthrough: bytes, tmp_path: Path) -> None:
        (tmp_path / "one").write_text("x" * 500_000)
        (tmp_path / "two").hardlink_to(tmp_path / "one")
        thinscope.open(walkthrough).dump(tmp_path / "one")
        assert (tmp_path / "two").read_text() == text_of(walkthrough)
        assert names_in(tmp_path) == ["one", "two"]

    def test_a_folder_where_no_file_can_be_made(
        self, walkthrough: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "pool.xml").touch()
        inode = (tmp_path / "pool.xml").stat().st_ino
        monkeypatch.setattr(os, "access", lambda path, _: not Path(path).is_dir())
        thinscope.open(walkthrough).dump(tmp_path / "pool.xml")
        assert (tmp_path / "pool.xml").read_text() == text_of(walkthrough)
        assert (tmp_path / "pool.xml").stat().st_ino == inode

    def test_a_file_that_is_mounted(
        self, walkthrough: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def busy(*_: object) -> None:
            raise OSError(errno.EBUSY, "Device or resource busy")

        (tmp_path / "pool.xml").touch()
        monkeypatch.setattr(os, "replace", busy)
        thinscope.open(walkthrough).dump(tmp_path / "pool.xml")
        assert (tmp_path / "pool.xml").read_text() == text_of(walkthrough)
        assert names_in(tmp_path) == ["pool.xml"]

    def test_a_name_of_a_folder(self, walkthrough: bytes, tmp_path: Path) -> None:
        with pytest.raises(IsADirectoryError):
            thinscope.open(walkthrough).dump(f"{tmp_path}/new/")
        assert names_in(tmp_path) == []

    def test_what_a_callback_raises_keeps_its_file(self, ten_million: Path, tmp_path: Path) -> None:
        def progress(*_: object) -> None:
            raise FileNotFoundError(errno.ENOENT, "no such thing", "other")

        with pytest.raises(FileNotFoundError) as caught:
            thinscope.open(ten_million, progress=progress).dump(tmp_path / "pool.xml")
        assert caught.value.filename == "other"
        assert names_in(tmp_path) == []

    @pytest.mark.parametrize("target", [b"pool.xml", 5, None])
    def test_what_is_no_target(self, walkthrough: bytes, target: Any) -> None:
        with pytest.raises(TypeError, match="a target is a path or a binary file object, not"):
            thinscope.open(walkthrough).dump(target)

    def test_stdout_that_was_deleted(self, walkthrough: bytes, tmp_path: Path) -> None:
        (tmp_path / "pool.bin").write_bytes(walkthrough)
        program = "import thinscope; thinscope.open('pool.bin').dump('/dev/stdout')"
        with tempfile.TemporaryFile() as deleted:
            command = [sys.executable, "-c", program]
            subprocess.run(command, cwd=tmp_path, stdout=deleted, check=True)
            deleted.seek(0)
            assert deleted.read().decode() == text_of(walkthrough)

    def test_a_fifo(self, walkthrough: bytes, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        read: list[str] = []
        reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_text()))
        reader.start()
        thinscope.open(walkthrough).dump(tmp_path / "pipe")
        reader.join()
        assert read == [text_of(walkthrough)]

    @pytest.mark.parametrize("link", [False, True])
    def test_never_the_source(self, walkthrough: bytes, tmp_path: Path, *, link: bool) -> None:
        source = tmp_path / "pool.bin"
        source.write_bytes(walkthrough)
        path = tmp_path / "other"
        (path.symlink_to if link else path.hardlink_to)(source)
        for target in (source, path):
            with pytest.raises(OSError, match="it is the source"):
                thinscope.open(source).dump(target)
        with (
            source.open("rb") as file,
            source.open("r+b") as written,
            pytest.raises(OSError, match="it is the source"),
        ):
            thinscope.open(file).dump(written)
        assert source.read_bytes() == walkthrough

    def test_a_file_object_gets_the_text_where_it_stands(
        self, walkthrough: bytes, tmp_path: Path
    ) -> None:
        with (tmp_path / "pool.xml").open("wb") as file:
            file.write(b"before\n")
            thinscope.open(walkthrough).dump(file)
            file.write(b"\nbehind")
        text = (tmp_path / "pool.xml").read_text()
        assert text == f"before\n{text_of(walkthrough)}\nbehind"

    def test_a_file_object_that_takes_a_little_at_a_time(self, churn: bytes) -> None:
        class Slow(io.BytesIO):
            def write(self, content: Any) -> int:
                return super().write(content[:1000])

        slow = Slow()
        thinscope.open(churn).dump(slow)
        assert slow.getvalue().decode() == text_of(churn)

    def test_a_file_object_that_fails(self, churn: bytes) -> None:
        class Failing(io.BytesIO):
            def write(self, content: Any) -> int:
                raise ZeroDivisionError(len(content))

        with pytest.raises(ZeroDivisionError):
            thinscope.open(churn).dump(Failing())

    @pytest.mark.parametrize("taken", [0, 10**9])
    def test_a_file_object_that_cannot_count(self, walkthrough: bytes, taken: int) -> None:
        class Odd(io.BytesIO):
            def write(self, content: Any) -> int:
                super().write(content)
                return taken

        with pytest.raises(ValueError, match=rf"write\(\) of [0-9]+ bytes took {taken}"):
            thinscope.open(walkthrough).dump(Odd())

    def test_a_file_object_that_says_nothing(self, walkthrough: bytes) -> None:
        class Silent:
            def __init__(self) -> None:
                self.pieces: list[bytes] = []

            def write(self, content: bytes) -> None:
                self.pieces.append(content)

        silent = Silent()
        thinscope.open(walkthrough).dump(silent)  # type: ignore[arg-type]
        assert b"".join(silent.pieces).decode() == text_of(walkthrough)

    def test_a_pipe_that_would_have_to_wait(self, churn: bytes) -> None:
        read, write = os.pipe()
        os.set_blocking(write, False)
        with (
            os.fdopen(read, "rb"),
            os.fdopen(write, "wb", buffering=0) as pipe,
            pytest.raises(BlockingIOError),
        ):
            thinscope.open(churn).dump(pipe)

    def test_the_source_as_a_file_object(self, walkthrough: bytes) -> None:
        both = io.BytesIO(walkthrough)
        with pytest.raises(OSError, match="it is the source"):
            thinscope.open(both).dump(both)
        assert both.getvalue() == walkthrough

    def test_file_objects_on_both_sides(self, churn: bytes) -> None:
        written = io.BytesIO()
        thinscope.open(io.BytesIO(churn)).dump(written)
        assert written.getvalue().decode() == text_of(churn)

    def test_text_files_are_refused(self, walkthrough: bytes) -> None:
        with pytest.raises(TypeError):
            thinscope.open(walkthrough).dump(io.StringIO())  # type: ignore[arg-type]

    def test_stdout_is_written_to_behind_what_is_there(
        self, walkthrough: bytes, tmp_path: Path
    ) -> None:
        (tmp_path / "pool.bin").write_bytes(walkthrough)
        program = (
            "import sys, thinscope; print('before');"
            "thinscope.open('pool.bin').dump(sys.stdout.buffer); print('behind')"
        )
        command = [sys.executable, "-c", program]
        done = subprocess.run(
            command,
            cwd=tmp_path,
            capture_output=True,
            check=True,
            text=True,
            env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
        )
        assert done.stdout == f"before\n{text_of(walkthrough)}behind\n"


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def damaged_leaf(image: bytes) -> bytes:
    """Spoil the last node of the mapping trees."""
    roles = Image(image).read_all()
    block = max(block for block, role in roles.items() if role is Role.MAPPING)
    damaged = bytearray(image)
    damaged[block * BLOCK + 2000] ^= 0xFF
    return bytes(damaged)
