"""Names from outside cannot forge a line of output."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import ATTENTION, MORE_WORDS, WALKTHROUGH
from tests.conftest import FIXTURES
from thinscope.cli.commands import COMMANDS
from thinscope.report.printable import printable, shell_line, utf8
from thinscope.report.render import FORMATS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run

NAMES = {
    b"\x1b[31mred": r"\x1b[31mred",
    b"two\nlines": r"two\x0alines",
    b"no utf-8 \xff\xfe": r"no utf-8 \xff\xfe",
    "right to left \u202e": rb"right to left \u202e",
    "next line \x85": rb"next line \x85",
    "line separator \u2028": rb"line separator \u2028",
    b"bell\x07 tab\t delete\x7f": rb"bell\x07 tab\x09 delete\x7f",
    "größe 尺寸": "größe 尺寸",
    b"[bold]markup :smile:": rb"[bold]markup :smile:",
    b"it's a name with blanks": rb"it's a name with blanks",
}


def as_text(name: str | bytes) -> str:
    return os.fsdecode(name)


@pytest.mark.parametrize(("name", "shown"), NAMES.items())
def test_printable(name: str | bytes, shown: str | bytes) -> None:
    assert printable(as_text(name)) == as_text(shown)
    assert printable(as_text(shown)) == as_text(shown)


@pytest.mark.parametrize("name", [*NAMES, b"'\\; rm -rf $HOME\n`id`", b"\\x41\x07", b"", b"#"])
def test_in_commands_to_be_copied(name: str | bytes) -> None:
    """What is shown has nothing hidden, and bash gets the very name from it."""
    line = shell_line(["printf", "%s", as_text(name)])
    assert line.isprintable()
    ran = subprocess.run(["bash", "-c", line.encode()], capture_output=True, check=True)
    assert os.fsdecode(ran.stdout) == as_text(name)


@pytest.mark.parametrize("name", ["zero\0byte", "no text \ud800"])
def test_what_no_command_can_hold_is_a_comment(name: str) -> None:
    line = shell_line(["lvremove", f"vg/{name}\n"])
    assert line.startswith("# cannot be typed: lvremove ")
    assert line.isprintable()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("name_of_command", COMMANDS)
def test_in_headers(process: Run, tmp_path: Path, name: str | bytes, name_of_command: str) -> None:
    path = tmp_path / as_text(name)
    shutil.copy(FIXTURES / WALKTHROUGH, path)
    ran = process(name_of_command, path, *MORE_WORDS.get(name_of_command, ()))
    assert (ran.code, ran.err) == (name_of_command in ATTENTION, "")
    assert ran.out.splitlines()[0].startswith(printable(str(path)))
    assert ran.out.replace("\n", "").replace(printable(str(path)), "").isprintable()


@pytest.mark.parametrize("name", NAMES)
def test_in_errors(process: Run, tmp_path: Path, name: str | bytes) -> None:
    path = tmp_path / as_text(name)
    ran = process(path)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"thinscope: {printable(str(path))}: no such file or directory\n"
    path.write_bytes(bytes(4096))
    ran = process(path)
    message, _ = ran.err.splitlines()
    assert message.startswith(f"thinscope: {printable(str(path))}: not thin metadata: ")


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("name", NAMES)
def test_in_every_format(process: Run, tmp_path: Path, name: str | bytes, format_: str) -> None:
    path = tmp_path / as_text(name)
    shutil.copy(FIXTURES / WALKTHROUGH, path)
    ran = process(path, "--format", format_)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.replace("\n", "").isprintable()
    if format_ == "json":
        assert ran.out.isascii()
        assert json.loads(ran.out)["source"] == utf8(str(path))


def test_markdown_takes_names_for_text(process: Run, tmp_path: Path) -> None:
    path = tmp_path / "a|b *c* <d> `e`"
    shutil.copy(FIXTURES / WALKTHROUGH, path)
    ran = process(path, "--format", "markdown")
    assert ran.out.splitlines()[0].endswith(r"a\|b \*c\* \<d\> \`e\`")


def test_a_long_name_is_neither_cut_nor_wrapped(process: Run, tmp_path: Path) -> None:
    path = tmp_path / ("long" * 40)
    shutil.copy(FIXTURES / WALKTHROUGH, path)
    first, second, *_ = process(path).out.splitlines()
    assert first == str(path)
    assert second == "64 KiB blocks   transaction 0   no findings"


def test_a_terminal_that_lacks_the_letters(process: Run, tmp_path: Path) -> None:
    path = tmp_path / "尺寸"
    shutil.copy(FIXTURES / WALKTHROUGH, path)
    ran = process(path, PYTHONIOENCODING="ascii")
    assert ran.code == 0
    assert ran.out.splitlines()[0].startswith(f"{tmp_path}/\\u5c3a\\u5bf8")


def test_arguments_in_usage_errors(process: Run) -> None:
    ran = process("x", "--format", "\x1b[31m")
    assert ran.code == 2
    assert "\x1b" not in ran.err


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("name_of_command", ["overview", "devices", "sharing"])
def test_halves_of_characters(
    process: Run, tmp_path: Path, name_of_command: str, format_: str
) -> None:
    """JSON can say what no encoding can."""
    assert utf8("a\ud800\udcff") == r"a\ud800\xff"
    report = (FIXTURES / "lvm-b/answers/lvs.json").read_text()
    path = tmp_path / "lvs.json"
    path.write_text(report.replace('"lv_name":"db"', r'"lv_name":"d\ud800b"'))
    ran = process(name_of_command, "lvm-b/metadata.bin.zst", "--names", path, "--format", format_)
    assert (ran.code, ran.err) == (0, "")
    shown = r"d\ud800b".replace("\\", {"json": "\\\\", "markdown": "\\\\"}.get(format_, "\\"))
    assert shown in ran.out
