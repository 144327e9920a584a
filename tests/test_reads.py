"""What each question reads: no more than it needs, and each block of the trees once."""

from __future__ import annotations

import io
from collections import Counter

import pytest

import thinscope
from tests.oracle.reader import BLOCK, Image, Role


class Counting(io.BytesIO):
    """Counts how often each block is read."""

    def __init__(self, image: bytes) -> None:
        super().__init__(image)
        self.counts: Counter[int] = Counter()

    def read(self, size: int | None = -1) -> bytes:
        first = self.tell() // BLOCK
        data = super().read(size)
        self.counts.update(range(first, first + -(-len(data) // BLOCK)))
        return data

    def asked(self) -> Counter[int]:
        """The counts since the last time, without the superblock, which ends every question."""
        counts, self.counts = self.counts, Counter()
        assert counts.pop(0, 0) > 0
        return counts


@pytest.fixture
def source(churn: bytes) -> Counting:
    return Counting(churn)


def test_opening_reads_the_superblock_only(source: Counting) -> None:
    thinscope.open(source)
    assert not source.asked()


def test_a_look_up_reads_the_way_to_it(source: Counting) -> None:
    pool = thinscope.open(source)
    devices = pool.devices
    source.asked()
    devices[16].lookup(100)
    assert set(source.asked().values()) == {1}
    _ = devices[16].highest_block
    assert sum(source.asked().values()) <= 3


def test_a_recount_reads_each_node_once(source: Counting, churn: bytes) -> None:
    """Twice only what lies in a gap of another joined read, or ends a root's first branch."""
    pool = thinscope.open(source)
    _ = pool.devices
    source.asked()
    recount = pool.recount()
    counts = source.asked()
    image = Image(churn)
    roots = set(image.live.roots.values())
    live = [block for block, role in image.read_all().items() if role is Role.MAPPING]
    live = [block for block in live if counts[block]]
    assert recount.nodes <= len(live)
    assert max(counts[block] for block in live) <= 2
    assert sum(counts[block] for block in live) <= len(live) + 2 * len(roots)
    # The graph is kept: asked again, only leaves are read, each once.
    assert pool.recount() == recount
    assert max(source.asked().values()) == 1
    assert pool.fragmentation().nodes == recount.nodes
    assert max(source.asked().values()) == 1


def test_one_devices_mappings_read_one_tree(source: Counting, churn: bytes) -> None:
    pool = thinscope.open(source)
    device = pool.devices[16]
    source.asked()
    list(device.mappings())
    image = Image(churn)
    root = image.live.roots[16]
    own = {root, *(child for (child,) in image.node(root, Role.MAPPING).values)}
    counts = source.asked()
    wanted = [block for block in counts if block in own]
    assert set(wanted) == own
    # Neighbours may be read along with joined reads, but not whole other trees.
    others = {other for number, other in image.live.roots.items() if number != 16}
    assert len(set(counts) & others) < len(others) / 2


def test_shared_leaves_in_a_window_are_read_once(source: Counting) -> None:
    """All devices' mappings fit one window here, so no leaf is read more than once for them."""
    pool = thinscope.open(source)
    pool.recount()
    source.asked()
    list(pool.mappings())
    assert max(source.asked().values()) == 1
