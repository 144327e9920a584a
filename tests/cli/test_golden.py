"""What is printed, to the letter."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

import thinscope
from tests.cli.conftest import ATTENTION, CHURN, DOCKER, FULL, MORE_WORDS, NEEDS_CHECK, WALKTHROUGH
from tests.conftest import CAPTURES, FIXTURES
from tests.oracle import answers
from thinscope.cli.commands import COMMANDS, PEERS
from thinscope.report.devices import Devices
from thinscope.report.fragmentation import Fragmentation
from thinscope.report.overview import DeviceTotals, Overview
from thinscope.report.picture import Cell, Picture
from thinscope.report.render import FORMATS, Page, render

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Golden, Run
    from tests.oracle import peer

SUFFIXES = {"text": "txt", "json": "json", "csv": "csv", "markdown": "md"}


@pytest.mark.parametrize("words", [[], *([name] for name in [*COMMANDS, *PEERS])], ids="-".join)
def test_help(command: Run, golden: Golden, words: list[str]) -> None:
    ran = command(*words, "--help")
    assert (ran.code, ran.err) == (0, "")
    golden("-".join(["help", *words]) + ".txt", ran.out)
    assert command(*words, "-h") == ran
    assert "Example" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("source", [WALKTHROUGH, DOCKER])
@pytest.mark.parametrize("name", COMMANDS)
def test_report(command: Run, golden: Golden, name: str, source: str, format_: str) -> None:
    ran = command(name, source, *MORE_WORDS.get(name, ()), "--format", format_)
    assert (ran.code, ran.err) == (name in ATTENTION, "")
    golden(f"{name}-{source.partition('/')[0]}.{SUFFIXES[format_]}", ran.out)


@pytest.mark.parametrize("format_", FORMATS)
def test_findings(command: Run, golden: Golden, format_: str) -> None:
    ran = command(NEEDS_CHECK, "--format", format_)
    assert (ran.code, ran.err) == (1, "")
    golden(f"overview-needs-check.{SUFFIXES[format_]}", ran.out)


@pytest.mark.parametrize("format_", FORMATS)
def test_held_metadata_snapshot(command: Run, golden: Golden, format_: str) -> None:
    ran = command(CHURN, "--format", format_)
    assert (ran.code, ran.err) == (0, "")
    golden(f"overview-churn-b.{SUFFIXES[format_]}", ran.out)


@pytest.mark.parametrize("format_", FORMATS)
def test_through_the_metadata_snapshot(command: Run, golden: Golden, format_: str) -> None:
    ran = command(CHURN, "--metadata-snapshot", "--format", format_)
    assert (ran.code, ran.err) == (0, "")
    golden(f"overview-churn-b-snapshot.{SUFFIXES[format_]}", ran.out)


@pytest.mark.parametrize("name", ["devices", "mappings", "fragmentation"])
def test_other_commands_through_the_metadata_snapshot(
    command: Run, golden: Golden, name: str
) -> None:
    more = ["--device", "10", "--device", "11"] if name == "mappings" else []
    ran = command(name, CHURN, "--metadata-snapshot", *more)
    assert (ran.code, ran.err) == (0, "")
    golden(f"{name}-churn-b-snapshot.txt", ran.out)


@pytest.mark.parametrize("format_", FORMATS)
def test_some_devices_and_free_extents(command: Run, golden: Golden, format_: str) -> None:
    words = ["--device", "39", "--device", "0", "--free-extents", "3", "--format", format_]
    ran = command("fragmentation", CHURN, *words)
    assert (ran.code, ran.err) == (0, "")
    golden(f"fragmentation-devices.{SUFFIXES[format_]}", ran.out)


@pytest.mark.parametrize("format_", ["text", "markdown"])
def test_the_most_fragmented_devices(command: Run, golden: Golden, format_: str) -> None:
    ran = command("fragmentation", CHURN, "--format", format_)
    assert (ran.code, ran.err) == (0, "")
    assert "\nall 34 devices: `--all`\n" in ran.out
    golden(f"fragmentation-churn-b.{SUFFIXES[format_]}", ran.out)
    out = command("fragmentation", CHURN, "--format", format_, "--all").out
    assert "--all" not in out
    assert out.count("\n") == ran.out.count("\n") + 34 - 21 - (format_ != "text") - 1


@pytest.mark.parametrize("format_", ["text", "markdown"])
def test_a_picture(command: Run, golden: Golden, format_: str) -> None:
    ran = command("fragmentation", FULL, "--picture", "--device", "3", "--format", format_)
    assert (ran.code, ran.err) == (0, "")
    golden(f"fragmentation-picture.{SUFFIXES[format_]}", ran.out)


def test_no_picture_through_the_metadata_snapshot(command: Run) -> None:
    ran = command("fragmentation", CHURN, "--picture", "--metadata-snapshot")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        "thinscope: no picture through a metadata snapshot: it is not known what is free\n"
    )


@pytest.mark.parametrize("width", [20, 60, 80, 150])
@pytest.mark.parametrize("colour", [False, True])
def test_damage_is_never_hidden(width: int, colour: bool) -> None:  # noqa: FBT001
    """The captures show none, so the picture is made by hand."""
    cells = [Cell(50, 0, 0, 0, 0, 0)] * 200
    cells[0] = Cell(20, 20, 0, 0, 0, 0)
    cells[1] = Cell(20, 0, 30, 0, 0, 0)
    cells[2] = Cell(0, 24, 0, 26, 0, 0)
    cells[3] = Cell(0, 24, 25, 0, 1, 0)
    cells[4] = Cell(0, 24, 25, 0, 1, 1)
    with thinscope.open(FIXTURES / WALKTHROUGH) as pool:
        report = Fragmentation.of(pool, "damaged")
    picture = Picture(blocks_per_cell=50, bytes_per_cell=50 << 16, cells=tuple(cells))
    page = Page(width=width, colour=colour)
    shown = "".join(render(replace(report, picture=picture), "text", page))
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert (shown != plain) == colour
    lines = re.findall(r"^ +\S+ \S+  ([.oSmL!]+)$", plain, re.MULTILINE)
    assert "".join(lines) == "oSmL!" + "." * 195
    assert max(map(len, lines)) == {20: 16, 60: 32, 80: 64, 150: 128}[width]
    for line in ("m  only the metadata snapshot: 1.6 MiB", "L  leaked: 128 KiB"):
        assert f"\n{line}\n" in plain
    assert "\n!  reached, but counted as free: 64.0 KiB\n" in plain


@pytest.fixture(params=["no-device", "empty-device"])
def bare(
    request: pytest.FixtureRequest,
    pool_folders: peer.Folders,
    command: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """The name of a pool with nothing in it, in the working folder."""
    del command  # has a folder of its own
    monkeypatch.chdir(pool_folders.of(request.param))
    return str(request.param)


@pytest.mark.parametrize("format_", FORMATS)
def test_nothing_is_fragmented(command: Run, golden: Golden, bare: str, format_: str) -> None:
    ran = command("fragmentation", "pool.bin", "--format", format_)
    assert (ran.code, ran.err) == (0, "")
    golden(f"fragmentation-{bare}.{SUFFIXES[format_]}", ran.out)


@pytest.mark.parametrize("format_", ["text", "markdown"])
def test_nothing_is_shared(command: Run, testkit: str, tmp_path: Path, format_: str) -> None:
    path = tmp_path / "pool.bin"
    arguments = ["build", "one-device", "--mappings", "1000", "--output", str(path)]
    subprocess.run([testkit, *arguments], check=True, capture_output=True)
    out = command(path, "--format", format_).out
    assert re.search(r"device \d+\W+62.5 MiB\W+62.5 MiB\W+62.5 MiB\W", out)
    assert "1 device" not in out


@pytest.mark.parametrize("format_", ["text", "markdown"])
def test_no_devices(format_: str) -> None:
    """A new pool. The captures show none, so the report is made by hand."""
    with thinscope.open(FIXTURES / WALKTHROUGH) as pool:
        overview, devices = Overview.of(pool, "new"), Devices.of(pool, "new")
    totals = DeviceTotals(0, 0, 0, None)
    overview = replace(overview, devices=totals, objects=0, largest_objects=())
    shown = "".join(render(overview, format_, Page()))
    assert shown.endswith("\nthe pool has no devices\n")
    shown = "".join(render(replace(devices, devices=()), format_, Page()))
    assert "   0 devices\n" in shown or ", 0 devices\n" in shown


def test_part_of_the_mappings(command: Run, golden: Golden) -> None:
    ran = command("mappings", WALKTHROUGH, "--device", "2", "--device", "1", "--range", "5..700")
    assert (ran.code, ran.err) == (0, "")
    golden("mappings-part.txt", ran.out)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("roots", 92),
        ("details", 95),
        ("children", 63),
        ("index-entries", 96),
        ("counts", 78),
        ("bitmap", 91),
        ("index", 97),
        ("zeros", 4095),
    ],
)
def test_kinds_of_blocks(command: Run, golden: Golden, name: str, number: int) -> None:
    ran = command("block", WALKTHROUGH, f"{number:#X}")
    assert (ran.code, ran.err) == (0, "")
    assert max(map(len, ran.out.splitlines())) <= 80
    golden(f"block-{name}.txt", ran.out)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with damaged metadata, and a file that is none."""
    image = bytearray(answers.image(CAPTURES["walkthrough-b"]))
    image[92 * 4096 + 40] = 9  # a key
    image[63 * 4096 + 16] = 33  # nr_entries
    (tmp_path / "damaged.bin").write_bytes(image)
    notes = bytes(range(256)) * 3 + b"no pool at all\x1b[31m".ljust(1024, b"\0") * 4
    (tmp_path / "notes.txt").write_bytes(notes)
    return tmp_path


@pytest.mark.parametrize("format_", FORMATS)
def test_a_damaged_block(
    command: Run, golden: Golden, files: Path, monkeypatch: pytest.MonkeyPatch, format_: str
) -> None:
    monkeypatch.chdir(files)
    ran = command("block", "damaged.bin", "92", "--format", format_)
    assert (ran.code, ran.err) == (1, "")
    assert max(map(len, ran.out.splitlines())) <= 80 or format_ != "text"
    golden(f"block-damaged.{SUFFIXES[format_]}", ran.out)


def test_many_findings(command: Run, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(files)
    out = command("block", "damaged.bin", "63").out
    assert out.count("finding: ") == 20
    assert "and 11 findings more: `--format json` has all\n" in out


def test_a_block_as_it_is_said_to_be(command: Run) -> None:
    out = command("block", WALKTHROUGH, "92", "--value-kind", "mappings").out
    assert "   leaf of mappings   no findings\n" in out
    assert "taken for" not in out
    ran = command("block", WALKTHROUGH, "0x5C", "--kind", "index")
    assert (ran.code, ran.err) == (1, "")
    assert "   metadata index block   " in ran.out
    assert "finding: csum (offset 0) is 0x953bb185, expected 0x" in ran.out


def test_a_block_that_is_not_what_it_is_said_to_be(command: Run) -> None:
    ran = command("block", WALKTHROUGH, "92", "--value-kind", "details")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        "thinscope: details have 24 bytes each, not 8\n"
        "hint: without --value-kind the header tells what the values are\n"
    )
    for option in ("--kind", "--value-kind"):
        ran = command("block", WALKTHROUGH, "92", option, "array")
        assert (ran.code, ran.out) == (2, "")
        assert ran.err.startswith(f"thinscope: invalid value for '{option}': 'array' is not one")


@pytest.mark.parametrize("format_", FORMATS)
def test_a_block_of_nothing(
    command: Run, golden: Golden, files: Path, monkeypatch: pytest.MonkeyPatch, format_: str
) -> None:
    monkeypatch.chdir(files)
    ran = command("block", "notes.txt", "0", "--format", format_)
    assert (ran.code, ran.err) == (1, "")
    assert ran.out.replace("\n", "").isprintable()
    golden(f"block-unknown.{SUFFIXES[format_]}", ran.out)
    ran = command("block", "notes.txt", "1", "--format", format_)
    assert ran.code == 1
    golden(f"block-cut-off.{SUFFIXES[format_]}", ran.out)
