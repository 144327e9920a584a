"""What is loaded: help is quick, and each command takes what it needs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.cli.conftest import DOCKER, environment
from tests.conftest import FIXTURES
from thinscope.cli.commands import COMMANDS, PEERS

LAYOUT = {"rich"}
FORMAT = {"construct"}
GRAMMAR = {"lark"}
HEAVY = {"difflib", "csv", "json", "zstandard", "numpy", "pyarrow", "polars", "pytest"}

PROGRAM = """
import json, os, sys
from thinscope.cli import main
sys.stdout = open(os.devnull, "w")
main(sys.argv[1:])
sys.stdout = sys.__stdout__
print(json.dumps(sorted(sys.modules)))
"""


def loaded(*words: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        cwd=FIXTURES,
        env=environment(),
        capture_output=True,
        check=True,
    )
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("words", [["--help"], ["--version"], []], ids=["help", "version", "none"])
def test_of_the_group(words: list[str]) -> None:
    modules = loaded(*words)
    assert not {name for name in modules if name.startswith("thinscope.report.render")}
    assert not {name for name in modules if name.startswith("thinscope.cli.overview")}
    assert not modules & (LAYOUT | FORMAT | GRAMMAR)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command(command: str) -> None:
    modules = loaded(command, "--help")
    assert not modules & (LAYOUT | FORMAT | GRAMMAR)
    assert {name for name in COMMANDS if f"thinscope.cli.{name}" in modules} == {command}


def test_only_a_block_takes_the_layout() -> None:
    assert loaded("block", DOCKER, "0", "--format", "json") >= FORMAT
    assert not loaded("devices", DOCKER) & FORMAT


def test_only_the_text_of_lvm_takes_the_grammar() -> None:
    lvm = ["lvm-b/metadata.bin.zst", "--names", "lvm-b/answers/vgdocker.vg"]
    assert loaded(*lvm, "--format", "json") >= GRAMMAR
    containerd = ["containerd-b/metadata.bin.zst", "--names", "containerd-b/dbs"]
    modules = loaded(*containerd, "--format", "json")
    assert modules >= FORMAT
    assert not modules & GRAMMAR
    assert not loaded(DOCKER) & (FORMAT | GRAMMAR)


@pytest.mark.parametrize("format_", ["json", "csv", "markdown"])
def test_only_text_is_laid_out(format_: str) -> None:
    assert not loaded(DOCKER, "--format", format_) & LAYOUT
    assert loaded(DOCKER) >= LAYOUT


PEERS_WORDS = {
    "thin_delta": ["--thin1", "1", "--thin2", "2", DOCKER],
    "thin_metadata_size": ["-b", "64k", "-s", "1t", "-m", "1000"],
    "thin_rmap": ["--region", "0..9", DOCKER],
}


@pytest.mark.parametrize("tool", PEERS)
def test_the_commands_of_the_peer_take_no_help(tool: str) -> None:
    modules = loaded(tool, *PEERS_WORDS.get(tool, [DOCKER]))
    assert not modules & (LAYOUT | FORMAT | GRAMMAR | {"click"})
    assert not {name for name in modules if name.startswith("thinscope.report.render")}
    assert {name for name in PEERS if f"thinscope.cli.peers.{name}" in modules} == {tool}
    assert "click" in loaded(tool, "--help")
