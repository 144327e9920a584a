"""The thin pools of a source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thinscope.report.printable import printable, shell_line
from thinscope.report.render.sections import Commands, Sentence, Table
from thinscope.report.units import exact_size, size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thinscope.report.pools import PoolRow, Pools
    from thinscope.report.render.sections import Section

__all__ = ["sections"]

_COLUMNS = ("pool", "data", "metadata", "blocks", "volumes", "transaction", "text")


def sections(report: Pools) -> Iterator[Section]:
    """Yield the pools, how each is named, and what cannot be read."""
    for fault in report.faults:
        yield Sentence(f"damaged: {printable(fault)}")
    for missing in report.missing:
        yield Sentence(f"missing: {printable(missing)}")
    for seen in report.partitions:
        yield Sentence(printable(seen), is_aside=True)
    yield Table(_COLUMNS, map(_cells, report.pools))
    for problem in dict.fromkeys(row.problem for row in report.pools if row.problem):
        called = ", ".join(_called(row) for row in report.pools if row.problem == problem)
        yield Sentence(f"{called} cannot be read: {printable(problem)}")
    if any(not row.is_current for row in report.pools):
        yield Sentence(
            "older: only a text that was replaced tells of the pool; its blocks may have been "
            "used again since",
            is_aside=True,
        )
    more = [word for path in report.more_pvs for word in ("--pv", path)]
    readable = [row for row in report.pools if not row.problem]
    if readable:
        sources = (":".join(filter(None, [report.source, row.name])) for row in readable)
        yield Commands(tuple(shell_line(["thinscope", each, *more]) for each in sources))


def _called(row: PoolRow) -> str:
    return printable(row.pool) if row.pool else "the pool"


def _cells(row: PoolRow) -> tuple[str, ...]:
    text = "" if row.seqno is None else f"seqno {row.seqno}"
    return (
        _called(row),
        "" if row.data_bytes is None else size(row.data_bytes),
        "" if row.metadata_bytes is None else size(row.metadata_bytes),
        "" if row.block_bytes is None else exact_size(row.block_bytes),
        str(row.volumes),
        "" if row.transaction_id is None else str(row.transaction_id),
        text if row.is_current else f"{text}, older",
    )
