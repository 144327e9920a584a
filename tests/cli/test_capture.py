"""``thinscope capture``: one small file, of which every report is that of the pool."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import tarfile
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

import thinscope
from tests.cli.conftest import (
    CHURN,
    COMMAND,
    DOCKER,
    MORE_WORDS,
    NEEDS_CHECK,
    OF_POOLS,
    WALKTHROUGH,
    environment,
    write_field,
)
from tests.conftest import CAPTURES, FIXTURES
from tests.oracle import answers
from thinscope.report.capture import Capture
from thinscope.report.render import FORMATS, Page, render

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Edit, Golden, Run

NAMES = {
    "lvm-b": ["--names", "lvm-b/answers/vgdocker.vg", "--names", "lvm-b/answers/lvs.json"],
    "containerd-b": ["--names", "containerd-b/dbs"],
    "walkthrough-b": ["--names", "../tests/cli/names.csv"],
}
SUFFIXES = {"text": "txt", "json": "json", "csv": "csv", "markdown": "md"}
MORE = {key: words for key, words in MORE_WORDS.items() if key not in {"orphans", "capture"}}

DAMAGED = {"full-b/needs-check", "metadata-full-6.1", "needs-check-6.1/failed"}
"""Pools that an overview has a finding of, other than that they are full."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "pool.tar"


def reports_alike(command: Run, source: list[str], file: Path, name: str) -> None:
    """Compare a report of the capture with that of the pool, but for the source's name."""
    for format_ in ("json", "text"):
        more = [*MORE.get(name, ()), "--format", format_]
        original = command(name, *source, *more)
        captured = command(name, file, *more)
        assert (captured.code, captured.err.replace(str(file), source[0])) == (
            original.code,
            original.err,
        )
        if format_ == "json" and original.code != 2:
            found, expected = json.loads(captured.out), json.loads(original.out)
            assert found.pop("source") == str(file)
            assert expected.pop("source") == source[0]
            assert found == expected


@pytest.mark.parametrize("name", OF_POOLS)
def test_reports_of_every_pool(
    command: Run, capture: dict[str, Any], file: Path, name: str
) -> None:
    source = [capture["metadata"], *NAMES.get(capture["name"], ())]
    assert command("capture", *source, "-o", file).code == (capture["name"] in DAMAGED)
    reports_alike(command, source, file, name)


@pytest.mark.parametrize("name", [*OF_POOLS, "block"])
def test_reports_of_docker(command: Run, docker: Path, file: Path, name: str) -> None:
    assert command("capture", docker, "-o", file).code == 0
    source = str(docker)
    if name == "block":
        source = str(docker / "devicemapper/devicemapper/metadata")
    reports_alike(command, [source], file, name)


@pytest.mark.parametrize("name", OF_POOLS)
def test_reports_through_the_metadata_snapshot(command: Run, file: Path, name: str) -> None:
    """The capture is read so by itself."""
    ran = command("capture", CHURN, "--metadata-snapshot", "-o", file)
    assert ran.code == 0
    assert "read as the metadata snapshot keeps it" in ran.out.replace("\n", " ")
    reports_alike(command, [CHURN, "--metadata-snapshot"], file, name)


def test_a_picture_through_the_metadata_snapshot(command: Run, file: Path) -> None:
    assert command("capture", CHURN, "--metadata-snapshot", "-o", file).code == 0
    ran = command("fragmentation", file, "--picture")
    assert (ran.code, ran.out) == (2, "")
    assert "no picture through a metadata snapshot: it is not known what is free" in ran.err


@pytest.mark.parametrize("words", [["thin_dump"], ["thin_ls"]], ids="-".join)
def test_the_peers_commands(command: Run, file: Path, words: list[str]) -> None:
    assert command("capture", CHURN, "-o", file).code == 0
    assert command(*words, file) == command(*words, CHURN)


@pytest.mark.parametrize("format_", FORMATS)
def test_with_names(
    command: Run,
    golden: Golden,
    docker: Path,
    monkeypatch: pytest.MonkeyPatch,
    format_: str,
) -> None:
    monkeypatch.chdir(docker.parent)
    ran = command("capture", "docker", "-o", "docker.tar", "--force", "--format", format_)
    assert (ran.code, ran.err) == (0, "")
    golden(f"capture-names.{SUFFIXES[format_]}", ran.out)


@pytest.mark.parametrize("format_", FORMATS)
def test_damage(
    command: Run,
    golden: Golden,
    edited: Edit,
    monkeypatch: pytest.MonkeyPatch,
    format_: str,
) -> None:
    path = edited("walkthrough-b", {})
    with path.open("r+b") as image:
        image.seek(92 * 4096 + 100)
        image.write(b"\xff")
    monkeypatch.chdir(path.parent)
    ran = command("capture", "walkthrough-b.bin", "-o", "pool.tar", "--format", format_)
    assert (ran.code, ran.err) == (1, "")
    golden(f"capture-damaged.{SUFFIXES[format_]}", ran.out)


def test_what_a_failing_disk_leaves(file: Path) -> None:
    """No disk here fails, so the capture is said to be of one."""
    captured = replace(
        thinscope.capture(FIXTURES / WALKTHROUGH, file),
        unreadable=((7, 2), (100, 1)),
        unknown_blocks=3,
        source_bytes=17 << 30,
    )
    report = Capture.of(captured, WALKTHROUGH)
    assert report.needs_attention
    numbers = {each.code: dict(each.numbers) for each in (*report.findings, *report.notes)}
    assert numbers == {
        "unreadable": {"blocks": 3, "bytes": 12288, "first": 7},
        "unknown-blocks": {"blocks": 3, "bytes": 12288},
        "cropped": {"source_bytes": 17 << 30, "bytes": 16 << 20},
    }
    shown = "".join(render(report, "text", Page()))
    assert "finding: 3 blocks (12.0 KiB) could not be read, the first is block 7" in shown
    assert "note: the source has 17.0 GiB, of which the kernel uses the first 16.0 MiB" in shown


def test_needs_check(command: Run, file: Path) -> None:
    ran = command("capture", NEEDS_CHECK, "-o", file)
    assert ran.code == 1
    assert "finding: the kernel set needs_check" in ran.out


def test_what_is_there_stays(command: Run, file: Path) -> None:
    file.write_text("precious")
    ran = command("capture", WALKTHROUGH, "-o", file)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"thinscope: {file}: there is something in it\nhint: --force replaces it\n"
    assert file.read_text() == "precious"
    assert command("capture", WALKTHROUGH, "-o", file, "--force").code == 0
    assert command(file).code == 0


def test_never_the_source(command: Run, edited: Edit) -> None:
    path = edited("walkthrough-b", {})
    before = path.read_bytes()
    ran = command("capture", path, "-o", path, "--force")
    assert ran.code == 2
    assert ran.err == f"thinscope: {path}: it is the source, which is never written to\n"
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "thinscope: missing option '-o' / '--output'\n"),
        (["-o", "-"], "thinscope: a capture is not written to stdout\n"),
        (["-o", "/dev/stdout"], "thinscope: a capture is not written to stdout\n"),
        (["-o", "nowhere/pool.tar"], "thinscope: nowhere/pool.tar: no such file or directory\n"),
        (["-o", "/dev/full"], "thinscope: /dev/full: no space left on device\n"),
    ],
    ids=str,
)
def test_nowhere_to_write_to(command: Run, words: list[str], said: str) -> None:
    ran = command("capture", WALKTHROUGH, *words)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(said)


@pytest.mark.parametrize("path", ["lvm-b/data.zst", "MANIFEST.toml", "docker-b/data.tar.zst"])
def test_something_else(command: Run, file: Path, path: str) -> None:
    ran = command("capture", path, "-o", file)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"thinscope: {path}: not thin metadata: ")
    assert not file.exists()


def test_a_tar_that_is_no_capture(command: Run, file: Path) -> None:
    with tarfile.open(file, "w") as archive:
        archive.add(FIXTURES / WALKTHROUGH, "metadata.bin.zst")
    ran = command(file)
    assert (ran.code, ran.out) == (2, "")
    message, hint = ran.err.splitlines()
    assert message == f"thinscope: {file}: not thin metadata: this is a tar archive"
    assert hint.startswith("hint: of tar archives only those can be read that `thinscope capture` ")


@pytest.mark.parametrize("name", [*OF_POOLS, "block", "capture"])
def test_a_broken_capture(command: Run, file: Path, tmp_path: Path, name: str) -> None:
    assert command("capture", CHURN, "-o", file).code == 0
    file.write_bytes(file.read_bytes()[:-2000])
    more = [*MORE.get(name, ()), *(["-o", tmp_path / "x"] if name == "capture" else [])]
    ran = command(name, file, *more)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        f"thinscope: {file}: a broken capture: it ends within `metadata.bin.zst`\n"
        "hint: copy it again, or capture again\n"
    )


class Live(io.BytesIO):
    """A pool that commits a number of times, each time after its first block was read."""

    left = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if self.left and len(data) == 4096:
            type(self).left -= 1
            block = bytearray(data)
            write_field(block, 48, 8, 1000 + self.left)
            self.seek(0)
            self.write(block)
        return data


@pytest.mark.parametrize(("times", "code"), [(1, 0), (3, 0), (9, 2)])
def test_a_pool_that_commits(
    command: Run, file: Path, monkeypatch: pytest.MonkeyPatch, times: int, code: int
) -> None:
    live, copy = Live(answers.image(CAPTURES["walkthrough-b"])), thinscope._core.copy_packed
    monkeypatch.setattr(Live, "left", times)
    asked: list[object] = []

    def copied(source: object, *words: Any, **more: Any) -> object:
        asked.append(source)
        return copy(live, *words, **more)

    monkeypatch.setattr(thinscope._core, "copy_packed", copied)
    ran = command("capture", WALKTHROUGH, "-o", file, "--format", "json")
    assert ran.code == code
    assert asked == [WALKTHROUGH] * len(asked)
    if code == 0:
        assert json.loads(ran.out)["read_back"]["transaction_id"] == 1000
        assert command(file).code == 0
    else:
        message, hint = ran.err.splitlines()
        assert message == f"thinscope: {WALKTHROUGH}: the pool changed while it was read"
        assert hint.startswith("hint: the pool is live: make a metadata snapshot")
        assert len(asked) == 4
        assert not list(file.parent.iterdir())


def test_an_interrupt_leaves_nothing(ten_million: Path, tmp_path: Path) -> None:
    file = tmp_path / "pool.tar"
    file.write_text("precious")
    with subprocess.Popen(
        [*COMMAND, "capture", ten_million, "-o", file, "--force"],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        deadline = time.monotonic() + 10
        while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=20)
    assert (running.returncode, out, err) == (130, b"", b"")
    assert {each.name: each.read_text() for each in tmp_path.iterdir()} == {"pool.tar": "precious"}


def test_the_report_cannot_be_written(file: Path) -> None:
    """The capture is there all the same."""
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        words = [*COMMAND, "capture", WALKTHROUGH, "-o", file]
        done = subprocess.run(
            words, cwd=FIXTURES, env=environment(), stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 2
    assert done.stderr == b"thinscope: cannot write the report: no space left on device\n"
    assert thinscope.open(file).recount().nodes


def test_a_device_read_through_the_page_cache(
    command: Run, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    capture = thinscope.capture

    def stale(*words: Any, **more: Any) -> object:
        found = capture(*words, **more)
        object.__setattr__(found, "may_be_stale", True)
        return found

    monkeypatch.setattr(thinscope, "capture", stale)
    ran = command("capture", DOCKER, "-o", file)
    assert ran.code == 0
    assert ran.err.startswith("thinscope: note: the device could not be read around the page cache")


def test_progress(file: Path) -> None:
    """The phases, in the words that the bar shows."""
    seen: list[str] = []
    thinscope.capture(
        FIXTURES / CHURN, file, progress=lambda phase, *_: seen.append(phase), threads=1
    )
    phases = [phase for phase in dict.fromkeys(seen) if phase]
    known = {"unpacking", "copying", "checking", "reading devices", "looking for metadata"}
    assert set(phases) & known
    assert os.path.getsize(file) > 0  # noqa: PTH202
