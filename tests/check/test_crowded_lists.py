"""Lists of devices that are made to hurt: many edges to one block, many devices that lose their trees."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

import thinscope
from tests.check.patient import OFFSETS
from tests.oracle.reader import BLOCK, NODE_SALT, SUPERBLOCK_SALT, checksum

if TYPE_CHECKING:
    from collections.abc import Sequence

INTERNAL, LEAF = 1, 2
BLOCKS = 700
ROOT, BROKEN = 256, BLOCKS - 1
"""Blocks behind all that walkthrough has."""


class Pool:
    """A captured pool with more metadata, and nodes put there."""

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(BLOCKS * BLOCK)
        kept = ROOT * BLOCK
        self.data[:kept] = data[:kept]

    def node(self, block: int, flags: int, keys: Sequence[int], values: Sequence[int]) -> None:
        page = bytearray(BLOCK)
        struct.pack_into("<IIQIIII", page, 0, 0, flags, block, len(keys), 252, 8, 0)
        struct.pack_into(f"<{len(keys)}Q", page, 32, *keys)
        struct.pack_into(f"<{len(values)}Q", page, 32 + 8 * 252, *values)
        self.put(block, page)

    def records(self, block: int, first: int) -> None:
        """Records of 126 devices that map ten blocks each."""
        page = bytearray(BLOCK)
        struct.pack_into("<IIQIIII", page, 0, 0, LEAF, block, 126, 126, 24, 0)
        struct.pack_into("<126Q", page, 32, *range(first, first + 126))
        for at in range(126):
            struct.pack_into("<QQII", page, 32 + 8 * 126 + 24 * at, 10, 0, 0, 0)
        self.put(block, page)

    def put(self, block: int, page: bytearray) -> None:
        struct.pack_into("<I", page, 0, checksum(bytes(page), NODE_SALT))
        self.data[block * BLOCK : (block + 1) * BLOCK] = page

    def check(self, **fields: int) -> thinscope.Check:
        for field, value in {"metadata_blocks": BLOCKS, "held_root": 0, **fields}.items():
            struct.pack_into("<Q", self.data, OFFSETS[field], value)
        struct.pack_into("<I", self.data, 0, checksum(bytes(self.data[:BLOCK]), SUPERBLOCK_SALT))
        return thinscope.check(bytes(self.data))


@pytest.mark.parametrize("tree", ["data_mapping_root", "device_details_root"])
@pytest.mark.parametrize("child", [BROKEN, ROOT])
def test_many_edges_to_one_block_are_one_loss(walkthrough: bytes, tree: str, child: int) -> None:
    """A broken block, or one of the same tree: whatever leads to it is told, and kept, once."""
    pool = Pool(walkthrough)
    nodes = range(ROOT + 1, ROOT + 253)
    pool.node(ROOT, INTERNAL, [1000 * at for at in range(252)], nodes)
    for at, block in enumerate(nodes):
        pool.node(block, INTERNAL, range(1000 * at, 1000 * at + 252), [child] * 252)
    found = [finding for finding in pool.check(**{tree: ROOT}).findings if finding.code == "node"]
    assert [finding.block for finding in found] == [child]


def test_an_edge_that_does_not_admit_a_node_is_not_the_last(walkthrough: bytes) -> None:
    """Two edges to one leaf: the first does not admit its keys, the second does."""
    pool = Pool(walkthrough)
    pool.node(ROOT, INTERNAL, [0, 126], [ROOT + 1] * 2)
    pool.records(ROOT + 1, 126)
    check = pool.check(device_details_root=ROOT)
    [told] = [finding for finding in check.findings if finding.code == "node"]
    assert (told.block, told.field) == (ROOT + 1, "key")
    recorded = [finding for finding in check.findings if finding.code == "device-tree"]
    assert len(recorded) == 126


@pytest.mark.parametrize("root", [BROKEN, 1 << 60])
def test_many_devices_that_lose_their_trees(walkthrough: bytes, root: int) -> None:
    """The first thousand are named, the others counted."""
    pool = Pool(walkthrough)
    leaves = range(ROOT + 1, ROOT + 101)
    pool.node(ROOT, INTERNAL, [126 * at for at in range(100)], leaves)
    for at, block in enumerate(leaves):
        pool.records(block, 126 * at)
    check = pool.check(device_details_root=ROOT, data_mapping_root=root)
    [lost] = [finding for finding in check.findings if finding.affected]
    assert [each.device for each in lost.affected] == list(range(1000))
    assert lost.more_affected == 12_600 - 1000
