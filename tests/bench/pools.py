"""What is asked: generated pools of some shapes and sizes, and captured ones."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from tests.bench.programs import ROOT, testkit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

SUPERBLOCK = 4096
"""Bytes that a wiped superblock has lost."""


@dataclass(frozen=True)
class Shape:
    """How devices of a generated pool lie beside each other."""

    title: str
    """With a place for how many devices there are."""
    build: str
    """What testkit calls it, with options."""
    devices: int
    """How many, unless something else is asked for; of snapshots, beside their origin."""
    part: float = 1.0
    """Of the mappings that a size names, what each device has."""

    def called(self, devices: int = 1) -> str:
        """What it is called, with a number of devices where that says something."""
        return self.title.format(f"{devices} " if devices > 1 else "")


SNAPSHOTS = 0.15
"""A pool of 300 snapshots of 1.5 M mappings is about as large as one of 10 M in one device."""

SHAPES = {
    "one-device": Shape("{}one device", "one-device", 1),
    "shared-roots": Shape("{}snapshots, shared roots", "snapshots-shared", 300, SNAPSHOTS),
    "own-spines": Shape("{}snapshots, own spines", "snapshots-own-spines", 300, SNAPSHOTS),
    "shared-data": Shape("{}devices that share data, but no leaf", "shared-data", 60, 1 / 60),
    "singles": Shape("{}one device, no two mappings in a run", "one-device --run 1", 1, 0.2),
    "pair": Shape("one device and {}snapshots", "snapshots-shared", 3),
    "same-roots": Shape(
        "{}snapshots, at most a leaf changed in each",
        "snapshots-shared --changed 0",
        300,
        SNAPSHOTS,
    ),
}
USUAL = ("one-device", "shared-roots", "own-spines", "shared-data")
"""Shapes that are measured unless others are named."""

ROUND = {(30_000_000, SNAPSHOTS): 5_000_000}
"""Sizes that are said in rounder numbers."""

CAPTURES = ("docker-b", "lvm-b", "containerd-b", "churn-b")
"""Captured pools, small ones: what an answer takes where there is hardly anything to read."""

NAMES = {"containerd-b": "fixtures/containerd-b/dbs"}
"""Records of those of which a manager's are kept unpacked."""


@dataclass(frozen=True)
class Pool:
    """A pool that is asked."""

    word: str
    """The shape's, or the name of a capture."""
    size: int = 0
    """Mappings that were asked for; 0: a capture."""
    devices: int = 0

    @property
    def key(self) -> str:
        """What it is called in saved samples."""
        return f"{self.word}/{self.size}/{self.devices}" if self.size else self.word

    @classmethod
    def of(cls, key: str) -> Pool:
        """The pool of a key."""
        word, *numbers = key.split("/")
        return cls(word, *map(int, numbers))

    @property
    def each(self) -> int:
        """Mappings of each device, as testkit is told."""
        part = SHAPES[self.word].part
        if self.word == "shared-data":
            return self.size // self.devices
        return ROUND.get((self.size, part), round(self.size * part))

    @property
    def title(self) -> str:
        """What it is called in a table."""
        if not self.size:
            return f"captured: {self.word}"
        shape = SHAPES[self.word]
        count = self.size if self.word == "shared-data" else self.each
        return f"{amount(count)} mappings, {shape.called(self.devices)}"


def amount(count: int) -> str:
    """A count in few letters, as `counted` reads it."""
    for unit, word in ((1_000_000, "M"), (1000, "k")):
        if count >= unit:
            return f"{count / unit:g} {word}"
    return str(count)


def counted(word: str) -> int:
    """A count such as 300, 100k, 1.5M.

    Raises:
        ValueError: It is none.
    """
    units = {"k": 1000, "M": 1_000_000}
    number = float(word.rstrip("kM").strip()) * units.get(word[-1:], 1)
    if number < 1:
        raise ValueError(f"{word} is not a count")
    return round(number)


def chosen(
    shapes: Iterable[str], sizes: Iterable[int], devices: Iterable[int] | None
) -> list[Pool]:
    """The generated pools that some words stand for; other numbers of devices only of snapshots."""
    pools = []
    for size in sizes:
        for word in shapes:
            shape = SHAPES[word]
            counts = devices if devices and shape.part == SNAPSHOTS else [shape.devices]
            pools += [Pool(word, size, count) for count in counts]
    return pools


@dataclass(frozen=True)
class Facts:
    """What a pool has, as far as jobs and tables need it."""

    devices: tuple[int, ...]
    data_blocks: int
    block_bytes: int
    mappings: int
    """Of distinct leaves."""
    nodes: int
    """Distinct nodes of mapping trees."""
    live_blocks: int
    """Metadata blocks in use."""

    def saved(self) -> dict[str, object]:
        """The same for JSON, without the devices one by one."""
        return asdict(self) | {"devices": len(self.devices)}


@dataclass(frozen=True)
class Made:
    """A pool that lies in a folder, to be asked."""

    pool: Pool
    path: Path
    facts: Facts

    def beside(self, name: str) -> Path:
        """A file in the same folder."""
        return self.path.with_name(name)


@contextmanager
def made(pool: Pool, folder: Path) -> Iterator[Made]:
    """Make a pool, and delete it with everything beside it in the end."""
    path = folder / "pool.bin"
    try:
        if pool.size:
            build = [str(testkit()), "build", *SHAPES[pool.word].build.split()]
            numbers = ["--mappings", str(pool.each), "--devices", str(pool.devices)]
            command = [*build, *numbers, "-o", str(path)]
        else:
            command = prepare("unpack", ROOT / "fixtures" / pool.word / "metadata.bin.zst", path)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
        told = subprocess.run(prepare("facts", path), check=True, capture_output=True, cwd=ROOT)
        found = json.loads(told.stdout)
        yield Made(pool, path, Facts(**found | {"devices": tuple(found["devices"])}))
    finally:
        for file in folder.iterdir():
            file.unlink()


def prepare(word: str, *words: object) -> list[str]:
    """The command that makes something for a job: in a process of its own, see `prepare`."""
    return [sys.executable, "-m", "tests.bench.prepare", word, *map(str, words)]


@contextmanager
def wiped(path: Path) -> Iterator[None]:
    """Take a pool's superblock away for some time."""
    with path.open("r+b") as file:
        kept = file.read(SUPERBLOCK)
        file.seek(0)
        file.write(bytes(SUPERBLOCK))
    try:
        yield
    finally:
        with path.open("r+b") as file:
            file.write(kept)
