"""Reports as Markdown, to be pasted into a ticket: the words of text, in tables."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, assert_never

from thinscope.report.block import Block
from thinscope.report.devices import Devices
from thinscope.report.mappings import Mappings
from thinscope.report.overview import Overview
from thinscope.report.render import block_words, words
from thinscope.report.units import plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from thinscope.report.remark import Remark
    from thinscope.report.render import Page, PoolReport, Report

__all__ = ["render"]

_MARKS = re.compile(r"([\\`*_\[\]<>|&~#])")


def render(report: Report, page: Page) -> Iterator[str]:
    """Return the report as Markdown."""
    del page  # wrapped by whatever shows it
    match report:
        case Overview():
            return _overview(report)
        case Devices():
            return _devices(report)
        case Mappings():
            return _mappings(report)
        case Block():
            return _block(report)
        case _:
            assert_never(report)


def _overview(report: Overview) -> Iterator[str]:
    yield _head(report, words.verdict(report))
    for kind, remarks in (("Finding", report.findings), ("Note", report.notes)):
        yield from (_remark(kind, remark) for remark in remarks)
    if report.findings or report.notes:
        yield "\n"
    yield from _table(words.SPACE_COLUMNS, words.space_rows(report))
    yield f"\n{words.kernel_says(report)}\n"
    yield f"\n{words.sharing(report)}\n"
    if report.largest_devices:
        yield "\n"
        yield from _table(words.largest_device_columns(report), words.largest_device_rows(report))
        yield f"\n{words.clock(report)}\n"
    if where := words.where_all_are(report):
        yield f"\n{where}\n"


def _devices(report: Devices) -> Iterator[str]:
    yield _head(report, plural(len(report.devices), "device"))
    yield from _table(words.DEVICE_COLUMNS, words.device_rows(report))
    yield f"\n{words.clock(report)}\n"


def _mappings(report: Mappings) -> Iterator[str]:
    yield _head(report, *filter(None, [words.asked_for(report)]))
    yield from _table(words.RUN_COLUMNS, map(words.run_cells, report.runs))
    yield f"\n{words.total(report)}\n"


def _block(report: Block) -> Iterator[str]:
    yield _title(report, block_words.facts(report))
    if report.findings:
        yield from (f"- **Finding:** {line}\n" for line in block_words.findings(report))
        yield "\n"
    for sentence in block_words.sentences(report):
        yield f"{sentence}\n\n"
    for columns, rows in block_words.tables(report):
        yield from _table(columns, rows)
        yield "\n"
    if report.data is not None:
        yield from ("```\n", *block_words.hex_lines(report.data), "```\n")


def _head(report: PoolReport, *more: str) -> str:
    facts = [*words.facts(report), *more, *filter(None, [words.snapshot_view(report)])]
    return _title(report, facts)


def _title(report: Report, facts: Iterable[str]) -> str:
    return f"# {_escape(words.source(report))}\n\n{', '.join(facts)}\n\n"


def _remark(kind: str, remark: Remark) -> str:
    advice = f" ({remark.advice})" if remark.advice else ""
    return f"- **{kind}:** {remark.message}{advice}\n"


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |\n"
    yield f"|---|{'---:|' * (len(columns) - 1)}\n"
    for row in rows:
        yield f"| {' | '.join(map(str, row))} |\n"


def _escape(text: str) -> str:
    """Keep outside text from being taken for markup."""
    return _MARKS.sub(r"\\\1", text)
