"""Who reaches what, in Python sets: the measure for everything that is said about sharing.

Data blocks are taken from the dump, and from the dump of the metadata snapshot where one is held; what is counted
as used and the nodes of mapping trees from the second reader. Every answer is worked out anew from whole sets of
blocks, so that it can be checked by reading; nothing is shared with the core but the text of the dump.
"""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

import thinscope
from tests.oracle.reader import Role

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from collections.abc import Set as AbstractSet

    from tests.oracle.reader import Image, Trees

Shares = list[tuple[int, int]]
"""Pairs of a number of devices and a number of blocks, by ascending number of devices."""


class Device(NamedTuple):
    """What one device shares."""

    id: int
    mappings: int
    mapped_blocks: int
    exclusive_blocks: int
    shared_blocks: int
    shared_by: Shares


class Totals(NamedTuple):
    """Every distinct block once. Without a space map, what it would be needed for is None."""

    one_device_blocks: int
    several_devices_blocks: int
    only_metadata_snapshot_blocks: int
    leaked_blocks: int | None
    missing_count_blocks: int | None
    used_blocks: int | None
    kept_by_metadata_snapshot_blocks: int
    reached_blocks: int
    classes: int
    nodes: int
    only_metadata_snapshot_nodes: int


class Usage(NamedTuple):
    """What a set of devices has."""

    mapped_blocks: int
    exclusive_blocks: int
    reclaimable_blocks: int
    shared_by: Shares


class Reclaimed(NamedTuple):
    """What deleting sets of devices comes to."""

    mapped_blocks: int
    freed_blocks: int
    kept_by_metadata_snapshot_blocks: int
    still_held_blocks: int
    holders: Shares
    alone_blocks: list[int]
    freed_metadata_blocks: int
    kept_metadata_blocks: int


class Pair(NamedTuple):
    """What two devices share."""

    device_a: int
    device_b: int
    blocks: int


class Group(NamedTuple):
    """Blocks that the same devices reach."""

    devices: list[int]
    has_metadata_snapshot: bool
    blocks: int


class Cell(NamedTuple):
    """A stretch of the data device: each of its blocks once; those that miss a count are counted again."""

    free: int
    one_device: int
    several_devices: int
    only_metadata_snapshot: int
    leaked: int
    missing: int


@dataclass(frozen=True)
class Reached:
    """What one superblock reaches, by device: data blocks, and nodes of mapping trees."""

    data: dict[int, frozenset[int]]
    nodes: dict[int, frozenset[int]]

    @cached_property
    def all_data(self) -> frozenset[int]:
        """The data blocks of all devices."""
        return union(self.data.values())

    @cached_property
    def all_nodes(self) -> frozenset[int]:
        """The nodes of all devices."""
        return union(self.nodes.values())


NOTHING = Reached({}, {})


def mappings(trees: Trees) -> dict[int, int]:
    """Return how many mappings each device has."""
    return {device: len(found) for device, found in trees.mappings.items()}


@dataclass(frozen=True)
class Model:
    """A pool as sets."""

    live: Reached
    held: Reached
    """The held metadata snapshot; nothing where none is held or it is what is looked through."""
    counts: list[int] | None
    """Of data blocks, as the space map has them; None through a metadata snapshot."""
    total: int
    """Blocks of the data device."""
    mappings: dict[int, int]
    """How many mappings each device has: more than blocks where one is mapped twice."""

    @classmethod
    def of(cls, second: Image, *, metadata_snapshot: bool = False) -> Model:
        """Ask for dumps of a healthy image, or one whose space map miscounts."""
        image = second.data
        total = second.superblock.data_space_map.nr_blocks
        held = NOTHING
        if second.snapshot:
            held = Reached(dumped(image, metadata_snapshot=True), nodes(second, second.snapshot))
        if metadata_snapshot:
            assert second.snapshot
            return cls(held, NOTHING, None, total, mappings(second.snapshot))
        live = Reached(dumped(image), nodes(second, second.live))
        return cls(live, held, second.data_space.counts, total, mappings(second.live))

    @cached_property
    def holders(self) -> dict[int, frozenset[int]]:
        """The devices that reach a data block, of all blocks that any device reaches."""
        found: defaultdict[int, set[int]] = defaultdict(set)
        for device, blocks in self.live.data.items():
            for block in blocks:
                found[block].add(device)
        return {block: frozenset(devices) for block, devices in found.items()}

    @cached_property
    def sharers(self) -> dict[int, int]:
        """How many devices reach a data block, of all blocks that any device reaches."""
        return {block: len(devices) for block, devices in self.holders.items()}

    def _others(self, devices: Collection[int]) -> frozenset[int]:
        """The data blocks that devices outside of some reach."""
        return union(data for device, data in self.live.data.items() if device not in devices)

    def _shares(self, devices: Iterable[int]) -> Shares:
        """Count every block of every device by the number of all devices that reach it."""
        found: Counter[int] = Counter()
        for device in devices:
            found.update(map(self.sharers.__getitem__, self.live.data[device]))
        return sorted(found.items())

    # ---- the questions -----------------------------------------------------------------------------------------

    def devices(self) -> list[Device]:
        """Every device, by ascending id."""
        rows = []
        for device, data in sorted(self.live.data.items()):
            exclusive = sum(self.holders[block] == {device} for block in data)
            shared = len(data) - exclusive
            mappings, shares = self.mappings[device], self._shares([device])
            rows.append(Device(device, mappings, len(data), exclusive, shared, shares))
        return rows

    def totals(self) -> Totals:
        """The pool's blocks, each once."""
        leaked, missing = self.leaked(), self.missing()
        one = sum(len(devices) == 1 for devices in self.holders.values())
        return Totals(
            one_device_blocks=one,
            several_devices_blocks=len(self.holders) - one,
            only_metadata_snapshot_blocks=len(self.held.all_data - self.live.all_data),
            leaked_blocks=None if leaked is None else len(leaked),
            missing_count_blocks=None if missing is None else len(missing),
            used_blocks=None if self.counts is None else sum(map(bool, self.counts)),
            kept_by_metadata_snapshot_blocks=len(self.held.all_data),
            reached_blocks=len(self.live.all_data),
            classes=len(self.classes()),
            nodes=len(self.live.all_nodes),
            only_metadata_snapshot_nodes=len(self.held.all_nodes - self.live.all_nodes),
        )

    def usage(self, sets: Iterable[Collection[int]]) -> list[Usage]:
        """What every set of devices has."""
        return [self._usage(devices) for devices in sets]

    def _usage(self, devices: Collection[int]) -> Usage:
        mapped = union(self.live.data[device] for device in devices)
        exclusive = mapped - self._others(devices)
        reclaimable = exclusive - self.held.all_data
        return Usage(len(mapped), len(exclusive), len(reclaimable), self._shares(set(devices)))

    def alone(self, devices: Collection[int]) -> int:
        """How many blocks deleting one set alone frees."""
        mapped = union(self.live.data[device] for device in devices)
        return len(mapped - self._others(devices) - self.held.all_data)

    def reclaim(self, groups: Collection[Collection[int]], also: Collection[int] = ()) -> Reclaimed:
        """What deleting some sets, and some more devices, frees."""
        gone = {device for group in groups for device in group} | set(also)
        mapped = union(self.live.data[device] for device in gone)
        others = self._others(gone)
        unheld = mapped - others
        rest = self.live.data.keys() - gone
        nodes = union(self.live.nodes[device] for device in gone)
        unheld_nodes = nodes - union(self.live.nodes[device] for device in rest)
        holders = [(device, len(self.live.data[device] & mapped)) for device in rest]
        return Reclaimed(
            mapped_blocks=len(mapped),
            freed_blocks=len(unheld - self.held.all_data),
            kept_by_metadata_snapshot_blocks=len(unheld & self.held.all_data),
            still_held_blocks=len(mapped & others),
            holders=sorted(
                ((device, blocks) for device, blocks in holders if blocks),
                key=lambda holder: (-holder[1], holder[0]),
            ),
            alone_blocks=[self.alone(group) for group in groups],
            freed_metadata_blocks=len(unheld_nodes - self.held.all_nodes),
            kept_metadata_blocks=len(unheld_nodes & self.held.all_nodes),
        )

    def matrix(self) -> list[Pair]:
        """How many blocks every two devices share, if they share any."""
        pairs = combinations(sorted(self.live.data), 2)
        shared = (Pair(a, b, len(self.live.data[a] & self.live.data[b])) for a, b in pairs)
        return [pair for pair in shared if pair.blocks]

    def groups(self, limit: int) -> list[Group]:
        """Blocks by the devices that reach them, two or more, and whether the metadata snapshot does."""
        found = [
            Group(sorted(devices), held, blocks)
            for (devices, held), blocks in self.classes().items()
            if len(devices) > 1
        ]
        found.sort(key=lambda group: (-group.blocks, group.devices, group.has_metadata_snapshot))
        return found[:limit]

    def classes(self) -> Counter[tuple[frozenset[int], bool]]:
        """How many blocks there are of every set of holders: devices, and whether the metadata snapshot is one."""
        blocks = self.live.all_data | self.held.all_data
        return Counter(
            (self.holders.get(block, frozenset()), block in self.held.all_data) for block in blocks
        )

    def leaked(self) -> list[int] | None:
        """Blocks that are counted as used and that nothing reaches."""
        if self.counts is None:
            return None
        reached = self.live.all_data | self.held.all_data
        return [at for at, count in enumerate(self.counts) if count and at not in reached]

    def missing(self) -> list[int] | None:
        """Blocks that are reached and counted as free."""
        if self.counts is None:
            return None
        reached = self.live.all_data | self.held.all_data
        return sorted(block for block in reached if not self.counts[block])

    def picture(self, cells: int) -> list[Cell] | None:
        """The data device cut into at most so many cells of one size; the last may be smaller."""
        if self.counts is None:
            return None
        size = max(-(-self.total // max(cells, 1)), 1)
        begins = range(0, self.total, size)
        return [self.cell(begin, min(begin + size, self.total)) for begin in begins]

    def cell(self, begin: int, end: int) -> Cell:
        """The blocks of a stretch by what they are."""
        assert self.counts is not None
        kinds, counts = self.kinds[begin:end], self.counts[begin:end]
        found = dict.fromkeys(Cell._fields, 0) | Counter(kinds)
        pairs = zip(kinds, counts, strict=True)
        found["missing"] = sum(kind != "free" and not counted for kind, counted in pairs)
        return Cell(**found)

    @cached_property
    def kinds(self) -> list[str]:
        """What each block of the data device is."""
        assert self.counts is not None
        return [self._kind(block, counted) for block, counted in enumerate(self.counts)]

    def _kind(self, block: int, counted: int) -> str:
        if devices := self.sharers.get(block, 0):
            return "one_device" if devices == 1 else "several_devices"
        if block in self.held.all_data:
            return "only_metadata_snapshot"
        return "leaked" if counted else "free"


def fair_share(shares: Shares) -> Fraction:
    """The sum of all blocks, each divided by the number of devices that reach it."""
    return sum((Fraction(blocks, devices) for devices, blocks in shares), Fraction())


def union(sets: Iterable[AbstractSet[int]]) -> frozenset[int]:
    """All members."""
    return frozenset().union(*sets)


def nodes(image: Image, trees: Trees) -> dict[int, frozenset[int]]:
    """The nodes of the mapping tree of every device."""
    found = {}
    for device, root in trees.roots.items():
        reached: dict[int, Role] = {}
        image._reach(root, Role.MAPPING, reached)
        found[device] = frozenset(reached)
    return found


def dumped(image: bytes, *, metadata_snapshot: bool = False) -> dict[int, frozenset[int]]:
    """The data blocks of every device, out of the pool's dump."""
    text = io.BytesIO()
    thinscope.open(image, metadata_snapshot=metadata_snapshot).dump(text)
    return parsed(text.getvalue())


def parsed(text: bytes) -> dict[int, frozenset[int]]:
    """The data blocks of every device in the XML of a dump; what is shared stands where it is referred to."""
    shared: dict[str, frozenset[int]] = {}
    devices = {}
    for part in ET.fromstring(text):  # noqa: S314 - our own dump
        blocks = _blocks(part, shared)
        if part.tag == "def":
            shared[part.attrib["name"]] = blocks
        else:
            assert part.tag == "device", part.tag
            devices[int(part.attrib["dev_id"])] = blocks
    return devices


def _blocks(part: ET.Element, shared: Mapping[str, frozenset[int]]) -> frozenset[int]:
    found: set[int] = set()
    for line in part:
        match line.tag:
            case "single_mapping":
                found.add(int(line.attrib["data_block"]))
            case "range_mapping":
                begin, length = int(line.attrib["data_begin"]), int(line.attrib["length"])
                found.update(range(begin, begin + length))
            case "ref":
                found |= shared[line.attrib["name"]]
            case tag:
                raise AssertionError(tag)
    return frozenset(found)
