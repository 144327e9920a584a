"""Reports as JSON: the fields of the report, under their own names, with nothing rounded.

``docs/json.md`` documents every field. Strings are escaped to ASCII, so that no encoding can
spoil them. A stream is written one row a line.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from itertools import islice
from typing import TYPE_CHECKING

from thinscope.report.delta import Delta
from thinscope.report.mappings import Mappings, RunRow
from thinscope.report.owners import Owners
from thinscope.report.printable import utf8
from thinscope.report.render import BATCH
from thinscope.report.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thinscope.report.delta import PieceRow
    from thinscope.report.gaps import Gaps
    from thinscope.report.owners import OwnerRow
    from thinscope.report.render import Page, Report, Streamed

__all__ = ["items", "plain", "render"]

_RUN = "{" + ", ".join(f'"{name}": %d' for name in RunRow._fields) + "}"


def render(report: Report, page: Page, gaps: Gaps | None = None) -> Iterator[str]:
    """Return the report as one JSON object."""
    del page  # machines have no width
    missing: dict[str, object] = {} if gaps is None else {"gaps": _plain_fields(gaps)}
    match report:
        case Mappings():
            return _stream(report, missing, "runs", map(_RUN.__mod__, report.runs))
        case Owners():
            return _stream(report, missing, "owners", map(_row, report.owners))
        case Delta():
            return _stream(report, missing, "pieces", map(_row, report.pieces))
    return iter([json.dumps(plain(report) | missing, indent=2) + "\n"])


def plain(report: Report) -> dict[str, object]:
    """Return the report as dictionaries, lists, strings and numbers; of a stream, its frame."""
    return {"schema": report.schema} | _plain_fields(report)


def _plain_fields(value: object) -> dict[str, object]:
    if not is_dataclass(value) or isinstance(value, type):
        raise TypeError(f"no dataclass: {value!r}")
    values = {field.name: getattr(value, field.name) for field in fields(value)}
    return {name: _plain(item) for name, item in values.items() if not isinstance(item, Stream)}


def _plain(value: object) -> object:
    match value:
        case None | bool() | int():
            return value
        case str():
            return utf8(value)
        case bytes():
            return value.hex()
        case tuple():
            return items(value)
        case Mapping():
            return {key: _plain(item) for key, item in value.items()}
        case _:
            return _plain_fields(value)


def items(values: tuple[object, ...]) -> list[object]:
    """Return the items of a tuple as JSON has them."""
    return [_plain(item) for item in values]


def _row(row: OwnerRow | PieceRow) -> str:
    return json.dumps({name: _plain(value) for name, value in row._asdict().items()})


def _stream(
    report: Streamed, missing: dict[str, object], name: str, rows: Iterator[str]
) -> Iterator[str]:
    frame = json.dumps(plain(report) | missing, indent=2)
    yield frame.removesuffix("\n}") + f',\n  "{name}": ['
    separator = "\n    "
    while batch := tuple(islice(rows, BATCH)):
        yield separator + ",\n    ".join(batch)
        separator = ",\n    "
    if isinstance(report, Owners):
        unheld = (json.dumps(_plain_fields(row)) for row in report.unheld)
        yield '\n  ],\n  "unheld": [' + ",".join(f"\n    {row}" for row in unheld)
    total = json.dumps(_plain_fields(report.total))
    yield f'\n  ],\n  "total": {total}\n}}\n'
