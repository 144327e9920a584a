"""What questions cost, beside merely reading the same blocks and beside thin-provisioning-tools.

Prints the table of docs/performance.md; `make bench` builds what it needs. The peer is taken from PDATA_TOOLS,
from where `make oracle` installs it, or from PATH; without one, thinscope is measured alone.

    python -m tests.bench [WORD...]

takes only pools in whose title one of the words is.
"""

from __future__ import annotations

import json
import os
import platform
import random
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from statistics import median

from tests.oracle import program

TESTKIT = program.ROOT / "target/ci/testkit"
THINSCOPE = Path(sys.executable).with_name("thinscope")
RUNS = 5
LIMIT = 60  # seconds for one run
FLOOR = getrusage(RUSAGE_SELF).ru_maxrss / 1024
"""MiB: the kernel counts what a process was before it became the command, and that is this one."""
MEMORY = Path("/dev/shm")  # noqa: S108

POOLS = {
    "10 M mappings in one device": "one-device --mappings 10000000",
    "10 M mappings in one device, and a snapshot": "snapshots-shared --mappings 10000000 --devices 1",
    "2 M single mappings in one device": "one-device --mappings 2000000 --run 1",
    "1.5 M mappings under 300 snapshots, shared roots": (
        "snapshots-shared --mappings 1500000 --devices 300"
    ),
    "1.5 M mappings under 300 snapshots, own spines": (
        "snapshots-own-spines --mappings 1500000 --devices 300"
    ),
    "6 M mappings in 60 devices, no shared leaf": "shared-data --mappings 100000 --devices 60",
}

RECOUNT = "import sys, thinscope\nthinscope.open(sys.argv[1]).recount()"
POLARS = (
    "import sys, thinscope, polars\n"
    "print(polars.DataFrame(thinscope.open(sys.argv[1]).mappings())['length'].sum())"
)
SHARING = "import sys, thinscope\nthinscope.open(sys.argv[1]).sharing()"
RECLAIMS = (
    "import sys, thinscope\n"
    "pool = thinscope.open(sys.argv[1])\n"
    "ids, sharing = list(pool.devices), pool.sharing()\n"
    "for turn in range(100):\n"
    "    sharing.reclaim(ids[turn % 2 :: 2])"
)
COLUMNS = "DEV,MAPPED,EXCLUSIVE,SHARED"
ASKED = 1000
"""Data blocks whose owners are asked for."""

EXPORTED = 8192
"""Virtual blocks of a device that are exported."""


@dataclass
class Side:
    """One command, run several times."""

    command: list[str]
    seconds: list[float] = field(default_factory=list)
    peak: float = 0
    """MiB, of the run that took most."""
    failed: str = ""
    """Why there are no more runs."""

    def run(self) -> None:
        """Run it once more, as a whole process, unless it has failed before."""
        if self.failed:
            return
        start = time.perf_counter()
        process = subprocess.Popen(
            self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        killer = threading.Timer(LIMIT, process.kill)
        killer.start()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        killer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        if seconds >= LIMIT:
            self.failed = f"over {LIMIT} s"
        # An overview ends with 1 where something needs attention.
        elif process.returncode not in (0, 1):
            self.failed = f"exit {process.returncode}"
        self.seconds.append(seconds)
        self.peak = max(self.peak, usage.ru_maxrss / 1024)

    def cells(self) -> list[str]:
        """Its time and its memory."""
        if self.failed:
            return [self.failed, ""]
        low, high = min(self.seconds), max(self.seconds)
        peak = f"{self.peak:.0f}" if self.peak > FLOOR + 1 else f"<= {self.peak:.0f}"
        return [f"{median(self.seconds):.3f} ({low:.3f} - {high:.3f})", peak]


def peer_tools() -> dict[str, list[str]]:
    """How the peer's tools are called; none where there is no peer."""
    names = ("thin_dump", "thin_ls", "thin_check", "thin_rmap", "thin_delta")
    if path := program.found():
        return {name: [str(path), name] for name in names}
    if all(map(shutil.which, names)):
        return {name: [name] for name in names}
    return {}


def jobs(pool: Path, out: Path) -> dict[str, tuple[list[str], list[str] | None]]:
    """What is timed: our command, and the peer's where it has one."""
    python = [sys.executable, "-c"]
    words = {
        "thin_dump > /dev/null": ["thin_dump", str(pool)],
        "thin_dump -o file": ["thin_dump", "-o", str(out), str(pool)],
        f"thin_ls -o {COLUMNS}": ["thin_ls", "-o", COLUMNS, str(pool)],
    }
    tools = peer_tools()
    found: dict[str, tuple[list[str], list[str] | None]] = {
        title: ([str(THINSCOPE), tool, *rest], [*tools[tool], *rest] if tools else None)
        for title, (tool, *rest) in words.items()
    }
    exclusive = tools and [*tools["thin_ls"], "-o", COLUMNS, str(pool)]
    found["overview (peer: thin_ls with EXCLUSIVE)"] = (
        [str(THINSCOPE), str(pool)],
        exclusive or None,
    )
    found |= forensics(pool, out, tools)
    alone = {
        "recount": [*python, RECOUNT, str(pool)],
        "sharing": [*python, SHARING, str(pool)],
        "sharing, then 100 times what half the devices would give back": [
            *python,
            RECLAIMS,
            str(pool),
        ],
        "plan --free 64M": [str(THINSCOPE), "plan", str(pool), "--free", "64M"],
        "fragmentation": [str(THINSCOPE), "fragmentation", str(pool)],
        "mappings into polars": [*python, POLARS, str(pool)],
    }
    for threads in sorted({1, cores()}):
        for work in ("read", "checksum"):
            title = f"limit: {work} live blocks, threads: {threads}"
            alone[title] = [str(TESTKIT), work, str(pool), "--threads", str(threads)]
    return found | {title: (command, None) for title, command in alone.items()}


def forensics(
    pool: Path, out: Path, tools: dict[str, list[str]]
) -> dict[str, tuple[list[str], list[str] | None]]:
    """The same of questions about what is damaged, lost, or behind a block."""

    def peers(tool: str, *words: str) -> list[str] | None:
        return [*tools[tool], *words] if tools else None

    make = [sys.executable, "-m", "tests.bench_files", str(pool), str(EXPORTED)]
    made = json.loads(subprocess.run(make, check=True, capture_output=True).stdout)
    total, size, devices = made["data_blocks"], made["block_bytes"], made["devices"]
    draws = random.Random(1)  # noqa: S311 - the same each time
    asked = sorted(draws.sample(range(total), ASKED))
    regions = [word for block in asked for word in ("--region", f"{block}..{block + 1}")]
    found = {
        "check (peer: thin_check)": (
            [str(THINSCOPE), "check", str(pool)],
            peers("thin_check", str(pool)),
        ),
        f"owners of {ASKED:,} random blocks (peer: thin_rmap)": (
            [str(THINSCOPE), "owners", str(pool), *map(str, asked)],
            peers("thin_rmap", *regions, str(pool)),
        ),
    }
    if len(devices) > 1:
        left, right = map(str, devices[:2])
        found["delta of a device and its snapshot (peer: thin_delta)"] = (
            [str(THINSCOPE), "delta", str(pool), left, right],
            peers("thin_delta", "--thin1", left, "--thin2", right, str(pool)),
        )
    wiped, data, plain = (pool.with_name(name) for name in ("wiped.bin", "data.img", "plain.img"))
    lost = ["--data-block-size", str(size // 512), "--nr-data-blocks", str(total)]
    repair = ["--repair", "--transaction-id", "1", *lost, str(wiped)]
    found["salvage, superblock wiped (peer: thin_dump --repair)"] = (
        [str(THINSCOPE), "salvage", str(wiped)],
        peers("thin_dump", *repair),
    )
    found["thin_dump --repair, superblock wiped"] = (
        [str(THINSCOPE), "thin_dump", *repair],
        peers("thin_dump", *repair),
    )
    mebibytes = plain.stat().st_size >> 20
    words = ["--data", str(data), "--size", str(EXPORTED * size), "-o", str(out)]
    found[f"export of {mebibytes} MiB, read back and hashed (beside it: dd)"] = (
        [str(THINSCOPE), "export", str(pool), str(devices[0]), *words],
        ["dd", f"if={plain}", f"of={out}", "bs=1M"],
    )
    return found


def measured(ours: list[str], peers: list[str] | None, out: Path) -> list[str]:
    """The cells of a row: both sides by turns, after a run that warms the page cache."""
    sides = [Side(ours)] + ([Side(peers)] if peers else [])
    for _ in range(RUNS + 1):
        for side in sides:
            out.unlink(missing_ok=True)
            side.run()
    for side in sides:
        del side.seconds[:1]
    cells = [cell for side in sides for cell in side.cells()]
    if len(sides) == 1 or any(side.failed for side in sides):
        return [*cells, "", "", ""][:5]
    first, second = (median(side.seconds) for side in sides)
    return [*cells, f"{first / second:.2f}"]


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0))


def machine() -> str:
    """What everything ran on."""
    with Path("/proc/cpuinfo").open() as file:
        models = [line.partition(": ")[2].strip() for line in file if line.startswith("model name")]
    model = models[0] if models else platform.machine()
    kernel = ".".join(platform.release().split(".")[:2])
    return f"{model}, {cores()} cores, Linux {kernel}"


def main() -> None:
    """Build each pool, run each job, print the table."""
    tools = peer_tools()
    peer = program.version(tools["thin_dump"]) if tools else "missing: thinscope is measured alone"
    where = os.environ.get("THINSCOPE_BENCH_FOLDER") or (MEMORY if MEMORY.is_dir() else None)
    print(f"{machine()}.", f"Peer: thin-provisioning-tools {peer}.")
    print(f"Pools in {where or tempfile.gettempdir()}; median of {RUNS} runs (lowest - highest).")
    print()
    print("| job | thinscope, s | MiB | peer, s | MiB | ours / peer |")
    print("|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory(dir=where) as folder:
        pool, out = Path(folder) / "pool.bin", Path(folder) / "out"
        for title, shape in POOLS.items():
            if sys.argv[1:] and not any(word in title for word in sys.argv[1:]):
                continue
            build = [str(TESTKIT), "build", *shlex.split(shape), "-o", str(pool)]
            subprocess.run(build, check=True, capture_output=True)
            size = pool.stat().st_blocks * 512 / 2**20
            print(f"| **{title}** ({size:.0f} MiB of metadata) | | | | | |")
            for job, (ours, peers) in jobs(pool, out).items():
                print(f"| {job} | {' | '.join(measured(ours, peers, out))} |", flush=True)


if __name__ == "__main__":
    main()
