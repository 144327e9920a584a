"""What is asked of a pool, and by which sides: ours, the peers', something beside them."""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from tests.bench.pools import NAMES, Made, prepare
from tests.bench.programs import ROOT, THINSCOPE, testkit

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

    from tests.bench.programs import Peer

    Words = Callable[["Asked"], list[str]]

SIDES = {
    "thinscope": "thinscope",
    "cold": "nothing in the page cache",
    "peer": "the peer's current release",
    "distribution": "the distribution's",
    "beside": "something else that is done without thinscope",
    "inside": "thinscope, in one process",
}
"""Ways to have an answer. Of these, ``cold`` is on a disk only."""

INSIDE = frozenset(
    [
        *("recount", "ls", "check", "dump", "delta-near", "delta-far", "owners", "frame"),
        *("sharing", "reclaim-first", "reclaim-next", "salvage", "fragmentation"),
    ]
)
"""Jobs that `inside` can ask."""

SMALL = ("start", "overview", "names", "ls", "check", "dump")
"""Jobs of captured pools."""

ASKED = 1000
"""Data blocks whose owners are asked for."""

EXPORTED = 8192
"""Virtual blocks of a device that are exported."""

COLUMNS = "DEV,MAPPED,EXCLUSIVE,SHARED"
FRAME = (
    "import sys, thinscope, polars\n"
    "print(polars.DataFrame(thinscope.open(sys.argv[1]).mappings())['length'].sum())"
)
PYTHON = [sys.executable, "-m"]


@dataclass(frozen=True)
class Job:
    """A question about one pool."""

    word: str
    title: str
    sides: dict[str, list[str]]
    """The command of each side; that of ``inside`` lacks how often it is to ask."""
    is_wiped: bool = False
    """Whether the pool has no superblock meanwhile."""


@dataclass(frozen=True)
class Asked:
    """A pool, and what questions about it name."""

    made: Made
    out: Path
    peers: Sequence[Peer]

    @property
    def pool(self) -> str:
        """The metadata."""
        return str(self.made.path)

    @cached_property
    def blocks(self) -> list[int]:
        """Data blocks that are asked about, the same each time."""
        total = self.made.facts.data_blocks
        draws = random.Random(1)  # noqa: S311 - the same each time
        return sorted(draws.sample(range(total), min(ASKED, total)))

    @property
    def near(self) -> list[str]:
        """Two devices of which one was made from the other, or soon after it."""
        devices = self.made.facts.devices
        middle = len(devices) // 2
        return list(map(str, devices[middle - 1 : middle + 1]))

    @property
    def far(self) -> list[str]:
        """The two devices that share least: of snapshots the oldest and the youngest."""
        devices = self.made.facts.devices
        return [str(devices[min(1, len(devices) - 2)]), str(devices[-1])]

    @property
    def half(self) -> list[str]:
        """Half of the devices."""
        return list(map(str, self.made.facts.devices[::2]))

    @property
    def lost(self) -> list[str]:
        """What the peer has to be told of a pool without superblock."""
        facts = self.made.facts
        size = ["--data-block-size", str(facts.block_bytes // 512)]
        return ["--transaction-id", "1", *size, "--nr-data-blocks", str(facts.data_blocks)]

    @cached_property
    def content(self) -> tuple[str, str]:
        """A data device with content for the first device's first blocks, and that content alone."""
        data, plain = self.made.beside("data.img"), self.made.beside("plain.img")
        return str(data), str(plain)

    @property
    def exported(self) -> str:
        """Bytes that are exported."""
        return str(EXPORTED * self.made.facts.block_bytes)


def always(_asked: Asked) -> bool:
    """Whether a job is for any pool."""
    return True


def has_many(asked: Asked) -> bool:
    """Whether there are devices to compare."""
    return len(asked.made.facts.devices) > 1


def has_near(asked: Asked) -> bool:
    """Whether there are devices that share leaves."""
    return has_many(asked) and asked.made.pool.word != "shared-data"


@dataclass(frozen=True)
class Kind:
    """A question about any pool: the words that each side is asked with."""

    title: str
    ours: Words | None = None
    theirs: Words | None = None
    """The peer's tool and its words."""
    beside: Words | None = None
    about: Words = lambda _asked: []
    """What `inside` is told beside the pool."""
    when: Callable[[Asked], bool] = always
    is_wiped: bool = False
    has_distribution: bool = True


def thinscope(*words: str) -> list[str]:
    """A command of ours."""
    return [str(THINSCOPE), *words]


def same(tool: str, *words: str) -> Kind:
    """A command that both have, with the same words."""
    return Kind(
        " ".join([tool, *(words or ["> /dev/null"])]),
        lambda asked: thinscope(tool, *words, asked.pool),
        lambda asked: [tool, *words, asked.pool],
    )


def limit(work: str, threads: int) -> Kind:
    """What merely reading takes."""
    title = f"limit: {work} the live blocks, {threads} thread{'s' if threads > 1 else ''}"
    words = ["--threads", str(threads)]
    return Kind(title, beside=lambda asked: [str(testkit()), work, asked.pool, *words])


def parsed(asked: Asked) -> list[str]:
    """The peer's dump, parsed; nothing where there is no peer."""
    tools = [peer.tools["thin_dump"] for peer in asked.peers if peer.side == "peer"]
    return [*PYTHON, "tests.bench.parse", *tools[0], asked.pool] if tools else []


def copied(asked: Asked) -> list[str]:
    """A mere copy of what is exported."""
    return ["dd", f"if={asked.content[1]}", f"of={asked.out}", "bs=1M"]


KINDS: dict[str, Kind] = {
    "start": Kind(
        "start: --version",
        lambda _asked: thinscope("--version"),
        lambda _asked: ["thin_dump", "--version"],
    ),
    "overview": Kind(
        "overview (peer: thin_ls with EXCLUSIVE)",
        lambda asked: thinscope(asked.pool),
        lambda asked: ["thin_ls", "-o", COLUMNS, asked.pool],
    ),
    "names": Kind(
        "overview with names",
        lambda asked: thinscope(asked.pool, "--names", str(ROOT / NAMES[asked.made.pool.word])),
        when=lambda asked: asked.made.pool.word in NAMES,
    ),
    "dump": same("thin_dump"),
    "dump-file": Kind(
        "thin_dump -o file",
        lambda asked: thinscope("thin_dump", "-o", str(asked.out), asked.pool),
        lambda asked: ["thin_dump", "-o", str(asked.out), asked.pool],
        # Of many snapshots it writes gigabytes.
        has_distribution=False,
    ),
    "ls": same("thin_ls", "-o", COLUMNS),
    "check": same("thin_check"),
    "findings": Kind(
        "check, which looks for more, by name (peer: thin_check)",
        lambda asked: thinscope("check", asked.pool),
        lambda asked: ["thin_check", asked.pool],
    ),
    "rmap": Kind(
        "thin_rmap of the whole data device",
        lambda asked: thinscope("thin_rmap", "--region", everything(asked), asked.pool),
        lambda asked: ["thin_rmap", "--region", everything(asked), asked.pool],
    ),
    "owners": Kind(
        f"thin_rmap of {ASKED:,} random blocks",
        lambda asked: thinscope("thin_rmap", *regions(asked.blocks), asked.pool),
        lambda asked: ["thin_rmap", *regions(asked.blocks), asked.pool],
        about=lambda asked: list(map(str, asked.blocks)),
    ),
    "owners-named": Kind(
        f"owners of {ASKED:,} random blocks, by name (peer: thin_rmap)",
        lambda asked: thinscope("owners", asked.pool, *map(str, asked.blocks)),
        lambda asked: ["thin_rmap", *regions(asked.blocks), asked.pool],
    ),
    "delta-near": Kind(
        "delta of neighbours (peer: thin_delta)",
        lambda asked: thinscope("delta", asked.pool, *asked.near),
        lambda asked: compared(asked, asked.near),
        about=lambda asked: asked.near,
        when=has_near,
    ),
    "delta-same": Kind(
        "thin_delta of neighbours, which tells what is the same as well",
        lambda asked: thinscope(*compared(asked, asked.near)),
        lambda asked: compared(asked, asked.near),
        when=has_near,
    ),
    "delta-far": Kind(
        "delta of first and last (peer: thin_delta)",
        lambda asked: thinscope("delta", asked.pool, *asked.far),
        lambda asked: compared(asked, asked.far),
        about=lambda asked: asked.far,
        when=has_many,
    ),
    "frame": Kind(
        "mappings into polars (beside: thin_dump, parsed)",
        lambda asked: [sys.executable, "-c", FRAME, asked.pool],
        beside=parsed,
    ),
    "sharing": Kind("sharing", lambda asked: thinscope("sharing", asked.pool)),
    "reclaim-first": Kind(
        "reclaim: half of the devices, asked once",
        lambda asked: thinscope("reclaim", asked.pool, *asked.half),
    ),
    "reclaim-next": Kind("reclaim: asked again"),
    "plan": Kind("plan --free 64M", lambda asked: thinscope("plan", asked.pool, "--free", "64M")),
    "fragmentation": Kind("fragmentation", lambda asked: thinscope("fragmentation", asked.pool)),
    "recount": Kind("recount"),
    "salvage": Kind(
        "salvage, superblock wiped (peer: thin_dump --repair)",
        lambda asked: thinscope("salvage", asked.pool),
        lambda asked: ["thin_dump", "--repair", *asked.lost, asked.pool],
        is_wiped=True,
    ),
    "repair": Kind(
        "thin_dump --repair, superblock wiped",
        lambda asked: thinscope("thin_dump", "--repair", *asked.lost, asked.pool),
        lambda asked: ["thin_dump", "--repair", *asked.lost, asked.pool],
        is_wiped=True,
    ),
    "export": Kind(
        "export of a device, read back and hashed (beside: dd)",
        lambda asked: thinscope(
            *("export", asked.pool, str(asked.made.facts.devices[0])),
            *("--data", asked.content[0], "--size", asked.exported, "-o", str(asked.out)),
        ),
        beside=copied,
    ),
} | {
    f"{work}-{threads}": limit(work, threads) for work in ("read", "checksum") for threads in (1, 2)
}


def everything(asked: Asked) -> str:
    """All blocks of the data device, as a region."""
    return f"0..{asked.made.facts.data_blocks}"


def regions(blocks: list[int]) -> list[str]:
    """Single blocks as regions."""
    return [word for block in blocks for word in ("--region", f"{block}..{block + 1}")]


def compared(asked: Asked, devices: list[str]) -> list[str]:
    """The peer's words for a delta."""
    return ["thin_delta", "--thin1", devices[0], "--thin2", devices[1], asked.pool]


def jobs(asked: Asked, words: Collection[str], sides: Collection[str]) -> Iterator[Job]:
    """The jobs of some words that are for a pool, with those sides that can do them."""
    is_small = not asked.made.pool.size
    for word, kind in KINDS.items():
        is_for_this = word in SMALL if is_small else word != "start"
        if word not in words or not is_for_this or not kind.when(asked):
            continue
        found = dict(commands(word, kind, asked))
        yield Job(
            word,
            kind.title,
            {side: command for side, command in found.items() if command and side in sides},
            kind.is_wiped,
        )


def commands(word: str, kind: Kind, asked: Asked) -> Iterator[tuple[str, list[str]]]:
    """The command of each side."""
    if kind.ours:
        yield "thinscope", kind.ours(asked)
        yield "cold", kind.ours(asked)
    for peer in asked.peers:
        if kind.theirs and (peer.side == "peer" or kind.has_distribution):
            tool, *words = kind.theirs(asked)
            yield peer.side, [*peer.tools[tool], *words]
    if kind.beside:
        yield "beside", kind.beside(asked)
    if word in INSIDE:
        yield "inside", [*PYTHON, "tests.bench.inside", word, asked.pool, *kind.about(asked)]


def content(asked: Asked) -> list[str]:
    """The command that makes what an export needs."""
    return prepare("content", asked.pool, EXPORTED, *asked.content)
