"""The page of a doctor, to the letter; and what it is told wrongly."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING, Any

import pytest

import thinscope
from tests.cli.conftest import CHURN, NEEDS_CHECK, WALKTHROUGH
from tests.cli.test_errors import refused
from tests.cli.test_findings import DOCUMENTED
from tests.cli.test_json import check
from tests.cli.test_live_pools import FIRST, Commits
from tests.conftest import CAPTURES, FIXTURES
from tests.diagnosis.test_rules import Checked, Found, Hit
from tests.oracle import answers
from thinscope.report.render import FORMATS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Golden, Run

SUFFIXES = {"text": "txt", "json": "json", "csv": "csv", "markdown": "md"}
ROOMY = "lvm-512k-6.1"
MISMATCH = "lvm-mismatch-6.1"
OF_LVM = [f"{ROOMY}/pool.bin.zst", "--names", f"{ROOMY}/answers/pool/lvm.vg"]

PAGES = {
    "lvm-512k": (0, [*OF_LVM, "--lvm-conf", f"{ROOMY}/answers/pool"]),
    "due": (1, [*OF_LVM, "--autoextend-threshold", "50"]),
    "needs-check": (1, [NEEDS_CHECK]),
    "churn-b": (0, [CHURN]),
    "churn-b-snapshot": (0, [CHURN, "--metadata-snapshot"]),
    "text-ahead": (
        1,
        [f"{MISMATCH}/text-ahead.bin.zst", "--names", f"{MISMATCH}/answers/text-ahead/lvm.vg"],
    ),
    "text-behind": (
        1,
        [f"{MISMATCH}/text-behind.bin.zst", "--names", f"{MISMATCH}/answers/text-behind/lvm.vg"],
    ),
    "metadata-full": (1, ["metadata-full-6.1/full.bin.zst"]),
}


@pytest.mark.parametrize("name", PAGES)
def test_page(command: Run, golden: Golden, name: str) -> None:
    code, words = PAGES[name]
    ran = command("doctor", *words)
    assert (ran.code, ran.err) == (code, "")
    golden(f"doctor-{name}.txt", ran.out)
    wide = [line for line in ran.out.splitlines()[1:] if len(line) > 80]
    assert all(line.strip().startswith(("$ thinscope ", "thinscope ")) for line in wide)
    report = json.loads(command("doctor", *words, "--format", "json").out)
    check(report)
    for each in report["advice"]:
        assert each["numbers"].keys() <= DOCUMENTED.get(each["code"], set()), each["code"]


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("name", ["wiped", "checked"])
def test_damage(  # noqa: PLR0913, PLR0917 - two parameters of the test
    command: Run,
    golden: Golden,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    format_: str,
) -> None:
    """A superblock that is gone; and what a check finds."""
    data = bytearray(answers.image(CAPTURES["walkthrough-b"]))
    if name == "wiped":
        data[:4096] = bytes(4096)
    else:
        hits = (Hit(1, "volume vg/\x1b[31mdb", 252), Hit(2, "device 2"))
        hit = Found("node-checksum", message="block 63 is torn\x07", block=63, affected=hits)
        warned = Found("free-count", "warning", "a free count is wrong", None, hint="harmless")
        result = Checked((warned, hit))
        monkeypatch.setattr(thinscope, "check", lambda *_, **__: result)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tmeta.bin").write_bytes(data)
    ran = command("doctor", "tmeta.bin", "--format", format_)
    assert (ran.code, ran.err) == (1, "")
    assert ran.out.replace("\n", "").isprintable()
    golden(f"doctor-{name}.{SUFFIXES[format_]}", ran.out)
    if format_ == "json":
        check(json.loads(ran.out))


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--autoextend-threshold", "0"], "0 is not in the range 1<=x<=100"),
        (["--autoextend-threshold", "101"], "101 is not in the range 1<=x<=100"),
        (["--autoextend-threshold", "80%"], "'80%' is not a valid integer range"),
        (["--autoextend-percent", "0"], "0 is not in the range 1<=x<=1048576"),
        (["--autoextend-percent", "x"], "'x' is not a valid integer range"),
        (["--lvm-conf", "nowhere"], "nowhere: no such file or directory"),
        (["--lvm-conf", "docker-b"], "docker-b: neither lvm.conf nor the pool's profile in it"),
        (["--lvm-conf", "MANIFEST.toml"], "MANIFEST.toml: line "),
        (["--lvm-conf", "/dev/null"], "/dev/null: not a regular file"),
        (["--names", "docker-b"], "docker-b: no records of any manager that is known"),
        (["--metadata-snapshot"], "the pool holds no metadata snapshot"),
    ],
)
def test_bad_arguments(command: Run, words: list[str], why: str) -> None:
    assert why in refused(command, "doctor", WALKTHROUGH, *words)


def test_a_folder_without_the_profile(command: Run, tmp_path: Path) -> None:
    said = refused(command, "doctor", *OF_LVM, "--lvm-conf", tmp_path)
    assert "no roomy.profile in it, which is the pool's profile" in said


def test_not_thin(command: Run) -> None:
    said = refused(command, "doctor", "lvm-b/data.zst")
    assert "not thin metadata" in said


@pytest.fixture
def live(tmp_path: Path) -> Path:
    path = tmp_path / "live.bin"
    path.write_bytes(answers.image(CAPTURES["walkthrough-b"]))
    return path


@pytest.mark.parametrize("times", [1, 3])
def test_a_pool_that_commits(
    command: Run, live: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    monkeypatch.setattr(thinscope, "open", Commits(live, times).open)
    ran = command("doctor", live, "--format", "json")
    assert (ran.code, ran.err) == (0, "")
    assert json.loads(ran.out)["transaction_id"] == FIRST + times


def test_a_pool_that_goes_on_committing(
    command: Run, live: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits = Commits(live, 9)
    monkeypatch.setattr(thinscope, "open", commits.open)
    ran = command("doctor", live)
    assert (ran.code, ran.out, commits.transaction_id) == (2, "", FIRST + 4)
    assert ran.err.startswith(f"thinscope: {live}: the pool changed while it was read\n")


def test_of_a_capture(command: Run, tmp_path: Path) -> None:
    """All but what names the source is the same."""
    file = tmp_path / "pool.tar"
    assert command("capture", *OF_LVM, "-o", file).code == 0
    reports = [
        json.loads(command("doctor", *words, "--format", "json").out) for words in (OF_LVM, [file])
    ]
    plain = [report_without_source(report) for report in reports]
    assert plain[0] == plain[1]


def report_without_source(report: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in report.items() if key != "source"}


def test_hostile_names_in_commands(command: Run, tmp_path: Path) -> None:
    """A profile and a path that would do harm if a shell saw them bare."""
    text = (FIXTURES / f"{ROOMY}/answers/pool/lvm.vg").read_text()
    folder = tmp_path / "a b; rm -rf x"
    folder.mkdir()
    path = folder / "vg\n.vg"
    path.write_text(text.replace('profile = "roomy"', 'profile = "r; \x1b[31m`id`"'))
    shutil.copy(FIXTURES / OF_LVM[0], folder / "pool.zst")
    ran = command("doctor", folder / "pool.zst", "--names", path, "--format", "json")
    [unknown] = [
        each for each in json.loads(ran.out)["advice"] if each["code"] == "autoextend-not-known"
    ]
    [line] = unknown["commands"]
    assert line.endswith("--metadataprofile $'r; \\x1b[31m`id`'")
    text_out = command("doctor", folder / "pool.zst", "--names", path).out
    assert text_out.replace("\n", "").isprintable()


def test_commands_are_never_wrapped(command: Run) -> None:
    out = command("doctor", *PAGES["text-ahead"][1]).out
    [line] = re.findall(r"^ +\$ (thinscope orphans .*)$", out, re.MULTILINE)
    assert line.endswith("--names lvm-mismatch-6.1/answers/text-ahead/lvm.vg")
