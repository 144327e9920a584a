"""One broken block at a time: what is recovered is all but what hung below it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import thinscope
from tests.check.patient import MANY, TALL, patient
from tests.check.recovery import agree, found, gaps, left, ranges, trees_of
from tests.check.telling import hits
from tests.check.test_recipes import Failing
from tests.oracle.reader import BLOCK, Role

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("pool", "step"),
    [
        ("walkthrough-b", 1),
        ("churn-b", 1),
        ("lvm-b", 1),
        ("docker-b", 5),
        ("full-b/full", 7),
        (TALL, 9),
    ],
    ids=lambda value: "tall" if value == TALL else None,
)
def test_leaves(pool: str, step: int, testkit: str) -> None:
    """A flipped byte in each leaf of mappings in turn; of larger pools, in some."""
    hurt = patient(pool, testkit)
    for leaf in hurt.blocks(Role.MAPPING, leaf=True)[::step]:
        whole = bytes(hurt.data)
        hurt.flip(leaf, at=100 + leaf % 3000)
        agree(hurt, leaf)
        [finding] = thinscope.check(bytes(hurt.data)).findings
        told = tuple(
            (hit.device, hit.in_metadata_snapshot, hit.begin, hit.end, hit.mapped_blocks)
            for hit in finding.affected
        )
        assert (finding.code, finding.block, told) == ("node", leaf, hits(hurt, leaf))
        hurt.data[:] = whole


@pytest.mark.parametrize("pool", ["churn-b", TALL], ids=["churn", "tall"])
def test_internal_nodes_and_roots(pool: str, testkit: str) -> None:
    """Everything below goes with them, of all devices that have them, and nothing else."""
    hurt = patient(pool, testkit)
    internal = hurt.blocks(Role.MAPPING, leaf=False)
    assert len(internal) > 30
    heights = set()
    for node in internal:
        whole = bytes(hurt.data)
        hurt.flip(node)
        agree(hurt, node)
        [finding] = thinscope.check(bytes(hurt.data)).findings
        assert (finding.code, finding.block) == ("node", node)
        assert tuple(tuple(hit)[2:3] for hit in hits(hurt, node)) == tuple(
            (hit.begin,) for hit in finding.affected
        )
        heights.add(len(finding.path))
        hurt.data[:] = whole
    assert len(heights) >= (3 if pool == TALL else 1)


@pytest.mark.parametrize("role", [Role.TOP_LEVEL, Role.DETAILS])
@pytest.mark.parametrize("pool", ["walkthrough-b", MANY, TALL], ids=["walkthrough", "many", "tall"])
def test_leaves_of_the_trees_that_list_the_devices(pool: str, role: Role, testkit: str) -> None:
    """Without the one, devices are missing as a whole; without the other, they are counted."""
    hurt = patient(pool, testkit)
    live = hurt.whole.live
    leaves = trees_of(hurt, role)
    assert len(leaves) > (pool != "walkthrough-b")
    for leaf in leaves:
        whole = bytes(hurt.data)
        hurt.flip(leaf)
        listed = set(hurt.node(leaf).keys)
        with thinscope.open(bytes(hurt.data), tolerant=True) as opened:
            mappings = found(opened)
            if role is Role.TOP_LEVEL:
                assert mappings == {d: of for d, of in live.mappings.items() if d not in listed}
                assert gaps(opened) == [(device, 0, None) for device in sorted(listed)]
                assert {gap.block for gap in opened.gaps.gaps} == {leaf}
            else:
                assert mappings == live.mappings
                assert gaps(opened) == []
                for device in opened.devices.values():
                    latest = max((m.time for m in live.mappings[device.id].values()), default=0)
                    expected = (
                        (len(live.mappings[device.id]), 0, latest, latest)
                        if device.id in listed
                        else tuple(live.details[device.id])
                    )
                    assert device.is_recorded == (device.id not in listed)
                    assert expected == (
                        device.mapped_blocks,
                        device.transaction_id,
                        device.creation_time,
                        device.snapshot_time,
                    )
            [loss] = opened.gaps.losses
            assert (loss.tree, loss.block) == (
                "top-level tree" if role is Role.TOP_LEVEL else "details tree",
                leaf,
            )
            assert loss.first_device <= min(listed)
            assert loss.last_device >= max(listed)
            others = live.roots.keys() - listed
            assert not any(loss.first_device <= other <= loss.last_device for other in others)
        hurt.data[:] = whole


def test_both_trees_that_list_the_devices(testkit: str) -> None:
    """Nothing is known of any device then: no gap can be named, but that all may be lost is told."""
    hurt = patient("walkthrough-b", testkit)
    superblock = hurt.whole.superblock
    hurt.flip(superblock.mapping_root)
    hurt.flip(superblock.details_root)
    with thinscope.open(bytes(hurt.data), tolerant=True) as pool:
        assert (dict(pool.devices), found(pool), gaps(pool)) == ({}, {}, [])
        assert [loss.tree for loss in pool.gaps.losses] == ["top-level tree", "details tree"]
        assert pool.gaps
    check = thinscope.check(bytes(hurt.data))
    assert not check.lists_all
    assert check.devices == ()


def test_several_broken_nodes(testkit: str) -> None:
    hurt = patient(TALL, testkit)
    broken = [
        *hurt.blocks(Role.MAPPING, leaf=True)[::3],
        *hurt.blocks(Role.MAPPING, leaf=False)[::7],
    ]
    for block in broken:
        hurt.flip(block)
    lost = [hit for block in broken for hit in hurt.hits(block)]
    with thinscope.open(bytes(hurt.data), tolerant=True) as pool:
        assert found(pool) == left(hurt, lost)
        covered = {
            (device, block)
            for device, begin, end in gaps(pool)
            for block in hurt.whole.live.mappings[device]
            if begin <= block and (end is None or block < end)
        }
        kept = {(device, block) for device, of in found(pool).items() for block in of}
        assert not covered & kept
        every = {(d, block) for d, of in hurt.whole.live.mappings.items() for block in of}
        assert covered | kept == every


@pytest.mark.parametrize(
    ("pool", "step"), [("walkthrough-b", 1), ("churn-b", 37), (TALL, 41)], ids=str
)
def test_truncated_copies(pool: str, step: int, testkit: str, tmp_path: Path) -> None:
    """Never an invented mapping: what is behind the end is missing, and told."""
    hurt = patient(pool, testkit)
    every = hurt.whole.live.mappings
    path = tmp_path / "cut.bin"
    sizes = set()
    for blocks in range(1, max(hurt.roles) + 2, step):
        path.write_bytes(hurt.data[: blocks * BLOCK + 17])
        with thinscope.open(path, tolerant=True) as opened:
            mappings = found(opened)
            assert all(mappings[d].items() <= every[d].items() for d in mappings)
            missing = mappings != every
            assert not missing or opened.gaps
            broken = {gap.block for gap in opened.gaps.gaps} | {
                loss.block for loss in opened.gaps.losses
            }
            assert all(block is not None and block >= blocks for block in broken)
            sizes.add(sum(map(len, mappings.values())))
        assert "superblock" in {finding.code for finding in thinscope.check(path).findings}
    assert len(sizes) >= 2


def test_blocks_that_cannot_be_read(churn: bytes, testkit: str) -> None:
    """A disk that fails within large reads: only the bad blocks are missing."""
    hurt = patient("churn-b", testkit)
    leaves = hurt.blocks(Role.MAPPING, leaf=True)
    bad = set(leaves[5:40:7])
    lost = [hit for block in bad for hit in hurt.hits(block)]
    with thinscope.open(Failing(churn, bad), tolerant=True) as pool:
        assert found(pool) == left(hurt, lost)
        assert gaps(pool) == ranges(lost)
        assert {gap.block for gap in pool.gaps.gaps} <= bad
    told = thinscope.check(Failing(churn, bad)).findings
    assert {(finding.code, finding.block) for finding in told} == {("unreadable", b) for b in bad}


def test_a_pool_that_is_whole_answers_the_same(capture: dict[str, object]) -> None:
    from tests.oracle import answers  # noqa: PLC0415

    data = answers.image(capture)
    with thinscope.open(data, tolerant=True) as pool, thinscope.open(data) as strict:
        assert not pool.gaps
        assert pool.sharing().is_whole
        assert list(map(repr, pool.devices.values())) == list(map(repr, strict.devices.values()))
        assert list(map(repr, pool.mappings())) == list(map(repr, strict.mappings()))
        assert pool.recount() == strict.recount()
        assert pool.sharing().totals == strict.sharing().totals
        assert not strict.gaps
