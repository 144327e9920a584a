"""The second reader: dm-thin metadata read by brute force, to judge the fast reader by.

It shares nothing with the package: one file, the standard library, the rules of docs/format.md. It reads
everything into dictionaries, follows every edge and believes nothing: whatever breaks a rule raises Damaged.
Images are taken to be healthy; how to read damaged ones is not its question.
"""

from __future__ import annotations

import struct
from collections import Counter
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import NamedTuple

BLOCK = 4096
MAGIC = 27022010
VERSION = 2
SUPERBLOCK_SALT, NODE_SALT, BITMAP_SALT, INDEX_SALT = 160774, 121107, 240779, 160478
INTERNAL, LEAF = 1, 2
PER_BITMAP = (BLOCK - 16) * 4
INDEX_ENTRIES = 255
KEY_END = 1 << 64
CODED_COUNT = (0, 2, 1, None)  # by the two bits as a number; None: look in the overflow tree


class Damaged(Exception):
    """The image breaks a rule of the format."""


class Role(StrEnum):
    """What a live metadata block is used for."""

    SUPERBLOCK = "superblock"
    TOP_LEVEL = "top-level node"
    DETAILS = "details node"
    MAPPING = "mapping node"
    DATA_INDEX = "data-index node"
    DATA_BITMAP = "data bitmap"
    DATA_OVERFLOW = "data overflow node"
    METADATA_INDEX = "metadata index block"
    METADATA_BITMAP = "metadata bitmap"
    METADATA_OVERFLOW = "metadata overflow node"


VALUE = {
    Role.TOP_LEVEL: struct.Struct("<Q"),
    Role.DETAILS: struct.Struct("<QQII"),
    Role.MAPPING: struct.Struct("<Q"),
    Role.DATA_INDEX: struct.Struct("<QII"),
    Role.DATA_OVERFLOW: struct.Struct("<I"),
    Role.METADATA_OVERFLOW: struct.Struct("<I"),
}


class SpaceMapRoot(NamedTuple):
    """The used 32 bytes of a space-map root."""

    nr_blocks: int
    nr_allocated: int
    bitmap_root: int
    ref_count_root: int


class Details(NamedTuple):
    """A device's record in the details tree."""

    mapped_blocks: int
    transaction_id: int
    creation_time: int
    snapshotted_time: int


class IndexEntry(NamedTuple):
    """Where a bitmap lies, and what its writer knew of it."""

    bitmap: int
    nr_free: int
    none_free_before: int


class Mapping(NamedTuple):
    """The data block behind a virtual block, and the time it was written first."""

    data: int
    time: int


@dataclass(frozen=True, slots=True)
class Superblock:
    """Block 0, or the copy of it that a metadata snapshot holds."""

    csum: int
    flags: int
    blocknr: int
    uuid: bytes
    magic: int
    version: int
    time: int
    transaction_id: int
    held_root: int
    data_space_map: SpaceMapRoot
    metadata_space_map: SpaceMapRoot
    mapping_root: int
    details_root: int
    data_block_size: int
    metadata_block_size: int
    nr_metadata_blocks: int
    compat_flags: int
    compat_ro_flags: int
    incompat_flags: int


@dataclass(frozen=True, slots=True)
class SpaceMap:
    """A space map, unpacked: a reference count for every block that it covers."""

    root: SpaceMapRoot
    index: list[IndexEntry]
    counts: list[int]


@dataclass(frozen=True, slots=True)
class Node:
    """A B-tree node: keys with unpacked values (children, where internal)."""

    internal: bool
    keys: list[int]
    values: list[tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Trees:
    """What one superblock, the live one or the snapshot's copy, says about devices."""

    superblock: Superblock
    roots: dict[int, int]
    details: dict[int, Details]
    mappings: dict[int, dict[int, Mapping]]
    roles: dict[int, Role]


def _tables() -> list[list[int]]:
    first = []
    for byte in range(256):
        register = byte
        for _ in range(8):
            register = register >> 1 ^ (0x82F63B78 if register & 1 else 0)
        first.append(register)
    tables = [first]
    for _ in range(7):
        tables.append([first[r & 255] ^ r >> 8 for r in tables[-1]])
    return tables


_T = _tables()


@lru_cache(maxsize=4096)  # images that differ in few blocks are read again and again
def checksum(block: bytes, salt: int) -> int:
    """The checksum a block of this kind should carry: CRC-32C without its last inversion, XOR salt."""
    t0, t1, t2, t3, t4, t5, t6, t7 = _T
    register = 0xFFFFFFFF
    for byte in block[4:8]:  # 4092 bytes: four alone, then eight at a time
        register = t0[register & 255 ^ byte] ^ register >> 8
    for first, high in struct.iter_unpack("<II", block[8:BLOCK]):
        low = first ^ register
        register = (
            t7[low & 255] ^ t6[low >> 8 & 255] ^ t5[low >> 16 & 255] ^ t4[low >> 24]
            ^ t3[high & 255] ^ t2[high >> 8 & 255] ^ t1[high >> 16 & 255] ^ t0[high >> 24]
        )  # fmt: skip
    return register ^ salt


class Image:
    """A whole metadata device in memory."""

    def __init__(self, data: bytes) -> None:
        """Read the superblocks; everything else is read when first asked for."""
        self.data = data
        self.nr_blocks = len(data) // BLOCK
        self.roles: dict[int, Role] = {}
        self._nodes: dict[int, Node] = {}
        self.superblock = self._superblock(0)
        held = self.superblock.held_root
        self.held_superblock = self._superblock(held) if held else None

    # ---- blocks ----------------------------------------------------------------------------------------------

    def _block(self, number: int, salt: int, role: Role) -> bytes:
        """A block whose place, checksum and own number are right, noted under its role."""
        if not 0 <= number < self.nr_blocks:
            raise Damaged(f"block {number} ({role}) lies behind the end")
        block = self.data[number * BLOCK : (number + 1) * BLOCK]
        stored, _, own = struct.unpack_from("<IIQ", block)
        if own != number:
            raise Damaged(f"block {number} ({role}) calls itself {own}")
        if stored != checksum(block, salt):
            raise Damaged(f"block {number} ({role}): wrong checksum")
        if self.roles.setdefault(number, role) != role:
            raise Damaged(f"block {number} is a {role} and a {self.roles[number]}")
        return block

    def _superblock(self, number: int) -> Superblock:
        block = self._block(number, SUPERBLOCK_SALT, Role.SUPERBLOCK)
        head = struct.unpack_from("<IIQ16sQIIQQ", block)
        maps = [SpaceMapRoot._make(struct.unpack_from("<4Q", block, at)) for at in (64, 192)]
        superblock = Superblock(*head, *maps, *struct.unpack_from("<QQIIQIII", block, 320))
        if (superblock.magic, superblock.version) != (MAGIC, VERSION):
            raise Damaged(f"block {number}: not a superblock of version {VERSION}")
        return superblock

    # ---- trees -----------------------------------------------------------------------------------------------

    def node(self, number: int, role: Role) -> Node:
        """A node of the tree that ``role`` belongs to."""
        if number in self._nodes and self.roles[number] == role:
            return self._nodes[number]
        block = self._block(number, NODE_SALT, role)
        flags, _, nr, room, size = struct.unpack_from("<IQIII", block, 4)
        value = VALUE[role] if flags == LEAF else struct.Struct("<Q")
        if flags not in (INTERNAL, LEAF) or size != value.size:
            raise Damaged(f"block {number} ({role}): flags {flags}, values of {size} bytes")
        if room != (BLOCK - 32) // (8 + size) // 3 * 3 or nr > room:
            raise Damaged(f"block {number} ({role}): {nr} of {room} entries")
        keys = list(struct.unpack_from(f"<{nr}Q", block, 32))
        if any(b <= a for a, b in pairwise(keys)):
            raise Damaged(f"block {number} ({role}): keys out of order")
        at = 32 + 8 * room
        node = Node(flags == INTERNAL, keys, list(value.iter_unpack(block[at : at + nr * size])))
        self._nodes[number] = node
        return node

    def _walk(
        self, number: int, role: Role, low: int, end: int
    ) -> tuple[int, dict[int, tuple[int, ...]]]:
        """The height of a tree and everything in its leaves; keys stay within what the edge above allows."""
        node = self.node(number, role)
        if node.keys and not (low <= node.keys[0] and node.keys[-1] < end):
            raise Damaged(f"block {number} ({role}): keys outside [{low}, {end})")
        if not node.internal:
            return 0, dict(zip(node.keys, node.values, strict=True))
        heights, found = set(), {}
        for key, (child,), stop in zip(node.keys, node.values, [*node.keys[1:], end], strict=True):
            height, entries = self._walk(child, role, key, stop)
            heights.add(height)
            found.update(entries)
        if len(heights) != 1:
            raise Damaged(f"block {number} ({role}): leaves at {len(heights)} depths")
        return heights.pop() + 1, found

    def tree(self, root: int, role: Role) -> dict[int, tuple[int, ...]]:
        """Everything in the leaves of a tree, by key."""
        return self._walk(root, role, 0, KEY_END)[1]

    def _reach(self, root: int, role: Role, into: dict[int, Role]) -> None:
        """Add every node of a tree to ``into``."""
        into[root] = role
        node = self.node(root, role)
        for (child,) in node.values if node.internal else ():
            self._reach(child, role, into)

    def _trees(self, superblock: Superblock) -> Trees:
        roots = {
            device: root
            for device, (root,) in self.tree(superblock.mapping_root, Role.TOP_LEVEL).items()
        }
        details = {
            d: Details._make(v) for d, v in self.tree(superblock.details_root, Role.DETAILS).items()
        }
        mappings = {
            device: {
                v: Mapping(e >> 24, e & 0xFFFFFF)
                for v, (e,) in self.tree(root, Role.MAPPING).items()
            }
            for device, root in roots.items()
        }
        roles = {superblock.blocknr: Role.SUPERBLOCK}
        self._reach(superblock.mapping_root, Role.TOP_LEVEL, roles)
        self._reach(superblock.details_root, Role.DETAILS, roles)
        for root in roots.values():
            self._reach(root, Role.MAPPING, roles)
        return Trees(superblock, roots, details, mappings, roles)

    def state(self, mapping_root: int, details_root: int) -> Trees:
        """The pool as of these roots, which no superblock may name. Roles are those of this image."""
        return self._trees(
            replace(self.superblock, mapping_root=mapping_root, details_root=details_root)
        )

    @cached_property
    def live(self) -> Trees:
        """The pool as of its last commit."""
        return self._trees(self.superblock)

    @cached_property
    def snapshot(self) -> Trees | None:
        """The pool as of its held metadata snapshot."""
        return self._trees(self.held_superblock) if self.held_superblock else None

    # ---- space maps ------------------------------------------------------------------------------------------

    def _space_map(
        self, root: SpaceMapRoot, index: list[IndexEntry], bitmaps: Role, overflow: Role
    ) -> SpaceMap:
        large = {
            block: count for block, (count,) in self.tree(root.ref_count_root, overflow).items()
        }
        if any(count < len(CODED_COUNT) - 1 for count in large.values()):
            raise Damaged(f"a count in a {overflow} would fit its bitmap")
        counts: list[int] = []
        for entry in index:
            block = self._block(entry.bitmap, BITMAP_SALT, bitmaps)
            coded = [
                CODED_COUNT[byte >> shift & 3] for byte in block[16:] for shift in (0, 2, 4, 6)
            ]
            first = len(counts)
            counts += [
                large.pop(first + i, -1) if count is None else count
                for i, count in enumerate(coded)
            ]
        if large or any(counts[root.nr_blocks :]) or -1 in counts:
            raise Damaged(f"bitmaps and {overflow}s contradict each other")
        return SpaceMap(root, index, counts[: root.nr_blocks])

    @cached_property
    def metadata_space(self) -> SpaceMap:
        """The reference count of every metadata block, as stored."""
        root = self.superblock.metadata_space_map
        block = self._block(root.bitmap_root, INDEX_SALT, Role.METADATA_INDEX)
        needed = -(-root.nr_blocks // PER_BITMAP)
        index = [
            IndexEntry._make(struct.unpack_from("<QII", block, 16 + 16 * i)) for i in range(needed)
        ]
        return self._space_map(root, index, Role.METADATA_BITMAP, Role.METADATA_OVERFLOW)

    @cached_property
    def data_space(self) -> SpaceMap:
        """The reference count of every data block, as stored."""
        root = self.superblock.data_space_map
        entries = self.tree(root.bitmap_root, Role.DATA_INDEX)
        if list(entries) != list(range(-(-root.nr_blocks // PER_BITMAP))):
            raise Damaged("data index: bitmaps missing or too many")
        index = [IndexEntry._make(entry) for entry in entries.values()]
        return self._space_map(root, index, Role.DATA_BITMAP, Role.DATA_OVERFLOW)

    # ---- counted again ---------------------------------------------------------------------------------------

    def read_all(self) -> dict[int, Role]:
        """Read everything that is live; the role of every live block, its checksum and own number proved."""
        _ = self.live, self.snapshot, self.metadata_space, self.data_space
        return self.roles

    def walked_metadata_counts(self) -> Counter[int]:
        """What the metadata space map should say: one for every pointer, out of distinct blocks, to a block."""
        counts = Counter(
            block for block, role in self.read_all().items() if role is Role.SUPERBLOCK
        )
        for superblock in filter(None, (self.superblock, self.held_superblock)):
            counts.update((superblock.mapping_root, superblock.details_root))
        for root in (self.superblock.data_space_map, self.superblock.metadata_space_map):
            counts.update((root.bitmap_root, root.ref_count_root))
        for number, role in self.roles.items():
            node = self._nodes.get(number)
            if node and (node.internal or role is Role.TOP_LEVEL):
                counts.update(child for (child,) in node.values)
        for space in (self.metadata_space, self.data_space):
            counts.update(entry.bitmap for entry in space.index)
        return counts

    def walked_data_counts(self) -> Counter[int]:
        """What the data space map should say: one for every mapping entry in a distinct leaf."""
        self.read_all()
        leaves = (self._nodes[n] for n, role in self.roles.items() if role is Role.MAPPING)
        return Counter(
            value >> 24 for leaf in leaves if not leaf.internal for (value,) in leaf.values
        )
