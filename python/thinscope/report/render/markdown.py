"""Reports as Markdown, to be pasted into a ticket: the words of text, in tables."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, assert_never

from thinscope.report.block import Block
from thinscope.report.delta import Delta
from thinscope.report.devices import Devices
from thinscope.report.fragmentation import Fragmentation
from thinscope.report.mappings import Mappings
from thinscope.report.overview import Overview
from thinscope.report.owners import Owners
from thinscope.report.printable import printable
from thinscope.report.remark import Remark
from thinscope.report.render import block_words, delta_words, owner_words, words
from thinscope.report.render import fragmentation_words as fragmentation
from thinscope.report.render.head import head_facts
from thinscope.report.render.sections import Commands, Item, Labelled, Sentence, Table, sections
from thinscope.report.render.sections.gaps import sections as gap_sections
from thinscope.report.units import plural

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Sequence

    from thinscope.report.gaps import Gaps
    from thinscope.report.render import Page, PoolReport, Report, Streamed
    from thinscope.report.render.sections import Section, SectionedReport

__all__ = ["render"]

_MARKS = re.compile(r"([\\`*_\[\]<>|&~#])")


def render(report: Report, page: Page, gaps: Gaps | None = None) -> Iterator[str]:
    """Return the report as Markdown; whatever shows it wraps it."""
    yield from _report(report, page)
    if gaps is not None:
        yield "\n"
        yield from _sections(gap_sections(gaps))


def _report(report: Report, page: Page) -> Iterator[str]:
    match report:
        case Overview():
            return _overview(report)
        case Devices():
            return _devices(report)
        case Mappings() | Owners() | Delta():
            return _streamed(report)
        case Fragmentation():
            return _fragmentation(report, page)
        case Block():
            return _block(report)
        case _:
            return _sectioned(report)


def _streamed(report: Streamed) -> Iterator[str]:
    match report:
        case Mappings():
            return _mappings(report)
        case Owners():
            return _owners(report)
        case Delta():
            return _delta(report)
        case _:
            assert_never(report)


def _overview(report: Overview) -> Iterator[str]:
    yield _head(report, *words.names(report), words.verdict(report))
    for kind, remarks in (("Finding", report.findings), ("Note", report.notes)):
        yield from (_remark(kind, remark) for remark in remarks)
    if report.findings or report.notes:
        yield "\n"
    yield from _table(words.SPACE_COLUMNS, words.space_rows(report))
    yield f"\n{words.kernel_says(report)}\n"
    if promised := words.over_provisioning(report):
        yield f"\n{promised}\n"
    yield "\n"
    if report.largest_objects:
        yield from _table(words.OBJECT_COLUMNS, words.object_rows(report))
        yield f"\n{words.columns_mean(report)}\n"
    else:
        yield f"{words.without_devices(report)}\n"
    if where := words.where_all_are(report):
        yield f"\n{where}\n"


def _devices(report: Devices) -> Iterator[str]:
    yield _head(report, plural(len(report.devices), "device"))
    yield from _table(words.DEVICE_COLUMNS, words.device_rows(report))
    yield from (f"\n{_escape(origin)}\n" for origin in words.external_origins(report))
    if inferred := words.inferred(report):
        yield f"\n{inferred}\n"
    yield f"\n{words.clock(report)}\n"


def _mappings(report: Mappings) -> Iterator[str]:
    yield _head(report, *filter(None, [words.asked_for(report)]))
    yield from _table(words.RUN_COLUMNS, map(words.run_cells, report.runs))
    yield f"\n{words.total(report)}\n"
    if holes := words.holes(report):
        yield f"\n{holes}\n"


def _owners(report: Owners) -> Iterator[str]:
    yield _head(report, *filter(None, [owner_words.asked_for(report)]))
    rows = map(owner_words.cells, report.owners)
    yield from _table(owner_words.COLUMNS, rows, owner_words.WORDS)
    yield f"\n{owner_words.total(report)}\n"
    if unheld := list(owner_words.unheld_rows(report)):
        yield "\n"
        yield from _table(owner_words.UNHELD_COLUMNS, unheld, (2,))
    if more := owner_words.more_unheld(report):
        yield f"\n{more}\n"


def _delta(report: Delta) -> Iterator[str]:
    yield _head(report)
    yield from (f"{_escape(line)}\n\n" for line in delta_words.sides(report))
    if warning := delta_words.not_exact(report):
        yield f"**Note:** {warning}\n\n"
    yield from _table(delta_words.COLUMNS, map(delta_words.cells, report.pieces))
    yield "\n"
    yield from _table(delta_words.TOTAL_COLUMNS, delta_words.total_rows(report))
    yield from (f"\n{_escape(line)}\n" for line in delta_words.beyond(report))
    yield f"\n{delta_words.total(report)}\n"


def _fragmentation(report: Fragmentation, page: Page) -> Iterator[str]:
    yield _head(report, plural(len(report.devices), "device"))
    if report.picture is not None:
        yield "```\n"
        for begin, cells in fragmentation.picture_lines(report.picture, page.width):
            yield f"{begin}  {''.join(fragmentation.LEGEND[cell].character for cell in cells)}\n"
        yield "```\n\n"
        for look, amount in fragmentation.legend(report):
            yield f"- `{look.character}` {look.meaning}: {amount}\n"
        yield "\n"
    if report.devices:
        columns = fragmentation.device_columns(report, page.rows)
        yield from _table(columns, fragmentation.device_rows(report, page.rows))
        yield f"\n{fragmentation.MEANING}\n\n"
    if where := fragmentation.where_more_are(report, page.rows):
        yield f"{where}\n\n"
    yield from _scattered_devices(report) if report.only else _space(report)
    if report.free is not None and report.free.largest:
        yield "" if report.only else "\n"
        yield from _table(fragmentation.EXTENT_COLUMNS, fragmentation.extent_rows(report))


def _scattered_devices(report: Fragmentation) -> Iterator[str]:
    for row in report.by_seeks:
        yield f"{fragmentation.about_device(row)}\n\n"
        if row.runs:
            runs = fragmentation.length_rows(row.run_lengths)
            yield from _table(fragmentation.RUN_COLUMNS, runs)
            yield "\n"
            yield from _table(fragmentation.READ_COLUMNS, fragmentation.read_rows(row))
            yield "\n"


def _space(report: Fragmentation) -> Iterator[str]:
    yield f"{fragmentation.about_free(report)}\n\n"
    if report.free is not None and report.free.count:
        free = fragmentation.length_rows(report.free.lengths)
        yield from _table(fragmentation.FREE_COLUMNS, free)
        yield "\n"
    yield from _table(fragmentation.NODE_COLUMNS, fragmentation.node_rows(report))
    yield f"\n{fragmentation.about_nodes(report)}\n"


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


def _sectioned(report: SectionedReport) -> Iterator[str]:
    yield _head(report)
    yield from _sections(sections(report))


def _sections(found: Iterable[Section]) -> Iterator[str]:
    for section in found:
        match section:
            case Sentence():
                yield f"{section.text}\n\n"
            case Table():
                yield from _table(section.columns, section.rows, section.words)
                yield "\n"
            case Commands():
                yield "```sh\n"
                yield from (f"{line}\n" for line in section.lines)
                yield "```\n"
            case Item():
                yield from _item(section)
            case Remark():
                yield _remark("Finding", section) + "\n"
            case Labelled():
                yield _remark(section.label.capitalize(), section.remark) + "\n"
            case _:
                assert_never(section)


def _item(item: Item) -> Iterator[str]:
    if item.label == "-":  # one of a plain list
        yield f"- {_escape(item.text)}\n"
        return
    meaning = f" ({_escape(item.meaning)})" if item.meaning else ""
    yield f"- **{item.label.capitalize()}** {_escape(item.text)}{meaning}\n"
    if item.commands:
        yield "\n  ```sh\n"
        yield from (f"  {line}\n" for line in item.commands)
        yield "  ```\n"
    yield "\n"


def _head(report: PoolReport, *more: str) -> str:
    facts = [*head_facts(report), *more, *filter(None, [words.snapshot_view(report)])]
    return _title(report, facts)


def _title(report: Report, facts: Iterable[str]) -> str:
    return f"# {_escape(words.source(report))}\n\n{', '.join(facts)}\n\n"


def _remark(kind: str, remark: Remark) -> str:
    advice = f" ({remark.advice})" if remark.advice else ""
    return f"- **{kind}:** {printable(remark.message + advice)}\n"


def _table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], in_words: Container[int] = (0,)
) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |\n"
    kinds = ("---|" if at in in_words else "---:|" for at in range(len(columns)))
    yield f"|{''.join(kinds)}\n"
    for row in rows:
        yield f"| {' | '.join(_cell(cell) for cell in row)} |\n"


def _cell(cell: object) -> str:
    return _escape(cell) if isinstance(cell, str) else str(cell)


def _escape(text: str) -> str:
    """Keep outside text from being taken for markup."""
    return _MARKS.sub(r"\\\1", text)
