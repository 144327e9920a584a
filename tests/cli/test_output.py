"""Stdout: pipes, files, terminals, and what goes wrong with them."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shlex
import struct
import subprocess
import termios
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

import thinscope
from tests.cli.conftest import (
    CHURN,
    COMMAND,
    DOCKER,
    MORE_WORDS,
    NEEDS_CHECK,
    WALKTHROUGH,
    environment,
)
from tests.conftest import FIXTURES
from thinscope import Pool
from thinscope.cli.commands import COMMANDS
from thinscope.report.render import FORMATS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.cli.conftest import Run

SILENT: Mapping[str, str] = MappingProxyType({})
COLOURLESS = MappingProxyType({"NO_COLOR": "1"})
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def on_terminal(
    *words: str, columns: int = 80, more: Mapping[str, str] = SILENT
) -> tuple[int, str]:
    """Run the command with a terminal as its stdout."""
    terminal, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    with subprocess.Popen(
        [*COMMAND, *words],
        cwd=FIXTURES,
        env=environment(**{"TERM": "xterm"} | dict(more)),
        stdin=end,
        stdout=end,
        stderr=subprocess.PIPE,
    ) as running:
        os.close(end)
        shown = bytearray()
        while True:
            try:
                piece = os.read(terminal, 65536)
            except OSError:  # how Linux tells that the other end is closed
                break
            shown += piece
        os.close(terminal)
        assert running.stderr is not None
        assert running.stderr.read() == b""
    return running.returncode, shown.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("more", [[], ["--metadata-snapshot"]])
def test_overviews_fit_80_columns(process: Run, capture: dict[str, Any], more: list[str]) -> None:
    if more and capture["name"] != "churn-b":
        more = []
    ran = process(FIXTURES / capture["metadata"], *more)
    assert max(map(len, ran.out.splitlines())) <= 80
    assert ran.out.isascii()
    assert not any(line.endswith(" ") for line in ran.out.splitlines())


@pytest.mark.parametrize("source", [DOCKER, CHURN, NEEDS_CHECK])
def test_colour_only_adds(process: Run, source: str) -> None:
    """The text is the same on a terminal, in a pipe and without colour."""
    piped = process(source)
    code, coloured = on_terminal(source)
    assert code == piped.code
    assert "\x1b" not in piped.out
    assert COLOUR.search(coloured)
    stripped = [line.rstrip() for line in COLOUR.sub("", coloured).splitlines()]
    assert stripped == piped.out.splitlines()
    for plain in (COLOURLESS, {"TERM": "dumb"}):
        assert on_terminal(source, more=plain) == (code, piped.out)


def test_a_pipe_stays_plain(process: Run) -> None:
    assert process(DOCKER, FORCE_COLOR="1", COLUMNS="200", TERM="xterm") == process(DOCKER)


@pytest.mark.parametrize("format_", [name for name in FORMATS if name != "text"])
def test_no_colour_in_other_formats(format_: str) -> None:
    _, shown = on_terminal(DOCKER, "--format", format_)
    assert "\x1b" not in shown


def test_width_of_the_terminal(process: Run) -> None:
    """Sentences are wrapped to it; a table keeps its digits."""
    _, narrow = on_terminal(CHURN, columns=40, more=COLOURLESS)
    _, wide = on_terminal(CHURN, columns=200, more=COLOURLESS)
    piped = process(CHURN).out
    assert len(narrow.splitlines()) > len(piped.splitlines()) > len(wide.splitlines())
    rows = [line for line in piped.splitlines() if line.startswith(("device", "data", "metadata"))]
    assert rows
    for row in rows:
        assert row in narrow
        assert row in wide


def through_shell(line: str) -> subprocess.CompletedProcess[str]:
    thinscope = " ".join(COMMAND)
    return subprocess.run(
        ["bash", "-c", line.replace("thinscope", thinscope, 1)],
        cwd=FIXTURES,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("format_", FORMATS)
def test_broken_pipe_is_quiet(format_: str) -> None:
    """More than a pipe holds, read by a program that reads one line."""
    done = through_shell(
        f"thinscope mappings {DOCKER} --format {format_} | head -n 1; echo ${{PIPESTATUS[0]}}"
    )
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "0"


@pytest.mark.parametrize("words", ["", "--help", "devices", "mappings"])
def test_nobody_reads(words: str) -> None:
    source = "" if words == "--help" else DOCKER
    done = through_shell(f"thinscope {words} {source} | true; echo ${{PIPESTATUS[0]}}")
    assert (done.stdout, done.stderr) == ("0\n", "")


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("name", COMMANDS)
def test_full_disk(name: str, format_: str) -> None:
    more = shlex.join(MORE_WORDS.get(name, ()))
    done = through_shell(f"thinscope {name} {WALKTHROUGH} {more} --format {format_} > /dev/full")
    assert done.returncode == 2
    assert done.stderr == "thinscope: cannot write the report: no space left on device\n"


@pytest.mark.parametrize("option", ["--help", "--version", "thin_ls --help", "thin_ls -V"])
def test_full_disk_under_help(option: str) -> None:
    done = through_shell(f"thinscope {option} > /dev/full")
    assert done.returncode == 2
    assert done.stderr == "thinscope: no space left on device\n"


def test_stdout_is_closed() -> None:
    done = through_shell(f"thinscope {DOCKER} >&-")
    assert (done.returncode, done.stderr) == (2, "thinscope: stdout is closed\n")


@pytest.mark.parametrize("words", ["--help", "--version", "thin_ls --help", "thin_ls -V"])
def test_stdout_is_closed_under_help(words: str) -> None:
    done = through_shell(f"thinscope {words} >&-")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("where", ["2>&-", "2>/dev/full"])
def test_stderr_fails(where: str) -> None:
    done = through_shell(f"thinscope nowhere {where}")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")


def test_output_into_a_file(tmp_path: Path, process: Run) -> None:
    path = tmp_path / "out.txt"
    assert through_shell(f"thinscope {DOCKER} > {path}").returncode == 0
    assert path.read_text() == process(DOCKER).out


def test_a_device_read_through_the_page_cache(
    command: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer is given, and doubted on stderr."""
    expected = command(DOCKER)
    monkeypatch.setattr(Pool, "may_be_stale", property(lambda _: True))
    ran = command(DOCKER)
    assert (ran.code, ran.out) == (0, expected.out)
    assert ran.err.startswith("thinscope: note: the device could not be read around the page cache")


def test_a_block_read_through_the_page_cache(command: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = command("block", DOCKER, "0")
    block = replace(thinscope.read_block(FIXTURES / DOCKER, 0), may_be_stale=True)
    monkeypatch.setattr(thinscope, "read_block", lambda *_, **__: block)
    ran = command("block", DOCKER, "0")
    assert (ran.code, ran.out) == (0, expected.out)
    assert ran.err.startswith("thinscope: note: the device could not be read around the page cache")
