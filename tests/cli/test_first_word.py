"""A first word that is a command is the command; anything else is the source of an overview."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import WALKTHROUGH
from tests.conftest import FIXTURES

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run


def test_source_alone_is_an_overview(command: Run) -> None:
    assert command(WALKTHROUGH) == command("overview", WALKTHROUGH)


@pytest.mark.parametrize(
    "words",
    [
        ["--format", "json", WALKTHROUGH],
        ["--format=json", WALKTHROUGH],
        [WALKTHROUGH, "--format", "json"],
        ["--", WALKTHROUGH],
        ["--threads", "1", WALKTHROUGH],
    ],
)
def test_options_may_come_first(command: Run, words: list[str]) -> None:
    ran = command(*words)
    assert (ran.code, ran.err) == (0, "")
    options = [word for word in words if word not in {"--", WALKTHROUGH}]
    assert ran == command("overview", *options, WALKTHROUGH)


def test_a_file_with_the_name_of_a_command(
    command: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(FIXTURES / WALKTHROUGH, "devices")
    assert command("./devices").out.startswith("./devices ")
    assert command("--", "devices").out.startswith("devices ")
    assert command("devices", "devices").out.startswith("devices ")
    ran = command("devices")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        "thinscope: missing argument 'SOURCE'\n"
        "hint: `devices` is a command; the file of that name is written ./devices\n"
    )


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("device", "devices"),
        ("devcies", "devices"),
        ("mapings", "mappings"),
        ("overwiev", "overview"),
    ],
)
def test_did_you_mean(command: Run, word: str, meant: str) -> None:
    error = f'thinscope: {word}: no such file or directory\nhint: did you mean "{meant}"?\n'
    for words in ([word], [word, WALKTHROUGH]):
        ran = command(*words)
        assert (ran.code, ran.out, ran.err) == (2, "", error)


def test_no_guess_where_the_file_is_there(
    command: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(FIXTURES / WALKTHROUGH, "device")
    assert command("device").code == 0


def test_a_word_that_is_near_no_command(command: Run) -> None:
    ran = command("tmeta.bin")
    assert ran.err == "thinscope: tmeta.bin: no such file or directory\n"


def test_a_word_used_like_a_command(command: Run) -> None:
    ran = command("mend", WALKTHROUGH)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        "thinscope: mend: no such command or file\nhint: `thinscope --help` lists the commands\n"
    )


def test_version(command: Run) -> None:
    ran = command("--version")
    assert ran.code == 0
    assert ran.out.startswith("thinscope ")
