"""``thin_dump`` of a large pool: pipes that break, wait or are interrupted; memory; files."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import time
from pathlib import Path

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
