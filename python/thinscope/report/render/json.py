"""Reports as JSON: the fields of the report, under their own names, with nothing rounded.

``docs/json.md`` documents every field. Strings are escaped to ASCII, so that no encoding can
spoil them. A stream of runs is written one run a line.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from itertools import islice
from typing import TYPE_CHECKING

from thinscope.report.mappings import Mappings, RunRow, RunStream
from thinscope.report.printable import utf8
from thinscope.report.render import BATCH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thinscope.report.render import Page, Report

__all__ = ["plain", "render"]

_RUN = "{" + ", ".join(f'"{name}": %d' for name in RunRow._fields) + "}"


def render(report: Report, page: Page) -> Iterator[str]:
    """Return the report as one JSON object."""
    del page  # machines have no width
    if isinstance(report, Mappings):
        return _stream(report)
    return iter([json.dumps(plain(report), indent=2) + "\n"])


def plain(report: Report) -> dict[str, object]:
    """Return the report as dictionaries, lists, strings and numbers; of a stream, its frame."""
    return {"schema": report.schema} | _plain_fields(report)


def _plain_fields(value: object) -> dict[str, object]:
    if not is_dataclass(value) or isinstance(value, type):
        raise TypeError(f"no dataclass: {value!r}")
    values = {field.name: getattr(value, field.name) for field in fields(value)}
    return {name: _plain(item) for name, item in values.items() if not isinstance(item, RunStream)}


def _plain(value: object) -> object:
    match value:
        case None | bool() | int():
            return value
        case str():
            return utf8(value)
        case bytes():
            return value.hex()
        case tuple():
            return [_plain(item) for item in value]
        case Mapping():
            return {key: _plain(item) for key, item in value.items()}
        case _:
            return _plain_fields(value)


def _stream(report: Mappings) -> Iterator[str]:
    frame = json.dumps(plain(report), indent=2)
    yield frame.removesuffix("\n}") + ',\n  "runs": ['
    runs = map(_RUN.__mod__, report.runs)
    separator = "\n    "
    while batch := tuple(islice(runs, BATCH)):
        yield separator + ",\n    ".join(batch)
        separator = ",\n    "
    total = json.dumps(_plain_fields(report.total))
    yield f'\n  ],\n  "total": {total}\n}}\n'
