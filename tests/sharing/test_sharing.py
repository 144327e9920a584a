"""Everything that is said about sharing is what sets in Python come to, on every pool and every view of one."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

import thinscope
from tests.sharing.model import fair_share
from tests.sharing.pools import GENERATED
from thinscope import sharing as sharing_of_package

if TYPE_CHECKING:
    from tests.sharing.pools import Case

SETS = 200
UNKNOWN = 424242


def test_devices(case: Case) -> None:
    assert case.core.devices() == case.model.devices()


def test_devices_are_as_recounted(case: Case) -> None:
    """But for what a device maps twice: there, sharing counts blocks, and the recount mappings."""
    recount = case.pool.recount(exclusive=True)
    for device in case.core.devices():
        mappings = recount.mapped_blocks[device.id]
        if device.mapped_blocks == mappings:
            assert device.exclusive_blocks == recount.exclusive_blocks[device.id]
        else:
            assert device.mapped_blocks < mappings
            assert "tangle" in GENERATED[case.pool_name]
    assert case.core.totals().reached_blocks == recount.reached_blocks
    assert case.core.totals().nodes == recount.nodes


def test_totals_add_up(case: Case) -> None:
    totals = case.core.totals()
    assert totals == case.model.totals()
    space = case.pool.data_space
    assert totals.used_blocks == space.used
    if case.metadata_snapshot:
        assert totals.leaked_blocks is totals.missing_count_blocks is totals.used_blocks is None
        return
    assert totals.leaked_blocks is not None
    assert totals.missing_count_blocks is not None
    reached = totals.one_device_blocks + totals.several_devices_blocks
    reached += totals.only_metadata_snapshot_blocks
    assert reached + totals.leaked_blocks - totals.missing_count_blocks == totals.used_blocks


def test_leaked_and_missing(case: Case) -> None:
    assert case.core.leaked() == case.model.leaked()
    assert case.core.missing() == case.model.missing()


def test_fair_shares_come_to_what_is_reached(case: Case) -> None:
    reached = case.core.totals().reached_blocks
    devices = case.core.devices()
    assert sum((fair_share(device.shared_by) for device in devices), Fraction()) == reached
    (every,) = case.core.usage([case.ids])
    assert fair_share(every.shared_by) == reached == every.mapped_blocks == every.exclusive_blocks
    for devices_of_set in case.sets(20, "fair share"):
        rest = [device for device in case.ids if device not in devices_of_set]
        parts = case.core.usage([devices_of_set, rest])
        assert sum(fair_share(part.shared_by) for part in parts) == reached, devices_of_set


def test_usage(case: Case) -> None:
    sets = [[], case.ids, case.ids * 2, *([device] for device in case.ids)]
    sets += list(case.sets(SETS // 2, "usage"))
    answers = zip(sets, case.core.usage(sets), case.model.usage(sets), strict=True)
    for devices, found, expected in answers:
        assert found == expected, f"{case.name}: {devices}"


def test_reclaim(case: Case) -> None:
    for groups, also in case.groups(SETS, "reclaim"):
        found = case.core.reclaim(groups, also)
        told = f"{case.name}: {groups}, {also}"
        assert found == case.model.reclaim(groups, also), told
        kept = found.kept_by_metadata_snapshot_blocks + found.still_held_blocks
        assert found.freed_blocks + kept == found.mapped_blocks, told


def test_reclaim_nothing_and_everything(case: Case) -> None:
    for groups, also in [
        ([], []),
        ([[]], []),
        ([case.ids], []),
        ([], case.ids),
        ([case.ids, case.ids[:1]], case.ids),
    ]:
        assert case.core.reclaim(groups, also) == case.model.reclaim(groups, also)


def test_unknown_devices(case: Case) -> None:
    sharing = case.core.sharing
    for groups in [[[UNKNOWN]], [case.ids, [*case.ids, UNKNOWN]]]:
        with pytest.raises(thinscope.errors.UnknownDevice, match=str(UNKNOWN)):
            sharing.usage(groups)
        with pytest.raises(thinscope.errors.UnknownDevice, match=str(UNKNOWN)):
            sharing.reclaim(groups, [])
    with pytest.raises(thinscope.errors.UnknownDevice, match=str(UNKNOWN)):
        sharing.reclaim([case.ids], [UNKNOWN])


def test_the_package_says_what_the_core_does(case: Case) -> None:
    """Exact fair shares, however many devices there are, and what deletion gives back at once."""
    sharing = case.pool.sharing()
    assert list(sharing.devices) == case.ids
    for device in case.model.devices():
        usage = sharing.devices[device.id]
        (expected,) = case.model.usage([[device.id]])
        assert usage == sharing_of_package.Usage.of(expected)
        assert usage.fair_share == fair_share(device.shared_by)
        assert sharing.mappings[device.id] == device.mappings


def test_fair_shares_of_many_devices() -> None:
    for devices in [1, 511, 512, 513, 100_003]:
        shares = ((1, 5), (devices, 7)) if devices > 1 else ((1, 5),)
        usage = sharing_of_package.Usage(12, 5, 7, 5, shares)
        assert usage.fair_share == fair_share(list(shares))
    assert sharing_of_package.Usage(0, 0, 0, 0, ()).fair_share == 0
