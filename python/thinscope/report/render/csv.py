"""Reports as CSV: rows of exact numbers under the names that JSON uses.

An overview is no table: it becomes one row for each field, by its path in the JSON. So does a block,
by the offset.
"""

from __future__ import annotations

import csv
import json
from dataclasses import fields
from io import StringIO
from itertools import islice
from typing import TYPE_CHECKING, assert_never

from thinscope.report.block import Block, Row
from thinscope.report.capture import Capture
from thinscope.report.devices import DeviceRow, Devices
from thinscope.report.fragmentation import Fragmentation
from thinscope.report.mappings import Mappings, RunRow
from thinscope.report.orphans import OrphanRow, Orphans
from thinscope.report.overview import Overview
from thinscope.report.plan import Plan, StepRow
from thinscope.report.printable import printable
from thinscope.report.reclaim import GivenRow, Reclaim
from thinscope.report.render import BATCH
from thinscope.report.render.json import plain
from thinscope.report.sharing import PairRow, Sharing, SharingRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from _typeshed import DataclassInstance

    from thinscope.report.render import Page, Report
    from thinscope.report.render.sections import SectionedReport

__all__ = ["render"]


def render(report: Report, page: Page) -> Iterator[str]:
    """Return the rows of the report below a line of names."""
    del page  # machines have no width
    match report:
        case Overview():
            return _lines(("field", "value"), _leaves(plain(report)))
        case Devices():
            return _rows(DeviceRow, report.devices)
        case Mappings():
            return _lines(RunRow._fields, report.runs)
        case Fragmentation():
            return _lines(report.column_names(), report.rows())
        case Block():
            return _lines(Row._fields, report.rows())
        case _:
            return _sectioned(report)


def _sectioned(report: SectionedReport) -> Iterator[str]:
    match report:
        case Capture():
            return _lines(("field", "value"), _leaves(plain(report)))
        case Sharing():
            if report.matrix is not None:
                return _rows(PairRow, report.matrix)
            return _rows(SharingRow, report.devices)
        case Reclaim():
            return _rows(GivenRow, report.objects)
        case Plan():
            return _rows(StepRow, report.steps)
        case Orphans():
            return _rows(OrphanRow, report.orphans)
        case _:
            assert_never(report)


def _rows(kind: type[DataclassInstance], rows: Iterable[DataclassInstance]) -> Iterator[str]:
    names = tuple(field.name for field in fields(kind))
    return _lines(names, ([_cell(getattr(row, name)) for name in names] for row in rows))


def _cell(value: object) -> object:
    match value:
        case str():
            return printable(value)
        case bool():
            return str(value).lower()
        case tuple():
            return json.dumps(value)
        case _:
            return value


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    match value:
        case dict():
            members: Iterable[tuple[object, object]] = value.items()
        case list():
            members = enumerate(value)
        case bool():
            yield path, str(value).lower()
            return
        case str():
            yield path, printable(value)
            return
        case _:
            yield path, value
            return
    for name, member in members:
        yield from _leaves(member, f"{path}.{name}" if path else str(name))


def _lines(names: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    buffer = StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(names)
    remaining = iter(rows)
    while text := buffer.getvalue():
        yield text
        buffer.seek(0)
        buffer.truncate()
        writer.writerows(islice(remaining, BATCH))
