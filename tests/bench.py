"""What questions cost, beside merely reading the same bytes and beside thin-provisioning-tools.

Whole processes, medians of several runs, both sides in one go; run it with `make bench`. The
`thin_*` tools are timed where they are installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
TESTKIT = ROOT / "target/ci/testkit"
THINSCOPE = Path(sys.executable).with_name("thinscope")
RUNS = 5
LIMIT = 20  # seconds for one run

POOLS = {
    "10 M mappings in one device": ["one-device", "--mappings", "10000000"],
    "1.5 M mappings under 300 snapshots": [
        *("snapshots-shared", "--mappings", "1500000", "--devices", "300"),
    ],
}

READ = "import sys\nwith open(sys.argv[1], 'rb', 0) as f:\n    while f.read(1 << 20): pass"
RECOUNT = "import sys, thinscope\nthinscope.open(sys.argv[1]).recount()"
POLARS = (
    "import sys, thinscope, polars\n"
    "print(polars.DataFrame(thinscope.open(sys.argv[1]).mappings())['length'].sum())"
)


def jobs(pool: Path) -> dict[str, list[str]]:
    """Commands by what they do; the first is what the others are compared with."""
    python = [sys.executable, "-c"]
    found = {
        "read the file (python)": [*python, READ, str(pool)],
        "recount": [*python, RECOUNT, str(pool)],
        "overview": [str(THINSCOPE), str(pool)],
        "mappings into polars": [*python, POLARS, str(pool)],
    }
    peers = {
        "thin_check": [str(pool)],
        "thin_ls": ["--format", "DEV,MAPPED,EXCLUSIVE", str(pool)],
        "thin_dump": ["-o", os.devnull, str(pool)],
    }
    for name, arguments in peers.items():
        if program := shutil.which(name):
            found[f"{name} (peer)"] = [program, *arguments]
    return found


def measure(command: list[str]) -> tuple[float, float] | None:
    """Median seconds, and peak memory in MiB, of a command as a whole process.

    None where one run takes longer than the limit.
    """
    seconds, peak = [], 0.0
    for _ in range(RUNS):
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        killer = threading.Timer(LIMIT, process.kill)
        killer.start()
        _, status, usage = os.wait4(process.pid, 0)
        killer.cancel()
        seconds.append(time.perf_counter() - start)
        if seconds[-1] >= LIMIT:
            return None
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in (0, 1):
            raise SystemExit(f"{command} ended with {process.returncode}")
        peak = max(peak, usage.ru_maxrss / 1024)
    return median(seconds), peak


def main() -> None:
    """Build each pool, run each job, print the table."""
    cores = len(os.sched_getaffinity(0))
    print(f"{cores} cores, warm page cache, median of {RUNS} runs, whole processes")
    with tempfile.TemporaryDirectory() as folder:
        for title, shape in POOLS.items():
            pool = Path(folder) / "pool.bin"
            subprocess.run([TESTKIT, "build", *shape, "-o", pool], check=True, capture_output=True)
            print(f"\n{title}: {pool.stat().st_blocks * 512 / 2**20:.0f} MiB of metadata")
            base = None
            for name, command in jobs(pool).items():
                measured = measure(command)
                if measured is None:
                    print(f"  {name:26} over {LIMIT} s")
                    continue
                seconds, peak = measured
                base = base or seconds
                ratio = seconds / base
                print(f"  {name:26} {seconds:8.3f} s   x {ratio:6.2f}   peak {peak:6.0f} MiB")


if __name__ == "__main__":
    main()
