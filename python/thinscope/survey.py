"""What became of a device that is gone: its mappings of then beside the pool of now."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from thinscope.source import named

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from thinscope import _core
    from thinscope._core import SurveyedRun
    from thinscope.pool import Device
    from thinscope.source import Source

__all__ = ["GRADES", "Grade", "Survey", "survey"]

Grade: TypeAlias = Literal["same", "reused", "held", "free", "unreached"]
"""What became of a mapping:

- ``same``: a live device maps the block since the same time, and one of the two is a younger snapshot
  that can have it from the other: the same allocation. The clock moves with snapshots alone, so what
  was freed, allocated again and snapshotted between two of them looks the same.
- ``reused``: live devices map the block, since another time or as a new allocation: it was freed and
  allocated again, and holds what they wrote; or only the held metadata snapshot has it, so.
- ``held``: only the held metadata snapshot maps it, and it is the same allocation.
- ``free``: nobody maps it, and it is counted as free. What it holds is not proven: it reads as zeros if
  it was discarded, and as what others wrote if it was allocated and freed once more meanwhile.
- ``unreached``: nobody maps it, and it is counted as used: it leaked, or is in flight.
"""

GRADES: tuple[Grade, ...] = get_args(Grade)


@dataclass(frozen=True)
class Survey:
    """The mappings of an old device, and what became of them.

    Attributes:
        device: Id that the device had.
        runs: The mappings by ascending virtual block; of a run all have the same grade and owners.
    """

    device: int
    runs: tuple[SurveyedRun, ...]

    def __iter__(self) -> Iterator[SurveyedRun]:
        """Yield the runs."""
        return iter(self.runs)

    def __len__(self) -> int:
        """Return how many runs there are."""
        return len(self.runs)

    @cached_property
    def blocks(self) -> Mapping[str, int]:
        """How many blocks have each of the `GRADES`, in data blocks; they add up to `mapped_blocks`."""
        found: dict[str, int] = dict.fromkeys(GRADES, 0)
        for run in self.runs:
            found[run.grade] += run.length
        return MappingProxyType(found)

    @property
    def mapped_blocks(self) -> int:
        """Blocks that the device mapped, in data blocks."""
        return sum(self.blocks.values())

    @property
    def zero_blocks(self) -> int | None:
        """Of the free blocks, those that are all zeros in the data; None where that was not asked."""
        zeros = [run.zero_blocks for run in self.runs if run.grade == "free"]
        known = [zero for zero in zeros if zero is not None]
        return sum(known) if len(known) == len(zeros) else None


def survey(now: _core.Pool, then: _core.Pool, device: Device, data: Source | None) -> Survey:
    """Grade the mappings of a device.

    Args:
        now: The live pool.
        then: The state of the pool that the device is of.
        device: The device.
        data: As `Pool.survey` takes it.
    """
    opened = None if data is None else named(data)
    return Survey(device.id, tuple(now.survey(then, device.id, opened)))
