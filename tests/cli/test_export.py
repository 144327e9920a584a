"""``thinscope export``: a raw image with holes, compared, and never half of one."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import resource
import signal
import subprocess
import tarfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import thinscope
from fixtures import docker_folder
from tests.check.patient import patient
from tests.cli.conftest import CHURN, COMMAND, WALKTHROUGH, environment
from tests.conftest import FIXTURES
from tests.oracle import answers
from tests.test_content import model
from thinscope.report.render import FORMATS

if TYPE_CHECKING:
    from tests.cli.conftest import Run

LVM = "lvm-b/metadata.bin.zst"
NAMES = "lvm-b/answers/vgdocker.vg"
EXTERNAL = "lvm-external-6.1/pool.bin.zst"
EXTERNAL_NAMES = "lvm-external-6.1/answers/pool/lvm.vg#vg/pool"
BLOCK = 64 << 10
STEP = 4096


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first 64 MiB of a data device: blocks at random, every third zeros, every other half zeros."""
    drawn = random.Random(4)  # noqa: S311
    path = tmp_path_factory.mktemp("data") / "data.img"
    with path.open("wb") as file:
        for block in range(1024):
            content = drawn.randbytes(BLOCK)
            if block % 3 == 0:
                content = bytes(BLOCK)
            elif block % 2:
                content = content[: BLOCK // 2] + bytes(BLOCK // 2)
            file.write(content)
        file.truncate(4 << 30)
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder / "web.img"


def expected(data: Path, size: int, device: int = 1) -> bytes:
    with thinscope.open(FIXTURES / LVM) as pool:
        return model(pool, device, head(data), size)


def head(path: Path) -> bytes:
    """What a data device holds but for the zeros at its end."""
    with path.open("rb") as file:
        return file.read(64 << 20)


def holes(path: Path) -> list[bool]:
    """Whether each step of a file is in a hole."""
    size = path.stat().st_size
    found = [True] * -(-size // STEP)
    with path.open("rb") as file:
        at = 0
        while at < size:
            try:
                begin = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:
                break
            at = os.lseek(file.fileno(), begin, os.SEEK_HOLE)
            for step in range(begin // STEP, -(-at // STEP)):
                found[step] = False
    return found


def report(command: Run, *words: str | Path) -> dict[str, Any]:
    ran = command("export", *words, "--format", "json")
    assert (ran.code, ran.err) == (0, "")
    found: dict[str, Any] = json.loads(ran.out)
    return found


def nothing_left(file: Path) -> bool:
    return list(file.parent.iterdir()) == []


class TestFile:
    """What is in the file."""

    SIZE = 40 << 20

    def test_whatever_is_zeros_is_a_hole(self, command: Run, data: Path, file: Path) -> None:
        found = report(command, LVM, "1", "--data", data, "--size", "40M", "-o", file)
        content = file.read_bytes()
        assert content == expected(data, self.SIZE)
        assert found["sha256"] == hashlib.sha256(content).hexdigest()
        zeros = [not any(content[at : at + STEP]) for at in range(0, len(content), STEP)]
        assert holes(file) == zeros
        assert found["hole_bytes"] == zeros.count(True) * STEP
        assert found["written_bytes"] + found["hole_bytes"] == found["size_bytes"] == self.SIZE
        assert (found["is_read_back"], found["follows_holes"]) == (True, False)
        assert found["mapped_bytes"] > found["written_bytes"]

    def test_the_holes_of_the_device(self, command: Run, data: Path, file: Path) -> None:
        words = ["--data", data, "--size", "40M", "-o", file, "--follow-holes"]
        found = report(command, LVM, "1", *words)
        assert file.read_bytes() == expected(data, self.SIZE)
        mapped = set()
        with thinscope.open(FIXTURES / LVM) as pool:
            for run in pool.devices[1].mappings():
                mapped |= set(range(run.virtual_begin, run.virtual_begin + run.length))
        steps = BLOCK // STEP
        assert holes(file) == [at // steps not in mapped for at in range(self.SIZE // STEP)]
        assert found["written_bytes"] == found["mapped_bytes"] == len(mapped) * BLOCK
        assert found["follows_holes"] is True

    def test_a_device_that_was_made_smaller(self, command: Run, data: Path, file: Path) -> None:
        size = 5 * BLOCK + 100
        found = report(command, LVM, "1", "--data", data, "--size", str(size), "-o", file)
        assert file.read_bytes() == expected(data, size)
        assert (found["mapped_blocks"], found["mapped_bytes"]) == (6, size)
        [note] = [note for note in found["notes"] if note["code"] == "beyond-the-end"]
        assert note["numbers"] == {"blocks": 294, "bytes": 294 * BLOCK}

    def test_names_tell_the_size(self, command: Run, data: Path, file: Path) -> None:
        found = report(command, LVM, "web", "--names", NAMES, "--data", data, "-o", file)
        assert (found["size_bytes"], found["size_from"]) == (1 << 30, "names")
        assert (found["name"], found["notes"]) == ("volume vgdocker/web", [])
        assert file.stat().st_size == 1 << 30

    def test_nothing_is_on_record(self, command: Run, data: Path, file: Path) -> None:
        found = report(command, LVM, "1", "--data", data, "-o", file)
        codes = [note["code"] for note in found["notes"]]
        assert codes == ["size-not-on-record", "origin-not-known"]
        assert found["size_bytes"] == file.stat().st_size == 300 * BLOCK

    def test_an_external_origin(self, command: Run, data: Path, file: Path, tmp_path: Path) -> None:
        origin = tmp_path / "origin"
        origin.write_bytes(random.Random(5).randbytes(3 << 20))  # noqa: S311
        words = [EXTERNAL, "--names", EXTERNAL_NAMES, "--data", data, "-o", file]
        found = report(command, *words, "clone", "--origin", origin)
        content = file.read_bytes()
        with thinscope.open(FIXTURES / EXTERNAL) as pool:
            on_disk = head(data)
            assert content == model(pool, 1, on_disk, 8 << 20, origin.read_bytes())
        assert found["origin"] == str(origin)
        assert found["origin_bytes"] + found["mapped_bytes"] == len(content)

    def test_an_empty_device(self, command: Run, data: Path, file: Path) -> None:
        report(command, "empty-6.1/emptied.bin.zst", "5", "--data", data, "-o", file)
        assert file.read_bytes() == b""

    def test_an_older_file_goes(self, command: Run, data: Path, file: Path) -> None:
        file.write_bytes(b"older" * 9999999)
        file.chmod(0o640)
        report(command, LVM, "1", "--data", data, "--size", "1M", "-o", file, "--force")
        assert file.read_bytes() == expected(data, 1 << 20)
        assert file.stat().st_mode & 0o777 == 0o640

    def test_a_file_with_two_names(self, command: Run, data: Path, file: Path) -> None:
        """It is written in place, all of it."""
        file.write_bytes(b"older" * 999999)
        other = file.with_name("other")
        other.hardlink_to(file)
        found = report(command, LVM, "1", "--data", data, "--size", "2M", "-o", file, "--force")
        assert other.read_bytes() == expected(data, 2 << 20)
        assert found["is_read_back"]
        assert "no-holes" in [note["code"] for note in found["notes"]]
        assert found["hole_bytes"] == 0

    def test_inconsistent(self, command: Run, data: Path, file: Path) -> None:
        words = [CHURN, "0", "--metadata-snapshot", "--data", data, "--size", "1M", "-o", file]
        ran = command("export", *words)
        assert (ran.code, ran.out) == (2, "")
        assert "no point in time" in ran.err
        assert nothing_left(file)
        found = report(command, *words, "--inconsistent")
        assert found["notes"][0]["code"] == "inconsistent"


class TestStdout:
    """Content to pipe on."""

    def test_content(self, data: Path) -> None:
        done = subprocess.run(
            [*COMMAND, "export", LVM, "1", "--data", data, "--size", "3M", "-o", "-"],
            cwd=FIXTURES,
            env=environment(),
            capture_output=True,
            check=True,
        )
        content = expected(data, 3 << 20)
        assert done.stdout == content
        sha256 = hashlib.sha256(content).hexdigest()
        assert done.stderr.decode() == (
            f"thinscope: {len(content)} bytes of device 1, sha256 {sha256}\n"
        )

    def test_nobody_reads(self, data: Path) -> None:
        command = [*COMMAND, "export", LVM, "1", "--data", data, "--size", "99M", "-o", "-"]
        with subprocess.Popen(
            command, cwd=FIXTURES, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.read(10)
            process.stdout.close()
            assert (process.wait(60), process.stderr.read()) == (0, b"")


class TestRefused:
    """There is no answer, and nothing is left."""

    @pytest.fixture
    def refused(self, command: Run, file: Path) -> Any:
        def run(*words: str | Path) -> str:
            ran = command("export", *words)
            assert (ran.code, ran.out) == (2, "")
            assert not file.exists()
            assert nothing_left(file)
            return ran.err

        return run

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["1"], "metadata alone holds no content"),
            (["1", "--data", LVM], "this is the pool's metadata, not its data"),
            (["1", "--data", "lvm-b"], "neither a file nor a block device"),
            (["1", "--data", "nowhere"], "nowhere: no such file or directory"),
            (["1", "--data", "lvm-b/data.zst"], "the data ends before it"),
            (["nobody", "--data", "lvm-b/data.zst"], "no device `nobody` in the pool"),
            (["web*", "--data", "lvm-b/data.zst", "--names", NAMES], "`web*` may be any of"),
            (["1", "--data", "lvm-b/data.zst", "--size", "many"], "invalid value for '--size'"),
            (["1", "--data", "lvm-b/data.zst", "--origin", "nowhere"], "nowhere: no such file"),
        ],
    )
    def test_bad_words(self, refused: Any, file: Path, words: list[str], said: str) -> None:
        assert said in refused(LVM, *words, "-o", file)

    def test_an_origin_is_missing(self, refused: Any, data: Path, file: Path) -> None:
        words = [EXTERNAL, "--names", EXTERNAL_NAMES, "--data", data, "-o", file]
        assert "reads vg/golden, its external origin" in refused(*words, "clone")

    def test_holes_of_a_device_with_an_origin(self, refused: Any, data: Path, file: Path) -> None:
        words = ["--data", data, "--origin", data, "-o", file, "--follow-holes"]
        assert "no holes" in refused(LVM, "1", *words)

    def test_the_file_is_there(self, command: Run, data: Path, file: Path) -> None:
        file.write_bytes(b"dear")
        ran = command("export", LVM, "1", "--data", data, "-o", file)
        assert (ran.code, ran.out) == (2, "")
        assert (
            ran.err == f"thinscope: {file}: there is something in it\nhint: --force replaces it\n"
        )
        assert file.read_bytes() == b"dear"

    @pytest.mark.parametrize("which", ["source", "data", "origin", "names"])
    @pytest.mark.parametrize("through", ["itself", "symlink", "hard link"])
    def test_what_is_read_is_never_written(
        self, command: Run, tmp_path: Path, which: str, through: str
    ) -> None:
        names = tmp_path / "names.csv"
        names.write_text("device_id,name\n1,web\n")
        read = {
            "source": tmp_path / "pool",
            "data": tmp_path / "data",
            "origin": tmp_path / "below",
        }
        read["source"].write_bytes((FIXTURES / LVM).read_bytes())
        read["data"].write_bytes(b"data" * (1 << 20))
        read["origin"].write_bytes(b"below" * 999)
        before = {path: path.read_bytes() for path in (*read.values(), names)}
        target = (read | {"names": names})[which]
        if through == "symlink":
            target = tmp_path / "link"
            target.symlink_to((read | {"names": names})[which])
        elif through == "hard link":
            target = tmp_path / "link"
            target.hardlink_to((read | {"names": names})[which])
        ran = command(
            *("export", read["source"], "1", "--data", read["data"], "--origin", read["origin"]),
            *("--names", names, "--size", "1M", "-o", target, "--force"),
        )
        assert (ran.code, ran.out) == (2, "")
        told = {
            "source": "it is the source, which is never written to",
            "data": "it is the data, which is never written to",
            "origin": "it is the external origin, which is never written to",
            "names": "names are taken from it",
        }
        assert told[which] in ran.err
        assert {path: path.read_bytes() for path in before} == before

    def test_a_full_disk(self, data: Path, file: Path) -> None:
        """The limit of a file's size stands for it."""

        def limited() -> None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

        done = subprocess.run(
            [*COMMAND, "export", LVM, "1", "--data", data, "-o", file],
            cwd=FIXTURES,
            env=environment(),
            capture_output=True,
            check=False,
            preexec_fn=limited,
        )
        assert (done.returncode, done.stdout) == (2, b"")
        assert done.stderr.decode() == f"thinscope: {file}: file too large\n"
        assert nothing_left(file)

    def test_interrupted(self, data: Path, file: Path) -> None:
        words = ["1", "--data", data, "--size", "900G", "-o", file]
        with subprocess.Popen(
            [*COMMAND, "export", LVM, *words],
            cwd=FIXTURES,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            while nothing_left(file) and process.poll() is None:
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        assert (process.returncode, out, err) == (130, b"", b"")
        assert nothing_left(file)

    def test_what_is_read_back_is_another_thing(
        self, command: Run, data: Path, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A disk that loses a bit."""
        real = os.pread

        def pread(descriptor: int, size: int, at: int) -> bytes:
            piece = bytearray(real(descriptor, size, at))
            piece[-1:] = bytes([piece[-1] ^ 1]) if piece else b""
            return bytes(piece)

        monkeypatch.setattr(os, "pread", pread)
        ran = command("export", LVM, "1", "--data", data, "-o", file)
        assert (ran.code, ran.out) == (2, "")
        assert ran.err == f"thinscope: {file}: what is read back from it is not what was written\n"
        assert nothing_left(file)


def test_a_file_object(data: Path) -> None:
    with thinscope.open(FIXTURES / LVM) as pool:
        written = io.BytesIO()
        seen: list[tuple[str, int, int]] = []
        export = pool.devices[1].export(
            written, data, size=5 << 20, progress=lambda *at: seen.append(at)
        )
        assert written.getvalue() == expected(data, 5 << 20)
        assert (export.is_read_back, export.is_sparse, export.file) == (
            False,
            False,
            "<file object>",
        )
        assert seen[0] == ("exporting", 0, 5 << 20)
        with pytest.raises(ValueError, match="enough"):
            pool.devices[1].export(io.BytesIO(), data, progress=stop)


def stop(*_: object) -> None:
    raise ValueError("enough")


def test_the_pools_own_data(data: Path) -> None:
    """Where the source tells it, nobody has to."""
    with thinscope.open(FIXTURES / LVM) as pool:
        pool.data = data
        written = io.BytesIO()
        pool.devices[1].export(written, size=1 << 20)
        assert written.getvalue() == expected(data, 1 << 20)


def test_walkthrough_has_another_size_of_file_than_of_blocks(command: Run, file: Path) -> None:
    """A gigabyte of holes takes no room."""
    data = file.with_name("data")
    with data.open("wb") as empty:
        empty.truncate(4 << 30)
    report(command, WALKTHROUGH, "0", "--data", data, "-o", file)
    assert file.stat().st_size > 1 << 29
    assert file.stat().st_blocks == 0


@pytest.mark.parametrize("format_", FORMATS)
def test_names_that_paint_the_terminal(
    command: Run, data: Path, tmp_path: Path, format_: str
) -> None:
    painted, file = tmp_path / "two\nlines", tmp_path / "\x1b[31mred"
    painted.symlink_to(data)
    words = ["--data", painted, "--size", "1M", "-o", file, "--origin", painted]
    ran = command("export", LVM, "1", *words, "--format", format_)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.replace("\n", "").isprintable()
    ran = command("export", LVM, "1", *words)
    assert ran.code == 2
    assert ran.err.replace("\n", "").isprintable()


GAP = (1, 0, 8249)
"""What is lost with leaf 64 of walkthrough-b: virtual blocks of a device."""


@pytest.fixture
def damaged(tmp_path: Path, testkit: str) -> Path:
    """A captured pool that has lost a leaf of device 1."""
    hurt = patient("walkthrough-b", testkit)
    hurt.flip(64)
    assert [hit.device for hit in hurt.hits(64)] == [1]
    path = tmp_path / "damaged.bin"
    path.write_bytes(hurt.data)
    return path


def test_a_gap_is_zeros_and_all_else_is_there(
    command: Run, data: Path, file: Path, damaged: Path
) -> None:
    words = ["export", damaged, "1", "--data", data, "-o", file]
    strict = command(*words)
    assert (strict.code, file.exists()) == (2, False)
    assert "--tolerant" in strict.err
    ran = command(*words, "--tolerant", "--format", "json")
    assert (ran.code, ran.err) == (1, "")
    gaps = json.loads(ran.out)["gaps"]["ranges"]
    assert [(gap["device"], gap["begin"], gap["end"]) for gap in gaps] == [GAP]
    content = head(data)
    end = GAP[2]
    with thinscope.open(FIXTURES / WALKTHROUGH) as pool, file.open("rb") as written:
        mapped = {
            run.virtual_begin + i: run.data_begin + i
            for run in pool.devices[1].mappings()
            for i in range(run.length)
        }
        assert any(block < end for block in mapped)
        assert any(
            block >= end and content[at * BLOCK : (at + 1) * BLOCK].strip(b"\0")
            for block, at in mapped.items()
        )
        for block, at in mapped.items():
            written.seek(block * BLOCK)
            expected_ = bytes(BLOCK) if block < end else content[at * BLOCK : (at + 1) * BLOCK]
            assert written.read(BLOCK) == expected_


@pytest.mark.parametrize("format_", FORMATS)
def test_a_gap_is_told(command: Run, data: Path, file: Path, damaged: Path, format_: str) -> None:
    words = ["export", damaged, "1", "--data", data, "--size", "1M", "--tolerant"]
    ran = command(*words, "-o", file, "--format", format_)
    assert ran.code == 1
    assert file.read_bytes() == bytes(1 << 20)
    if format_ != "json":
        assert "1 range of 1 device" in (ran.err if format_ == "csv" else ran.out)
    ran = command(*words, "-o", "-")
    assert ran.code == 1
    assert "zeros stand for what is missing: 1 range of 1 device" in ran.err


def test_gaps_of_others_are_not_told(command: Run, data: Path, file: Path, damaged: Path) -> None:
    words = ["export", damaged, "2", "--data", data, "--size", "1M", "-o", file, "--tolerant"]
    ran = command(*words)
    assert (ran.code, ran.err) == (0, "")
    assert "nothing is missing" in ran.out


def test_a_folder_of_docker_has_the_data(command: Run, tmp_path: Path) -> None:
    """In loop-lvm mode metadata and data lie beside each other: a container is exported by name."""
    folder = tmp_path / "docker"
    docker_folder.unpack(folder)
    packed = answers.content(FIXTURES / "docker-b/data.tar.zst")
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        tar.extractall(folder / "devicemapper/devicemapper", filter="data")
    sums = dict(
        line.split()[:2]
        for line in (FIXTURES / "docker-b/answers/sha256.txt").read_text().splitlines()
    )
    with thinscope.open(folder) as pool:
        device = pool.device("jobs-1")
    report = command("export", folder, "jobs-1", "-o", tmp_path / "web.img", "--format", "json")
    assert json.loads(report.out)["sha256"] == sums[str(device.id)]
