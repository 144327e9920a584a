"""How the time of a job grows: with the mappings, and with snapshots of them.

Only what was measured in one process says so: a start takes as long for any pool.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from tests.bench.aims import GROWTH, NEARLY_AS_MANY, SNAPSHOTS_GROWTH
from tests.bench.pools import SHAPES, SNAPSHOTS, Pool, amount

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.bench.samples import Sample, Samples

BY_ROWS = ("frame",)
"""Jobs that answer for every device, whatever it shares: their time follows the rows."""

STEADY = 0.001
"""Seconds: what takes less says nothing of growth."""


@dataclass(frozen=True)
class Growth:
    """A job on two pools of one shape."""

    job: str
    title: str
    base: int
    """Mappings, or snapshots, of the smaller pool."""
    size: int
    before: float
    """Seconds, of the smaller pool."""
    after: float
    by: float
    """How many times as much there is to read: mappings, or distinct nodes."""
    most: float
    """The aim."""
    is_outright: bool = False
    """Whether time is not divided by what there is to read: there is hardly more."""

    @property
    def growth(self) -> float:
        """How many times as long it takes: for each mapping, for each node, or outright."""
        times = self.after / self.before
        return times if self.is_outright else times / self.by


def inside(samples: Samples) -> list[tuple[Pool, Sample]]:
    """What generated pools took in one process and in memory, else on a disk."""
    found = [each for each in samples.samples.values() if each.side == "inside" and each.median]
    places = {each.where for each in found}
    where = "memory" if "memory" in places else "disk"
    return [
        (Pool.of(each.pool), each) for each in found if each.where == where and "/" in each.pool
    ]


Grouped = list[tuple[Pool, "Sample"]]


def groups(
    samples: Samples, of: Callable[[Pool], tuple[int, ...]], by: Callable[[Pool], int]
) -> Iterator[Grouped]:
    """Samples of one job of pools that are alike but for one number, by that number."""
    found = inside(samples)

    def alike(each: tuple[Pool, Sample]) -> tuple[object, ...]:
        pool, sample = each
        return ([*SHAPES].index(pool.word), sample.job, *of(pool))

    for _, same in groupby(sorted(found, key=alike), alike):
        several = sorted(same, key=lambda each: by(each[0]))
        if len(several) > 1 and (several[0][1].median or 0) > STEADY:
            yield several


def by_size(samples: Samples) -> list[Growth]:
    """Every larger pool beside the smallest one of its shape."""
    found = []
    for (least, base), *larger in groups(
        samples, lambda pool: (pool.devices,), lambda pool: pool.size
    ):
        for pool, sample in larger:
            total = pool.each * pool.devices / (least.each * least.devices)
            title = SHAPES[pool.word].called()
            times = (base.median or 0, sample.median or 0)
            found.append(Growth(sample.job, title, least.size, pool.size, *times, total, GROWTH))
    return found


def by_snapshots(samples: Samples) -> list[Growth]:
    """Every pool beside the one with half as many snapshots, or the next smaller one."""
    found = []
    for several in groups(samples, lambda pool: (pool.size,), lambda pool: pool.devices):
        (least, base), *_ = several
        if SHAPES[least.word].part != SNAPSHOTS or base.job in BY_ROWS:
            continue
        nodes = [samples.pools[pool.key]["nodes"] for pool, _ in several]
        is_outright = nodes[-1] / nodes[0] <= NEARLY_AS_MANY
        for (less, base), (pool, sample) in pairwise(several):
            more = samples.pools[pool.key]["nodes"] / samples.pools[less.key]["nodes"]
            title = f"{amount(pool.each)} mappings, {SHAPES[pool.word].called()}"
            times = (base.median or 0, sample.median or 0)
            found.append(
                Growth(
                    *(sample.job, title, less.devices, pool.devices, *times),
                    *(more, SNAPSHOTS_GROWTH, is_outright),
                )
            )
    return found
