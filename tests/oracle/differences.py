"""Where thinscope differs from thin-provisioning-tools on purpose, and what it does instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .asked import UNDER_FULL, UNKNOWN_DEVICE

if TYPE_CHECKING:
    from collections.abc import Callable

    from .peer import Run

MOST_METADATA = b"33292800 sectors\n"
"""4,161,600 blocks, as many as a metadata space map can count."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Runs that end otherwise, and why."""

    reason: str
    is_it: Callable[[Run], bool]
    code: int
    stdout: bytes | None
    """None: what the peer says of the pool `WELL_FILLED`."""


DIFFERENCES = (
    Difference(
        "a device that is asked for and not there is an error; the peer leaves it out in silence",
        lambda run: run.tool == "thin_dump" and str(UNKNOWN_DEVICE) in run.arguments,
        64,
        b"",
    ),
    Difference(
        "the block of a metadata snapshot that is not the held one is an error; the peer ignores it",
        lambda run: (
            any(word.startswith(("-m=", "--metadata-snap=")) for word in run.arguments)
            and run.code == 0
        ),
        64,
        b"",
    ),
    Difference(
        "a node that is less than a third full is read, as by the kernel; the peer rejects it",
        lambda run: run.pool == UNDER_FULL,
        0,
        None,
    ),
    Difference(
        "a huge number of thins needs the most metadata that can be; the peer's sum wraps around",
        lambda run: run.tool == "thin_metadata_size" and run.arguments[-1:] == (str(2**64 - 1),),
        0,
        MOST_METADATA,
    ),
    Difference(
        "an output that fails is an error like any other; the peer panics",
        lambda run: run.tool == "thin_metadata_size" and run.to != "captured",
        64,
        b"",
    ),
)


def difference(run: Run) -> Difference | None:
    """The difference that a run is about, if it is about one."""
    return next((each for each in DIFFERENCES if each.is_it(run)), None)
