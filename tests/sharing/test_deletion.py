"""What deletion frees is what the reference counts come to when it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.sharing import pools
from tests.sharing.kernel import Deletion

if TYPE_CHECKING:
    from tests.sharing.pools import Case

SETS = 25
ORDERS = 2


@pytest.mark.parametrize("case", pools.COUNTABLE, indirect=True)
def test_counting_down_frees_what_nobody_else_reaches(case: Case) -> None:
    totals = case.core.totals()
    drawn = case.drawn("order")
    for devices in case.sets(SETS, "deletion"):
        predicted = case.core.reclaim([devices], [])
        for _ in range(ORDERS):
            drawn.shuffle(devices)
            told = f"{case.name}: {devices}"
            deletion = Deletion(case.second)
            for device in devices:
                deletion.delete(device)
            assert deletion.freed_blocks == predicted.freed_blocks, told
            assert deletion.freed_metadata_blocks == predicted.freed_metadata_blocks, told
            if case.second.superblock.held_root:
                deletion.release()
                kept = predicted.kept_by_metadata_snapshot_blocks
                alone = totals.only_metadata_snapshot_blocks
                assert deletion.freed_blocks == predicted.freed_blocks + kept + alone, told
                kept = predicted.kept_metadata_blocks
                alone = totals.only_metadata_snapshot_nodes
                freed = predicted.freed_metadata_blocks
                assert deletion.freed_metadata_blocks == freed + kept + alone, told
