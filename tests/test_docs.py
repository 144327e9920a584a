"""What the README and the docs show is what happens."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures import docker_folder
from tests.conftest import CAPTURES, ROOT
from tests.oracle import answers

DOCKER = "target/docker"
"""Where `make demo` unpacks the captured folder of Docker."""

DAMAGED = {
    "target/broken.bin": ("lvm-b", 317392, b"x"),
    "target/lost.bin": ("walkthrough-b", 0, bytes(4096)),
}
"""What docs/forensics.md makes of captures: bytes that are put somewhere."""

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(language: str) -> list[tuple[str, str]]:
    """Code blocks of a language, by page and number, those that use a fixture."""
    return [
        (f"{page.name}-{number}", block)
        for page in PAGES
        for number, block in enumerate(
            re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
        )
        if any(source in block for source in ("fixtures/", DOCKER, *DAMAGED))
    ]


def sessions() -> list[tuple[str, str, str]]:
    """Commands with what a terminal of 80 columns shows after them."""
    found = []
    for name, block in blocks("console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            if command.startswith("thinscope") and output:
                found.append((f"{name}: {command}", command, output))
    return found


@pytest.fixture(scope="module", autouse=True)
def _sources() -> None:
    docker_folder.unpack(ROOT / DOCKER)
    for name, (capture, at, put) in DAMAGED.items():
        image = bytearray(answers.image(CAPTURES[capture]))
        image[at : at + len(put)] = put
        (ROOT / name).write_bytes(image)


@pytest.mark.parametrize(
    ("command", "output"), [part[1:] for part in sessions()], ids=[s[0] for s in sessions()]
)
def test_console(command: str, output: str) -> None:
    program = Path(sys.executable).parent
    shown = subprocess.run(
        shlex.split(command),
        executable=program / "thinscope",
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "80", "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        text=True,
    )
    assert shown.stdout == output


@pytest.mark.parametrize(
    "block", [block for _, block in blocks("python")], ids=[name for name, _ in blocks("python")]
)
def test_python(block: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The code runs, and prints what the comments behind the prints say."""
    monkeypatch.chdir(ROOT)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(block, "<docs>", "exec"), {})  # noqa: S102 - our own documentation
    lines = printed.getvalue().splitlines()
    for line, expected in zip(
        lines, re.findall(r"^\s*print\(.*\)(?:\s+# (.*))?$", block, re.MULTILINE), strict=False
    ):
        assert not expected or line == expected


def test_something_is_shown() -> None:
    assert len(sessions()) >= 1
    assert len(blocks("python")) >= 3
