"""Runs commands: by turns, with a limit, with the page cache as it should be."""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.programs import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.bench.jobs import Job
    from tests.bench.samples import Sample

PIECE = 1 << 22
CACHED = 0.01
"""Most of a file that may be in the page cache after it was dropped."""

ATTENTION = 1
"""How a command of ours exits that answered, and found something that needs attention."""


class Kept(Exception):
    """The page cache does not let go of a file."""


@dataclass(frozen=True)
class Limits:
    """How often, and how long at most."""

    runs: int
    seconds: float


def run(command: Sequence[str], sample: Sample, limit: float) -> None:
    """Run a command once more, as a whole process, unless it failed before."""
    if sample.failed:
        return
    program = shutil.which(command[0]) or command[0]
    launch = [sys.executable, "-IS", str(Path(__file__).with_name("launch.py")), program]
    process = subprocess.Popen(
        [*launch, *command[1:]],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        start_new_session=True,
        text=True,
    )
    try:
        told, _ = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        sample.failed = f"over {limit:g} s"
        return
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    seconds, peak, own, status = map(float, told.split())
    is_ours = sample.side in ("thinscope", "cold")
    if status not in ((0, ATTENTION) if is_ours else (0,)):
        sample.failed = f"exit {status:g}"
    sample.seconds.append(seconds)
    sample.peak = max(sample.peak, peak / 1024)
    sample.is_at_most = sample.peak <= own / 1024 + 1


def measure(job: Job, samples: dict[str, Sample], pool: Path, out: Path, limits: Limits) -> None:
    """Run the sides of a job by turns, after a turn that does not count."""
    for turn in range(limits.runs + 1):
        for side, sample in samples.items():
            if side == "inside":
                continue
            out.unlink(missing_ok=True)
            if side == "cold":
                drop(pool)
            elif "cold" in samples and not sample.failed:
                warm(pool)
            run(job.sides[side], sample, limits.seconds)
        if not turn:
            for sample in samples.values():
                sample.seconds.clear()
    out.unlink(missing_ok=True)
    if inside := samples.get("inside"):
        if "cold" in samples:
            warm(pool)
        ask(job.sides["inside"], inside, limits)


def ask(command: Sequence[str], sample: Sample, limits: Limits) -> None:
    """Have a process ask several times, and tell by itself what it took; see `inside`."""
    seconds = limits.seconds * (limits.runs + 1)
    try:
        told = subprocess.run(
            [*command, str(limits.runs)], capture_output=True, cwd=ROOT, check=True, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        sample.failed = f"over {seconds:g} s"
    except subprocess.CalledProcessError as error:
        sample.failed = f"exit {error.returncode}"
    else:
        found = json.loads(told.stdout)
        sample.seconds, sample.peak = found["seconds"], found["peak"]


def warm(path: Path) -> None:
    """Have a file in the page cache, where it is not."""
    if resident(path) > 1 - CACHED:
        return
    with path.open("rb", buffering=0) as file:
        while file.read(PIECE):
            pass


def drop(path: Path) -> None:
    """Have nothing of a file in the page cache.

    Raises:
        Kept: It stays there.
    """
    with path.open("rb", buffering=0) as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if (share := resident(path)) > CACHED:
        raise Kept(f"{share:.0%} of {path} stays in the page cache")


def resident(path: Path) -> float:
    """How much of a file is in the page cache, from 0 to 1."""
    length = path.stat().st_size
    pages = -(-length // mmap.PAGESIZE)
    found = (ctypes.c_ubyte * pages)()
    libc = ctypes.CDLL(None, use_errno=True)
    # A copy on write: ctypes takes the address of nothing that cannot be written.
    with path.open("rb") as file, mmap.mmap(file.fileno(), length, access=mmap.ACCESS_COPY) as view:
        begin = ctypes.c_ubyte.from_buffer(view)
        failed = libc.mincore(ctypes.byref(begin), ctypes.c_size_t(length), found)
        del begin
        if failed:
            raise OSError(ctypes.get_errno(), "mincore")
    return 1 - bytes(found).count(0) / pages


def reads_the_device(command: Sequence[str], pool: Path) -> bool:
    """Whether a command leaves nothing of a pool in the page cache: it reads by direct I/O."""
    drop(pool)
    subprocess.run(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, cwd=ROOT
    )
    return resident(pool) <= CACHED
