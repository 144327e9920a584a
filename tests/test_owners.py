"""Owners of data blocks are what the second reader's mappings come to when they are turned round."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

import polars
import pytest

import thinscope
from tests.sharing import pools
from thinscope import errors
from thinscope.report.owners import Owners

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.oracle.reader import Trees


VIEWS = [view for view in pools.VIEWS if view != "many-classes"]  # which takes long in Python


class Held(NamedTuple):
    """A data block that a device holds, in the order of rows."""

    data: int
    device: int
    only_metadata_snapshot: bool
    virtual: int
    time: int


@pytest.fixture(scope="session", params=VIEWS)
def case(request: pytest.FixtureRequest, testkit: str) -> pools.Case:
    """Every pool, and every pool as its metadata snapshot shows it."""
    return pools.case(request.param, testkit)


def reversed_map(case: pools.Case) -> set[Held]:
    """Who holds what, by brute force."""
    trees = case.second.snapshot if case.metadata_snapshot else case.second.live
    assert trees
    found = turned_round(trees, only_metadata_snapshot=False)
    if case.second.snapshot and not case.metadata_snapshot:
        held = turned_round(case.second.snapshot, only_metadata_snapshot=True)
        found |= {each for each in held if each._replace(only_metadata_snapshot=False) not in found}
    return found


def turned_round(trees: Trees, *, only_metadata_snapshot: bool) -> set[Held]:
    return {
        Held(mapping.data, device, only_metadata_snapshot, virtual, mapping.time)
        for device, mappings in trees.mappings.items()
        for virtual, mapping in mappings.items()
    }


def blocks(rows: Iterable[thinscope.Owner]) -> list[Held]:
    """Every block of every row."""
    return [
        Held(
            row.data_begin + at,
            row.device,
            row.only_metadata_snapshot,
            row.virtual_begin + at,
            row.time,
        )
        for row in rows
        for at in range(row.length)
    ]


def test_all_owners(case: pools.Case) -> None:
    rows = list(case.pool.owners())
    found = blocks(rows)
    assert len(found) == len(set(found)), "nothing is told twice"
    assert set(found) == reversed_map(case)
    firsts = [Held(*blocks([row])[0]) for row in rows]
    assert firsts == sorted(firsts)
    behind = {
        last._replace(data=last.data + 1, virtual=last.virtual + 1)
        for last in (blocks([row])[-1] for row in rows)
    }
    assert behind.isdisjoint(firsts), "rows are as long as they can be"


def in_lines(rows: Iterable[thinscope.Owner]) -> str:
    """The rows by where they begin and end on the data device, as thin_rmap has them."""
    ordered = sorted((row.data_begin, row.length, row.device, row.virtual_begin) for row in rows)
    return "".join(
        f"data {data}..{data + length} -> thin({device}) {virtual}..{virtual + length}\n"
        for data, length, device, virtual in ordered
    )


def test_lines(case: pools.Case) -> None:
    owners = case.pool.owners(times=False, metadata_snapshot=False)
    assert "".join(owners.lines()) == in_lines(owners)


def test_lines_go_on_from_batch_to_batch(testkit: str, tmp_path: Path) -> None:
    path = tmp_path / "pool.bin"
    shape = ["snapshots-shared", "--devices", "4", "--mappings", "15000", "--changed", "5"]
    subprocess.run([testkit, "build", *shape, "--run", "1", "-o", path], check=True)
    owners = thinscope.open(path).owners(times=False)
    texts = [*owners.lines()]
    assert len(texts) > 2, "a batch has 32 Ki rows"
    assert "".join(texts) == in_lines(owners)


def test_owners_of_some_blocks(case: pools.Case) -> None:
    expected, drawn = reversed_map(case), case.drawn("owners")
    total = case.second.superblock.data_space_map.nr_blocks
    for _ in range(6):
        begins = [drawn.randrange(min(total, 3000)) for _ in range(drawn.randint(1, 4))]
        ranges = [range(begin, begin + drawn.randint(0, 400)) for begin in begins]
        asked = [*ranges, drawn.randrange(3000)]
        wanted = {block for each in asked for block in ([each] if isinstance(each, int) else each)}
        found = blocks(case.pool.owners(*asked))
        assert len(found) == len(set(found))
        assert set(found) == {each for each in expected if each.data in wanted}


def test_what_nobody_holds(case: pools.Case) -> None:
    model = case.model
    total = model.total
    report = Owners.of(case.pool, "pool", blocks=[(0, min(total, 5000))] if total else [])
    rows = list(report.owners)
    held = {block for row in rows for block in range(row.data_begin, row.data_begin + row.length)}
    states = {
        block: row.state
        for row in report.unheld
        for block in range(row.begin, row.begin + row.length)
    }
    assert states.keys() == set(range(min(total, 5000))) - held
    for block, state in states.items():
        expected = "unknown" if model.counts is None else model.kinds[block]
        assert state == expected, block
    assert report.total.held_blocks == len(held)
    if model.counts is None:
        assert report.total.free_blocks is report.total.leaked_blocks is None
    else:
        everything = Owners.of(case.pool, "pool")
        assert sum(1 for _ in everything.owners) == everything.total.owners
        leaked = model.leaked()
        assert leaked is not None
        assert everything.total.leaked_blocks == len(leaked)
        assert everything.total.free_blocks == model.kinds.count("free")
        assert everything.unheld == ()


def test_without_times_and_without_the_metadata_snapshot(case: pools.Case) -> None:
    whole = {each._replace(time=0) for each in reversed_map(case)}
    rows = list(case.pool.owners(times=False, metadata_snapshot=False))
    found = blocks(rows)
    assert len(found) == len(set(found))
    assert set(found) == {each for each in whole if not each.only_metadata_snapshot}
    lasts = (blocks([row])[-1] for row in rows)
    behind = {last._replace(data=last.data + 1, virtual=last.virtual + 1) for last in lasts}
    assert behind.isdisjoint(blocks([row])[0] for row in rows), "time ends no row"


def test_what_only_the_metadata_snapshot_has(churn: bytes) -> None:
    rows = list(thinscope.open(churn).owners())
    kinds = {row.only_metadata_snapshot for row in rows}
    assert kinds == {False, True}
    through = list(thinscope.open(churn, metadata_snapshot=True).owners())
    assert not any(row.only_metadata_snapshot for row in through)


def test_as_columns(churn: bytes) -> None:
    table = thinscope.open(churn).owners(range(300, 400), 7)
    frame = polars.DataFrame(table)
    assert dict(frame.schema) == {
        "data_begin": polars.UInt64,
        "length": polars.UInt64,
        "device": polars.UInt32,
        "virtual_begin": polars.UInt64,
        "time": polars.UInt32,
        "only_metadata_snapshot": polars.Boolean,
    }
    assert dict(polars.Schema(table)) == dict(frame.schema)
    assert frame.rows() == [
        (
            row.data_begin,
            row.length,
            row.device,
            row.virtual_begin,
            row.time,
            row.only_metadata_snapshot,
        )
        for row in table
    ]
    assert repr(next(iter(table))).startswith("Owner(data_begin=7, length=1, device=")
    assert repr(table) == "<Owners of blocks of <bytes>>"


def test_blocks_that_are_none(walkthrough: bytes) -> None:
    pool = thinscope.open(walkthrough)
    assert list(pool.owners(range(0))) == []
    assert list(pool.owners(1 << 70)) == []
    assert list(pool.owners(range(65536, 1 << 80))) == []
    with pytest.raises(ValueError, match="a step of 1"):
        pool.owners(range(0, 10, 2))
    for negative in (-1, range(-5, 5)):
        with pytest.raises(ValueError, match="not negative"):
            pool.owners(negative)


def test_damage_is_told(walkthrough: bytes) -> None:
    broken = bytearray(walkthrough)
    broken[92 * 4096 + 100] ^= 1
    with pytest.raises(errors.CorruptMetadata, match="block 92 "):
        list(thinscope.open(bytes(broken)).owners(7))


EXPLOSION = """
import resource, sys
import thinscope
pool = thinscope.open(sys.argv[1], threads=1)
rows = iter(pool.owners())
next(rows)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
seen = sum(1 for _, row in zip(range(3_000_000), rows))
assert seen == 3_000_000
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_what_many_share_is_multiplied_only_on_the_way_out(testkit: str, tmp_path: Path) -> None:
    """4,000 devices that share all of 20,000 scattered mappings: 80 million rows."""
    path = tmp_path / "pool.bin"
    shape = ["snapshots-shared", "--devices", "4000", "--mappings", "20000", "--changed", "0"]
    subprocess.run([testkit, "build", *shape, "--run", "1", "-o", path], check=True)
    ran = subprocess.run(
        [sys.executable, "-c", EXPLOSION, path], check=True, capture_output=True, text=True
    )
    assert int(ran.stdout) < 40 << 10, "KiB more than at the first row"
