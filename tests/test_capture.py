"""Captures: every block and every name comes through, and what is no capture is told."""

from __future__ import annotations

import gc
import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import zstandard

import thinscope
from fixtures import docker_folder
from tests.conftest import FIXTURES, capture_path
from thinscope import errors

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK = 4096
ROOM = 16384
NAMES = {
    "lvm-b": ["lvm-b/answers/vgdocker.vg", "lvm-b/answers/lvs.json"],
    "containerd-b": ["containerd-b/dbs"],
    "walkthrough-b": ["../tests/cli/names.csv"],
}


def names_of(name: str) -> list[Path]:
    return [FIXTURES / path for path in NAMES.get(name, ())]


def members(path: Path) -> dict[str, bytes]:
    """What a capture holds, as standard tools see it."""
    with tarfile.open(path) as archive:
        return {each.name: archive.extractfile(each).read() for each in archive}  # type: ignore[union-attr]


def document(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(members(path)["capture.json"])
    return found


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def unpacked(path: Path) -> bytes:
    return (
        zstandard.ZstdDecompressor().decompressobj().decompress(members(path)["metadata.bin.zst"])
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "pool.tar"


@pytest.fixture(scope="module")
def lvm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A capture with names; not to be changed."""
    path = tmp_path_factory.mktemp("captured") / "lvm.tar"
    thinscope.capture(capture_path("lvm-b"), path, names=names_of("lvm-b"))
    return path


class TestWhole:
    """What is captured is all that there was."""

    def test_every_byte(self, capture: dict[str, Any], image: bytes, file: Path) -> None:
        captured = thinscope.capture(FIXTURES / capture["metadata"], file)
        assert unpacked(file) == image
        assert captured.sha256 == capture["metadata_sha256"] == hashlib.sha256(image).hexdigest()
        assert captured.source_bytes == captured.metadata_bytes == len(image)
        blocks = [image[at : at + BLOCK] for at in range(0, len(image), BLOCK)]
        assert captured.zero_blocks == sum(not any(block) for block in blocks)
        assert (captured.unknown_blocks, captured.unreadable_blocks) == (0, 0)
        assert captured.file_bytes == file.stat().st_size < len(image) / 40

    def test_the_pool(self, capture: dict[str, Any], image: bytes, file: Path) -> None:
        names = names_of(capture["name"])
        captured = thinscope.capture(image, file, names=names)
        with thinscope.open(image, names=names) as original, thinscope.open(file) as pool:
            assert pool.source == str(file)
            assert pool.superblock == original.superblock
            assert pool.metadata_space == original.metadata_space
            assert list(pool.mappings()) == list(original.mappings())
            assert pool.names == original.names
            assert captured.names == original.fitting_names() == pool.fitting_names()
            assert pool.objects.all == original.objects.all
            assert pool.orphans() == original.orphans()
            found = captured.read_back
            assert found is not None
            assert captured.error is None
            assert found.devices == len(original.devices)
            assert found.mapped_blocks == sum(original.recount().mapped_blocks.values())
            assert found.totals.reached_blocks == original.recount().reached_blocks
            assert found.data_space == original.data_space
            totals = original.sharing().totals
            assert found.agrees == (totals.leaked_blocks == totals.missing_count_blocks == 0)

    def test_docker_is_captured_with_its_folder(self, docker: Path, file: Path) -> None:
        captured = thinscope.capture(docker, file)
        assert captured.file_bytes < 100_000
        with thinscope.open(file) as pool, thinscope.open(docker) as original:
            assert pool.device("api-1").id == original.device("api-1").id
            assert pool.names == original.names
        text = b"".join(members(file).values())
        config = next(docker.glob("containers/*/config.v2.json")).read_text()
        environment = json.loads(config)["Config"]["Env"]
        assert environment
        assert all(each.encode() not in text for each in environment)

    def test_what_is_told(self, lvm: Path) -> None:
        found = document(lvm)
        assert found["format"] == 1
        assert found["source"] == {
            "name": "metadata.bin.zst",
            "is_device": False,
            "kernel": None,
            "bytes": 41_943_040,
            "view": "live",
        }
        age = datetime.now(UTC) - datetime.fromisoformat(found["taken"])
        assert timedelta() <= age < timedelta(hours=1)
        packed = members(lvm)["metadata.bin.zst"]
        assert found["metadata"]["packed_sha256"] == hashlib.sha256(packed).hexdigest()
        assert [each["member"] for each in found["names"]] == ["names/1.json", "names/2.json"]
        told = found["read_back"]
        assert (told["transaction_id"], told["devices"], told["mapped_blocks"]) == (9, 7, 1606)
        assert told["agrees"] is True
        assert found["error"] is None

    def test_standard_tools_take_it_apart(self, lvm: Path, tmp_path: Path) -> None:
        if not shutil.which("zstd") or not shutil.which("tar"):
            pytest.skip("no tar or no zstd")
        subprocess.run(["tar", "-xf", lvm, "-C", tmp_path], check=True)
        packed = tmp_path / "metadata.bin.zst"
        subprocess.run(["zstd", "-q", "-d", "--sparse", packed], check=True)
        with (tmp_path / "metadata.bin").open("rb") as image:
            found = hashlib.file_digest(image, "sha256").hexdigest()
        assert found == document(lvm)["metadata"]["sha256"]
        with thinscope.open(packed) as pool:
            assert len(pool.devices) == 7

    @pytest.mark.parametrize("meant", ["", "#mine"])
    def test_no_names_of_other_pools(
        self, walkthrough: bytes, tmp_path: Path, file: Path, meant: str
    ) -> None:
        table = tmp_path / "table"
        table.write_text(
            "mine: 0 8388608 thin-pool /dev/a /dev/b 128 0\nweb: 0 8 thin /dev/mapper/mine 1\n"
            "yours: 0 8388608 thin-pool /dev/c /dev/d 256 0\nsecret: 0 8 thin /dev/mapper/yours 1\n"
        )
        thinscope.capture(walkthrough, file, names=[f"{table}{meant}"])
        assert b"secret" not in file.read_bytes()
        with thinscope.open(file) as pool:
            assert [names.pool for names in pool.names] == ["mine"]
            assert pool.device("web").id == 1

    def test_all_names_where_it_cannot_be_told(
        self, walkthrough: bytes, tmp_path: Path, file: Path
    ) -> None:
        table = tmp_path / "table"
        table.write_text(
            "one: 0 8388608 thin-pool /dev/a /dev/b 128 0\nother: 0 88 thin-pool /dev/c /dev/d 128 0\n"
        )
        with pytest.raises(errors.NamesError, match="it cannot be told which pool"):
            thinscope.capture(walkthrough, file, names=[table])
        assert not file.exists()
        # Of a pool that cannot be read, nobody knows: all are kept.
        captured = thinscope.capture(bytes(4096) + walkthrough[4096:], file, names=[table])
        assert [names.pool for names in captured.names] == ["one", "other"]

    def test_no_mapping_at_all(self, testkit: str, tmp_path: Path, file: Path) -> None:
        path = tmp_path / "empty.bin"
        words = [testkit, "build", "one-device", "--mappings", "0", "-o", path]
        subprocess.run(words, check=True, capture_output=True)
        captured = thinscope.capture(path, file)
        assert captured.read_back is not None
        assert captured.read_back.mapped_blocks == 0

    def test_a_gibibyte_of_little(self, churn: bytes, tmp_path: Path, file: Path) -> None:
        path = tmp_path / "large.bin"
        path.write_bytes(churn)
        os.truncate(path, 1 << 30)
        captured = thinscope.capture(path, file)
        assert captured.source_bytes == captured.metadata_bytes == 1 << 30
        assert captured.file_bytes < 1 << 20
        assert captured.read_back is not None

    def test_a_device_that_is_larger_than_the_kernel_uses(
        self, monkeypatch: pytest.MonkeyPatch, walkthrough: bytes, file: Path
    ) -> None:
        """16 GiB of it are long to read, so the copy is only said to be of less."""
        copy = thinscope._core.copy_packed

        def cropped(*words: Any, **more: Any) -> object:
            class Cropped:
                source_bytes = 17 << 30

                def __init__(self, copied: object) -> None:
                    self._copied = copied

                def __getattr__(self, name: str) -> object:
                    return getattr(self._copied, name)

            return Cropped(copy(*words, **more))

        monkeypatch.setattr(thinscope._core, "copy_packed", cropped)
        captured = thinscope.capture(walkthrough, file)
        assert (captured.source_bytes, captured.metadata_bytes) == (17 << 30, 16 << 20)
        assert document(file)["source"]["bytes"] == 17 << 30


class TestForms:
    """A capture is a source like any other."""

    def test_as_any_source(self, lvm: Path) -> None:
        data = lvm.read_bytes()
        with lvm.open("rb") as opened, thinscope.open(lvm) as expected:
            for source in (str(lvm), data, bytearray(data), io.BytesIO(data), opened):
                with thinscope.open(source) as pool:
                    assert pool.objects.all == expected.objects.all
                    assert list(pool.mappings()) == list(expected.mappings())

    def test_with_more_names(self, lvm: Path, tmp_path: Path) -> None:
        table = tmp_path / "owners.csv"
        table.write_text("device_id,name,owner\n1,one,ada\n")
        with thinscope.open(lvm, names=[table]) as pool:
            assert [names.manager for names in pool.names] == ["lvm", "lvm", "table"]
            assert [each.labels["owner"] for each in pool.find("owner=ada")] == ["ada"]
            again = tmp_path / "again.tar"
        thinscope.capture(lvm, again, names=[table])
        with thinscope.open(again) as pool:
            assert [names.manager for names in pool.names] == ["lvm", "lvm", "table"]
        assert unpacked(again) == unpacked(lvm)

    def test_one_block(self, lvm: Path) -> None:
        expected = thinscope.read_block(capture_path("lvm-b"), 0)
        assert thinscope.read_block(lvm, 0) == expected
        assert thinscope.read_block(lvm.read_bytes(), 0) == expected

    def test_of_every_form(self, churn: bytes, tmp_path: Path) -> None:
        plain = tmp_path / "plain.bin"
        plain.write_bytes(churn)
        packed = tmp_path / "packed.gz"
        packed.write_bytes(gzip.compress(churn, 1))
        digest = hashlib.sha256(churn).hexdigest()
        for source in (plain, packed, churn, io.BytesIO(churn), FIXTURES / "churn-b/metadata.pack"):
            target = io.BytesIO()
            assert thinscope.capture(source, target).sha256 == digest
            with thinscope.open(target) as pool:
                assert len(pool.devices) == 34

    def test_a_pool_that_is_closed_lets_go(self, lvm: Path) -> None:
        gc.collect()
        gc.disable()
        try:
            before = descriptors()
            with thinscope.open(lvm) as pool:
                assert pool.devices
                mappings = pool.mappings()
            assert list(mappings)
            del mappings
            assert descriptors() == before
        finally:
            gc.enable()

    def test_nothing_is_left_open(self, lvm: Path) -> None:
        gc.collect()
        before = descriptors()
        for _ in range(3):
            thinscope.open(lvm).recount()
            with pytest.raises(errors.SourceError):
                thinscope.open(lvm.read_bytes()[:3000])
        gc.collect()
        assert descriptors() == before


class TestSnapshot:
    """Through the metadata snapshot."""

    def test_the_file_is_read_so_by_itself(self, churn: bytes, file: Path) -> None:
        captured = thinscope.capture(churn, file, metadata_snapshot=True)
        assert captured.is_metadata_snapshot
        assert document(file)["source"]["view"] == "metadata-snapshot"
        with (
            thinscope.open(churn, metadata_snapshot=True) as original,
            thinscope.open(file) as pool,
        ):
            assert pool.is_metadata_snapshot
            assert pool.superblock == original.superblock
            assert list(pool.mappings()) == list(original.mappings())
            assert pool.data_space.used is None
        assert captured.read_back is not None
        assert captured.read_back.totals.leaked_blocks is None
        assert captured.read_back.agrees

    def test_of_a_capture(self, churn: bytes, file: Path, tmp_path: Path) -> None:
        thinscope.capture(churn, file, metadata_snapshot=True)
        again = tmp_path / "again.tar"
        assert thinscope.capture(file, again).is_metadata_snapshot
        thinscope.capture(churn, file, overwrite=True)
        assert thinscope.capture(file, again, metadata_snapshot=True, overwrite=True)
        with thinscope.open(again) as pool:
            assert pool.is_metadata_snapshot

    def test_there_is_none(self, walkthrough: bytes, file: Path) -> None:
        with pytest.raises(errors.NoMetadataSnapshot):
            thinscope.capture(walkthrough, file, metadata_snapshot=True)
        assert not file.exists()


class Commits(io.BytesIO):
    """A pool that commits after so many reads."""

    def __init__(self, image: bytes, after: int, offset: int) -> None:
        super().__init__(image)
        self.left, self.offset = after, offset

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.left -= 1
        if self.left == 0:
            self.getbuffer()[self.offset] ^= 1
        return data


class TestLive:
    """A pool that goes on meanwhile."""

    @pytest.mark.parametrize("after", [3, 4, 6])
    def test_a_commit_is_told(self, walkthrough: bytes, file: Path, after: int) -> None:
        with pytest.raises(errors.SourceChanged):
            thinscope.capture(Commits(walkthrough, after, 48), file)
        assert not list(file.parent.iterdir())

    def test_a_snapshot_that_is_released_is_told(self, churn: bytes, file: Path) -> None:
        with thinscope.open(churn) as pool:
            held = pool.superblock.metadata_snapshot
        assert held is not None
        with pytest.raises(errors.SourceChanged):
            thinscope.capture(Commits(churn, 6, held * BLOCK + 48), file, metadata_snapshot=True)
        with pytest.raises(errors.SourceChanged):
            thinscope.capture(Commits(churn, 6, 56), file, metadata_snapshot=True)

    def test_the_superblock_is_that_of_the_state(self, churn: bytes, file: Path) -> None:
        """Through the metadata snapshot the live pool may go on: what was checked is captured."""
        thinscope.capture(_Rewrites(churn), file, metadata_snapshot=True)
        with thinscope.open(file) as pool:
            assert pool.is_metadata_snapshot
            assert pool.live_superblock.transaction_id == 0


class _Rewrites(io.BytesIO):
    """Block 0 is another one where it is read along with others: the live pool went on."""

    def read(self, size: int | None = -1, /) -> bytes:
        at = self.tell()
        data = super().read(size)
        return b"\xaa" * BLOCK + data[BLOCK:] if at == 0 and len(data) > BLOCK else data


class TestDamage:
    """The very case for a bug report."""

    def test_a_leaf(self, walkthrough: bytes, file: Path) -> None:
        image = bytearray(walkthrough)
        image[92 * BLOCK + 100] ^= 1
        captured = thinscope.capture(bytes(image), file, names=names_of("walkthrough-b"))
        assert captured.read_back is None
        assert captured.error is not None
        assert captured.error.startswith("corrupt metadata: block 92 ")
        assert captured.unknown_blocks == 1
        assert document(file)["error"] == captured.error
        assert unpacked(file) == image
        assert [names.manager for names in captured.names] == ["table"]
        with thinscope.open(file) as pool, pytest.raises(errors.CorruptMetadata):
            pool.devices  # noqa: B018

    @pytest.mark.parametrize("at", [0, 32, 40, 72, 200, 320])
    def test_a_field_of_the_superblock(self, walkthrough: bytes, file: Path, at: int) -> None:
        image = bytearray(walkthrough)
        image[at] ^= 0xFF
        captured = thinscope.capture(bytes(image), file)
        assert captured.read_back is None
        assert unpacked(file) == image
        with pytest.raises(errors.ThinscopeError):
            thinscope.open(file)
        assert thinscope.read_block(file, 0).findings

    @pytest.mark.parametrize("filling", [b"\0", b"\xaa"])
    def test_no_superblock_at_all(self, walkthrough: bytes, file: Path, filling: bytes) -> None:
        image = filling * BLOCK + walkthrough[BLOCK:]
        captured = thinscope.capture(image, file)
        assert captured.error is not None
        assert captured.error.startswith("not thin metadata: the first block ")
        assert unpacked(file) == image

    def test_half_of_it(self, walkthrough: bytes, file: Path) -> None:
        half = walkthrough[: len(walkthrough) // 2 + 100]
        captured = thinscope.capture(half, file)
        assert "blocks of the source" in (captured.error or "")
        assert unpacked(file) == half

    def test_counts_that_disagree(self, testkit: str, tmp_path: Path, file: Path) -> None:
        path = tmp_path / "leaked.bin"
        words = [testkit, "build", "one-device", "--mappings", "1000", "--leaked", "3", "-o", path]
        subprocess.run(words, check=True, capture_output=True)
        captured = thinscope.capture(path, file)
        assert captured.read_back is not None
        assert not captured.read_back.agrees
        assert document(file)["read_back"]["leaked_blocks"] == 3

    @pytest.mark.parametrize(
        ("path", "identity"),
        [
            ("lvm-b/data.zst", "unknown"),
            ("MANIFEST.toml", "unknown"),
            ("docker-b", "not-a-file"),
        ],
    )
    def test_what_is_something_else(self, path: str, identity: str, file: Path) -> None:
        with pytest.raises(errors.NotThinMetadata) as raised:
            thinscope.capture(FIXTURES / path, file)
        assert raised.value.identity == identity
        assert not file.exists()

    def test_more_names_than_can_be(self, walkthrough: bytes, file: Path, tmp_path: Path) -> None:
        table = tmp_path / "names.csv"
        table.write_text("device_id,name\n1,db\n")
        with pytest.raises(errors.NamesError, match="more than 32 sources of names"):
            thinscope.capture(walkthrough, file, names=[table] * 33)
        thinscope.capture(walkthrough, file, names=[table] * 32)
        with thinscope.open(file) as pool:
            assert len(pool.names) == 32

    def test_records_of_another_pool(self, walkthrough: bytes, file: Path, tmp_path: Path) -> None:
        table = tmp_path / "table"
        table.write_text("pool: 0 8388608 thin-pool 7:0 7:1 256 0\n")
        with pytest.raises(errors.NamesError, match="records of another pool"):
            thinscope.capture(walkthrough, file, names=[table])
        with pytest.raises(errors.NamesError, match="no such file"):
            thinscope.capture(walkthrough, file, names=[tmp_path / "nowhere"])
        assert not file.exists()


class TestTarget:
    """Where it is written to."""

    def test_what_is_there_stays(self, walkthrough: bytes, file: Path) -> None:
        file.write_text("precious")
        with pytest.raises(FileExistsError):
            thinscope.capture(walkthrough, file)
        assert file.read_text() == "precious"
        thinscope.capture(walkthrough, file, overwrite=True)
        with thinscope.open(file) as pool:
            assert len(pool.devices) == 3

    def test_an_empty_file_is_nothing(self, walkthrough: bytes, file: Path) -> None:
        file.touch(0o600)
        thinscope.capture(walkthrough, file)
        assert file.stat().st_mode & 0o777 == 0o600

    def test_a_failure_leaves_what_was_there(self, file: Path) -> None:
        file.write_text("precious")
        with pytest.raises(errors.NotThinMetadata):
            thinscope.capture(bytes(8192), file, overwrite=True)
        assert [each.read_text() for each in file.parent.iterdir()] == ["precious"]

    def test_never_the_source(self, walkthrough: bytes, tmp_path: Path) -> None:
        path = tmp_path / "tmeta.bin"
        path.write_bytes(walkthrough)
        (tmp_path / "link").symlink_to(path)
        captured = tmp_path / "pool.tar"
        thinscope.capture(path, captured)
        data = captured.read_bytes()
        for source, target in [(path, path), (path, tmp_path / "link"), (captured, captured)]:
            with pytest.raises(OSError, match="it is the source"):
                thinscope.capture(source, target, overwrite=True)
        assert path.read_bytes() == walkthrough
        assert captured.read_bytes() == data

    def test_never_the_names(self, walkthrough: bytes, tmp_path: Path) -> None:
        table = tmp_path / "names.csv"
        text = "device_id,name\n1,db\n"
        table.write_text(text)
        with pytest.raises(OSError, match="names are taken from it"):
            thinscope.capture(walkthrough, table, names=[table], overwrite=True)
        assert table.read_text() == text
        with (
            table.open("r+b") as opened,
            pytest.raises(OSError, match="names are taken from it"),
        ):
            thinscope.capture(walkthrough, opened, names=[table])
        assert table.read_text() == text

    @pytest.mark.parametrize("name", ["vg", "below/pool.tar"])
    def test_never_in_a_folder_of_names(self, tmp_path: Path, file: Path, name: str) -> None:
        folder = tmp_path / "backup"
        shutil.copytree(FIXTURES / "lvm-b/answers", folder)
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes((folder / "vgdocker.vg").read_bytes())
        file.symlink_to(path)
        for target in (path, file):
            with pytest.raises(OSError, match="names are taken from the folder that it is in"):
                thinscope.capture(capture_path("lvm-b"), target, names=[folder], overwrite=True)
        assert path.read_bytes() == (folder / "vgdocker.vg").read_bytes()

    def test_never_a_file_of_a_managers_folder(self, tmp_path: Path) -> None:
        docker = tmp_path / "docker"
        docker_folder.unpack(docker)
        for path in docker.glob("containers/*/config.v2.json"):
            before = path.read_bytes()
            with pytest.raises(OSError, match="names are taken from the folder that it is in"):
                thinscope.capture(docker, path, overwrite=True)
            assert path.read_bytes() == before

    def test_in_place_where_no_new_file_can_be(self, walkthrough: bytes, tmp_path: Path) -> None:
        path, other = tmp_path / "a.tar", tmp_path / "b.tar"
        path.touch()
        other.hardlink_to(path)
        thinscope.capture(walkthrough, path)
        assert other.samefile(path)
        with thinscope.open(other) as pool:
            assert len(pool.devices) == 3

    def test_a_failure_leaves_what_no_new_file_can_replace(
        self, walkthrough: bytes, tmp_path: Path
    ) -> None:
        path, other = tmp_path / "a.tar", tmp_path / "b.tar"
        path.write_bytes(b"x" * 500_000)
        other.hardlink_to(path)
        with pytest.raises(errors.NotThinMetadata):
            thinscope.capture(b"something else", path, overwrite=True)
        assert other.read_bytes() == b"x" * 500_000
        thinscope.capture(walkthrough, path, overwrite=True)
        assert other.samefile(path)
        assert document(other)["format"] == 1
        assert other.stat().st_size < 500_000

    def test_a_file_object_that_takes_little_at_a_time(
        self, walkthrough: bytes, file: Path
    ) -> None:
        class Little(io.FileIO):
            def write(self, data: Any, /) -> int:
                return super().write(bytes(data[:1000]))

        class Silent(list[bytes]):
            def write(self, data: bytes) -> None:
                self.append(data)

        with Little(file, "wb") as little:
            captured = thinscope.capture(walkthrough, little)
        assert captured.file_bytes == file.stat().st_size
        silent = Silent()
        thinscope.capture(walkthrough, silent)  # type: ignore[arg-type] # as much as is needed
        for taken in (file, b"".join(silent)):
            with thinscope.open(taken) as pool:
                assert len(pool.devices) == 3

    def test_no_folder(self, walkthrough: bytes, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            thinscope.capture(walkthrough, tmp_path / "none" / "pool.tar")
        with pytest.raises(IsADirectoryError):
            thinscope.capture(walkthrough, tmp_path)

    def test_a_full_disk(self, walkthrough: bytes, tmp_path: Path) -> None:
        with pytest.raises(OSError, match="No space left") as raised:
            thinscope.capture(walkthrough, "/dev/full")
        assert raised.value.filename == "/dev/full"
        program = (
            "import resource, signal, sys, thinscope\n"
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000,) * 2)\n"
            "try:\n    thinscope.capture(sys.argv[1], 'pool.tar')\n"
            "except OSError as error:\n    print(error.filename, error.strerror)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, capture_path("churn-b")],
            cwd=tmp_path,
            capture_output=True,
            check=True,
            text=True,
        )
        assert done.stdout == "pool.tar File too large\n"
        assert not list(tmp_path.iterdir())

    def test_what_progress_raises_ends_it(self, ten_million: Path, file: Path) -> None:
        def stop(*_: object) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            thinscope.capture(ten_million, file, progress=stop)
        assert not list(file.parent.iterdir())


def header(name: str, size: int, **more: Any) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    for key, value in more.items():
        setattr(info, key, value)
    return info.tobuf(tarfile.GNU_FORMAT)


def member(name: str, data: bytes, **more: Any) -> bytes:
    return header(name, len(data), **more) + data + bytes(-len(data) % 512)


END = bytes(1024)


class TestBroken:
    """Captures that are none any more, or never were."""

    @pytest.fixture
    def parts(self, lvm: Path) -> dict[str, bytes]:
        return members(lvm)

    def refused(self, path: Path, *pieces: bytes) -> str:
        path.write_bytes(b"".join(pieces))
        with pytest.raises(errors.ThinscopeError) as raised:
            thinscope.open(path)
        said = str(raised.value)
        assert said.startswith(f"{path}: ")
        assert "\n" not in said
        with pytest.raises(errors.ThinscopeError) as raised:
            thinscope.open(path.read_bytes())
        return said.removeprefix(f"{path}: ")

    def rebuilt(self, parts: dict[str, bytes], **changes: bytes | None) -> bytes:
        """The capture, with some members changed or left out."""
        by_word = {name.partition(".")[0].replace("/", "_"): name for name in parts}
        changed = {by_word[word]: data for word, data in changes.items()}
        made = [
            member(name, changed.get(name, data) or b"")
            for name, data in parts.items()
            if changed.get(name, data) is not None
        ]
        return b"".join([*made, END])

    def test_rebuilt_as_it_was(self, parts: dict[str, bytes], file: Path) -> None:
        file.write_bytes(self.rebuilt(parts))
        with thinscope.open(file) as pool:
            assert len(pool.names) == 2

    def test_cut_anywhere(self, lvm: Path, file: Path) -> None:
        data = lvm.read_bytes()
        places = [600, 511 + 512, ROOM + 512, ROOM + 600, ROOM + 1024, ROOM + 5000]
        for place in [*places, len(data) - 1024, len(data) - 2000]:
            said = self.refused(file, data[:place])
            assert said.startswith("a broken capture: it ends "), (place, said)

    def test_every_flipped_byte_that_matters(self, lvm: Path, file: Path) -> None:
        data = lvm.read_bytes()
        at = ROOM + 1024 + 77
        said = self.refused(file, data[:at], bytes([data[at] ^ 1]), data[at + 1 :])
        expected = (
            "a broken capture: `metadata.bin.zst` has another sha256 than `capture.json` tells"
        )
        assert said == expected
        at = data.index(b'"manager"')
        said = self.refused(file, data[:at], b"'", data[at + 1 :])
        assert said.startswith("a broken capture: `names/1.json` has another sha256")
        at = 512 + ROOM + 124
        said = self.refused(file, data[:at], b"x", data[at + 1 :])
        assert said.startswith("a broken capture: no header of a member at ")

    @pytest.mark.parametrize("word", ["capture", "metadata", "names_1", "names_2"])
    def test_a_member_is_missing(self, parts: dict[str, bytes], file: Path, word: str) -> None:
        said = self.refused(file, self.rebuilt(parts, **{word: None}))
        if word == "capture":
            assert said == "not thin metadata: this is a tar archive"
        else:
            assert said.startswith("a broken capture: ")

    def test_only_the_document(self, parts: dict[str, bytes], file: Path) -> None:
        said = self.refused(file, member("capture.json", parts["capture.json"]), END)
        assert said == "a broken capture: no `metadata.bin.zst`"

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            (b"", "a broken capture: `capture.json` is not JSON"),
            (b"{", "a broken capture: `capture.json` is not JSON"),
            (b"[" * 100_000, "a broken capture: `capture.json` is nested too deep"),
            (b"[]", "a broken capture: `capture.json` tells no format"),
            (b"{}", "a broken capture: `capture.json` tells no format"),
            (b'{"format": true}', "a broken capture: `capture.json` tells no format"),
            (b'{"format": "1"}', "a broken capture: `capture.json` tells no format"),
            (b'{"format": 2}', "a capture of format 2, and only 1 is known"),
            (b'{"format": %b}' % (b"9" * 999), f"a capture of format {'9' * 60}..., and only 1"),
            (b'{"format": 1}', "a broken capture: `capture.json` tells no metadata.packed_sha256"),
            (b'{"format": 1, "metadata": []}', "a broken capture: `capture.json` tells no "),
        ],
        ids=lambda text: text[:20].decode() if isinstance(text, bytes) else None,
    )
    def test_the_document(self, parts: dict[str, bytes], file: Path, text: bytes, why: str) -> None:
        assert self.refused(file, self.rebuilt(parts, capture=text)).startswith(why)

    @pytest.mark.parametrize(
        ("key", "value", "why"),
        [
            ("source", None, "tells no source.view"),
            ("source", {"view": "metadata_snapshot"}, "tells of a view 'metadata_snapshot'"),
            ("names", None, "tells of other names than there are"),
            ("names", [], "tells of other names than there are"),
            ("names", [1, 2], "tells no sha256"),
        ],
    )
    def test_what_the_document_tells(
        self, parts: dict[str, bytes], file: Path, key: str, value: object, why: str
    ) -> None:
        told = json.loads(parts["capture.json"])
        told[key] = value
        said = self.refused(file, self.rebuilt(parts, capture=json.dumps(told).encode()))
        assert said == f"a broken capture: `capture.json` {why}"

    def test_names_that_cannot_be(self, parts: dict[str, bytes], file: Path) -> None:
        bad = b'{"pool": null, "records": [{"manager": "lvm"}]}'
        told = json.loads(parts["capture.json"])
        told["names"][0]["sha256"] = hashlib.sha256(bad).hexdigest()
        document = json.dumps(told).encode()
        said = self.refused(file, self.rebuilt(parts, capture=document, names_1=bad))
        assert said == "names/1.json: no records: no `source`"

    @pytest.mark.parametrize(
        "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.XHDTYPE, b"S", b"L"]
    )
    def test_members_of_other_kinds(self, parts: dict[str, bytes], file: Path, kind: bytes) -> None:
        first = member("capture.json", parts["capture.json"])
        link = header("metadata.bin.zst", 0, type=kind, linkname="/etc/passwd")
        said = self.refused(file, first, link, END)
        assert said.startswith("a broken capture: member 'metadata.bin.zst")
        assert said.endswith("is no regular file")
        # The first member of all likewise.
        said = self.refused(file, header("capture.json", 0, type=kind), END)
        assert said.startswith(
            ("a broken capture: member 'capture.json", "not thin metadata: this is a tar")
        )

    @pytest.mark.parametrize(
        "name", ["/etc/passwd", "../x", "names/1.json", "x", "names/\x1b[31m", "x\ny"]
    )
    def test_members_that_do_not_belong_there(
        self, parts: dict[str, bytes], file: Path, name: str
    ) -> None:
        first = member("capture.json", parts["capture.json"])
        said = self.refused(file, first, member(name, b"x"), END)
        assert said == f"a broken capture: member {name!r} does not belong where it is"
        assert sorted(each.name for each in file.parent.iterdir()) == [file.name]

    def test_twice_the_same(self, parts: dict[str, bytes], file: Path) -> None:
        made = [member(name, data) for name, data in parts.items()]
        said = self.refused(file, *made, made[-1], END)
        assert said == "a broken capture: member 'names/2.json' does not belong where it is"

    def test_more_names_than_can_be(self, parts: dict[str, bytes], file: Path) -> None:
        made = [member(name, parts[name]) for name in ("capture.json", "metadata.bin.zst")]
        made += [member(f"names/{number}.json", b"{}") for number in range(1, 50)]
        said = self.refused(file, *made, END)
        assert said == "a broken capture: member 'names/33.json' does not belong where it is"

    @pytest.mark.parametrize(
        ("name", "size"),
        [("capture.json", 2 << 20), ("metadata.bin.zst", 18 << 30), ("names/1.json", 65 << 20)],
    )
    def test_members_that_are_too_large(
        self, parts: dict[str, bytes], file: Path, name: str, size: int
    ) -> None:
        pieces = []
        for each, data in parts.items():
            if each == name:
                pieces.append(header(name, size))
                break
            pieces.append(member(each, data))
        said = self.refused(file, *pieces)
        assert said == f"a broken capture: `{name}` would have {size} bytes, more than can be"

    def test_metadata_that_is_none(self, parts: dict[str, bytes], file: Path) -> None:
        for bad, why in [
            (b"no zstd at all", "not thin metadata: "),
            (zstandard.compress(bytes(1 << 20)), "not thin metadata: the first block holds only "),
            (parts["metadata.bin.zst"][:-100], "cannot unpack: "),
        ]:
            told = json.loads(parts["capture.json"])
            told["metadata"]["packed_sha256"] = hashlib.sha256(bad).hexdigest()
            document = json.dumps(told).encode()
            said = self.refused(file, self.rebuilt(parts, capture=document, metadata=bad))
            assert said.startswith(why), said

    def test_another_tar(self, file: Path, tmp_path: Path) -> None:
        other = tmp_path / "other"
        other.write_bytes(bytes(10_000))
        with tarfile.open(file, "w") as archive:
            archive.add(other, "metadata.bin")
        assert self.refused(file, file.read_bytes()) == "not thin metadata: this is a tar archive"

    def test_a_folder_and_a_pipe_are_no_capture(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "fifo")
        for name in ("fifo", ""):
            with pytest.raises(errors.NotThinMetadata):
                thinscope.open(tmp_path / name)


@pytest.fixture
def device(churn: bytes, tmp_path: Path) -> Iterator[str]:
    if os.geteuid() != 0 or not os.path.exists("/dev/loop-control") or not shutil.which("losetup"):  # noqa: PTH110
        pytest.skip("attaching a loop device takes root")
    file = tmp_path / "metadata"
    file.write_bytes(churn)
    words = ["losetup", "--find", "--show", file]
    attached = subprocess.run(words, capture_output=True, check=True, text=True).stdout.strip()
    yield attached
    subprocess.run(["losetup", "--detach", attached], check=True)


class TestDevices:
    """Block devices; these tests take root."""

    def test_a_device(self, device: str, churn: bytes, file: Path) -> None:
        captured = thinscope.capture(device, file)
        assert (captured.is_device, captured.kernel) == (True, os.uname().release)
        assert captured.sha256 == hashlib.sha256(churn).hexdigest()
        told = document(file)["source"]
        assert told["name"] == os.path.basename(device)  # noqa: PTH119
        assert told["kernel"] == os.uname().release

    def test_a_file_in_use(self, device: str, churn: bytes, file: Path, tmp_path: Path) -> None:
        with pytest.raises(errors.SourceInUse, match=f"the file behind {device}"):
            thinscope.capture(tmp_path / "metadata", file)
        captured = thinscope.capture(tmp_path / "metadata", file, metadata_snapshot=True)
        assert captured.sha256 == hashlib.sha256(churn).hexdigest()

    def test_a_device_in_use(self, device: str, file: Path) -> None:
        holder = os.open(device, os.O_RDONLY | os.O_EXCL)
        try:
            with pytest.raises(errors.SourceInUse):
                thinscope.capture(device, file)
            assert thinscope.capture(device, file, metadata_snapshot=True).is_metadata_snapshot
        finally:
            os.close(holder)

    def test_a_device_is_not_written_over(
        self, device: str, walkthrough: bytes, churn: bytes, tmp_path: Path
    ) -> None:
        with pytest.raises(FileExistsError):
            thinscope.capture(walkthrough, device)
        with pytest.raises(OSError, match="it is the source"):
            thinscope.capture(device, tmp_path / "metadata", overwrite=True)
        assert (tmp_path / "metadata").read_bytes() == churn
