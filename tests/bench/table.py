"""What was measured, as tables in Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from tests.bench.aims import AIMS, MOST_MIB, aims, mark
from tests.bench.growth import by_size, by_snapshots
from tests.bench.jobs import KINDS
from tests.bench.pools import SHAPES, Pool, amount
from tests.bench.samples import ratio

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.bench.growth import Growth
    from tests.bench.samples import Sample, Samples

END = "<!-- bench:end -->"

PLACES = ("memory", "disk")


def rows(header: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """A table."""
    lines = [header, ["---"] * len(header), *body]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def clock(seconds: float) -> str:
    """Seconds in as many digits as mean something."""
    return f"{seconds:.3f}" if seconds >= 0.01 else f"{seconds:.5f}"


def time(sample: Sample | None) -> str:
    """Median, lowest and highest, or why there is none."""
    if sample is None:
        return ""
    if sample.failed:
        return sample.failed
    low, high = min(sample.seconds), max(sample.seconds)
    return f"{clock(median(sample.seconds))} ({clock(low)} - {clock(high)})"


def memory(sample: Sample | None) -> str:
    """MiB; what is too much is marked, but of what is beside."""
    if sample is None or sample.failed:
        return ""
    text = f"{'<= ' if sample.is_at_most else ''}{sample.peak:.0f}"
    return f"**{text}**" if is_ours(sample) and sample.peak > MOST_MIB else text


def times(number: float | None) -> str:
    """A ratio."""
    if number is None:
        return ""
    return f"{number:.2f}" if number >= 0.1 else f"{number:.3f}"


@dataclass(frozen=True)
class Column:
    """A column that is there where a side was measured."""

    side: str
    title: str
    is_ratio: bool = False
    of: str = "thinscope"


COLUMNS = (
    Column("thinscope", "thinscope, s"),
    Column("cold", "cache dropped, s"),
    Column("inside", "in process, s"),
    Column("peer", "peer, s"),
    Column("peer", "ours / peer", is_ratio=True),
    Column("peer", "dropped / peer", is_ratio=True, of="cold"),
    Column("distribution", "distribution's, s"),
    Column("distribution", "ours / distribution's", is_ratio=True),
    Column("beside", "beside, s"),
    Column("beside", "ours / beside", is_ratio=True),
)


def pools(samples: Samples, where: str) -> list[str]:
    """Keys of the pools that were asked there, in the order of shapes and sizes."""
    found = {sample.pool for sample in samples.samples.values() if sample.where == where}
    order = [*SHAPES]

    def place(key: str) -> tuple[int, int, int, str]:
        pool = Pool.of(key)
        at = order.index(pool.word) if pool.size else len(order)
        return (pool.size or 1 << 40, at, pool.devices, key)

    return sorted(found, key=place)


def measured(samples: Samples, where: str) -> str:
    """Every job of every pool."""
    here = [sample for sample in samples.samples.values() if sample.where == where]
    if not here:
        return ""
    sides = {sample.side for sample in here}
    columns = [
        column
        for column in COLUMNS
        if {column.side, column.of if column.is_ratio else column.side} <= sides
    ]
    header = ["job"]
    for column in columns:
        header += [column.title] if column.is_ratio else [column.title, "MiB"]
    header.append("aim")
    body = []
    for key in pools(samples, where):
        facts = samples.pools[key]
        told = f"{facts['live_blocks'] / 256:.0f} MiB in use, {facts['nodes']:,} nodes"
        body.append([f"**{Pool.of(key).title}** ({told})", *[""] * (len(header) - 1)])
        for job, kind in KINDS.items():
            if any(samples.of(key, where, job, side) for side in sides):
                cells = list(job_cells(samples, (key, where, job), columns))
                body.append([kind.title, *cells, job_aims(samples, (key, where, job))])
    return rows(header, body)


def job_cells(
    samples: Samples, asked: tuple[str, str, str], columns: Sequence[Column]
) -> Iterator[str]:
    """What each column has of a job."""
    for column in columns:
        if column.is_ratio:
            first, second = (samples.seconds(*asked, side) for side in (column.of, column.side))
            yield times(ratio(first, second))
        else:
            sample = samples.of(*asked, column.side)
            yield time(sample)
            yield memory(sample)


def job_aims(samples: Samples, asked: tuple[str, str, str]) -> str:
    """What was aimed at."""
    pool, where, job = asked
    told = []
    for aim in aims(job, pool):
        text = mark(aim.reached(samples, pool, where), aim.most)
        told.append(f"in process: {text}" if aim.side == "inside" else text)
    return "; ".join(told)


def aimed(samples: Samples) -> str:
    """Every aim, what was reached by the pools that it is for, and which of them miss it."""
    body = []
    for aim in AIMS:
        for where in PLACES:
            keys = [key for key in pools(samples, where) if Pool.of(key).word in aim.shapes]
            tried = {Pool.of(key).title: aim.reached(samples, key, where) for key in keys}
            title = [KINDS[aim.job].title, aim.title, where, f"<= {aim.most:g}"]
            found = {pool: reached for pool, reached in tried.items() if reached is not None}
            body += [[*title, *reached(found, aim.most)]] if found else []
    for where in PLACES:
        ours = [each for each in samples.samples.values() if each.where == where and is_ours(each)]
        peaks = {f"{KINDS[each.job].title}, {Pool.of(each.pool).title}": each.peak for each in ours}
        title = ["any", "MiB", where, f"<= {MOST_MIB}"]
        body += [[*title, *reached(peaks, MOST_MIB)]] if peaks else []
    header = ["job", "what to what", "in", "aim", "reached", "missed by"]
    return rows(header, body) if body else ""


def is_ours(sample: Sample) -> bool:
    """Whether it is thinscope that answers."""
    return sample.side in ("thinscope", "cold", "inside") and not sample.failed


def reached(found: dict[str, float], most: float) -> list[str]:
    """The least and the most, and what is more than it should be."""
    missed = [f"{title}: {figure(number)}" for title, number in found.items() if number > most]
    told = f"{len(missed)} of {len(found)}: {'; '.join(missed)}" if missed else "none"
    return [f"{figure(min(found.values()))} - {figure(max(found.values()))}", told]


def figure(number: float) -> str:
    """A ratio, or MiB."""
    return f"{number:.0f}" if number >= 100 else times(number)


def grown(samples: Samples) -> str:
    """How time grows with mappings and with snapshots."""
    named = {"size": "mappings", "time": "time by mappings"}
    doubled = {"size": "nodes", "time": "time by nodes"}
    tables = ((by_size(samples), named), (by_snapshots(samples), doubled))
    return "\n\n".join(growth_table(found, words) for found, words in tables if found)


def growth_table(found: list[Growth], words: dict[str, str]) -> str:
    """Pools of one shape beside each other, job by job."""
    header = ["shape", "job", "from", "to", "s", "s", f"{words['size']}, times", "time, times"]
    body = [
        [
            *(each.title, each.job, amount(each.base), amount(each.size)),
            *(clock(each.before), clock(each.after), f"{each.by:.2f}"),
            *(
                times(each.after / each.before),
                "outright" if each.is_outright else times(each.growth),
            ),
            mark(each.growth, each.most),
        ]
        for each in found
    ]
    return rows([*header, words["time"], "aim"], body)


def counted(samples: Samples) -> str:
    """Instructions by mapping and by node."""
    body = []
    for key, counts in samples.instructions.items():
        facts, start = samples.pools[key], counts.get("open", 0)
        for job, count in counts.items():
            spent = count if job in ("open", "check", "salvage") else count - start
            mapping, node = spent / facts["mappings"], spent / facts["nodes"]
            cells = [Pool.of(key).title, job, f"{spent / 1e6:,.1f}"]
            body.append([*cells, f"{mapping:,.1f}", f"{node:,.0f}"])
    header = ["pool", "pass", "million instructions", "per distinct mapping", "per distinct node"]
    return rows(header, body) if body else ""


def setting(samples: Samples) -> str:
    """The machine, the programs, how they read."""
    told = samples.setting
    lines = [
        f"{told['machine']}. thinscope {told['thinscope']}, built with the profile `{told['profile']}`."
    ]
    names = {"peer": "The peer", "distribution": "The distribution's"}
    for side, version in told["peers"].items():
        reading = told.get(f"{side} reads")
        by = f", reads {reading}" if reading else ""
        lines.append(f"{names[side]}: thin-provisioning-tools {version}{by}.")
    most = max(
        (len(each.seconds) for each in samples.samples.values() if not each.failed), default=0
    )
    if most:
        lines.append(f"Medians of {most} runs (lowest - highest).")
    return " ".join(lines)


def sections(samples: Samples) -> dict[str, str]:
    """What docs/performance.md has between ``<!-- bench:NAME -->`` and ``<!-- bench:end -->``."""
    return {
        "setting": setting(samples),
        "aims": aimed(samples),
        "memory": measured(samples, "memory"),
        "disk": measured(samples, "disk"),
        "growth": grown(samples),
        "instructions": counted(samples),
    }


def fill(text: str, parts: dict[str, str]) -> str:
    """Put what was measured where a page has it; what was not measured stays as it is.

    Raises:
        ValueError: The page has no place for something.
    """
    for name, part in parts.items():
        begin = f"<!-- bench:{name} -->\n"
        before, found, rest = text.partition(begin)
        _, end, behind = rest.partition(END)
        if not found or not end:
            raise ValueError(f"the page has no {begin.strip()} with a {END} behind it")
        if part:
            text = f"{before}{begin}\n{part}\n\n{END}{behind}"
    return text
