"""Measures, saves, prints tables, fills the docs.

make bench BENCH="--size 10M,30M,100M --json target/bench/memory.json"
make bench BENCH="--size 10M --where disk --json target/bench/disk.json"
make bench BENCH="--growth --json target/bench/growth.json"
make bench BENCH="--counts --json target/bench/counts.json"
make bench BENCH="--from target/bench/memory.json,target/bench/disk.json --write-docs"
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench import counts, measure, pools, table
from tests.bench.jobs import INSIDE, KINDS, SIDES, Asked, content, jobs
from tests.bench.measure import Limits
from tests.bench.programs import ROOT, peers, profile
from tests.bench.samples import Sample, Samples, Unlike, load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.bench.jobs import Job
    from tests.bench.pools import Made, Pool
    from tests.bench.programs import Peer

MEMORY = Path("/dev/shm")  # noqa: S108
DISK = ROOT / "target/bench"
PAGE = ROOT / "docs/performance.md"
DOUBLED = [150, 300, 600]
"""Snapshots, for how time grows."""


def main() -> int:
    """Do what is asked for."""
    asked = options()
    samples = Samples()
    saved = [*asked.read, *([asked.json] if asked.json and asked.json.exists() else [])]
    try:
        samples.merge(load(saved))
        if not asked.read:
            programs = peers()
            samples.merge(Samples(setting(programs)))
            run(asked, samples, programs)
    except Unlike as unlike:
        print(f"what was saved does not fit: {unlike}", file=sys.stderr)
        return 2
    parts = table.sections(samples)
    if asked.write_docs:
        PAGE.write_text(table.fill(PAGE.read_text(), parts))
    else:
        print("\n\n".join(filter(None, parts.values())))
    return 0


def options() -> argparse.Namespace:
    """What is asked for."""
    parser = argparse.ArgumentParser(
        "python -m tests.bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )

    def chosen(*words: str) -> tuple[type | object, str]:
        def convert(text: str) -> list[str]:
            found = text.split(",") if text else []
            if unknown := set(found) - set(words):
                raise argparse.ArgumentTypeError(
                    f"no {', '.join(unknown)} among {', '.join(words)}"
                )
            return found

        return convert, ",".join(words)

    def words(name: str, known: Sequence[str], usual: Sequence[str]) -> None:
        convert, metavar = chosen(*known)
        text = f"some of {metavar}; else {','.join(usual)}"
        parser.add_argument(name, metavar="WORDS", type=convert, default=[*usual], help=text)  # type: ignore[arg-type]

    def numbers(text: str) -> list[int]:
        return [pools.counted(word) for word in text.split(",")]

    words("--shape", [*pools.SHAPES], pools.USUAL)
    words("--capture", pools.CAPTURES, ())
    words("--job", [*KINDS], [*KINDS])
    words("--side", [*SIDES], [*SIDES])
    parser.add_argument("--size", type=numbers, help="mappings: 10M,30M; else 10M")
    parser.add_argument("--devices", type=numbers, help="snapshots: 150,300; else 300")
    parser.add_argument("--runs", type=int, default=5, help="how often, after a run that warms up")
    parser.add_argument("--limit", type=float, default=60, help="seconds that a run may take")
    parser.add_argument("--where", choices=table.PLACES, default="memory")
    parser.add_argument(
        "--growth",
        action="store_true",
        help="only in one process: 10M, 30M and 100M, 150 to 600 snapshots",
    )
    parser.add_argument(
        "--counts", action="store_true", help="count instructions; 1M unless --size"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="add what is measured to FILE")
    parser.add_argument(
        *("--from",),
        dest="read",
        metavar="FILES",
        type=lambda text: list(map(Path, text.split(","))),
        default=[],
        help="measure nothing: tables of what was saved",
    )
    parser.add_argument("--write-docs", action="store_true", help=f"fill {PAGE.relative_to(ROOT)}")
    return parser.parse_args()


def run(asked: argparse.Namespace, samples: Samples, programs: list[Peer]) -> None:
    """Make each pool, and measure what is asked for."""
    folder = place(asked.where)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix="bench-") as scratch:
        for pool in chosen(asked):
            tell(f"{pool.title}")
            with pools.made(pool, Path(scratch)) as made:
                samples.pools[pool.key] = made.facts.saved()
                bench = Bench(asked, samples, made, programs)
                if asked.counts:
                    bench.count()
                else:
                    bench.measure()


def place(where: str) -> Path:
    """The folder in which pools lie."""
    given = os.environ.get("THINSCOPE_BENCH_FOLDER")
    return MEMORY if where == "memory" else Path(given) if given else DISK


def chosen(asked: argparse.Namespace) -> list[Pool]:
    """The pools that are asked for."""
    if asked.counts:
        return pools.chosen(asked.shape, asked.size or [1_000_000], asked.devices)
    if asked.growth:
        sizes = asked.size or [10_000_000, 30_000_000, 100_000_000]
        larger = pools.chosen(pools.USUAL, sizes, None)
        snapshots = ["same-roots", "shared-roots", "own-spines"]
        doubled = pools.chosen(snapshots, sizes[:1], asked.devices or DOUBLED)
        return list(dict.fromkeys(larger + doubled))
    generated = pools.chosen(asked.shape, asked.size or [10_000_000], asked.devices)
    return generated + [pools.Pool(name) for name in asked.capture]


class Bench:
    """One pool, its jobs, and where what they take is kept."""

    def __init__(
        self, asked: argparse.Namespace, samples: Samples, made: Made, programs: list[Peer]
    ) -> None:
        """Of what is asked for."""
        self.asked, self.samples, self.made = asked, samples, made
        self.out = made.beside("out")
        self.words = Asked(made, self.out, programs)

    def sides(self) -> set[str]:
        """The sides that are measured."""
        sides = {"inside"} if self.asked.growth else set(self.asked.side)
        return sides if self.asked.where == "disk" else sides - {"cold"}

    def measure(self) -> None:
        """Run every job, and save after each."""
        if self.asked.where == "disk":
            self.look()
        wanted = self.asked.job
        if self.asked.growth:
            wanted = [word for word in wanted if word in INSIDE]
        for job in jobs(self.words, wanted, self.sides()):
            self.job(job)

    def job(self, job: Job) -> None:
        """Run one job by all sides."""
        key, where = self.made.pool.key, self.asked.where
        found = {side: Sample(key, where, job.word, side) for side in job.sides}
        if not found:
            return
        if job.word == "export":
            subprocess.run(content(self.words), check=True, cwd=ROOT)
        with pools.wiped(self.made.path) if job.is_wiped else nullcontext():
            limits = Limits(self.asked.runs, self.asked.limit)
            measure.measure(job, found, self.made.path, self.out, limits)
        for sample in found.values():
            self.samples.add(sample)
        if job.word == "export":
            for path in self.words.content:
                Path(path).unlink()
        told = [f"{side} {table.time(sample)}" for side, sample in found.items()]
        tell(f"  {job.title}: {', '.join(told)}")
        self.save()

    def look(self) -> None:
        """See how the peers read; a pool that was just made is written out first."""
        for peer in self.words.peers:
            command = [*peer.tools["thin_dump"], str(self.made.path)]
            word = f"{peer.side} reads"
            if word not in self.samples.setting:
                is_direct = measure.reads_the_device(command, self.made.path)
                told = "the device each time (O_DIRECT)" if is_direct else "through the page cache"
                self.samples.setting[word] = told

    def count(self) -> None:
        """Count instructions of every pass."""
        for word in counts.passes(self.words):
            with pools.wiped(self.made.path) if word == "salvage" else nullcontext():
                count = counts.instructions(self.words, word)
            self.samples.instructions.setdefault(self.made.pool.key, {})[word] = count
            tell(f"  {word}: {count:,} instructions")
            self.save()

    def save(self) -> None:
        """Save what there is, if it is to be saved."""
        if self.asked.json:
            self.samples.save(self.asked.json)


def setting(programs: list[Peer]) -> dict[str, object]:
    """What everything runs on, in words."""
    with Path("/proc/cpuinfo").open() as file:
        models = [line.partition(": ")[2].strip() for line in file if line.startswith("model name")]
    model = models[0] if models else platform.machine()
    kernel = ".".join(platform.release().split(".")[:2])
    return {
        "machine": f"{model}, {len(os.sched_getaffinity(0))} cores, Linux {kernel}, "
        f"Python {platform.python_version()}",
        "thinscope": version("thinscope"),
        "profile": profile(),
        "peers": {peer.side: peer.version for peer in programs},
    }


def tell(line: str) -> None:
    """Say on stderr how far it is."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
