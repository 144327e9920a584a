"""What was measured, saved as JSON, so that tables can be made again and runs put together."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


@dataclass
class Sample:
    """What some runs of one side of a job took."""

    pool: str
    where: str
    """``memory`` or ``disk``."""
    job: str
    side: str
    seconds: list[float] = field(default_factory=list)
    peak: float = 0
    """MiB of resident memory, of the run that took most."""
    is_at_most: bool = False
    """Whether that is what the process had that started it, which the kernel counts in."""
    failed: str = ""
    """Why there are no more runs."""

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What it is a sample of."""
        return (self.pool, self.where, self.job, self.side)

    @property
    def median(self) -> float | None:
        """Seconds, or None where no answer came in time."""
        return None if self.failed or not self.seconds else median(self.seconds)


class Unlike(Exception):
    """Samples that do not belong in one table."""


@dataclass
class Samples:
    """What was measured on one machine with the same programs."""

    setting: dict[str, Any] = field(default_factory=dict)
    """The machine and the programs, in words."""
    pools: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What each pool has, by key."""
    samples: dict[tuple[str, str, str, str], Sample] = field(default_factory=dict)
    instructions: dict[str, dict[str, int]] = field(default_factory=dict)
    """By pool and job, of one thread."""

    def add(self, sample: Sample) -> None:
        """Take a sample in, in place of an older one."""
        self.samples[sample.key] = sample

    def of(self, pool: str, where: str, job: str, side: str) -> Sample | None:
        """The sample of a side, if it was measured."""
        return self.samples.get((pool, where, job, side))

    def seconds(self, pool: str, where: str, job: str, side: str) -> float | None:
        """The median of a side, if there is one."""
        sample = self.of(pool, where, job, side)
        return sample.median if sample else None

    def saved(self) -> dict[str, Any]:
        """What is written."""
        return {
            "setting": self.setting,
            "pools": self.pools,
            "samples": [asdict(sample) for sample in self.samples.values()],
            "instructions": self.instructions,
        }

    def save(self, path: Path) -> None:
        """Write all, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f"{path.name}.new")
        fresh.write_text(json.dumps(self.saved(), indent=1) + "\n")
        fresh.rename(path)

    def merge(self, other: Samples) -> None:
        """Take in what was measured later.

        Raises:
            Unlike: On another machine, or of other programs.
        """
        for word, told in other.setting.items():
            here = self.setting.setdefault(word, told)
            if here != told:
                raise Unlike(f"{word}: {here}, and {told}")
        self.pools |= other.pools
        self.samples |= other.samples
        for pool, counts in other.instructions.items():
            self.instructions.setdefault(pool, {}).update(counts)


def load(paths: Iterable[Path]) -> Samples:
    """Read what was saved; of the same side, the later file counts."""
    found = Samples()
    for path in paths:
        saved = json.loads(path.read_text())
        samples = [Sample(**sample) for sample in saved["samples"]]
        keyed = {sample.key: sample for sample in samples}
        found.merge(Samples(saved["setting"], saved["pools"], keyed, saved["instructions"]))
    return found


def ratio(first: float | None, second: float | None) -> float | None:
    """The first over the second, where both are known."""
    return first / second if first is not None and second else None
