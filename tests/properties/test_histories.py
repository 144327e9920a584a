"""What a history tells is what is read of the pool that was built of it, whatever the question."""

from __future__ import annotations

import random
from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import thinscope
from tests.check.recovery import found
from tests.conftest import examples
from tests.oracle.reader import Image
from tests.properties.histories import Devices, Told, data_of, histories
from tests.sharing.core import Core
from tests.test_delta import expected
from tests.test_delta import told as blocks_of_pieces
from tests.test_owners import Held, blocks
from thinscope import errors

FEW = examples(40)


def views(told: Told, data: bytes) -> list[tuple[thinscope.Pool, Devices]]:
    """The live pool, and what its metadata snapshot shows."""
    shown = [(thinscope.open(data, threads=1), told.live)]
    if told.held is not None:
        shown.append((thinscope.open(data, threads=1, metadata_snapshot=True), told.held))
    return shown


@FEW
@given(told=histories(miscounts=True))
def test_mappings(testkit: str, told: Told) -> None:
    data = told.build(testkit)
    for pool, devices in views(told, data):
        assert found(pool) == devices
        mapped = {device: len(mappings) for device, mappings in devices.items()}
        assert {each.id: each.mapped_blocks for each in pool.devices.values()} == mapped
        assert pool.recount().mapped_blocks == mapped
        assert pool.highest_blocks() == {d: max(of, default=None) for d, of in devices.items()}
    second = Image(data)
    assert second.live.mappings == told.live
    assert (second.snapshot and second.snapshot.mappings) == told.held
    if told.held is None:
        with pytest.raises(errors.NoMetadataSnapshot):
            thinscope.open(data, metadata_snapshot=True)


@FEW
@given(told=histories(miscounts=True))
def test_what_is_counted(testkit: str, told: Told) -> None:
    data = told.build(testkit)
    pool = thinscope.open(data, threads=1)
    used = told.reached - told.missing | told.leaked
    assert pool.data_space.used == len(used)
    free = pool.free_extents(largest=pool.data_space.total)
    assert _blocks(free.largest) == set(range(pool.data_space.total)) - used
    ends = {begin + length for begin, length in free.largest}
    assert ends.isdisjoint(begin for begin, _ in free.largest)
    sharing = pool.sharing()
    assert _blocks(sharing._core.leaked()) == told.leaked
    assert _blocks(sharing._core.missing()) == told.missing
    codes = Counter(finding.code for finding in thinscope.check(data).findings)
    assert bool(codes) == bool(told.leaked or told.missing), codes


def _blocks(runs: list[tuple[int, int]]) -> set[int]:
    return {block for begin, length in runs for block in range(begin, begin + length)}


@FEW
@given(told=histories(), drawn=st.randoms(use_true_random=False))
def test_sharing(testkit: str, told: Told, drawn: random.Random) -> None:
    for pool, devices in views(told, told.build(testkit)):
        core = Core(pool._core.sharing())
        data = {device: data_of({device: of}) for device, of in devices.items()}
        shares = Counter(block for of in data.values() for block in of)
        held = data_of(told.held or {}) if devices is told.live else set()
        for each in core.devices():
            own = data[each.id]
            assert each.mapped_blocks == len(own)
            assert each.exclusive_blocks == sum(shares[block] == 1 for block in own)
            assert each.shared_by == sorted(Counter(shares[block] for block in own).items())
        assert {(a, b): blocks for a, b, blocks in core.matrix()} == {
            (a, b): len(data[a] & data[b])
            for a, b in combinations(sorted(data), 2)
            if data[a] & data[b]
        }
        for _ in range(4):
            groups = [_some(devices, drawn) for _ in range(drawn.randint(0, 3))]
            also = _some(devices, drawn)
            gone = {device for group in [*groups, also] for device in group}
            answer = core.reclaim(groups, also)
            mapped, kept = _union(data, gone), _union(data, data.keys() - gone)
            assert answer.mapped_blocks == len(mapped)
            assert answer.freed_blocks == len(mapped - kept - held)
            assert answer.kept_by_metadata_snapshot_blocks == len((mapped - kept) & held)
            assert answer.still_held_blocks == len(mapped & kept)
            assert dict(answer.holders) == {
                device: len(data[device] & mapped)
                for device in data.keys() - gone
                if data[device] & mapped
            }
            assert answer.alone_blocks == [
                len(_union(data, group) - _union(data, data.keys() - set(group)) - held)
                for group in groups
            ]


def _some(devices: Devices, drawn: random.Random) -> list[int]:
    return drawn.sample(sorted(devices), drawn.randint(0, len(devices)))


def _union(data: dict[int, set[int]], devices: object) -> set[int]:
    return set().union(*(data[device] for device in devices))


@FEW
@given(
    told=histories(), asked=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 90)), max_size=3)
)
def test_owners(testkit: str, told: Told, asked: list[tuple[int, int]]) -> None:
    for pool, devices in views(told, told.build(testkit)):
        every = _turned_round(devices, only_metadata_snapshot=False)
        if devices is told.live and told.held:
            plain = {each[:2] + each[3:] for each in every}
            every |= {
                each
                for each in _turned_round(told.held, only_metadata_snapshot=True)
                if each[:2] + each[3:] not in plain
            }
        wanted = {block for begin, length in asked for block in range(begin, begin + length)}
        for answer, rows in (
            (pool.owners(), every),
            (
                pool.owners(*(range(begin, begin + length) for begin, length in asked), 10**6),
                {each for each in every if each.data in wanted},
            ),
        ):
            told_blocks = blocks(answer)
            assert len(told_blocks) == len(set(told_blocks))
            assert set(told_blocks) == rows


def _turned_round(devices: Devices, *, only_metadata_snapshot: bool) -> set[Held]:
    return {
        Held(mapping.data, device, only_metadata_snapshot, block, mapping.time)
        for device, mappings in devices.items()
        for block, mapping in mappings.items()
    }


@FEW
@given(told=histories(most=18), other=histories(most=9))
def test_delta(testkit: str, told: Told, other: Told) -> None:
    shown = views(told, told.build(testkit))
    for pool, devices in shown:
        for left, right in list(combinations(sorted(devices), 2))[:6]:
            for same in (False, True):
                pieces = list(pool.devices[left].delta(pool.devices[right], same=same))
                assert blocks_of_pieces(pieces) == expected(
                    devices[left], devices[right], same=same
                ), (left, right)
    # Between states, and between pools, blocks of the same number are not known to be the same node.
    (pool, devices), *_ = shown
    for another, others in [*shown[1:], *views(other, other.build(testkit))]:
        for left in sorted(devices)[:2]:
            for right in sorted(others)[:2]:
                table = pool.devices[left].delta(another.devices[right], same=True)
                wanted = expected(
                    devices[left], others[right], same=True, times=not table.is_same_metadata
                )
                assert blocks_of_pieces(list(table)) == wanted
