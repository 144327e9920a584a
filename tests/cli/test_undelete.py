"""``thinscope undelete``: what is told of deleted devices, and what is refused."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

import thinscope
from tests.check.patient import patient
from tests.cli.conftest import CHURN, DOCKER, NEEDS_CHECK, WALKTHROUGH
from tests.cli.test_hostile_names import NAMES, as_text
from tests.cli.test_json import check as contract
from tests.conftest import CAPTURES, FIXTURES
from tests.oracle import answers, salvaged
from tests.oracle.reader import Role
from thinscope.report.render import FORMATS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Golden, Run

LVM = "lvm-b/metadata.bin.zst"
PV = "lvm-b/pv.zst"
CACHE = f"{PV}:vgdocker/thinpool@14"
REUSED = "lvm-64k-6.1/again.bin.zst"
REUSED_NAMES = "lvm-64k-6.1/answers/again/lvm.vg"
HELD = "metadata-snapshot-6.1/held.bin.zst"
SUFFIXES = {"text": "txt", "json": "json", "csv": "csv", "markdown": "md"}
ADD_UP = ("same_blocks", "reused_blocks", "held_blocks", "free_blocks", "unreached_blocks")


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("lvm-b", [LVM]),
        ("lvm-b-pv", [CACHE, "cache"]),
        ("docker-b-container", [DOCKER, "26", "device:25"]),
        ("reused", [REUSED, "--names", REUSED_NAMES]),
        ("held", [HELD]),
    ],
)
def test_report(command: Run, golden: Golden, name: str, words: list[str], format_: str) -> None:
    ran = command("undelete", *words, "--format", format_)
    assert (ran.code, ran.err) == (0, "")
    golden(f"undelete-{name}.{SUFFIXES[format_]}", ran.out)


@pytest.mark.parametrize(
    "words",
    [
        [LVM],
        [CACHE, "cache"],
        [DOCKER, "26"],
        [REUSED, "--names", REUSED_NAMES],
        [HELD],
        [CHURN, "19"],
        [DOCKER, "25", "26", "--data", "../target/zeros.img"],
        [WALKTHROUGH],
        [NEEDS_CHECK],
    ],
    ids=" ".join,
)
def test_contract(command: Run, words: list[str]) -> None:
    """Every key is documented, and the figures add up."""
    report = json.loads(command("undelete", *words, "--format", "json").out)
    contract(report)
    for device in report["devices"]:
        grades = device["grades"]
        assert sum(grades[key] for key in ADD_UP) == device["mapped_blocks"]
        for key in ADD_UP:
            blocks = report["block_bytes"] * grades[key]
            assert grades[key.replace("_blocks", "_bytes")] == blocks
        assert (grades["zero_blocks"] is None) != report["looked_at_data"]
        if "--names" in words or len(words) == 1:
            assert device["runs"] is None
        else:
            assert sum(run["length"] for run in device["runs"]) == device["mapped_blocks"]


@pytest.mark.parametrize("lost", ["superblock", "top level", "leaf"])
def test_the_live_pool_is_damaged(command: Run, tmp_path: Path, testkit: str, lost: str) -> None:
    """Devices are told without grades, and why: in every format, with the exit status 1."""
    hurt = patient("lvm-b", testkit)
    [block, *_] = (
        hurt.blocks(Role.MAPPING, leaf=True)
        if lost == "leaf"
        else salvaged.blocks_of(hurt.whole, lost)
    )
    hurt.flip(block)
    path = tmp_path / "damaged.bin"
    path.write_bytes(hurt.data)
    words = ["undelete", path, "--data-block-size", "64KiB"]
    ran = command(*words, "--format", "json")
    assert (ran.code, ran.err) == (1, "")
    report = json.loads(ran.out)
    contract(report)
    [cache] = [device for device in report["devices"] if device["id"] == 3]
    assert (cache["grades"], cache["runs"]) == (None, None)
    assert f"block {block} " in cache["why_not_graded"]
    assert report["why_not_live"] in {None, cache["why_not_graded"]}
    assert (report["why_not_live"] is None) == (lost == "leaf")
    for format_ in ("text", "markdown"):
        ran = command(*words, "--format", format_)
        assert (ran.code, ran.err) == (1, "")
        told = " ".join(ran.out.split())
        assert told.count("what became of blocks is not known, as the live pool is damaged:") == 1
        assert "left out" not in told
    [row] = [
        row
        for row in csv.DictReader(io.StringIO(command(*words, "--format", "csv").out))
        if row["id"] == "3"
    ]
    assert (row["grades"], row["why_not_graded"]) == ("", cache["why_not_graded"])


def test_without_a_size_of_data_blocks(command: Run, tmp_path: Path) -> None:
    data = answers.image(CAPTURES["lvm-b"])
    path = tmp_path / "lost.bin"
    path.write_bytes(salvaged.destroyed(data, [0], "zeros"))
    ran = command("undelete", path)
    assert (ran.code, ran.err) == (1, "")
    assert re.search(r"^device 3 +64 blocks +290 +whole$", ran.out, re.MULTILINE)
    report = json.loads(command("undelete", path, "--format", "json").out)
    contract(report)
    assert (report["block_bytes"], report["devices"][0]["mapped_bytes"]) == (None, None)


def test_only_some_are_surveyed(command: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are very many, those that are named."""
    monkeypatch.setattr(thinscope.undeleting, "MOST_SURVEYED", 2)
    report = json.loads(command("undelete", DOCKER, "--format", "json").out)
    contract(report)
    told = [device["grades"] is not None for device in report["devices"]]
    assert told == [True, True, *[False] * 10]
    text = command("undelete", DOCKER).out
    assert "`thinscope undelete SOURCE WHO` tells of those that were left out" in text
    report = json.loads(command("undelete", DOCKER, "26", "--format", "json").out)
    assert report["devices"][0]["grades"] is not None


# ---- the command that is proposed ---------------------------------------------------------------


def proposed(text: str) -> str:
    [line] = [line for line in text.splitlines() if line.startswith("thinscope export ")]
    return line


def test_what_is_proposed_works(process: Run, tmp_path: Path) -> None:
    """From the disk alone, with the name and the size that an older text has."""
    path = tmp_path / "cache.img"
    line = proposed(process("undelete", CACHE).out)
    assert line == f"thinscope export {CACHE} 3 --root 290 -o FILE"
    ran = process(*line.replace("FILE", str(path)).split()[1:])
    assert (ran.code, ran.err) == (0, "")
    _, sha256, sectors, *_ = (FIXTURES / "lvm-b/answers/removed-sha256.txt").read_text().split()
    assert path.stat().st_size == int(sectors) * 512
    with path.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == sha256
    by_name = process("export", CACHE, "cache", "--root", "290", "-o", path, "--force")
    assert (by_name.code, by_name.err) == (0, "")
    assert sha256 in by_name.out
    words = ["export", PV, "3", "--root", "290", "--size", "1GiB", "-o", path, "--force"]
    assert sha256 in process(*words).out


def test_data_is_proposed_where_it_is_needed(command: Run) -> None:
    line = proposed(command("undelete", DOCKER).out)
    assert line.endswith("4 --root 259 --data DATA -o FILE")
    line = proposed(command("undelete", DOCKER, "--data", "../target/zeros.img").out)
    assert line.endswith("4 --root 259 --data ../target/zeros.img -o FILE")
    assert "--data" not in proposed(command("undelete", PV).out)


@pytest.mark.parametrize("name", NAMES)
def test_bash_gets_the_very_name(command: Run, tmp_path: Path, name: str | bytes) -> None:
    """The source stands in a command that is copied."""
    path = tmp_path / as_text(name)
    shutil.copy(FIXTURES / LVM, path)
    ran = command("undelete", path)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.replace("\n", "").isprintable()
    line = proposed(ran.out).replace("thinscope", "printf '%s\\n'", 1)
    typed = subprocess.run(["bash", "-c", line], capture_output=True, check=True)
    words = ["export", str(path), "3", "--root", "290", "--data", "DATA", "-o", "FILE", ""]
    assert typed.stdout.decode(errors="surrogateescape") == "\n".join(words)


@pytest.mark.parametrize("format_", FORMATS)
def test_hostile_names_of_devices(command: Run, tmp_path: Path, format_: str) -> None:
    names = tmp_path / "names.csv"
    names.write_text("device_id,name,transaction_id\n3,ca\x1b[31mche\u202e,2\n1,web,0\n")
    ran = command("undelete", LVM, "3", "--names", names, "--format", format_)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.replace("\n", "").isprintable()
    assert "che" in ran.out


# ---- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        ([LVM, "nobody"], "no device `nobody` was deleted", "lists those that were"),
        ([LVM, "1"], "no device `1` was deleted", "lists those that were"),
        ([LVM, "3", "4"], "no device `4` was deleted", "lists those that were"),
        ([WALKTHROUGH, "*"], "no device `*` was deleted", "lists those that were"),
        ([LVM, "--metadata-snapshot"], "that the live pool has not", "every block is read"),
        ([LVM, "--root", "290"], "no such option: --root", "--help"),
        ([LVM, "--data", "nothing.img"], "nothing.img: no such file", ""),
        ([LVM, "--data", "manifest.py"], "the data ends before", ""),
        ([LVM, "--data-block-size", "7"], "is no size", "--help"),
        ([LVM, "--names", "manifest.py"], "manifest.py", ""),
        (["manifest.py"], "not thin metadata", ""),
        (["nothing.bin"], "nothing.bin: no such file", ""),
        ([PV + ":vg/other"], "vg/other", ""),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_answered(command: Run, words: list[str], message: str, hint: str) -> None:
    ran = command("undelete", *words)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
    assert hint in ran.err
    assert ran.err.count("\n") <= 2
