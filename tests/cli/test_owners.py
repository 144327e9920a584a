"""``thinscope owners`` and ``thinscope delta``: how blocks and sides are told, and what is refused."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import CHURN, DOCKER, WALKTHROUGH
from tests.cli.test_golden import SUFFIXES
from thinscope.report.render import FORMATS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Golden, Run

NAMES = ("--names", "../tests/cli/names.csv")


def asked(command: Run, *words: str) -> list[tuple[int, int]]:
    ran = command("owners", WALKTHROUGH, *words, "--format", "json")
    assert (ran.code, ran.err) == (0, "")
    return [(row["begin"], row["end"]) for row in json.loads(ran.out)["asked"]]


def test_blocks_bytes_and_sectors(command: Run) -> None:
    """Data blocks have 64 KiB, which are 128 sectors."""
    assert asked(command, "7", "0..9", "65530..") == [(7, 8), (0, 9), (65530, 65536)]
    assert asked(command, "--bytes", "64KiB") == [(1, 2)]
    assert asked(command, "--bytes", "65535..65537") == [(0, 2)]
    assert asked(command, "--bytes", "1MiB..2M", "--bytes", "4") == [(16, 32), (0, 1)]
    assert asked(command, "--sectors", "127..129", "--sectors", "128") == [(0, 2), (1, 2)]
    assert asked(command, "3", "--sectors", "8388600..") == [(3, 4), (65535, 65536)]


@pytest.mark.parametrize("format_", FORMATS)
def test_by_name_with_what_nobody_holds(command: Run, golden: Golden, format_: str) -> None:
    words = [CHURN, "0..4", "3780..3830", "60000", *NAMES, "--format", format_]
    ran = command("owners", *words)
    assert (ran.code, ran.err) == (0, "")
    assert "volume db" in ran.out
    golden(f"owners-names.{SUFFIXES[format_]}", ran.out)


@pytest.mark.parametrize("format_", ["text", "markdown"])
def test_leaked_blocks_are_told(command: Run, testkit: str, tmp_path: Path, format_: str) -> None:
    path = tmp_path / "pool.bin"
    shape = ["one-device", "--mappings", "100", "--leaked", "25", "-o", path]
    subprocess.run([testkit, "build", *shape], check=True)
    ran = command("owners", path, "0..", "--format", format_)
    assert (ran.code, ran.err) == (0, "")
    assert "leaked or in flight: counted as used" in ran.out
    assert "100 blocks (6.3 MiB) held by 1 device, " in ran.out
    assert " 25 leaked or in flight\n" in ran.out
    whole = command("owners", path, "--format", format_)
    assert " 25 leaked or in flight\n" in whole.out
    assert "held by nobody" not in whole.out


def test_only_the_metadata_snapshot(command: Run) -> None:
    ran = command("owners", CHURN, "17..63")
    assert "(only in the metadata snapshot)" in ran.out
    through = command("owners", CHURN, "17..63", "60000", "--metadata-snapshot").out
    assert "only in" not in through
    assert "not known through a metadata snapshot" in through


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["x"], "invalid value for '[BLOCK|BEGIN..END]...': 'x' is not of the form"),
        (["9..9"], "invalid value for '[BLOCK|BEGIN..END]...': '9..9' holds no block"),
        (["9..99999999999999999999"], "'9..99999999999999999999' ends beyond any device"),
        (["--bytes", "x"], "invalid value for '--bytes': "),
        (["--bytes", "2M..1M"], "invalid value for '--bytes': '2M..1M' holds nothing"),
        (["--bytes", "1..99999999E"], "`99999999E` is more than any pool can have"),
        (["--sectors", "7s"], "invalid value for '--sectors': '7s' is no number of a sector"),
        (["--sectors", "..7"], "invalid value for '--sectors': '' is no number of a sector"),
        (["65536"], "data block 65536 lies beyond the data device, which has 65536 blocks"),
        (["0..65537"], "data block 65536 lies beyond the data device"),
        (["70000.."], "data block 70000 lies beyond the data device"),
        (["--sectors", "8388608"], "data block 65536 lies beyond the data device"),
        (["--bytes", "1TiB"], "data block 16777216 lies beyond the data device"),
    ],
)
def test_blocks_that_are_none(command: Run, words: list[str], message: str) -> None:
    ran = command("owners", WALKTHROUGH, *words)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
    assert "\nhint: " in ran.err


@pytest.mark.parametrize("format_", FORMATS)
def test_delta_by_name(command: Run, golden: Golden, format_: str) -> None:
    ran = command("delta", CHURN, "db", "10", *NAMES, "--same", "--format", format_)
    assert (ran.code, ran.err) == (0, "")
    golden(f"delta-names.{SUFFIXES[format_]}", ran.out)


@pytest.mark.parametrize("format_", ["text", "markdown"])
def test_two_states_are_compared_by_allocation(command: Run, golden: Golden, format_: str) -> None:
    ran = command("delta", CHURN, "0", "--other-metadata-snapshot", "--format", format_)
    assert (ran.code, ran.err) == (0, "")
    assert "compared by allocation" in ran.out
    golden(f"delta-snapshot.{SUFFIXES[format_]}", ran.out)
    other = command("delta", WALKTHROUGH, "0", "--other", CHURN, "1", "--format", format_).out
    assert "compared by allocation" in other
    assert CHURN.replace("_", r"\_") in other.replace(r"\_", "_")
    assert "compared by allocation" not in command("delta", CHURN, "0", "1").out


def test_two_roots(command: Run) -> None:
    mixed = json.loads(command("delta", WALKTHROUGH, "1", "--root", "92", "--format", "json").out)
    assert (mixed["left"]["device"], mixed["left"]["root"]) == (1, None)
    assert (mixed["right"]["device"], mixed["right"]["root"]) == (None, 92)
    assert mixed["total"]["pieces"] == len(mixed["pieces"]) > 0
    roots = command("delta", WALKTHROUGH, "--root", "92", "--root", "92", "--format", "csv")
    assert (roots.code, roots.out.count("\n")) == (0, 1)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "two sides are compared: give two of DEVICE and --root"),
        (["0"], "two sides are compared"),
        (["0", "1", "2"], "two sides are compared"),
        (["0", "1", "--root", "92"], "two sides are compared"),
        (["--root", "92", "--other", CHURN], "two sides are compared"),
        (["--other", CHURN], "two sides are compared"),
        (["0", "77"], "no device `77` in the pool"),
        (["77", "--other", CHURN], "no device `77` in the pool"),
        (["0", "--other", DOCKER], "docker-b/metadata.bin.zst: no device `0` in the pool"),
        (["0", "--other", "nowhere"], "nowhere: no such file or directory"),
        (["0", "--other-metadata-snapshot"], "the pool holds no metadata snapshot"),
        (["0", "--other", "lvm-192k-6.1/pool.bin.zst", "1"], "64 KiB and 192 KiB cannot be"),
        (["0", "--root", "0"], "no root in block 0: expected a block from 1 to 4095"),
        (["0", "--root", "-1"], "-1 is not in the range x>=0"),
        (["0", "--root", "4095"], "corrupt metadata: block 4095 "),
    ],
)
def test_sides_that_are_none(command: Run, words: list[str], message: str) -> None:
    ran = command("delta", WALKTHROUGH, *words)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
