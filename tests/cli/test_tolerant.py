"""Commands that go on around what is broken: what is missing is told, and nothing is invented."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

import thinscope
from tests.check.patient import MANY, Patient, patient
from tests.cli.conftest import CHURN, DOCKER, MORE_WORDS, WALKTHROUGH
from tests.cli.test_json import check as contract
from tests.conftest import FIXTURES
from tests.oracle.reader import Role
from tests.sharing import pools
from thinscope import errors
from thinscope.cli.commands import COMMANDS
from thinscope.report.render import FORMATS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Golden, Run

GOING_ON = (
    "overview",
    "devices",
    "sharing",
    "reclaim",
    "plan",
    "orphans",
    "mappings",
    "fragmentation",
)
"""Commands that tell of mappings."""

TESTED_ELSEWHERE = {"owners", "export"}
"""Others that go on around what is broken."""

SUFFIXES = {"text": "txt", "json": "json", "csv": "csv", "markdown": "md"}


NOTHING = {
    "ranges": [],
    "more_ranges": 0,
    "losses": [],
    "metadata_snapshot_is_damaged": False,
}
"""What is missing of a whole pool."""


@pytest.fixture
def damaged(tmp_path: Path, testkit: str) -> Path:
    """A captured pool with a broken leaf of device 1, and one of device 2."""
    hurt = patient("walkthrough-b", testkit)
    for leaf in (64, 94):
        hurt.flip(leaf)
    assert [hit.device for leaf in (64, 94) for hit in hurt.hits(leaf)] == [1, 2]
    return written(hurt, tmp_path)


def written(hurt: Patient, folder: Path) -> Path:
    path = folder / "damaged.bin"
    path.write_bytes(hurt.data)
    return path


def words(name: str, source: object, *more: str) -> list[str]:
    return [name, str(source), *MORE_WORDS.get(name, ()), *more]


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("name", GOING_ON)
def test_what_is_missing_is_told(command: Run, damaged: Path, name: str, format_: str) -> None:
    strict = command(*words(name, damaged, "--format", format_))
    if strict.code == 2:
        assert "--tolerant" in strict.err
    ran = command(*words(name, damaged, "--tolerant", "--format", format_))
    assert ran.code == 1
    if format_ == "json":
        report = json.loads(ran.out)
        assert ran.err == ""
        contract(report)
        gaps = report["gaps"]
        assert [(gap["device"], gap["block"]) for gap in gaps["ranges"]] == [(1, 64), (2, 94)]
        assert all(gap["begin_bytes"] == gap["begin"] << 16 for gap in gaps["ranges"])
        assert (gaps["more_ranges"], gaps["losses"]) == (0, [])
    elif format_ == "csv":
        assert "2 ranges of 2 devices" in ran.err
        rows = list(csv.reader(io.StringIO(ran.out)))
        assert len({*map(len, rows)}) == 1
    else:
        assert ran.err == ""
        assert "missing, since it is broken: 2 ranges of 2 devices" in ran.out.replace("\n", " ")
        assert "csum" in ran.out
        assert max(map(len, ran.out.splitlines()[1:])) <= 80 or format_ == "markdown"


@pytest.mark.parametrize("format_", FORMATS)
def test_what_is_left_of_a_pool(
    command: Run, golden: Golden, damaged: Path, monkeypatch: pytest.MonkeyPatch, format_: str
) -> None:
    monkeypatch.chdir(damaged.parent)
    for name, more in (("overview", ["--tolerant"]), ("check", [])):
        ran = command(name, damaged.name, *more, "--format", format_)
        assert ran.code == 1
        golden(f"{name}-damaged.{SUFFIXES[format_]}", ran.out)


@pytest.mark.parametrize("source", [WALKTHROUGH, DOCKER, CHURN])
@pytest.mark.parametrize("name", GOING_ON)
def test_whole_pools_have_the_same_answer(command: Run, name: str, source: str) -> None:
    strict = command(*words(name, source, "--format", "json"))
    ran = command(*words(name, source, "--format", "json", "--tolerant"))
    report = json.loads(ran.out)
    contract(report)
    assert report.pop("gaps") == NOTHING
    assert (ran.code, report) == (strict.code, json.loads(strict.out))
    for format_ in ("text", "markdown"):
        strict = command(*words(name, source, "--format", format_))
        ran = command(*words(name, source, "--format", format_, "--tolerant"))
        assert ran.code == strict.code
        begin, _, rest = ran.out.rpartition("nothing is missing")
        assert begin.rstrip("\n _") == strict.out.rstrip("\n")
        assert rest.strip("\n _") == ": no block that is needed is broken"
    strict = command(*words(name, source, "--format", "csv"))
    assert command(*words(name, source, "--format", "csv", "--tolerant")) == strict


@pytest.mark.parametrize("pool", ["walkthrough-b", "churn-b", "docker-b"])
def test_no_mapping_is_invented(command: Run, testkit: str, tmp_path: Path, pool: str) -> None:
    hurt = patient(pool, testkit)
    for block in hurt.blocks(Role.MAPPING)[::5]:
        hurt.flip(block)
    path = written(hurt, tmp_path)
    ran = command("mappings", path, "--tolerant", "--format", "csv")
    assert ran.code == 1
    every = hurt.whole.live.mappings
    rows = [
        {k: int(v) for k, v in row.items() if v.isdigit()}
        for row in csv.DictReader(io.StringIO(ran.out))
    ]
    seen = 0
    for row in rows:
        of = every[row["device"]]
        for at in range(row["length"]):
            assert of[row["virtual_begin"] + at] == (row["data_begin"] + at, row["time"])
            seen += 1
    assert 0 < seen < sum(map(len, every.values()))


def overview(command: Run, path: Path) -> tuple[dict[str, Any], dict[str, dict[str, int]]]:
    ran = command(path, "--tolerant", "--format", "json")
    assert ran.code == 1
    report = json.loads(ran.out)
    contract(report)
    return report, {each["code"]: each["numbers"] for each in report["findings"]}


def test_what_lost_mappings_may_hold_is_not_called_leaked(command: Run, damaged: Path) -> None:
    """Nor is it told that a record is wrong of a device of which something is lost."""
    report, findings = overview(command, damaged)
    assert set(findings) == {"not-reached"}
    assert findings["not-reached"]["blocks"] == report["accounting"]["leaked_blocks"] > 0
    assert report["accounting"]["is_whole"] is False
    text = command(damaged, "--tolerant").out
    assert "leaked or in flight" not in text
    assert "not reached, or lost" in text


def test_a_wrong_record_of_a_device_that_is_whole_is_told(
    command: Run, testkit: str, tmp_path: Path
) -> None:
    hurt = patient("walkthrough-b", testkit)
    hurt.flip(64)
    root = hurt.whole.superblock.details_root
    hurt.put(root, hurt.value(root, 0), "Q", 5)
    report, findings = overview(command, written(hurt, tmp_path))
    assert set(findings) == {"not-reached", "mapped-count"}
    assert findings["mapped-count"]["device"] == 0
    assert {gap["device"] for gap in report["gaps"]["ranges"]} == {1}


def test_what_only_the_metadata_snapshot_has_lost(
    command: Run, testkit: str, tmp_path: Path
) -> None:
    """No mapping of a device is missing, but its blocks are not called leaked."""
    told = "create 1\nwrite 1 0..9\ncreate 2\nwrite 2 0..3\nhold\ndelete 2\n"
    hurt = Patient(pools.build(testkit, "history --data-blocks 100 --capacity 252", told))
    live = {edge.block for edge in hurt.edges if not edge.in_metadata_snapshot}
    [leaf] = [block for block in hurt.blocks(Role.MAPPING, leaf=True) if block not in live]
    hurt.flip(leaf)
    path = written(hurt, tmp_path)
    report, findings = overview(command, path)
    assert findings == {"not-reached": {"blocks": 3, "bytes": 3 << 16}}
    assert report["gaps"] == NOTHING | {"metadata_snapshot_is_damaged": True}
    assert command("devices", path, "--tolerant").code == 1
    assert command("devices", path, "--tolerant", "--metadata-snapshot").code == 1


SPACE_MAPS: list[Callable[[Patient], int]] = [
    lambda hurt: hurt.blocks(Role.DATA_BITMAP)[0],
    lambda hurt: hurt.whole.superblock.data_space_map.bitmap_root,
    lambda hurt: hurt.whole.superblock.data_space_map.ref_count_root,
]


@pytest.mark.parametrize("which", SPACE_MAPS, ids=["bitmap", "index", "overflow"])
def test_a_broken_space_map(
    command: Run, testkit: str, tmp_path: Path, which: Callable[[Patient], int]
) -> None:
    """What is leaked is not known then; who holds what is, and no mapping is missing."""
    hurt = patient("churn-b", testkit)
    hurt.flip(which(hurt))
    path = written(hurt, tmp_path)
    whole = json.loads(command(CHURN, "--format", "json").out)["accounting"]
    unknown = {"leaked", "missing_count", "used"}
    for name in ("overview", "sharing"):
        assert command(*words(name, path)).code == 2
        ran = command(*words(name, path, "--tolerant", "--format", "json"))
        report = json.loads(ran.out)
        contract(report)
        assert ran.code == (name == "overview")
        if name == "overview":
            assert [each["code"] for each in report["findings"]] == ["not-compared"]
        accounting = report["accounting"]
        nulls = {key.rpartition("_")[0] for key, value in accounting.items() if value is None}
        assert nulls == unknown
        known = {k: v for k, v in whole.items() if k.rpartition("_")[0] not in unknown}
        assert {k: v for k, v in accounting.items() if v is not None} == known
        assert report["gaps"] == NOTHING
    for name in ("devices", "mappings", "reclaim", "fragmentation"):
        assert command(*words(name, path, "--tolerant")).code == 0
    with thinscope.open(path, tolerant=True) as pool:
        assert pool.free_extents() is None
        with pytest.raises(errors.CorruptMetadata):
            list(pool.reference_counts("data"))


def owners(command: Run, path: Path, *more: str) -> dict[str, Any]:
    ran = command("owners", path, "0..", "--tolerant", "--format", "json", *more)
    report: dict[str, Any] = json.loads(ran.out)
    contract(report)
    gaps = report["gaps"]
    is_missing = gaps["ranges"] or gaps["losses"] or gaps["metadata_snapshot_is_damaged"]
    assert ran.code == bool(is_missing)
    return report


def unheld(report: dict[str, Any], state: str) -> set[int]:
    """The blocks that nobody holds, of one state."""
    rows = [row for row in report["unheld"] if row["state"] == state]
    return {row["begin"] + at for row in rows for at in range(row["length"])}


def test_who_holds_what_is_unknown_where_mappings_are_lost(
    command: Run, damaged: Path, testkit: str
) -> None:
    whole = patient("walkthrough-b", testkit)

    def held(leaves: set[int]) -> set[int]:
        return {value >> 24 for leaf in leaves for (value,) in whole.node(leaf).values}

    broken, leaves = {64, 94}, {*whole.blocks(Role.MAPPING, leaf=True)}
    lost = held(broken) - held(leaves - broken)
    report = owners(command, damaged)
    assert unheld(report, "unknown") == lost != set()
    assert unheld(report, "leaked") == set()
    free = {block for block, count in enumerate(whole.counts("data")) if not count}
    assert unheld(report, "free") == free
    total = report["total"]
    assert (total["unknown_blocks"], total["leaked_blocks"]) == (len(lost), None)
    assert (total["held_blocks"], total["free_blocks"]) == (
        len(held(leaves - broken)),
        len(free),
    )
    for format_ in ("text", "markdown"):
        told = command("owners", damaged, "0..", "--tolerant", "--format", format_).out
        assert "unknown: lost mappings may hold them" in told.replace("\n", " ")
        assert "leaked or in flight" not in told


def test_owners_where_the_metadata_snapshot_has_lost_something(
    command: Run, testkit: str, tmp_path: Path
) -> None:
    told = "create 1\nwrite 1 0..9\ncreate 2\nwrite 2 0..3\nhold\ndelete 2\n"
    hurt = Patient(pools.build(testkit, "history --data-blocks 100 --capacity 252", told))
    live = {edge.block for edge in hurt.edges if not edge.in_metadata_snapshot}
    [leaf] = [block for block in hurt.blocks(Role.MAPPING, leaf=True) if block not in live]
    hurt.flip(leaf)
    report = owners(command, written(hurt, tmp_path))
    lost = {value >> 24 for (value,) in hurt.node(leaf).values}
    assert unheld(report, "unknown") == lost
    assert report["total"]["leaked_blocks"] is None


def test_owners_where_the_list_of_the_metadata_snapshot_is_lost(
    command: Run, testkit: str, tmp_path: Path
) -> None:
    told = "create 1\nwrite 1 0..9\ncreate 2\nwrite 2 0..3\nhold\ndelete 2\n"
    hurt = Patient(pools.build(testkit, "history --data-blocks 100 --capacity 252", told))
    assert hurt.whole.snapshot
    hurt.flip(hurt.whole.snapshot.superblock.mapping_root)
    report = owners(command, written(hurt, tmp_path))
    assert len(unheld(report, "unknown")) == 3
    assert unheld(report, "leaked") == set()


@pytest.mark.parametrize("which", SPACE_MAPS, ids=["bitmap", "index", "overflow"])
def test_owners_where_the_space_map_is_broken(
    command: Run, testkit: str, tmp_path: Path, which: Callable[[Patient], int]
) -> None:
    hurt = patient("churn-b", testkit)
    hurt.flip(which(hurt))
    path = written(hurt, tmp_path)
    assert command("owners", path, "0..").code == 2
    report, whole = owners(command, path), owners(command, FIXTURES / CHURN)
    assert report["owners"] == whole["owners"]
    total = report["total"]
    assert (total["free_blocks"], total["leaked_blocks"]) == (None, None)
    known = unheld(report, "free")
    assert known <= unheld(whole, "free")
    assert unheld(report, "unknown") == unheld(whole, "free") - known != set()
    assert total["unknown_blocks"] == len(unheld(report, "unknown"))
    told = command("owners", path, "0..", "--tolerant").out
    assert "unknown: the counts of the data space map are not known" in told.replace("\n", " ")


@pytest.mark.parametrize("name", ["mappings", "fragmentation"])
def test_single_devices_have_their_own_gaps(command: Run, damaged: Path, name: str) -> None:
    for devices, blocks in (([0], []), ([1], [64]), ([2, 0], [94]), ([1, 2], [64, 94])):
        chosen = [word for device in devices for word in ("--device", str(device))]
        ran = command(name, damaged, *chosen, "--tolerant", "--format", "json")
        report = json.loads(ran.out)
        contract(report)
        assert [gap["block"] for gap in report["gaps"]["ranges"]] == blocks
        assert ran.code == bool(blocks)


def test_losses_of_lists_are_those_of_the_devices_asked_about(
    command: Run, testkit: str, tmp_path: Path
) -> None:
    """The leaf of the details tree that is lost has the records of some of 300 devices."""
    hurt = patient(MANY, testkit)
    root = hurt.whole.superblock.details_root
    leaf = hurt.node(root).values[-1][0]
    hurt.flip(leaf)
    path = written(hurt, tmp_path)
    last = hurt.node(leaf).keys[-1]
    for device, lost in ((0, 0), (last, 1)):
        ran = command("mappings", path, "--device", str(device), "--tolerant", "--format", "json")
        assert len(json.loads(ran.out)["gaps"]["losses"]) == lost
        assert ran.code == lost


def test_every_command_that_opens_a_pool_goes_on(command: Run) -> None:
    for name in COMMANDS:
        shown = command(name, "--help").out
        assert ("--tolerant" in shown) == (name in {*GOING_ON, *TESTED_ELSEWHERE})


def test_a_broken_superblock_is_not_gone_around(command: Run, testkit: str, tmp_path: Path) -> None:
    hurt = patient("walkthrough-b", testkit)
    hurt.flip(0, 100)
    ran = command("devices", written(hurt, tmp_path), "--tolerant")
    assert (ran.code, ran.out) == (2, "")
    assert "superblock" in ran.err


@pytest.mark.parametrize(
    "words_",
    [
        ["delta", "1", "2"],
        ["thin_delta", "--thin1", "1", "--thin2", "2"],
        ["thin_rmap", "--region", "0..10"],
        ["thin_dump"],
        ["thin_ls"],
    ],
)
def test_no_hint_names_an_option_that_is_not_there(
    command: Run, damaged: Path, words_: list[str]
) -> None:
    path = damaged.with_name("no-list.bin")
    data = bytearray(damaged.read_bytes())
    data[92 * 4096 : 93 * 4096] = bytes(4096)
    path.write_bytes(data)
    name, *more = words_
    more = [*more, str(path)] if name.startswith("thin_") else [str(path), *more]
    ran = command(name, *more)
    assert ran.code in (2, 64)
    assert "hint: `thinscope check` tells which devices it hits\n" in ran.err


def test_a_pool_of_which_no_device_can_be_read(command: Run, tmp_path: Path, testkit: str) -> None:
    hurt = patient("walkthrough-b", testkit)
    hurt.flip(92)
    path = written(hurt, tmp_path)
    ran = command("overview", path, "--tolerant")
    assert ran.code == 1
    assert "no device can be read" in ran.out
    assert "has no devices" not in ran.out
    assert (
        "has no devices" not in command("overview", path, "--tolerant", "--format", "markdown").out
    )
    assert "no device could be looked at; --tolerant" in command("check", path).out
