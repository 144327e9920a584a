"""A pool to be damaged: its blocks by what they are, and who loses what with each, by the second reader.

Nothing here is taken from the package: blocks are found, patched and sealed by tests/oracle/reader.py alone.
"""

from __future__ import annotations

import functools
import struct
from typing import TYPE_CHECKING, NamedTuple

from tests.conftest import CAPTURES
from tests.oracle import answers
from tests.oracle.reader import (
    BITMAP_SALT,
    BLOCK,
    CODED_COUNT,
    INDEX_SALT,
    KEY_END,
    NODE_SALT,
    PER_BITMAP,
    SUPERBLOCK_SALT,
    Image,
    Role,
    checksum,
)
from tests.sharing import pools

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.oracle.reader import Node, Trees

SALTS = {
    Role.SUPERBLOCK: SUPERBLOCK_SALT,
    Role.METADATA_INDEX: INDEX_SALT,
    Role.DATA_BITMAP: BITMAP_SALT,
    Role.METADATA_BITMAP: BITMAP_SALT,
}

TALL = (
    "snapshots-shared --mappings 900 --devices 25 --changed 8 --run 6 --areas 5 --leaf-fill 3..20 "
    "--node-fill 2..5 --tree-fill 2..3 --scatter 30 --data-blocks 70000 --metadata-snapshot"
)
"""All trees have several levels; what each device shares with the origin differs."""

MANY = (
    "snapshots-shared --mappings 300 --devices 299 --changed 2 --run 6 --areas 5 --leaf-fill 20..60 "
    "--node-fill 2..5 --scatter 30 --metadata-snapshot"
)
"""300 devices: the trees that list them have several leaves of 126 to 252 entries."""

OFFSETS = {
    "flags": 4,
    "time": 44,
    "trans_id": 48,
    "held_root": 56,
    "data_blocks": 64,
    "data_allocated": 72,
    "data_bitmap_root": 80,
    "data_ref_count_root": 88,
    "metadata_blocks": 192,
    "metadata_allocated": 200,
    "metadata_bitmap_root": 208,
    "metadata_ref_count_root": 216,
    "data_mapping_root": 320,
    "device_details_root": 328,
    "data_block_size": 336,
    "metadata_block_size": 340,
    "compat_ro_flags": 356,
    "incompat_flags": 360,
}
"""Where fields of the superblock lie."""

ROOM = {
    Role.DETAILS: 126,
    Role.DATA_INDEX: 168,
    Role.DATA_OVERFLOW: 336,
    Role.METADATA_OVERFLOW: 336,
}
"""Capacities of leaves; of all others, and of internal nodes, it is 252."""


class Hit(NamedTuple):
    """Virtual blocks of a device that are lost."""

    device: int
    in_metadata_snapshot: bool
    begin: int
    end: int | None
    mapped_blocks: int | None


class Edge(NamedTuple):
    """A way from a device's root to a node of its tree."""

    device: int
    in_metadata_snapshot: bool
    block: int
    parent: tuple[int, int] | None
    """Block and position of the entry that points at it; None for a root."""
    begin: int
    end: int
    mappings: int
    """How many lie below."""


class Patient:
    """A pool in memory, whole at first."""

    def __init__(self, data: bytes) -> None:
        """Read all of it."""
        self.whole = Image(data)
        self.roles = self.whole.read_all()
        self.data = bytearray(data)

    # ---- what there is ---------------------------------------------------------------------------

    def blocks(self, role: Role, *, leaf: bool | None = None) -> list[int]:
        """Return the blocks of a role, in order; of nodes perhaps leaves or internal ones alone."""
        found = sorted(block for block, of in self.roles.items() if of is role)
        if leaf is None:
            return found
        return [block for block in found if self.node(block).internal != leaf]

    def node(self, block: int) -> Node:
        """Return a node as it was."""
        return self.whole.node(block, self.roles[block])

    @property
    def sides(self) -> list[tuple[bool, Trees]]:
        """The live devices, then those of the metadata snapshot."""
        held = self.whole.snapshot
        return [(False, self.whole.live), *([(True, held)] if held else [])]

    @functools.cached_property
    def edges(self) -> list[Edge]:
        """Every way to every node of mapping trees: live devices by id, then the snapshot's; by key."""
        return [
            edge
            for in_snapshot, trees in self.sides
            for device in sorted(trees.roots)
            for edge in self._below(device, in_snapshot, trees.roots[device], None, 0, KEY_END)
        ]

    def _below(  # noqa: PLR0913, PLR0917 - an edge's fields
        self,
        device: int,
        in_snapshot: bool,  # noqa: FBT001
        block: int,
        parent: tuple[int, int] | None,
        begin: int,
        end: int,
    ) -> Iterator[Edge]:
        node = self.node(block)
        if not node.internal:
            yield Edge(device, in_snapshot, block, parent, begin, end, len(node.keys))
            return
        found = [
            edge
            for at, (key, (child,), stop) in enumerate(
                zip(node.keys, node.values, [*node.keys[1:], end], strict=True)
            )
            for edge in self._below(device, in_snapshot, child, (block, at), key, min(stop, end))
        ]
        own = {(block, at) for at in range(len(node.keys))}
        mappings = sum(edge.mappings for edge in found if edge.parent in own)
        yield Edge(device, in_snapshot, block, parent, begin, end, mappings)
        yield from found

    def hits(
        self,
        block: int | None = None,
        *,
        parent: tuple[int, int] | None = None,
        counted: bool = True,
    ) -> list[Hit]:
        """Return what all devices lose with a node, or with the entry that points at one."""
        lost = [
            edge for edge in self.edges if block == edge.block or (parent and parent == edge.parent)
        ]
        return [
            Hit(
                edge.device,
                edge.in_metadata_snapshot,
                edge.begin,
                None if edge.end == KEY_END else edge.end,
                edge.mappings if counted else None,
            )
            for edge in lost
        ]

    # ---- what is done to it ----------------------------------------------------------------------

    def put(self, block: int, offset: int, kind: str, *values: int, seal: bool = True) -> None:
        """Write numbers into a block, and put its checksum right."""
        struct.pack_into(f"<{kind}", self.data, block * BLOCK + offset, *values)
        if seal:
            self.seal(block)

    def get(self, block: int, offset: int, kind: str) -> int:
        """Return a number of a block."""
        (value,) = struct.unpack_from(f"<{kind}", self.data, block * BLOCK + offset)
        return int(value)

    def seal(self, block: int) -> None:
        """Put the checksum of a block right."""
        data = bytes(self.data[block * BLOCK : (block + 1) * BLOCK])
        right = checksum(data, SALTS.get(self.roles.get(block, Role.MAPPING), NODE_SALT))
        struct.pack_into("<I", self.data, block * BLOCK, right)

    def flip(self, block: int, at: int = 2000) -> None:
        """Flip a byte of a block, and leave its checksum wrong."""
        self.data[block * BLOCK + at] ^= 0xFF

    def superblock(self, field: str, value: int, block: int = 0) -> None:
        """Write a field of a superblock."""
        short = field in {"flags", "time"} or field.endswith(("_flags", "block_size"))
        self.put(block, OFFSETS[field], "I" if short else "Q", value)

    @staticmethod
    def key(at: int) -> int:
        """Return where a key of a node lies."""
        return 32 + 8 * at

    def value(self, block: int, at: int) -> int:
        """Return where a value of a node lies."""
        internal, role = self.node(block).internal, self.roles[block]
        room = 252 if internal else ROOM.get(role, 252)
        size = 8 if internal else {Role.DETAILS: 24, Role.DATA_INDEX: 16}.get(role, 8)
        size = 4 if not internal and role in {Role.DATA_OVERFLOW, Role.METADATA_OVERFLOW} else size
        return 32 + 8 * room + size * at

    # ---- reference counts ------------------------------------------------------------------------

    def entry(self, space: str, block: int) -> tuple[int, int, int]:
        """Return block and offset of the index entry for a bitmap, and the block of the bitmap."""
        number = block // PER_BITMAP
        if space == "metadata":
            index = self.whole.superblock.metadata_space_map.bitmap_root
            return index, 16 + 16 * number, self.get(index, 16 + 16 * number, "Q")
        for leaf in self.blocks(Role.DATA_INDEX, leaf=True):
            node = self.node(leaf)
            if number in node.keys:
                at = self.value(leaf, node.keys.index(number))
                return leaf, at, self.get(leaf, at, "Q")
        raise LookupError(block)

    def set_count(self, space: str, block: int, count: int, *, sums: bool = True) -> None:
        """Make the space map count a block 0, 1 or 2 times, and its sums right."""
        index, at, bitmap = self.entry(space, block)
        offset, shift = 16 + block % PER_BITMAP // 4, block % 4 * 2
        byte = self.get(bitmap, offset, "B")
        before = CODED_COUNT[byte >> shift & 3]
        self.put(bitmap, offset, "B", byte & ~(3 << shift) | CODED_COUNT.index(count) << shift)
        change = (before != 0) - (count != 0)
        if sums and change:
            self.put(index, at + 8, "I", self.get(index, at + 8, "I") + change)
            if change > 0:
                self.put(index, at + 12, "I", 0)
            field = f"{space}_allocated"
            self.superblock(field, self.get(0, OFFSETS[field], "Q") - change)

    def counts(self, space: str) -> list[int]:
        """Return the count of every block, as it was."""
        return (self.whole.data_space if space == "data" else self.whole.metadata_space).counts


@functools.lru_cache(maxsize=8)
def image(name: str, testkit: str) -> bytes:
    """Return a captured pool by its name, or one that testkit builds of arguments."""
    return answers.image(CAPTURES[name]) if name in CAPTURES else pools.build(testkit, name)


def patient(name: str, testkit: str) -> Patient:
    """Return a pool to be damaged."""
    return Patient(image(name, testkit))
