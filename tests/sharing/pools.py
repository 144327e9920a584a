"""The pools that sharing is tested on: captures, and generated ones of every shape.

THINSCOPE_SEEDS says how many seeds of each random shape are built; more than usual are for a long look.
"""

from __future__ import annotations

import functools
import os
import random
import subprocess
import tempfile
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import thinscope
from tests.conftest import SAMPLES
from tests.oracle import answers
from tests.oracle.reader import Image
from tests.sharing.core import Core
from tests.sharing.model import Model

if TYPE_CHECKING:
    from collections.abc import Iterator

SEEDS = range(int(os.environ.get("THINSCOPE_SEEDS", "2")))
HELD = "--metadata-snapshot"
SMALL_NODES = "--leaf-fill 3..20 --node-fill 2..5 --tree-fill 2..3 --scatter 30"
ORIGIN = f"--mappings 900 --devices 25 --changed 8 --run 6 --areas 5 {SMALL_NODES}"
TANGLE = "--span 900 --steps 700 --capacity 24"
SPARSE = "--devices 20 --span 150 --steps 300 --capacity 252 --data-blocks 250000"
LEAKED = "--leaked 40"
MISSING = "--leaked 30 --missing 25"

FIXED = {
    "nothing": "history",
    "empty-held": f"one-device --mappings 0 {HELD}",
    "one": f"one-device --mappings 2500 --run 5 --areas 9 {SMALL_NODES}",
    "one-held-missing": f"one-device --mappings 2500 --run 5 --areas 9 {HELD} {MISSING}",
    "snapshots-empty-held": f"snapshots-shared --mappings 0 {HELD}",
    "sixty-held": f"shared-data --mappings 200 --devices 60 --run 3 --changed 20 {HELD}",
    "small-held": f"small {HELD}",
    "three-hundred-held": f"tangle --devices 300 --span 400 --steps 3000 --longest 6 --capacity 24 {HELD}",
    "two-depths": "two-depths --slack",
    "two-depths-missing": "two-depths --capacity 12 --least 4 --height 1 --leaked 9 --missing 7",
    "sparse-held-missing": f"tangle {SPARSE} {HELD} {MISSING}",
    "sparse": f"tangle {SPARSE}",
    "many-classes": "tangle --devices 60 --span 13000 --steps 9500 --longest 60 --capacity 90 --least 20",
    "churn-full-nodes-held": f"churn --capacity 252 --least 84 --span 900 --longest 300 --steps 200 {HELD}",
}

RANDOM = {
    "snapshots": f"snapshots-shared {ORIGIN}",
    "snapshots-held": f"snapshots-shared {ORIGIN} {HELD}",
    "own-spines-held": f"snapshots-own-spines {ORIGIN} {HELD}",
    "churn": f"churn --capacity 12 --span 300 --steps 1500 {SMALL_NODES}",
    "churn-held-leaked": f"churn --capacity 12 --span 300 --steps 1500 {SMALL_NODES} {HELD} {LEAKED}",
    "churn-held-missing": f"churn --span 300 --steps 700 {HELD} {MISSING}",
    "tangle": f"tangle {TANGLE} --devices 30",
    "tangle-held": f"tangle {TANGLE} --devices 50 --least 5 {HELD}",
    "tangle-held-missing": f"tangle {TANGLE} --devices 20 --longest 40 {HELD} {MISSING}",
}

GENERATED = FIXED | {
    f"{name}-{seed}": f"{arguments} --seed {seed}"
    for name, arguments in RANDOM.items()
    for seed in SEEDS
}
"""Arguments of ``testkit build`` by the name of the pool: not alone what kernels write."""

MOST_MAPPED = 3_000_000
"""Mappings that are gone through for all sets of a test together."""

SNAPSHOT = " by its metadata snapshot"
"""What stands behind the name of a pool that is looked at through its metadata snapshot."""


def build(testkit: str, arguments: str, history: str | None = None) -> bytes:
    """Build a pool."""
    with tempfile.TemporaryDirectory() as folder:
        told, path = Path(folder, "history.txt"), Path(folder, "pool.bin")
        command = [testkit, "build", *arguments.split(), "-o", str(path)]
        if history is not None:
            told.write_text(history)
            command += ["--history", str(told)]
        subprocess.run(command, check=True, capture_output=True)
        return path.read_bytes()


@dataclass(frozen=True)
class Case:
    """A pool, or what its metadata snapshot shows, and everything that is known of it."""

    name: str
    second: Image
    """What the second reader reads."""
    metadata_snapshot: bool = False

    @property
    def pool_name(self) -> str:
        """The name of the pool, whatever the view."""
        return self.name.removesuffix(SNAPSHOT)

    @cached_property
    def model(self) -> Model:
        """The measure."""
        return Model.of(self.second, metadata_snapshot=self.metadata_snapshot)

    @cached_property
    def core(self) -> Core:
        """What is to be measured."""
        return Core(self.pool._core.sharing())

    @cached_property
    def pool(self) -> thinscope.Pool:
        """The package's own pool."""
        return thinscope.open(self.second.data, metadata_snapshot=self.metadata_snapshot)

    @property
    def ids(self) -> list[int]:
        """The devices."""
        return sorted(self.model.live.data)

    def drawn(self, what: str) -> random.Random:
        """Return random numbers of this case's own."""
        return random.Random(zlib.crc32(f"{self.name} {what}".encode()))  # noqa: S311

    def sets(self, count: int, what: str) -> Iterator[list[int]]:
        """Yield random sets of devices, in random order, of all sizes from 1 on; few of huge pools."""
        drawn = self.drawn(what)
        mapped = sum(map(len, self.model.live.data.values()))
        affordable = MOST_MAPPED // max(mapped, 1)
        for at in range(min(count, affordable) if self.ids else 0):
            yield drawn.sample(self.ids, at % len(self.ids) + 1)

    def groups(self, count: int, what: str) -> Iterator[tuple[list[list[int]], list[int]]]:
        """Yield random sets in groups that may overlap or be empty, and devices that are in no group."""
        drawn = self.drawn(f"groups of {what}")
        for devices in self.sets(count, what):
            groups: list[list[int]] = [[] for _ in range(drawn.randint(0, 5))]
            also: list[int] = []
            for device in devices:
                drawn.choice([*groups, also]).append(device)
            if groups:
                drawn.choice(groups).extend(drawn.sample(devices, len(devices) // 5))
            yield groups, also


LIVE = [*SAMPLES, *GENERATED]
"""The names of all pools."""

COUNTABLE = [name for name in LIVE if "missing" not in name]
"""Those whose space maps count all that is reached."""

HOLDING = [
    *(name for name, pool in SAMPLES.items() if "at_snapshot" in pool["answers"]),
    *(name for name, arguments in GENERATED.items() if HELD in arguments),
]
"""Those that hold a metadata snapshot."""

VIEWS = [
    view for name in LIVE for view in (name, f"{name}{SNAPSHOT}") if view == name or name in HOLDING
]
"""All pools, and all metadata snapshots."""


@functools.lru_cache(maxsize=1)
def read(pool: str, testkit: str) -> Image:
    """Read a pool by brute force."""
    captured = SAMPLES.get(pool)
    return Image(answers.image(captured) if captured else build(testkit, GENERATED[pool]))


@functools.lru_cache(maxsize=1)
def case(name: str, testkit: str) -> Case:
    """Return the pool, or the view of it, that has a name."""
    pool = name.removesuffix(SNAPSHOT)
    return Case(name, read(pool, testkit), name != pool)


def told(testkit: str, history: str) -> Case:
    """Return a pool of which a text tells how it came about."""
    return Case("told", Image(build(testkit, "history --data-blocks 20 --capacity 252", history)))
