"""Ctrl-C in each long command: it ends within 200 ms, says nothing, and leaves nothing half written."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import COMMAND, environment
from tests.faults.conftest import built
from thinscope.cli import main
from thinscope.cli.commands import COMMANDS, PEERS
from thinscope.cli.signals import Ended

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BIG = "snapshots-own-spines --mappings 300000 --devices 300 --changed 3 --metadata-snapshot"
"""90 million mappings of 301 devices: commands that look at all take a second and more."""

PROMPT = 0.2
"""Seconds from the signal to the end of the process."""

MOMENTS = (0.0, 0.15, 0.5)
"""Seconds from the opening of the source to the signal."""

LINES: dict[str, list[list[str]]] = {
    "overview": [["overview", "SOURCE"]],
    "doctor": [["doctor", "SOURCE"]],
    "devices": [["devices", "SOURCE", "--tree"]],
    "sharing": [["sharing", "SOURCE"], ["sharing", "SOURCE", "--matrix", "--format", "json"]],
    "reclaim": [["reclaim", "SOURCE", "*"]],
    "plan": [["plan", "SOURCE", "--free", "10GiB"]],
    "orphans": [["orphans", "SOURCE", "--names", "NAMES"]],
    "mappings": [["mappings", "SOURCE"], ["mappings", "SOURCE", "--tolerant"]],
    "owners": [["owners", "SOURCE"]],
    "delta": [["delta", "SOURCE", "0", "5"]],
    "fragmentation": [["fragmentation", "SOURCE", "--all"]],
    "export": [["export", "SOURCE", "0", "--data", "DATA", "-o", "FILE"]],
    "check": [["check", "SOURCE"]],
    "undelete": [["undelete", "SOURCE"]],
    "pools": [["pools", "SOURCE"]],
    "capture": [["capture", "SOURCE", "-o", "FILE"]],
    "salvage": [["salvage", "SOURCE"], ["salvage", "SOURCE", "--dump", "FILE"]],
    "thin_dump": [
        ["thin_dump", "SOURCE"],
        ["thin_dump", "SOURCE", "-o", "FILE"],
        ["thin_dump", "SOURCE", "--repair", "-o", "FILE"],
    ],
    "thin_ls": [["thin_ls", "SOURCE", "-o", "DEV,EXCLUSIVE"]],
    "thin_check": [["thin_check", "SOURCE"]],
    "thin_delta": [["thin_delta", "SOURCE", "--thin1", "0", "--thin2", "5", "--verbose"]],
    "thin_rmap": [["thin_rmap", "SOURCE", "--region", "0..1000000"]],
}

LARGE = [
    ["mappings", "SOURCE"],
    ["mappings", "SOURCE", "--format", "json"],
    ["owners", "SOURCE", "--format", "csv"],
    ["delta", "SOURCE", "0", "5", "--format", "markdown"],
    ["thin_dump", "SOURCE"],
    ["thin_dump", "SOURCE", "--format", "human_readable"],
    ["thin_rmap", "SOURCE", "--region", "0..1000000"],
    ["salvage", "SOURCE", "--dump", "-"],
    ["export", "SOURCE", "0", "--data", "DATA", "-o", "-"],
]
"""What writes more to stdout than a pipe takes."""

WRITING = [line for lines in LINES.values() for line in lines if "FILE" in line]


def test_every_command_is_interrupted() -> None:
    short = {"block", "thin_metadata_size"}
    assert set(LINES) == {*COMMANDS, *PEERS} - short


@pytest.fixture(scope="module")
def places(testkit: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    folder = tmp_path_factory.mktemp("long")
    source, data = folder / "pool.bin", folder / "data.img"
    built(testkit, BIG, source)
    with data.open("wb") as file:
        file.truncate(8 << 40)
    names = folder / "names.csv"
    names.write_text("device_id,name\n1,web\n1000,gone\n")
    yield {"SOURCE": str(source), "DATA": str(data), "NAMES": str(names)}
    source.unlink()


@dataclass(frozen=True)
class End:
    """How a process ended.

    Attributes:
        code: Its exit code.
        seconds: How long after the signal.
        err: What was on its stderr.
    """

    code: int
    seconds: float
    err: bytes


def has_open(process: int, path: str) -> bool:
    folder = f"/proc/{process}/fd"
    try:
        return any(os.readlink(f"{folder}/{each}") == path for each in os.listdir(folder))  # noqa: PTH115, PTH208 - names only
    except OSError:  # it has just ended, or closed one
        return False


def ended(
    line: list[str],
    source: str,
    number: int,
    wait: Callable[[subprocess.Popen[bytes]], None],
    out: int = subprocess.DEVNULL,
) -> End:
    """Run a command, wait until it has opened the source and for what is said, and send a signal."""
    with subprocess.Popen(
        [*COMMAND, *line], env=environment(), stdout=out, stderr=subprocess.PIPE
    ) as process:
        while process.poll() is None and not has_open(process.pid, source):
            time.sleep(0.002)
        wait(process)
        sent = time.monotonic()
        process.send_signal(number)
        code = process.wait(60)
        seconds = time.monotonic() - sent
        assert process.stderr is not None
        return End(code, seconds, process.stderr.read())


def put(line: list[str], places: dict[str, str], folder: Path) -> list[str]:
    return [str(folder / "file") if word == "FILE" else places.get(word, word) for word in line]


@pytest.mark.parametrize("line", [line for lines in LINES.values() for line in lines], ids=" ".join)
def test_ctrl_c(line: list[str], places: dict[str, str], tmp_path: Path) -> None:
    ends = []
    for moment in MOMENTS:
        end = ended(
            put(line, places, tmp_path),
            places["SOURCE"],
            signal.SIGINT,
            lambda _, moment=moment: time.sleep(moment),
        )
        assert end.code in {0, 1, 130}, end.err
        if end.code == 130:
            assert end.err == b""
            assert list(tmp_path.iterdir()) == []
            ends.append(end)
        else:  # it was done
            assert [path.name for path in tmp_path.iterdir()] == ["file"] * ("FILE" in line)
            [path.unlink() for path in tmp_path.iterdir()]
    assert min(end.seconds for end in ends) < PROMPT


@pytest.mark.parametrize("line", LARGE, ids=" ".join)
def test_ctrl_c_while_nobody_reads(line: list[str], places: dict[str, str], tmp_path: Path) -> None:
    """The pipe is full, and the command waits in a write."""
    ends = []
    for _ in range(3):
        read_end, write_end = os.pipe()

        def wait(process: subprocess.Popen[bytes], read_end: int = read_end) -> None:
            os.read(read_end, 1)
            sleeping = 0
            while process.poll() is None and sleeping < 20:
                with open(f"/proc/{process.pid}/syscall", "rb") as file:  # noqa: PTH123 - of the system
                    sleeping += file.read(2) == b"1 "
                time.sleep(0.005)

        end = ended(
            put(line, places, tmp_path), places["SOURCE"], signal.SIGINT, wait, out=write_end
        )
        os.close(write_end)
        os.close(read_end)
        assert (end.code, end.err) == (130, b"")
        ends.append(end)
    assert min(end.seconds for end in ends) < PROMPT


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("line", [*WRITING, ["mappings", "SOURCE"]], ids=" ".join)
def test_other_signals_leave_nothing(
    line: list[str], places: dict[str, str], tmp_path: Path, number: int
) -> None:
    """What is not whole goes, as with Ctrl-C."""

    def wait(process: subprocess.Popen[bytes]) -> None:
        while process.poll() is None and "FILE" in line and not list(tmp_path.iterdir()):
            time.sleep(0.002)

    end = ended(put(line, places, tmp_path), places["SOURCE"], number, wait)
    assert (end.code, end.err) == (128 + number, b"")
    assert list(tmp_path.iterdir()) == []


def test_signals_that_are_ignored_stay_so(places: dict[str, str]) -> None:
    """As below nohup."""
    done = subprocess.run(
        ["nohup", *COMMAND, "pools", places["SOURCE"]],
        env=environment(),
        capture_output=True,
        check=True,
        stdin=subprocess.DEVNULL,
    )
    assert b"pool.bin" in done.stdout
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert main(["--version"]) == 0
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_how_a_signal_is_told() -> None:
    assert isinstance(Ended(15), KeyboardInterrupt)
    assert Ended(15).exit_code == 143
