"""Asks a question several times in one process, and tells as JSON what each time took.

The pool is opened anew each time, so that nothing is known from the time before; only ``reclaim-next`` asks one
and the same sharing. The first time does not count. What is imported is not timed.

    python -m tests.bench.inside JOB POOL [WORD...] RUNS
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import polars

import thinscope

if TYPE_CHECKING:
    from collections.abc import Callable

TURNS = 20
"""Sets that are asked for one after the other, where one takes hardly any time."""


def recount(path: str) -> None:
    """Count all mappings."""
    thinscope.open(path).recount()


def exclusive(path: str) -> None:
    """Count them, and what each device maps alone."""
    thinscope.open(path).recount(exclusive=True)


def check(path: str) -> None:
    """Look for everything that is wrong."""
    thinscope.check(path)


def dump(path: str) -> None:
    """Write all as XML, to nowhere."""
    with Path(os.devnull).open("wb") as file:
        thinscope.open(path).dump(file)


def delta(path: str, left: str, right: str) -> None:
    """Compare two devices."""
    pool = thinscope.open(path)
    polars.DataFrame(pool.devices[int(left)].delta(pool.devices[int(right)]))


def owners(path: str, *blocks: str) -> None:
    """Ask who holds some blocks."""
    polars.DataFrame(thinscope.open(path).owners(*map(int, blocks)))


def frame(path: str) -> None:
    """Have all mappings as a data frame."""
    polars.DataFrame(thinscope.open(path).mappings())


def sharing(path: str) -> None:
    """Find who shares what."""
    thinscope.open(path).sharing()


def reclaim(path: str) -> None:
    """Ask what half of the devices would give back, where nothing is known."""
    pool = thinscope.open(path)
    pool.sharing().reclaim(list(pool.devices)[::2])


def salvage(path: str) -> None:
    """Look for what is left."""
    thinscope.salvage(path)


def fragmentation(path: str) -> None:
    """Ask how scattered it is."""
    thinscope.open(path).fragmentation()


JOBS: dict[str, Callable[..., None]] = {
    "recount": recount,
    "ls": exclusive,
    "check": check,
    "dump": dump,
    "delta-near": delta,
    "delta-far": delta,
    "owners": owners,
    "frame": frame,
    "sharing": sharing,
    "reclaim-first": reclaim,
    "salvage": salvage,
    "fragmentation": fragmentation,
}
NEXT = "reclaim-next"


def timed(call: Callable[..., object], *words: object) -> float:
    """Seconds that a call takes."""
    start = time.perf_counter()
    call(*words)
    return time.perf_counter() - start


def next_ones(path: str, runs: int) -> list[float]:
    """Seconds for what half the devices would give back, once sharing is known."""
    pool = thinscope.open(path)
    ids, known = list(pool.devices), pool.sharing()
    halves = [ids[turn % 2 :: 2] or ids for turn in range(TURNS)]
    times = [[timed(known.reclaim, half) for half in halves] for _ in range(runs + 1)]
    return [sum(each) / TURNS for each in times[1:]]


def peak() -> float:
    """MiB of resident memory that this process had at most."""
    status = Path("/proc/self/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def main(job: str, path: str, *words: str) -> None:
    """Ask, and tell."""
    *about, runs = words
    if job == NEXT:
        seconds = next_ones(path, int(runs))
    else:
        seconds = [timed(JOBS[job], path, *about) for _ in range(int(runs) + 1)][1:]
    json.dump({"seconds": seconds, "peak": peak()}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
