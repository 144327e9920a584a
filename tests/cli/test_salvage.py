"""``thinscope salvage``, ``--root`` on every command, ``thin_dump --repair``."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

import thinscope
from tests.cli.conftest import CHURN, MORE_WORDS, OF_POOLS, WALKTHROUGH
from tests.conftest import CAPTURES, FIXTURES
from tests.oracle import answers, salvaged
from tests.oracle.reader import Image
from thinscope.cli import salvage as salvage_command
from thinscope.errors import SourceChanged

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Golden, Run

LVM = "lvm-b/metadata.bin.zst"
WRAPPED = "wrapped-6.12/pool.bin.zst"


@pytest.fixture
def without_superblock(tmp_path: Path, walkthrough: bytes) -> Path:
    path = tmp_path / "no-superblock.bin"
    path.write_bytes(salvaged.destroyed(walkthrough, [0], "random"))
    return path


# ---- the report -------------------------------------------------------------------------------


@pytest.mark.parametrize("format_", ["text", "markdown"])
def test_plausible_states_are_told_as_such(command: Run, golden: Golden, format_: str) -> None:
    ran = command("salvage", WRAPPED, "--all", "--format", format_)
    assert (ran.code, ran.err) == (0, "")
    golden(f"salvage-wrapped.{'txt' if format_ == 'text' else 'md'}", ran.out)


def test_only_the_first_are_told_unless_all_are_asked_for(command: Run) -> None:
    short = json.loads(command("salvage", CHURN, "--format", "json").out)
    every = json.loads(command("salvage", CHURN, "--format", "json", "--all").out)
    assert len(short["states"]) == 20
    assert len(every["states"]) == every["states_found"] == short["states_found"] == 113
    assert every["states"][:20] == short["states"]
    text = command("salvage", CHURN).out
    assert "\nand 93 more states: `--all`\n" in text


def test_damage_is_a_finding(command: Run, without_superblock: Path, tmp_path: Path) -> None:
    ran = command("salvage", without_superblock)
    assert (ran.code, ran.err) == (1, "")
    assert "the superblock is damaged" in ran.out
    told = " ".join(ran.out.split())
    assert "`--root 92 --data-block-size SIZE` reads the best state that is left" in told
    assert "1,749 blocks" in ran.out  # the size of a data block is not known
    path = tmp_path / "no-list.bin"
    data = answers.image(CAPTURES["walkthrough-b"])
    path.write_bytes(salvaged.destroyed(data, [92], "zeros"))
    report = json.loads(command("salvage", path, "--format", "json").out)
    assert [finding["code"] for finding in report["findings"]] == ["live-damaged"]
    path.write_bytes(salvaged.destroyed(data, [92, 95], "zeros"))
    report = json.loads(command("salvage", path, "--format", "json").out)
    assert [finding["code"] for finding in report["findings"]] == ["live-lost"]


def test_metadata_that_was_cut_off(command: Run, tmp_path: Path, walkthrough: bytes) -> None:
    """The superblock is whole, and tells the size of a data block; what it names is behind the end."""
    path = tmp_path / "short.bin"
    path.write_bytes(walkthrough[: 60 * 4096])
    report = json.loads(command("salvage", path, "--format", "json").out)
    assert [finding["code"] for finding in report["findings"]] == ["live-lost"]
    assert (report["block_bytes"], report["blocks"]["superblock"]) == (64 << 10, 1)
    root = str(report["states"][0]["root"])
    ran = command("devices", path, "--root", root)
    assert (ran.code, ran.err) == (0, "")


def test_a_live_state_with_other_records_is_told_once(
    command: Run, tmp_path: Path, walkthrough: bytes
) -> None:
    path = tmp_path / "no-records.bin"
    path.write_bytes(salvaged.destroyed(walkthrough, [95], "zeros"))
    report = json.loads(command("salvage", path, "--format", "json").out)
    assert report["states"][0]["is_live"]
    roots = [state["mapping_root"] for state in report["states"]]
    assert roots[0] == 92
    assert roots.count(92) == 1


def test_a_state_of_a_whole_pool_has_no_findings(command: Run) -> None:
    """Its space maps are not looked for, which is no damage."""
    found = thinscope.salvage(FIXTURES / WALKTHROUGH)
    for state in found.states[1:4]:
        ran = command("overview", WALKTHROUGH, "--root", str(state.root))
        assert (ran.code, ran.err) == (0, "")
        assert "no findings" in ran.out


def test_names_of_deleted_devices(command: Run, tmp_path: Path) -> None:
    """A record of a removed volume is of use: its transaction id tells that it is the one."""
    names = tmp_path / "names.csv"
    names.write_text("device_id,name,transaction_id\n3,cache,2\n1,web,0\n")
    ran = command("salvage", LVM, "--names", names, "--format", "json")
    report = json.loads(ran.out)
    assert ["cache" in device["name"] for device in report["deleted"]] == [True]
    assert any("cache" in name for name in report["states"][4]["only_there"])
    names.write_text("device_id,name,transaction_id\n3,other,8\n1,web,0\n")
    report = json.loads(command("salvage", LVM, "--names", names, "--format", "json").out)
    assert "other" not in report["deleted"][0]["name"]


def test_every_state_is_told_in_csv(command: Run) -> None:
    rows = command("salvage", WRAPPED, "--all", "--format", "csv").out.splitlines()
    assert len(rows) == 1 + 56
    assert sum(",plausible," in row for row in rows) == 10
    assert all("trees have lost nodes" in row or "mappings" in row for row in rows if ",pl" in row)


# ---- one state with every command -------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in OF_POOLS if name not in {"delta", "pools"}])
def test_the_live_state_by_its_root(command: Run, name: str) -> None:
    """Every command takes it; what it says of devices is what it says of the pool."""
    words = [name, WALKTHROUGH, *MORE_WORDS.get(name, ())]
    own = command(*words, "--format", "json")
    ran = command(*words, "--root", "92", "--format", "json")
    assert (ran.code, ran.err) == (own.code, "")
    report, expected = json.loads(ran.out), json.loads(own.out)
    for key in ("devices", "runs", "orphans", "steps", "freed_blocks", "transaction_id", "time"):
        if key in expected:
            assert report[key] == expected[key], key
    for format_ in ("text", "csv", "markdown"):
        ran = command(*words, "--root", "92", "--format", format_)
        assert (ran.code, ran.err) == (own.code, "")


def test_a_deleted_volume_by_a_root(command: Run) -> None:
    words = ["mappings", LVM, "--root", "290", "--device", "3", "--format", "json"]
    assert json.loads(command(*words).out)["total"]["mapped_blocks"] == 64
    words = ["devices", LVM, "--format", "json", "--root"]
    assert [row["id"] for row in json.loads(command(*words, "290").out)["devices"]] == [
        *range(1, 8)
    ]


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["devices", LVM, "--root", "2"], "block 2 is the root of no state", "thinscope salvage"),
        (["devices", LVM, "--root", "0"], "0 is not in the range", "--help"),
        (["devices", LVM, "--root", "x"], "'x' is not a valid integer", "--help"),
        (["devices", LVM, "--root", "9", "--metadata-snapshot"], "name two states", "give one"),
        (["devices", LVM, "--data-block-size", "64K"], "goes with --root", "thinscope salvage"),
        (["devices", LVM, "--root", "9", "--data-block-size", "7"], "'7' is no size", "--help"),
        (["devices", LVM, "--root", "9", "--data-block-size", "2G"], "is no size", "--help"),
        (["devices", LVM, "--root", "9", "--data-block-size", "x"], "`x` is no size", "--help"),
        (["salvage", LVM, "--root", "9"], "--root names what to --dump", "other commands"),
        (["salvage", LVM, "--metadata-snapshot"], "every block is read", "--metadata-snapshot"),
        (["salvage", LVM, "--dump", "-", "--root", "2"], "block 2 is the root of no", "salvage"),
        (["salvage", "manifest.py"], "not thin metadata", ""),
        (["salvage", "nothing.bin"], "nothing.bin: no such file", ""),
        (["fragmentation", LVM, "--root", "290", "--picture"], "no picture of a state", ""),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_answered(command: Run, words: list[str], message: str, hint: str) -> None:
    ran = command(*words)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
    assert hint in ran.err
    assert ran.err.count("\n") <= 2


def test_the_size_of_a_data_block_is_asked_for(command: Run, without_superblock: Path) -> None:
    ran = command("devices", without_superblock, "--root", "92")
    assert (ran.code, ran.out) == (2, "")
    assert "no superblock is left that tells the size of a data block" in ran.err
    assert "--data-block-size 64KiB" in ran.err
    words = ["devices", without_superblock, "--root", "92", "--data-block-size", "64KiB"]
    ran = command(*words, "--format", "json")
    own = json.loads(command("devices", WALKTHROUGH, "--format", "json").out)
    assert json.loads(ran.out)["devices"] == own["devices"]


# ---- written for thin_restore -----------------------------------------------------------------


def test_dump_to_stdout_and_to_a_file(process: Run, tmp_path: Path) -> None:
    path = tmp_path / "pool.xml"
    ran = process("salvage", LVM, "--dump", "-")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == process("thin_dump", LVM).out
    assert process("salvage", LVM, "--dump", path).out == ""
    assert path.read_text() == ran.out
    older = process("salvage", LVM, "--dump", "-", "--root", "290")
    assert older.code == 0
    assert re.findall(r'dev_id="(\d+)"', older.out) == [*"1234567"]


def test_dump_says_what_is_no_more_than_plausible(process: Run, tmp_path: Path) -> None:
    data, image = answers.image(CAPTURES["lvm-b"]), tmp_path / "no-records.bin"
    image.write_bytes(salvaged.destroyed(data, salvaged.blocks_of(Image(data), "details"), "zeros"))
    ran = process("salvage", image, "--dump", "-")
    assert ran.code == 1
    assert ran.err.startswith("thinscope: note: the state that was written, of root 315, is")
    (removed,) = thinscope.salvage(data).deleted
    tree = process("salvage", image, "--dump", "-", "--root", str(removed.root))
    assert tree.code == 1
    assert 'dev_id="0" mapped_blocks="64"' in tree.out
    assert "a single device was written" in tree.err


def test_dump_never_writes_to_the_source(process: Run, tmp_path: Path, walkthrough: bytes) -> None:
    path = tmp_path / "pool.bin"
    path.write_bytes(walkthrough)
    for words in (["salvage", path, "--dump", path], ["thin_dump", "--repair", path, "-o", path]):
        assert process(*words).code in (2, 64)
        assert path.read_bytes() == walkthrough


@pytest.mark.parametrize("name", salvaged.cases())
def test_what_the_peer_restored_is_written_still(process: Run, tmp_path: Path, name: str) -> None:
    """Its thin_restore took these bytes, and its thin_check was content: fixtures/salvaged.json."""
    pool, lost = salvaged.cases()[name]
    data, path, xml = answers.image(CAPTURES[pool]), tmp_path / "pool.bin", tmp_path / "pool.xml"
    path.write_bytes(salvaged.destroyed(data, salvaged.blocks_of(Image(data), lost), "random"))
    words = ["thin_dump", "--repair", path, "-o", xml, "--data-block-size", "128"]
    ran = process(*words)
    assert (ran.code, ran.out) == (0, "")
    assert ("the live state is damaged" in ran.err) == (
        thinscope.salvage(path, data_block_sectors=128).best != thinscope.salvage(path).live
    )
    assert hashlib.sha256(xml.read_bytes()).hexdigest() == salvaged.load()[name]


def test_repairing_what_is_whole(process: Run, capture: dict[str, Any]) -> None:
    path = FIXTURES / capture["metadata"]
    assert process("thin_dump", "--repair", path) == process("thin_dump", path)


def test_repair_takes_the_options_of_thin_dump(
    process: Run, without_superblock: Path, tmp_path: Path
) -> None:
    ran = process("thin_dump", "--repair", without_superblock)
    assert (ran.code, ran.out) == (64, "")
    assert "data block size is lost" in ran.err
    assert "--data-block-size 128" in ran.err
    words = ["thin_dump", "-r", without_superblock, "-q", "--data-block-size"]
    ran = process(*words[:-1], "--data-block-size", "7")
    assert (ran.code, ran.out, ran.err) == (64, "", "")
    more = ["--nr-data-blocks", "70000", "--transaction-id", "9", "--dev-id", "1"]
    ran = process(*words, "256", *more, "--skip-mappings")
    assert (ran.code, ran.err) == (0, "")
    head = ran.out.splitlines()[0]
    assert 'transaction="9"' in head
    assert 'data_block_size="256" nr_data_blocks="70000"' in head
    ran = process("thin_dump", "-r", "-m", without_superblock)
    assert (ran.code, ran.out) == (2, "")
    empty = tmp_path / "empty.bin"
    empty.write_bytes(bytes(4096 * 4))
    assert process("thin_dump", "-r", empty).code == 64


def test_what_went_to_stdout_is_not_written_again(
    command: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pool that commits under a dump to stdout is an error: half of it stands there already."""
    attempts = []

    def commits(*_: object) -> None:
        attempts.append(1)
        raise SourceChanged("the pool changed while it was read", source=LVM)

    monkeypatch.setattr(salvage_command, "_dump", commits)
    assert command("salvage", LVM, "--dump", "-").code == 2
    assert len(attempts) == 1
