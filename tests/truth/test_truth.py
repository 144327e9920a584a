"""Every figure that the kernel or a manager gave comes out the same, on every captured pool.

The manifest of the captures says what there is: a capture that is added has its tests.
"""

from __future__ import annotations

import pytest

from tests.truth.case import Case, Pair, pools
from tests.truth.kinds import Kind, compared, comparisons, left_aside, unlisted
from tests.truth.record import Record, differing, told
from thinscope.errors import NoMetadataSnapshot


@pytest.mark.parametrize(
    ("kind", "case"),
    comparisons(),
    ids=[f"{kind.name}-{case.name}" for kind, case in comparisons()],
)
def test_equals(kind: Kind, case: Case | Pair, record: Record) -> None:
    rows = compared(kind, case)
    record.add(case.capture["folder"], case.capture["kernel"], kind.name, rows)
    assert rows, "nothing was compared"
    wrong = differing(rows)
    assert not wrong, told(wrong)


@pytest.mark.parametrize("case", pools(), ids=[case.name for case in pools()])
def test_every_answer_is_compared(case: Case) -> None:
    """No file that the manifest names, and none that it does not name."""
    assert left_aside(case) == set()
    assert unlisted(case) == set()


@pytest.mark.parametrize("case", pools(), ids=[case.name for case in pools()])
def test_a_metadata_snapshot_is_there_or_not(case: Case) -> None:
    if case.pool().live_superblock.metadata_snapshot is None:
        with pytest.raises(NoMetadataSnapshot):
            case.pool(metadata_snapshot=True)
        return
    pool = case.pool(metadata_snapshot=True)
    assert pool.is_metadata_snapshot
    for space in (pool.data_space, pool.metadata_space):
        assert (space.used, space.free, space.kernel_used) == (None, None, None)
        assert (space.used_bytes, space.free_bytes) == (None, None)
        assert space.total_bytes == space.total * space.block_bytes
