"""The content of devices: what a file over the data device reads, whatever is asked of it."""

from __future__ import annotations

import io
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import textwrap
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import thinscope
from tests.conftest import FIXTURES, ROOT
from thinscope.errors import (
    SourceChanged,
    SourceError,
    SourceInUse,
    ThinscopeError,
)

if TYPE_CHECKING:
    from thinscope import Content, Device, Pool

BLOCK = 64 << 10


def pattern(size: int, seed: int) -> bytes:
    """Bytes of which no two blocks are alike."""
    return random.Random(seed).randbytes(size)  # noqa: S311


def model(pool: Pool, device: int, data: bytes, size: int, origin: bytes = b"") -> bytes:
    """What a device reads as, block by block."""
    content = bytearray(origin[:size].ljust(size, b"\0"))
    block = pool.superblock.data_block_bytes
    for run in pool.devices[device].mappings():
        for at in range(run.length):
            begin = (run.virtual_begin + at) * block
            from_ = (run.data_begin + at) * block
            if begin < size:
                content[begin : begin + block] = data[from_ : from_ + block][: size - begin]
    return bytes(content)


@pytest.fixture(scope="module")
def pool(testkit: str, tmp_path_factory: pytest.TempPathFactory) -> Pool:
    """Small nodes, and devices that were written and discarded at random."""
    path = tmp_path_factory.mktemp("content") / "pool.bin"
    words = "churn --capacity 12 --span 120 --steps 150 --leaf-fill 3..9 --node-fill 2..5"
    subprocess.run([testkit, "build", *words.split(), "-o", path], check=True)
    return thinscope.open(path)


@pytest.fixture(scope="module")
def data(pool: Pool) -> bytes:
    return pattern(pool.data_space.total_bytes, 1)


@pytest.fixture(scope="module")
def device(pool: Pool) -> Device:
    """The device with most runs."""
    return max(near(pool), key=lambda device: len(list(device.mappings())))


def near(pool: Pool) -> list[Device]:
    """The devices that can be held in memory: others map blocks at 64 PiB, too."""
    return [device for device in pool.devices.values() if (device.highest_block or 0) < 200]


def raw(file: io.BufferedReader) -> Content:
    assert isinstance(file.raw, thinscope.Content)
    return file.raw


class TestReading:
    """Any pattern of reads gives the bytes of the model."""

    def test_every_device_from_begin_to_end(self, pool: Pool, data: bytes) -> None:
        several = 0
        for device in near(pool):
            size = 0 if device.highest_block is None else (device.highest_block + 1) * BLOCK
            several += device.mapped_blocks > 1
            with device.open(data) as file:
                assert raw(file).size == size
                assert raw(file).size_from == "mappings"
                assert file.read() == model(pool, device.id, data, size)
                assert file.read() == b""
        assert several > 5

    def test_blocks_far_away(self, pool: Pool, data: bytes) -> None:
        far = [device for device in pool.devices.values() if device not in near(pool)]
        assert far
        for device in far:
            with device.open(data) as file:
                assert raw(file).size == ((device.highest_block or 0) + 1) * BLOCK
                for run in device.mappings():
                    begin, from_ = run.virtual_begin * BLOCK, run.data_begin * BLOCK
                    file.seek(begin)
                    assert file.read(run.length * BLOCK) == data[from_ : from_ + run.length * BLOCK]
                file.seek(1 << 55)
                assert file.read(99) == bytes(99)

    @settings(deadline=None, max_examples=60)
    @given(seed=st.integers(0, 1 << 32), buffer=st.sampled_from([1, 512, 5000, 1 << 17]))
    def test_seeks_and_reads(
        self,
        pool: Pool,
        data: bytes,
        device: Device,
        seed: int,
        buffer: int,
    ) -> None:
        random_ = random.Random(seed)  # noqa: S311
        size = random_.choice([0, 1, BLOCK, 3 * BLOCK + 17, 119 * BLOCK, 130 * BLOCK + 1])
        origin = pattern(random_.choice([0, 1, BLOCK + 5, 90 * BLOCK, 200 * BLOCK]), 2)
        expected = io.BytesIO(model(pool, device.id, data, size, origin))
        content = device.open(data, size=size, origin=origin).detach()
        file = io.BufferedReader(content, buffer)
        for _ in range(25):
            match random_.randrange(5):
                case 0:
                    at = random_.randrange(size + BLOCK)
                    assert file.seek(at) == expected.seek(at)
                case 1:
                    back = random_.randrange(min(size, 3 * BLOCK) + 1)
                    assert file.seek(-back, 2) == expected.seek(-back, 2)
                case 2:
                    step = random_.randrange(-min(expected.tell(), 9999), 9999)
                    assert file.seek(step, 1) == expected.seek(step, 1)
                case 3:
                    room, same = bytearray(random_.randrange(2 * BLOCK)), bytearray()
                    same = bytearray(len(room))
                    assert file.readinto(room) == expected.readinto(same)
                    assert room == same
                case _:
                    length = random_.choice([0, 1, 511, 4096, BLOCK, 3 * BLOCK + 1])
                    assert file.read(length) == expected.read(length)
            assert file.tell() == expected.tell()

    @pytest.mark.parametrize("form", ["path", "file", "object"])
    def test_every_form_of_data(
        self, pool: Pool, data: bytes, device: Device, tmp_path: Path, form: str
    ) -> None:
        path = tmp_path / "data"
        path.write_bytes(data)
        with path.open("rb") as opened:
            source: Any = {"path": path, "file": opened, "object": io.BytesIO(data)}[form]
            with device.open(source) as file:
                assert file.read() == model(pool, device.id, data, raw(file).size)
                called = {"path": str(path), "file": str(path), "object": "<file object>"}
                assert raw(file).data == called[form]

    def test_metadata_data_and_origin_are_file_objects(self, pool: Pool, data: bytes) -> None:
        with open(pool.source, "rb") as metadata:  # noqa: PTH123 - a name as messages have it
            other = thinscope.open(metadata)
            origin = pattern(100 * BLOCK, 3)
            for id_ in [device.id for device in near(other)][:5]:
                with other.devices[id_].open(io.BytesIO(data), origin=io.BytesIO(origin)) as file:
                    assert file.read() == model(pool, id_, data, raw(file).size, origin)

    def test_a_device_below_a_device(self, pool: Pool, data: bytes, device: Device) -> None:
        lower = max(
            (other for other in near(pool) if other is not device),
            key=lambda other: other.mapped_blocks,
        )
        size = 130 * BLOCK
        below = model(pool, lower.id, data, size)
        with (
            lower.open(data, size=size) as golden,
            device.open(data, size=size, origin=golden) as file,
        ):
            assert file.read() == model(pool, device.id, data, size, below)

    def test_one_file_object_for_many_readers(self, pool: Pool, data: bytes) -> None:
        """It has one position, and every reader another place to read from."""
        source = io.BytesIO(data)
        devices = [device for device in near(pool) if device.mapped_blocks]
        expected = {
            device.id: model(pool, device.id, data, ((device.highest_block or 0) + 1) * BLOCK)
            for device in devices
        }

        def read(device: Device) -> bool:
            with device.open(source) as file:
                return file.read() == expected[device.id]

        with ThreadPoolExecutor(8) as executor:
            assert all(executor.map(read, devices * 3))

    def test_many_threads_on_one_file(self, pool: Pool, data: bytes, device: Device) -> None:
        file = device.open(data)
        content = raw(file)
        expected = model(pool, device.id, data, content.size)

        def read(seed: int) -> bool:
            drawn = random.Random(seed)  # noqa: S311
            for _ in range(30):
                at = drawn.randrange(content.size)
                if content.read_at(at, 5000) != expected[at : at + 5000]:
                    return False
            return True

        with ThreadPoolExecutor(8) as executor:
            assert all(executor.map(read, range(16)))

    def test_others_take_it_for_a_file(self, pool: Pool, device: Device) -> None:
        """Archives that lie on a volume are read in place."""
        files = {"a.txt": b"a" * 70_000, "b.txt": pattern(200_000, 5)}
        zipped, tarred = io.BytesIO(), io.BytesIO()
        with zipfile.ZipFile(zipped, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        with tarfile.open(fileobj=tarred, mode="w") as tar:
            for name, content in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        del device
        for archive_bytes, read in ((zipped.getvalue(), unzipped), (tarred.getvalue(), untarred)):
            whole = max(near(pool), key=longest_head)
            assert longest_head(whole) * BLOCK >= len(archive_bytes)
            on_disk = bytearray(pool.data_space.total_bytes)
            for run in whole.mappings():
                part = archive_bytes[run.virtual_begin * BLOCK :][: run.length * BLOCK]
                on_disk[run.data_begin * BLOCK : run.data_begin * BLOCK + len(part)] = part
            with whole.open(bytes(on_disk), size=len(archive_bytes)) as file:
                assert read(file) == files

    def test_it_outlives_the_pool(self, pool: Pool, data: bytes, device: Device) -> None:
        with thinscope.open(pool.source) as other:
            file = other.devices[device.id].open(data)
        with file:
            assert file.read() == model(pool, device.id, data, raw(file).size)

    def test_names_are_told(self, pool: Pool, data: bytes, device: Device) -> None:
        with device.open(data) as file:
            assert file.name == f"{pool.source}: device {device.id}"
            assert repr(raw(file)) == f"<Content {file.name!r}, {raw(file).size} bytes>"
        assert repr(raw(file)).startswith("<closed Content ")


def longest_head(device: Device) -> int:
    """Blocks that are mapped from block 0 on without a hole."""
    end = 0
    for run in device.mappings():
        if run.virtual_begin != end:
            break
        end += run.length
    return end


def unzipped(file: io.BufferedReader) -> dict[str, bytes]:
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def untarred(file: io.BufferedReader) -> dict[str, bytes]:
    with tarfile.open(fileobj=file) as tar:
        members = ((member.name, tar.extractfile(member)) for member in tar)
        return {name: part.read() for name, part in members if part}


class TestProtocol:
    """It is a file like others."""

    def test_it_can_only_be_read(self, data: bytes, device: Device) -> None:
        with device.open(data) as file:
            assert (file.readable(), file.seekable(), file.writable()) == (True, True, False)
            assert raw(file).mode == "rb"
            with pytest.raises(io.UnsupportedOperation):
                file.fileno()
            with pytest.raises(io.UnsupportedOperation):
                file.write(b"x")
            with pytest.raises(io.UnsupportedOperation):
                raw(file).truncate()

    def test_seeks_that_cannot_be(self, data: bytes, device: Device) -> None:
        with device.open(data) as file:
            file.seek(100)
            for offset, whence in ((-1, 0), (-101, 1), (-(1 << 40), 2)):
                with pytest.raises(OSError, match="negative seek position"):
                    raw(file).seek(offset, whence)
                with pytest.raises(OSError, match="negative seek position"):
                    file.seek(offset, whence)
            with pytest.raises(ValueError, match="whence"):
                raw(file).seek(0, 7)
            assert file.seek(1 << 62) == 1 << 62
            assert file.read(1) == b""
            assert raw(file).read_at(1 << 62, 10) == b""

    def test_closed(self, data: bytes, device: Device) -> None:
        file = device.open(data)
        content = raw(file)
        file.close()
        for ask in (content.tell, content.readall, content.readable, content.seekable):
            with pytest.raises(ValueError, match="closed file"):
                ask()
        for ask in (file.read, file.tell, lambda: content.read_at(0, 1), lambda: content.seek(0)):
            with pytest.raises(ValueError, match="closed"):
                ask()

    def test_too_much_at_once(self, data: bytes, device: Device) -> None:
        with device.open(data, size=1 << 40) as file, pytest.raises(ValueError, match="at most"):
            raw(file).read_at(0, 1 << 30)


class TestSize:
    """How long a device is."""

    @pytest.mark.parametrize(("size", "length"), [(0, 0), (1, 1), (1 << 50, 1 << 50)])
    def test_given(self, data: bytes, device: Device, size: int, length: int) -> None:
        with device.open(data, size=size) as file:
            assert (raw(file).size, raw(file).size_from) == (length, "argument")
            assert file.seek(0, 2) == length
            assert file.read() == b""

    def test_from_the_names(self) -> None:
        folder = FIXTURES / "lvm-resized-6.1"
        metadata = next(folder.glob("again.bin.zst"))
        names = [folder / "answers/again/lvm.vg"]
        with thinscope.open(metadata, names=names) as pool:
            for device in pool.devices.values():
                with device.open(b"") as file:
                    size = pool.objects.virtual_bytes(device.id)
                    assert (raw(file).size, raw(file).size_from) == (size, "names")

    def test_negative(self, data: bytes, device: Device) -> None:
        with pytest.raises(ValueError, match="not negative"):
            device.open(data, size=-1)

    def test_longer_than_any_file(self, data: bytes, device: Device) -> None:
        with pytest.raises(ThinscopeError, match="more than any file"):
            device.open(data, size=1 << 63)

    def test_an_empty_device(self) -> None:
        with thinscope.open(FIXTURES / "empty-6.1/emptied.bin.zst") as pool:
            [device] = pool.devices.values()
            with device.open(b"") as file:
                assert file.read() == b""


class TestRefused:
    """What cannot be read, or must not be."""

    def test_no_data(self, device: Device) -> None:
        with pytest.raises(ThinscopeError, match="metadata alone holds no content") as caught:
            device.open()
        assert "--data" in (caught.value.hint or "")

    def test_the_metadata(self, pool: Pool, walkthrough: bytes, tmp_path: Path) -> None:
        link = tmp_path / "link"
        link.symlink_to(pool.source)
        device = next(iter(pool.devices.values()))
        for source in (pool.source, link):
            with pytest.raises(ThinscopeError, match="the pool's metadata, not its data"):
                device.open(source)
        file = io.BytesIO(walkthrough)
        with pytest.raises(ThinscopeError, match="the pool's metadata, not its data"):
            thinscope.open(file).devices[0].open(file)

    def test_too_little_data(self, pool: Pool, data: bytes, device: Device) -> None:
        run = max(device.mappings(), key=lambda run: run.data_begin)
        cut = (run.data_begin + run.length) * BLOCK - 1
        with device.open(data[:cut]) as file:
            expected = model(pool, device.id, data, raw(file).size)
            last = run.virtual_begin + run.length - 1
            assert (
                raw(file).read_at(last * BLOCK, BLOCK - 1) == expected[last * BLOCK :][: BLOCK - 1]
            )
            with pytest.raises(SourceError) as caught:
                file.read()
        assert caught.value.message == (
            f"block {last} of device {device.id} is data block {run.data_begin + run.length - 1}, "
            f"and the data ends before it: it has {cut} bytes, the pool's data device {len(data)}"
        )
        assert caught.value.source == "<bytes>"
        assert "not packed" in (caught.value.hint or "")

    def test_missing_data(self, device: Device, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError) as caught:
            device.open(tmp_path / "nowhere")
        assert caught.value.filename == str(tmp_path / "nowhere")
        with pytest.raises(FileNotFoundError) as caught:
            device.open(b"", origin=tmp_path / "nowhere")
        assert caught.value.filename == str(tmp_path / "nowhere")

    @pytest.mark.parametrize("which", ["data", "origin"])
    def test_no_file(self, device: Device, tmp_path: Path, which: str) -> None:
        sources: dict[str, Any] = {"data": b"", "origin": None} | {which: tmp_path}
        with pytest.raises(SourceError, match="neither a file nor a block device") as caught:
            device.open(**sources)
        assert caught.value.source == str(tmp_path)

    @pytest.mark.parametrize("which", ["data", "external origin"])
    def test_what_cannot_be_read(self, data: bytes, device: Device, which: str) -> None:
        class Failing(io.BytesIO):
            name = f"the {which}"

            def read(self, _: int | None = -1) -> bytes:
                raise OSError(5, "Input/output error")

        failing: Any = Failing(data)
        sources: Any = (failing, None) if which == "data" else (data, failing)
        with (
            device.open(sources[0], size=200 * BLOCK, origin=sources[1]) as file,
            pytest.raises(SourceError, match=f"cannot read the {which} at offset 0x") as caught,
        ):
            file.read()
        assert caught.value.source == f"the {which}"
        assert caught.value.offset is not None
        assert isinstance(caught.value.__cause__, OSError)

    def test_through_a_metadata_snapshot(self, churn: bytes) -> None:
        pool = thinscope.open(churn, metadata_snapshot=True)
        device = next(iter(pool.devices.values()))
        with pytest.raises(ThinscopeError, match="no point in time") as caught:
            device.open(b"")
        assert "--inconsistent" in (caught.value.hint or "")
        blocks = pool.data_space.total_bytes
        with device.open(io.BytesIO(bytes(4096)), inconsistent=True, size=4096) as file:
            assert raw(file).size == 4096 < blocks

    def test_data_in_use(self, device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
        """The core tells it; what to do is another thing than for metadata."""
        from thinscope import content  # noqa: PLC0415

        class Core:
            def content(self, *_: object) -> object:
                raise SourceInUse("in use: by somebody", source="data", hint="a metadata snapshot")

            def __getattr__(self, name: str) -> Any:
                return getattr(core, name)

        core = device._pool._core
        monkeypatch.setattr(device._pool, "_open_core", Core())
        with pytest.raises(SourceInUse, match="by somebody") as caught:
            device.open(b"", size=1)
        assert caught.value.hint == content._IN_USE

    def test_a_pool_that_commits(self, pool: Pool, data: bytes, tmp_path: Path) -> None:
        path = tmp_path / "pool.bin"
        shutil.copy(pool.source, path)
        other = thinscope.open(path)
        file = next(iter(other.devices.values())).open(data, size=BLOCK)
        changed = bytearray(path.read_bytes())
        changed[0] ^= 1
        path.write_bytes(changed)
        with pytest.raises(SourceChanged):
            file.read()

    def test_damage_is_told_where_it_is_read(self, pool: Pool, data: bytes, device: Device) -> None:
        image = bytearray(Path(pool.source).read_bytes())
        clean = thinscope.open(bytes(image))
        runs = list(clean.devices[device.id].mappings())
        damaged = 0
        for block in range(1, len(image) // 4096):
            spoiled = bytearray(image)
            spoiled[block * 4096 + 100] ^= 1
            other = thinscope.open(bytes(spoiled))
            try:
                with other.devices[device.id].open(data, size=len(runs) * BLOCK) as file:
                    assert file.read() == model(clean, device.id, data, len(runs) * BLOCK)
            except thinscope.errors.CorruptMetadata as error:
                damaged += error.block == block
        assert damaged > 5


class TestExternalOrigin:
    """lvm-external: volumes that read another volume where they map nothing. Contents: tests/truth."""

    @pytest.fixture
    def external(self) -> Pool:
        folder = FIXTURES / "lvm-external-6.1"
        names = [f"{folder}/answers/pool/lvm.vg#vg/pool"]
        return thinscope.open(folder / "pool.bin.zst", names=names)

    @pytest.mark.parametrize("name", ["clone", "bigger", "unwritten", "clone-1"])
    def test_it_must_be_given(self, external: Pool, name: str) -> None:
        with pytest.raises(ThinscopeError) as caught:
            external.device(name).open(b"")
        assert "reads vg/golden, its external origin, where it maps nothing" in caught.value.message
        assert "--origin" in (caught.value.hint or "")
        with external.device(name).open(b"", origin=b"golden") as file:
            if name == "unwritten":
                assert file.read() == b"golden".ljust(8 << 20, b"\0")
        with external.device("base").open(b"") as file:
            assert raw(file).origin is None


def test_ctrl_c_ends_a_read() -> None:
    """A terabyte of holes takes a while."""
    program = """
        import io, sys, thinscope
        pool = thinscope.open(sys.argv[1])
        with next(iter(pool.devices.values())).open(b"", size=1 << 40) as file:
            file.seek(1 << 39)
            print("begun", flush=True)
            while file.read(1 << 20):
                pass
    """
    source = FIXTURES / "empty-6.1/emptied.bin.zst"
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), source],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert said.rstrip().endswith(b"KeyboardInterrupt")
    assert process.returncode in (-signal.SIGINT, 130, 1)
