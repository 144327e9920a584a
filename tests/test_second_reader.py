"""The brute-force reader in Python agrees on every live block of every capture."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

import thinscope
from tests.oracle.reader import Image, Role

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.oracle.reader import Trees


@pytest.fixture(scope="module")
def second(image: bytes) -> Image:
    return Image(image)


def expand(runs: Iterable[thinscope.Run]) -> dict[int, dict[int, tuple[int, int]]]:
    mappings: dict[int, dict[int, tuple[int, int]]] = {}
    for run in runs:
        device = mappings.setdefault(run.device, {})
        for at in range(run.length):
            assert run.virtual_begin + at not in device
            device[run.virtual_begin + at] = (run.data_begin + at, run.time)
    return mappings


def agree(pool: thinscope.Pool, trees: Trees) -> None:
    assert set(pool.devices) == set(trees.details)
    expected = {device: dict(found) for device, found in trees.mappings.items() if found}
    assert expand(pool.mappings()) == expected
    recount = pool.recount(exclusive=True)
    assert recount.mapped_blocks == {d: len(m) for d, m in trees.mappings.items()}
    times_mapped = Counter(data for found in expected.values() for data, _ in found.values())
    assert recount.exclusive_blocks == {
        device: sum(times_mapped[data] == 1 for data, _ in expected.get(device, {}).values())
        for device in trees.details
    }
    for device in pool.devices.values():
        details = trees.details[device.id]
        ours = (device.mapped_blocks, device.transaction_id)
        assert (*ours, device.creation_time, device.snapshot_time) == tuple(details)
        assert expand(device.mappings()) == (
            {device.id: expected[device.id]} if device.id in expected else {}
        )
        assert device.highest_block == max(expected.get(device.id, {}), default=None)


def test_live_trees(image: bytes, second: Image) -> None:
    agree(thinscope.open(image), second.live)


def test_metadata_snapshot(churn: bytes) -> None:
    second = Image(churn)
    assert second.snapshot is not None
    agree(thinscope.open(churn, metadata_snapshot=True), second.snapshot)


def test_superblock(image: bytes, second: Image) -> None:
    ours, theirs = thinscope.open(image).superblock, second.superblock
    assert ours.time == theirs.time
    assert ours.transaction_id == theirs.transaction_id
    assert ours.mapping_root == theirs.mapping_root
    assert ours.details_root == theirs.details_root
    assert ours.data_block_sectors == theirs.data_block_size
    assert ours.version == theirs.version


@pytest.mark.parametrize("space", ["data", "metadata"])
def test_reference_counts(image: bytes, second: Image, space: Any) -> None:
    counts = second.data_space if space == "data" else second.metadata_space
    position, previous = 0, None
    for run in thinscope.open(image).reference_counts(space):
        assert run.begin == position
        assert run.count != previous
        assert set(counts.counts[position : position + run.length]) == {run.count}
        position, previous = position + run.length, run.count
    assert position == len(counts.counts)


def test_recounts(image: bytes, second: Image) -> None:
    """Distinct nodes and data blocks equal what the second reader walked."""
    recount = thinscope.open(image).recount()
    reached = {data for found in second.live.mappings.values() for data, _ in found.values()}
    assert recount.reached_blocks == len(reached)
    if second.snapshot is None:
        roles = Counter(second.read_all().values())
        assert recount.nodes == roles[Role.MAPPING]


def test_every_lookup(churn: bytes) -> None:
    pool = thinscope.open(churn)
    device = pool.devices[16]
    expected = expand(device.mappings())[16]
    highest = max(expected)
    for block in [*range(0, highest + 2, 7), *expected, 1 << 40, (1 << 64) - 1]:
        run = device.lookup(block)
        if block in expected:
            assert run is not None
            assert (run.virtual_begin, run.length) == (block, 1)
            assert (run.data_begin, run.time) == expected[block]
        else:
            assert run is None


def test_ranges_are_clipped(churn: bytes) -> None:
    device = thinscope.open(churn).devices[16]
    expected = expand(device.mappings())[16]
    keys = sorted(expected)
    for begin, end in [(0, 1), (keys[3], keys[90] + 1), (keys[-1], None), (keys[-1] + 1, None)]:
        wanted = {
            key: value
            for key, value in expected.items()
            if key >= begin and (end is None or key < end)
        }
        assert expand(device.mappings(begin, end)).get(16, {}) == wanted
    for begin, end in [(5, 5), (9, 5), (0, 0)]:
        assert list(device.mappings(begin, end)) == []
