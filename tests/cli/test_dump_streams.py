"""``thin_dump`` of a large pool: pipes that break, wait or are interrupted; memory; files."""

from __future__ import annotations

import os
import pty
import resource
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.conftest import COMMAND, environment

PEER_FAILED = 64
INTERRUPTED = 130


def started(pool: Path) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    command = [*COMMAND, "thin_dump", pool]
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, env=environment())


def test_a_reader_that_goes_away(ten_million: Path) -> None:
    process = started(ten_million)
    assert process.stdout
    assert process.stderr
    assert process.stdout.readline().startswith(b"<superblock")
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(10) == PEER_FAILED


def test_an_interrupt_while_nobody_reads(ten_million: Path) -> None:
    """The write waits for the pipe, and the signal ends it."""
    process = started(ten_million)
    assert process.stdout
    process.stdout.read(1)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    assert process.wait(5) == INTERRUPTED
    process.communicate()


def test_an_interrupt_leaves_no_partial_file(ten_million: Path, tmp_path: Path) -> None:
    (tmp_path / "pool.xml").write_text("precious")
    process = subprocess.Popen(
        [*COMMAND, "thin_dump", ten_million, "-o", tmp_path / "pool.xml"],
        env=environment(),
    )
    while len(list(tmp_path.iterdir())) == 1 and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    assert process.wait(5) in (0, INTERRUPTED)
    # The signal may have come when all was written; never is there a part.
    content = (tmp_path / "pool.xml").read_text()
    assert content == "precious" or content.endswith("\n</superblock>")
    assert [path.name for path in tmp_path.iterdir()] == ["pool.xml"]


def test_memory_stays_flat(ten_million: Path) -> None:
    """What is written is many times what the process may take."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (160 << 20, 160 << 20))

    with Path(os.devnull).open("wb") as nowhere:
        subprocess.run(
            [*COMMAND, "thin_dump", ten_million],
            stdout=nowhere,
            preexec_fn=limit,
            env=environment(),
            check=True,
        )


def test_a_full_file_system(ten_million: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*COMMAND, "thin_dump", ten_million],
            stdout=full,
            stderr=subprocess.PIPE,
            env=environment(),
            check=False,
        )
    assert done.returncode == PEER_FAILED
    assert done.stderr == b"thinscope: no space left on device\n"
    done = subprocess.run(
        [*COMMAND, "thin_dump", ten_million, "-o", "/dev/full"],
        stderr=subprocess.PIPE,
        env=environment(),
        check=False,
    )
    assert done.returncode == PEER_FAILED
    assert done.stderr == b"thinscope: /dev/full: no space left on device\n"


def test_an_interrupt_while_nobody_reads_the_fifo(ten_million: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    # Open on both sides, so that the command's own open does not wait.
    descriptor = os.open(tmp_path / "pipe", os.O_RDWR)
    command = [*COMMAND, "thin_dump", ten_million, "-o", tmp_path / "pipe"]
    process = subprocess.Popen(command, env=environment())
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    assert process.wait(5) == INTERRUPTED
    os.close(descriptor)


def test_a_fifo_whose_reader_goes_away_is_not_told(ten_million: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    command = [*COMMAND, "thin_dump", ten_million, "-o", tmp_path / "pipe"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env=environment())
    with (tmp_path / "pipe").open("rb") as pipe:
        pipe.read(1)
    _, told = process.communicate(timeout=10)
    assert told == b""
    assert process.returncode == PEER_FAILED


@pytest.mark.parametrize("tool", ["thin_dump", "thin_ls"])
def test_a_terminal_shows_nothing_else(tool: str, ten_million: Path) -> None:
    """No progress bar among the lines, however long it takes."""
    near, far = pty.openpty()
    columns = [] if tool == "thin_dump" else ["-o", "DEV,EXCLUSIVE"]
    process = subprocess.Popen(
        [*COMMAND, tool, *columns, ten_million],
        stdout=far,
        stderr=far,
        env=environment(TERM="xterm"),
    )
    os.close(far)
    shown, piece = b"", b"begin"
    while piece:
        time.sleep(0.005 if len(shown) < 1 << 20 else 0)
        try:
            piece = os.read(near, 1 << 16)
        except OSError:  # what Linux says at the end of a terminal
            piece = b""
        shown = shown[-(1 << 20) :] + piece
        assert tool == "thin_ls" or b"\x1b" not in piece
    os.close(near)
    assert process.wait(5) == 0
    assert shown.endswith((b"</superblock>", b" 10000000 \r\n", b"GiB \r\n", b"MiB \r\n"))


def test_the_highest_block_that_there_can_be(testkit: str, tmp_path: Path) -> None:
    path = tmp_path / "hostile.bin"
    subprocess.run([testkit, "hostile", "mapping-key-all-ones", "-o", path], check=True)
    columns = "HIGHEST_BLOCK,HIGHEST_MAPPED,HIGHEST_BYTE"
    command = [*COMMAND, "thin_ls", "--no-headers", "-o", columns, path]
    done = subprocess.run(command, capture_output=True, env=environment(), check=True, text=True)
    last = 2**64 - 1
    assert f"{last} {(2**80 >> 60) - 1}EiB {2**80 - 1} \n" in done.stdout
