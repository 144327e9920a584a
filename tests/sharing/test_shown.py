"""Sharing as tables and pictures show it: pairs of devices, groups of them, cells of the data device."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars

if TYPE_CHECKING:
    from tests.sharing.pools import Case

CELLS = [0, 1, 2, 7, 60, 1000]


def test_matrix(case: Case) -> None:
    expected = case.model.matrix()
    assert case.core.matrix() == expected
    table = case.core.sharing.matrix()
    assert polars.DataFrame(table).rows() == expected
    assert [(pair.device_a, pair.device_b, pair.blocks) for pair in table] == expected


def test_two_devices_have_what_the_matrix_says(case: Case) -> None:
    """Mapped together is what both map, less what they share."""
    shared = {(pair.device_a, pair.device_b): pair.blocks for pair in case.core.matrix()}
    mapped = {device.id: device.mapped_blocks for device in case.core.devices()}
    drawn = case.drawn("pairs")
    pairs = [sorted(drawn.sample(case.ids, 2)) for _ in range(50 if len(mapped) > 1 else 0)]
    for (one, other), usage in zip(pairs, case.core.usage(pairs), strict=True):
        together = mapped[one] + mapped[other] - shared.get((one, other), 0)
        assert usage.mapped_blocks == together, (one, other)


def test_groups(case: Case) -> None:
    expected = case.model.groups(1 << 40)
    for limit in [0, 1, 2, 7, 1 << 40]:
        assert case.core.groups(limit) == expected[:limit]
    several = case.core.totals().several_devices_blocks
    assert sum(group.blocks for group in expected) == several


def test_pictures(case: Case) -> None:
    totals = case.core.totals()
    total = case.pool.data_space.total
    for cells in [*CELLS, total // 3, min(10 * total, 20_000)]:
        found = case.core.picture(cells)
        assert found == case.model.picture(cells), cells
        if case.metadata_snapshot:
            assert found is None
            continue
        assert found is not None
        assert len(found) <= max(cells, 1)
        sums = [sum(column) for column in zip(*found, strict=True)]
        free, one, several, only_snapshot, leaked, missing = sums
        assert free + one + several + only_snapshot + leaked == total
        assert (one, several) == (totals.one_device_blocks, totals.several_devices_blocks)
        assert only_snapshot == totals.only_metadata_snapshot_blocks
        assert (leaked, missing) == (totals.leaked_blocks, totals.missing_count_blocks)
        assert total - free - missing == totals.used_blocks
