"""How little a job should take: the aims, and what is missed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.bench.pools import Pool
from tests.bench.samples import ratio

if TYPE_CHECKING:
    from tests.bench.samples import Samples

MOST_MIB = 1024
"""Resident memory of any job."""

GROWTH = 1.05
"""Ten times the mappings in 10.5 times the time: by mapping, to that of the smallest pool."""

SNAPSHOTS_GROWTH = 1.1
"""Twice the snapshots: by distinct node, or outright where there are hardly more nodes."""

NEARLY_AS_MANY = 1.25
"""Nodes of the largest to those of the smallest pool, where there are hardly more."""

LONG = ("one-device", "singles", "pair", "shared-data")
SNAPSHOTS = ("shared-roots", "own-spines", "same-roots")


@dataclass(frozen=True)
class Aim:
    """Most that the median of a side may be of the median of another."""

    job: str
    most: float
    side: str = "thinscope"
    beside: tuple[str, str] = ("", "peer")
    """Job and side that it is compared with; no job: the same."""
    shapes: tuple[str, ...] = LONG + SNAPSHOTS

    @property
    def title(self) -> str:
        """What is compared."""
        ours = "in process" if self.side == "inside" else "whole process"
        job, side = self.beside
        theirs = {"peer": "the peer's", "beside": "what is beside it"}[side]
        return f"{ours} / {job or theirs}"

    def reached(self, samples: Samples, pool: str, where: str) -> float | None:
        """What it is, where both were measured."""
        job, side = self.beside
        ours = samples.seconds(pool, where, self.job, self.side)
        return ratio(ours, samples.seconds(pool, where, job or self.job, side))


AIMS = [
    Aim("dump", 0.4, shapes=LONG),
    Aim("dump", 0.1, shapes=SNAPSHOTS),
    Aim("ls", 0.2),
    Aim("check", 0.2),
    Aim("findings", 0.2),
    Aim("check", 4, "inside", ("checksum-2", "beside")),
    Aim("rmap", 0.3),
    Aim("owners", 0.3),
    Aim("delta-near", 0.5),
    Aim("delta-same", 0.5),
    Aim("delta-far", 0.5),
    Aim("delta-near", 0.05, "inside"),
    Aim("frame", 0.02, beside=("", "beside")),
    Aim("salvage", 0.25),
]


def aims(job: str, pool: str) -> list[Aim]:
    """The aims of a job of a pool."""
    shape = Pool.of(pool).word
    return [aim for aim in AIMS if aim.job == job and shape in aim.shapes]


def mark(reached: float | None, most: float) -> str:
    """An aim in words, and whether it is missed: by how much is told beside it."""
    if reached is None:
        return f"<= {most:g}"
    return f"<= {most:g}" if reached <= most else f"<= {most:g} **missed**"
