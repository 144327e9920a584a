"""docs/cli.md shows what is printed."""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING

from fixtures import docker_folder
from tests.conftest import ROOT

if TYPE_CHECKING:
    import pytest

    from tests.cli.conftest import Run

DOCUMENT = ROOT / "docs/cli.md"
EXAMPLE = re.compile(r"```console\n\$ thinscope (.*)\n((?:.*\n)*?)```\n")


def test_examples(command: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    docker_folder.unpack(ROOT / "target/docker")
    text = DOCUMENT.read_text()

    def answer(example: re.Match[str]) -> str:
        ran = command(*shlex.split(example[1]))
        return f"```console\n$ thinscope {example[1]}\n{ran.out}{ran.err}```\n"

    expected = EXAMPLE.sub(answer, text)
    if os.environ.get("THINSCOPE_GOLDEN"):
        DOCUMENT.write_text(expected)
    assert len(EXAMPLE.findall(text)) >= 4
    assert DOCUMENT.read_text() == expected, "THINSCOPE_GOLDEN=1 writes the examples anew"
