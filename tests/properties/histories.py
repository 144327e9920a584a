"""Pools that hypothesis draws: the text of a history, and what must be mapped after it.

The text is built by `testkit`. What it comes to is worked out here, from the table at the head of
`rust/testkit/src/shape/history.rs` alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from tests.oracle.reader import Mapping
from tests.sharing import pools

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from hypothesis.strategies import DrawFn

Devices = dict[int, dict[int, Mapping]]

IDS = st.sampled_from([0, 1, 2, 3, 4, 5, 6, 700, (1 << 24) - 1])
STEPS = ["create", "snapshot", "snapshot", "write", "write", "write", "write", "discard", "map"]
FAR = [0, 0, 0, 40, 1 << 20, (1 << 50) - 30]
"""Where blocks that a step is about may lie; trees get tall by small nodes, and wide by these."""

CAPACITIES = ["--capacity 3", "--capacity 4", "--capacity 9 --least 4", "--capacity 252"]
DATA_BLOCKS = 3000


@dataclass
class Told:
    """A pool as its history tells it.

    Attributes:
        lines: The history.
        shape: Arguments of `testkit build`.
        live: The mappings of each device.
        held: Those of the metadata snapshot, or None.
        leaked: Data blocks that are counted though nothing reaches them.
        missing: Data blocks that are reached and not counted.
    """

    lines: list[str] = field(default_factory=list)
    shape: str = ""
    live: Devices = field(default_factory=dict)
    held: Devices | None = None
    leaked: set[int] = field(default_factory=set)
    missing: set[int] = field(default_factory=set)
    time: int = 0
    next_data: int = 0
    snapshotted: dict[int, int] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"testkit build history {self.shape}:\n" + "\n".join(self.lines)

    def build(self, testkit: str) -> bytes:
        """Return the metadata of the pool."""
        return pools.build(testkit, f"history {self.shape}", "\n".join(self.lines))

    @property
    def reached(self) -> set[int]:
        """The data blocks that devices or the metadata snapshot reach."""
        return data_of(self.live) | data_of(self.held or {})

    # ---- steps -----------------------------------------------------------------------------------

    def create(self, device: int) -> None:
        self.lines.append(f"create {device}")
        self.live[device], self.snapshotted[device] = {}, self.time

    def snapshot(self, origin: int, device: int) -> None:
        self.lines.append(f"snapshot {origin} {device}")
        self.time += 1
        self.live[device] = dict(self.live[origin])
        self.snapshotted[origin] = self.snapshotted[device] = self.time

    def write(self, device: int, blocks: range) -> None:
        """Blocks that are the device's own stay where they are, others get the next data block."""
        self.lines.append(f"write {device} {blocks.start}..{blocks.stop}")
        for block in blocks:
            there = self.live[device].get(block)
            if there is None or there.time < self.snapshotted[device]:
                self.live[device][block] = Mapping(self.next_data, self.time)
                self.next_data += 1

    def discard(self, device: int, blocks: range) -> None:
        self.lines.append(f"discard {device} {blocks.start}..{blocks.stop}")
        for block in blocks:
            self.live[device].pop(block, None)

    def map(self, device: int, blocks: range, data: int) -> None:
        self.lines.append(f"map {device} {blocks.start}..{blocks.stop} {data}")
        self.time = max(self.time, 1)
        self.snapshotted[device] = max(self.snapshotted[device], 1)
        for number, block in enumerate(blocks, data):
            self.live[device][block] = Mapping(number, 0)
        self.next_data = max(self.next_data, data + len(blocks))

    def delete(self, device: int) -> None:
        self.lines.append(f"delete {device}")
        del self.live[device]

    def hold(self) -> None:
        self.lines.append("hold")
        self.held = {device: dict(mappings) for device, mappings in self.live.items()}

    def miscount(self, leaked: Collection[int], missing: Collection[int]) -> None:
        self.leaked, self.missing = set(leaked), set(missing)
        self.lines += [f"leak {block}..{block + 1}" for block in leaked]
        self.lines += [f"forget {block}..{block + 1}" for block in missing]


def data_of(devices: Devices) -> set[int]:
    """All data blocks of devices."""
    return {mapping.data for mappings in devices.values() for mapping in mappings.values()}


def ranges(longest: int = 30) -> st.SearchStrategy[range]:
    """Virtual blocks."""
    parts = st.tuples(st.sampled_from(FAR), st.integers(0, 60), st.integers(1, longest))
    return parts.map(lambda part: range(part[0] + part[1], sum(part)))


@st.composite
def histories(draw: DrawFn, *, most: int = 25, miscounts: bool = False) -> Told:
    """Histories of a few devices; every step is one that is possible."""
    told = Told(shape=f"--data-blocks {DATA_BLOCKS} {draw(st.sampled_from(CAPACITIES))}")
    told.create(draw(IDS))
    for _ in range(draw(st.integers(0, most))):
        _step(told, draw)
    if miscounts:
        free = sorted(set(range(told.next_data + 9)) - told.reached)
        some = st.lists(st.sampled_from(free), unique=True, max_size=5)
        leaked = draw(some)
        used = sorted(told.reached)
        some = st.lists(st.sampled_from(used), unique=True, max_size=5) if used else st.just([])
        told.miscount(leaked, draw(some))
    return told


def _step(told: Told, draw: Callable[[st.SearchStrategy], object]) -> None:
    kind = draw(st.sampled_from([*STEPS, "delete", "hold"]))
    ids = sorted(told.live)
    if kind == "hold":
        told.hold()
    elif kind == "create" or not ids:
        device = draw(IDS)
        if device not in told.live:
            told.create(device)
    else:
        device = draw(st.sampled_from(ids))
        match kind:
            case "snapshot":
                new = draw(IDS)
                if new not in told.live:
                    told.snapshot(device, new)
            case "write":
                told.write(device, draw(ranges()))
            case "discard":
                told.discard(device, draw(ranges()))
            case "map":
                told.map(device, draw(ranges(12)), draw(st.integers(0, told.next_data + 5)))
            case _:
                told.delete(device)
