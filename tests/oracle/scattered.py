"""Fragmentation by brute force, to judge the package by: every figure from its definition, mapping by mapping.

What packing makes of nodes follows the rules that watching thin-provisioning-tools gave, leaf by leaf.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, NamedTuple

from .reader import Role

if TYPE_CHECKING:
    from collections.abc import Mapping as Dictionary
    from collections.abc import Sequence

    from .reader import Image, Mapping, Trees

ROOM = 252
"""Entries of a node."""
SIZES = (1, 2, 4, 8, 16, 32, 64)
"""Data blocks in an I/O."""


class Scattered(NamedTuple):
    """What a device comes to."""

    mapped_blocks: int
    neighbours: int
    contiguous: int
    runs: int
    median_run: int
    longest_run: int
    run_lengths: list[tuple[int, int, int]]
    """Shortest length of the class, runs, blocks."""
    seeks: int
    seek_blocks: int
    reads: list[tuple[int, int, int]]
    """Data blocks in an I/O, I/Os, pieces."""


def scattered(mappings: Dictionary[int, Mapping]) -> Scattered:
    """Look at one mapping after the other."""
    data = {block: mapping.data for block, mapping in mappings.items()}
    ordered = sorted(data)
    run_of: dict[int, int] = {}
    number = -1
    for block in ordered:
        if block - 1 not in data or data[block - 1] + 1 != data[block]:
            number += 1
        run_of[block] = number
    lengths = sorted(len(list(run)) for _, run in groupby(ordered, key=lambda block: run_of[block]))
    jumps = [abs(data[after] - data[before] - 1) for before, after in pairwise(ordered)]
    neighbours = [block for block in ordered if block + 1 in data]
    return Scattered(
        mapped_blocks=len(data),
        neighbours=len(neighbours),
        contiguous=sum(data[block] + 1 == data[block + 1] for block in neighbours),
        runs=len(lengths),
        median_run=lengths[(len(lengths) - 1) // 2] if lengths else 0,
        longest_run=max(lengths, default=0),
        run_lengths=classes(lengths),
        seeks=sum(jump > 0 for jump in jumps),
        seek_blocks=sum(jumps),
        reads=[
            (
                size,
                len({block // size for block in data}),
                len({(run, block // size) for block, run in run_of.items()}),
            )
            for size in SIZES
        ],
    )


def classes(lengths: Sequence[int]) -> list[tuple[int, int, int]]:
    """Lengths by powers of two: shortest of the class, how many, blocks."""
    found = []
    for power in range(max(lengths, default=0).bit_length()):
        of_class = [length for length in lengths if length.bit_length() == power + 1]
        found.append((1 << power, len(of_class), sum(of_class)))
    return found


def free_extents(counts: Sequence[int]) -> list[tuple[int, int]]:
    """First block and length of the stretches of blocks without a reference."""
    found, begin = [], 0
    for is_free, blocks in groupby(counts, key=lambda count: count == 0):
        length = len(list(blocks))
        if is_free:
            found.append((begin, length))
        begin += length
    return found


def fills(image: Image, trees: Trees) -> tuple[list[int], list[int]]:
    """The entries of each distinct leaf, and of each distinct internal node."""
    nodes = [
        image.node(block, Role.MAPPING)
        for block, role in trees.roles.items()
        if role is Role.MAPPING
    ]
    leaves = [len(node.keys) for node in nodes if not node.internal]
    return leaves, [len(node.keys) for node in nodes if node.internal]


def tree_nodes(leaves: int) -> int:
    """The nodes of a tree with so many leaves, packed full."""
    nodes = leaves
    while leaves > 1:
        leaves = -(-leaves // ROOM)
        nodes += leaves
    return nodes


@dataclass(eq=False)
class Leaf:
    """A leaf that is written once; whoever has it shares it."""

    mappings: int


def packed(mappings: int) -> list[Leaf]:
    """Leaves that hold so many mappings: full ones, then two halves of the rest."""
    leaves = []
    while mappings > 2 * ROOM:
        leaves.append(Leaf(ROOM))
        mappings -= ROOM
    if mappings > ROOM:
        leaves.append(Leaf(mappings // 2))
        mappings -= mappings // 2
    return [*leaves, Leaf(mappings)]


def packed_nodes(xml: str) -> int:
    """The nodes that thin_restore makes of a dump."""
    definitions, devices = _read(xml)
    shared = {name: packed(mappings) for name, mappings in definitions.items()}
    kept: set[Leaf] = set()
    above = 0
    for device in devices:
        leaves = _device(device, shared)
        kept.update(leaves)
        above += tree_nodes(len(leaves)) - len(leaves)
    return len(kept) + above


def _device(device: Sequence[str | int], shared: Dictionary[str, list[Leaf]]) -> list[Leaf]:
    match device:
        case [str(name)]:
            return shared[name]
    leaves: list[Leaf] = []
    pending = 0
    for part in device:
        if isinstance(part, int):
            pending += part
            continue
        more = shared[part]
        if 0 < pending < ROOM // 2:
            pending += more[0].mappings
            more = more[1:]
        else:
            leaves += packed(pending) if pending else []
            pending = 0
            if more[0].mappings < ROOM // 2:
                pending = more[0].mappings
                more = more[1:]
        if more and pending:
            leaves += packed(pending)
            pending = 0
        leaves += more
    if leaves and 0 < pending < ROOM // 2:
        pending += leaves.pop().mappings
    return [*leaves, *packed(pending)] if pending or not leaves else leaves


def _read(xml: str) -> tuple[dict[str, int], list[list[str | int]]]:
    """The mappings of each definition, and what each device is made of: names and own mappings."""
    definitions: dict[str, int] = {}
    devices: list[list[str | int]] = []
    name: str | None = None
    for line in xml.splitlines():
        found = dict(re.findall(r'(\w+)="(\d*)"', line))
        if "<def " in line:
            name = found["name"]
            definitions[name] = 0
        elif "<device " in line:
            name = None
            devices.append([])
        elif "<ref " in line:
            devices[-1].append(found["name"])
        elif "_mapping " in line:
            mappings = int(found.get("length", 1))
            if name is not None:
                definitions[name] += mappings
            elif devices[-1] and isinstance(devices[-1][-1], int):
                devices[-1][-1] += mappings
            else:
                devices[-1].append(mappings)
    return definitions, devices
