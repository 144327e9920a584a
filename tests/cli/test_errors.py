"""No answer: exit status 2, one line on stderr, a hint where there is something to do."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

import thinscope
from tests.cli.conftest import COMMAND, MORE_WORDS, OF_POOLS, WALKTHROUGH, environment
from tests.conftest import CAPTURES, FIXTURES
from tests.oracle import answers
from thinscope.cli.commands import COMMANDS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run

METADATA_DEVICE = "hint: give the pool's metadata device"


def refused(run: Run, *arguments: str | Path) -> str:
    """Run what must fail, and return what it says."""
    ran = run(*arguments)
    assert (ran.code, ran.out) == (2, "")
    message, *hints = ran.err.splitlines()
    assert message.startswith("thinscope: ")
    assert not message.endswith(".")
    assert all(hint.startswith("hint: ") for hint in hints)
    assert len(hints) <= 1
    return ran.err


@pytest.mark.parametrize("name", COMMANDS)
def test_missing(command: Run, name: str) -> None:
    said = refused(command, name, "nowhere/tmeta.bin", *MORE_WORDS.get(name, ()))
    assert said == "thinscope: nowhere/tmeta.bin: no such file or directory\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_folder(command: Run, name: str) -> None:
    said = refused(command, name, "docker-b", *MORE_WORDS.get(name, ()))
    assert said.startswith("thinscope: docker-b: not thin metadata: ")


@pytest.mark.parametrize("name", OF_POOLS)
def test_not_thin(command: Run, name: str) -> None:
    said = refused(command, name, "lvm-b/data.zst", *MORE_WORDS.get(name, ()))
    assert said.startswith("thinscope: lvm-b/data.zst: not thin metadata: the first block is no ")
    assert METADATA_DEVICE in said


def test_below_a_file(command: Run) -> None:
    assert refused(command, "MANIFEST.toml/x") == "thinscope: MANIFEST.toml/x: not a directory\n"


def test_loop_of_links(command: Run, tmp_path: Path) -> None:
    link = tmp_path / "loop"
    link.symlink_to(link)
    assert refused(command, link) == f"thinscope: {link}: too many levels of symbolic links\n"


def test_permission(command: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Permissions do not bind root, who may well run the tests."""

    def refuse(source: str, **_: object) -> None:
        raise PermissionError(13, "Permission denied", source)

    monkeypatch.setattr(thinscope, "open", refuse)
    message = "thinscope: /dev/mapper/p_tmeta: permission denied\n"
    hint = "hint: metadata devices can be read by root only: try `sudo`\n"
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert refused(command, "/dev/mapper/p_tmeta") == message + hint
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert refused(command, "/dev/mapper/p_tmeta") == message


@pytest.mark.parametrize("name", OF_POOLS)
def test_truncated(command: Run, tmp_path: Path, name: str) -> None:
    path = tmp_path / "half.bin"
    path.write_bytes(answers.image(CAPTURES["walkthrough-b"])[: 2 << 20])
    said = refused(command, name, path, *MORE_WORDS.get(name, ()))
    assert said.startswith(f"thinscope: {path}: corrupt metadata: block 0 ")
    assert "hint: the source is truncated" in said


@pytest.mark.parametrize("name", OF_POOLS)
def test_damaged(command: Run, tmp_path: Path, name: str) -> None:
    data = bytearray(answers.image(CAPTURES["walkthrough-b"]))
    data[92 * 4096 + 100] ^= 1  # the top-level tree's root
    path = tmp_path / "damaged.bin"
    path.write_bytes(data)
    assert refused(command, name, path, *MORE_WORDS.get(name, ())).startswith(
        f"thinscope: {path}: corrupt metadata: block 92 "
    )


def test_no_metadata_snapshot(command: Run) -> None:
    said = refused(command, WALKTHROUGH, "--metadata-snapshot")
    assert "the pool holds no metadata snapshot\nhint: " in said


def test_no_such_block(command: Run) -> None:
    said = refused(command, "block", WALKTHROUGH, "0x1000")
    assert said == (
        f"thinscope: {WALKTHROUGH}: cannot read block 4096 (offset 0x1000000): "
        "the source has 4096 blocks\n"
    )


@pytest.mark.parametrize("number", ["-1", "x", "0x", "1.5", "1" * 21, "0x1" + "0" * 16, "٣", ""])
def test_no_number_of_a_block(command: Run, number: str) -> None:
    said = refused(command, "block", WALKTHROUGH, "--", number)
    assert said.startswith(
        f"thinscope: invalid value for 'N': '{number}' is no number of a block\n"
    )


def test_a_block_without_its_number(command: Run) -> None:
    assert refused(command, "block", WALKTHROUGH).startswith("thinscope: missing argument 'N'\n")


def test_unknown_device(command: Run) -> None:
    said = refused(command, "mappings", WALKTHROUGH, "--device", "99")
    assert said == (
        f"thinscope: {WALKTHROUGH}: no device `99` in the pool\n"
        "hint: `thinscope devices SOURCE` lists the devices\n"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "missing argument 'SOURCE'"),
        (["devices"], "missing argument 'SOURCE'"),
        (["devices", "a", "b"], "got unexpected extra argument (b)"),
        (["x", "--threads", "0"], "invalid value for '--threads': 0 is not in the range"),
        (["x", "--threads", "two"], "invalid value for '--threads': 'two' is not a valid integer"),
        (["x", "--format", "xml"], "invalid value for '--format': 'xml' is not one of"),
        (["x", "--format"], "option '--format' requires an argument"),
        (["x", "--fromat", "csv"], "no such option: --fromat"),
        (["x", "-z"], "no such option: -z"),
        (["mappings", "x", "--range", "9"], "invalid value for '--range': '9' is not of the form"),
        (["mappings", "x", "--range", "5..5"], "invalid value for '--range': '5..5' holds no"),
        (["mappings", "x", "--range", "6..5"], "invalid value for '--range': '6..5' holds no"),
        (["mappings", "x", "--range", f"0..{1 << 64}"], "invalid value for '--range': "),
        (["mappings", "x", "--range=-1..5"], "invalid value for '--range': '-1..5' is not of"),
    ],
    ids=" ".join,
)
def test_usage(command: Run, words: list[str], message: str) -> None:
    said = refused(command, *words)
    assert said.startswith(f"thinscope: {message}")
    assert "\nhint: " in said


def test_option_that_is_nearly_right(command: Run) -> None:
    assert 'hint: did you mean "--format"?' in refused(command, "x", "--fromat", "csv")


def test_out_of_memory(command: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhaust(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(thinscope, "open", exhaust)
    assert refused(command, "x") == "thinscope: out of memory\n"


def test_defect(command: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(*_: object, **__: object) -> None:
        raise RuntimeError("oh")

    monkeypatch.setattr(thinscope, "open", stumble)
    said = refused(command, "x")
    assert said.startswith("thinscope: internal error: RuntimeError: oh\nhint: ")
    with pytest.raises(RuntimeError, match="oh"):
        command("x", THINSCOPE_TRACEBACK="1")


def test_interrupt(command: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(thinscope, "open", interrupt)
    ran = command("x")
    assert (ran.code, ran.out, ran.err) == (130, "", "")


def test_interrupt_of_a_process() -> None:
    """The reader of a pipe stops reading; the command waits in a write until the signal."""
    read_end, write_end = os.pipe()
    with subprocess.Popen(
        [*COMMAND, "mappings", "churn-b/metadata.bin.zst", "--format", "json"],
        cwd=FIXTURES,
        env=environment(),
        stdout=write_end,
        stderr=subprocess.PIPE,
    ) as running:
        os.close(write_end)
        os.read(read_end, 1)  # it is writing: more than the pipe takes
        time.sleep(0.2)
        running.send_signal(signal.SIGINT)
        time.sleep(0.2)
        os.close(read_end)
        _, err = running.communicate(timeout=10)
    assert (running.returncode, err) == (130, b"")
