"""Reports as CSV: rows of exact numbers under the names that JSON uses.

An overview is no table: it becomes one row for each field, by its path in the JSON. So does a block,
by the offset.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import fields
from io import StringIO
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias, assert_never

from thinscope.report.block import Block, Row
from thinscope.report.capture import Capture
from thinscope.report.check import Check, FindingRow
from thinscope.report.delta import Delta, PieceRow
from thinscope.report.devices import DeviceRow, Devices
from thinscope.report.doctor import AdviceRow, Doctor
from thinscope.report.export import Export
from thinscope.report.fragmentation import Fragmentation
from thinscope.report.mappings import Mappings, RunRow
from thinscope.report.orphans import OrphanRow, Orphans
from thinscope.report.overview import Overview
from thinscope.report.owners import OwnerRow, Owners
from thinscope.report.plan import Plan, StepRow
from thinscope.report.pools import PoolRow, Pools
from thinscope.report.printable import printable
from thinscope.report.reclaim import GivenRow, Reclaim
from thinscope.report.render import BATCH
from thinscope.report.render.json import items, plain
from thinscope.report.salvage import Salvage, StateRow
from thinscope.report.sharing import PairRow, Sharing, SharingRow
from thinscope.report.undelete import GradesRow, Undelete, UndeletedRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from _typeshed import DataclassInstance

    from thinscope.report.gaps import Gaps
    from thinscope.report.render import Page, Report, Streamed

    Table: TypeAlias = Sharing | Reclaim | Plan | Check | Orphans | Doctor | Pools | Undelete

__all__ = ["render"]


def render(report: Report, page: Page, gaps: Gaps | None = None) -> Iterator[str]:
    """Return the rows of the report below a line of names."""
    del page, gaps  # machines have no width; what is missing is no row of the table
    match report:
        case Overview() | Capture() | Export():
            return _lines(("field", "value"), _leaves(plain(report)))
        case Devices():
            return _rows(DeviceRow, report.devices)
        case Mappings() | Owners() | Delta():
            return _streamed(report)
        case Fragmentation():
            return _lines(report.column_names(), report.rows())
        case Block():
            return _lines(Row._fields, report.rows())
        case _:
            return _sectioned(report)


def _streamed(report: Streamed) -> Iterator[str]:
    match report:
        case Mappings():
            return _lines(RunRow._fields, report.runs)
        case Owners():
            return _lines(OwnerRow._fields, (map(_cell, row) for row in report.owners))
        case Delta():
            return _lines(PieceRow._fields, report.pieces)
        case _:
            assert_never(report)


def _sectioned(report: Table | Salvage) -> Iterator[str]:
    if isinstance(report, Salvage):
        return _lines(StateRow.column_names(), (row.cells() for row in report.states))
    return _rows(*_table(report))


def _table(report: Table) -> tuple[type[DataclassInstance], Iterable[DataclassInstance]]:
    """Return the kind of rows that a report's table has, and the rows."""
    match report:
        case Sharing(matrix=None):
            table: tuple[type[DataclassInstance], Iterable[DataclassInstance]]
            table = SharingRow, report.devices
        case Sharing():
            table = PairRow, report.matrix or ()
        case Reclaim():
            table = GivenRow, report.objects
        case Plan():
            table = StepRow, report.steps
        case Check():
            table = FindingRow, report.findings
        case Orphans():
            table = OrphanRow, report.orphans
        case Doctor():
            table = AdviceRow, report.advice
        case Pools():
            table = PoolRow, report.pools
        case Undelete():
            table = UndeletedRow, report.devices
        case _:
            assert_never(report)
    return table


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
            return json.dumps(items(value))
        case GradesRow():
            return json.dumps(items((value,))[0])
        case Mapping():
            return json.dumps(dict(value))
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


def _lines(names: Sequence[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    buffer = StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(names)
    remaining = iter(rows)
    while text := buffer.getvalue():
        yield text
        buffer.seek(0)
        buffer.truncate()
        writer.writerows(islice(remaining, BATCH))
