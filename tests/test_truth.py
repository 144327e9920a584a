"""Every block figure that the kernel gave comes out the same, on every captured pool."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import thinscope
from tests.conftest import FIXTURES
from tests.oracle import answers

if TYPE_CHECKING:
    from thinscope import Pool


def compare(pool: Pool, truth: answers.Truth) -> list[tuple[str, object, object]]:
    """Pair our figures with the kernel's: what, ours, the kernel's."""
    kernel = truth.pool
    sectors = pool.superblock.data_block_sectors
    rows: list[tuple[str, object, object]] = [
        ("transaction", pool.superblock.transaction_id, kernel.transaction_id),
        ("data total", pool.data_space.total, kernel.data_total),
        ("metadata total", pool.metadata_space.total, kernel.metadata_total),
        ("held root", pool.live_superblock.metadata_snapshot, kernel.held_root),
    ]
    if not pool.is_metadata_snapshot:
        rows += [
            ("data used", pool.data_space.used, kernel.data_used),
            ("metadata used", pool.metadata_space.kernel_used, kernel.metadata_used),
            ("needs_check", pool.superblock.needs_check, kernel.needs_check),
        ]
    counted = pool.recount().mapped_blocks
    for number, status in sorted(truth.devices.items()):
        device = pool.devices[number]
        highest = device.highest_block
        last = None if highest is None else (highest + 1) * sectors - 1
        rows += [
            (f"{number} mapped sectors", device.mapped_blocks * sectors, status.mapped_sectors),
            (f"{number} counted sectors", counted[number] * sectors, status.mapped_sectors),
            (f"{number} highest sector", last, status.highest_sector),
        ]
    return rows


@pytest.mark.parametrize("view", ["live", "metadata snapshot"])
def test_equals_the_kernel(
    capture: dict[str, Any], view: str, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = answers.truth(capture)
    path = FIXTURES / capture["metadata"]
    if view == "metadata snapshot":
        if truth.at_snapshot is None:
            with pytest.raises(thinscope.errors.ThinscopeError, match="no metadata snapshot"):
                thinscope.open(path, metadata_snapshot=True)
            return
        truth = truth.at_snapshot
    with thinscope.open(path, metadata_snapshot=view != "live") as pool:
        rows = compare(pool, truth)
        assert set(truth.devices) <= set(pool.devices)
    equal = sum(ours == theirs for _, ours, theirs in rows)
    with capsys.disabled():
        print(
            f"\n  {capture['name']:20} {view:18} {equal:4} of {len(rows):4} figures equal", end=""
        )
    assert [row for row in rows if row[1] != row[2]] == []


def test_a_metadata_snapshot_has_no_used_figures(churn: bytes) -> None:
    pool = thinscope.open(churn, metadata_snapshot=True)
    assert pool.is_metadata_snapshot
    for space in (pool.data_space, pool.metadata_space):
        assert (space.used, space.free, space.kernel_used) == (None, None, None)
        assert (space.used_bytes, space.free_bytes) == (None, None)
        assert space.total_bytes == space.total * space.block_bytes
