"""A table of names, for every manager that is not known: CSV, or JSON.

CSV has a head with ``device_id`` and ``name``, and commas, semicolons or tabs in between. JSON
is a list of objects with those keys, or one object from id to name. More columns are understood:
``kind``; ``group``, the object that has the device as one of several; ``parent``, the object
that it was made from, by name or by one of its devices; ``part``; ``transaction_id``. All others
become labels. Rows of one group, or of one name where there is no group, are one object.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from thinscope.errors import NamesError
from thinscope.names import files
from thinscope.names.ledger import Ledger, not_a_device, shown, whole
from thinscope.names.model import MAX_DEVICE, Names, Object, Record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["read", "recognises"]

LIMIT = 64 << 20
"""Bytes that a table can have."""

ID = ("device_id", "id")
"""How the column of the device id may be called."""

GROUP = ("group", "object")
"""How the column of the object may be called."""

_KNOWN = frozenset({*ID, *GROUP, "name", "kind", "parent", "part", "transaction_id"})
_LIST = re.compile(rb'(?:\xef\xbb\xbf)?\s*+\[\s*+\{[^{}]*?"(?:device_id|id)"\s*+:\s*+"?[0-9]')
_MAP = re.compile(rb'(?:\xef\xbb\xbf)?\s*+\{\s*+"\s*+[0-9]{1,8}\s*+"\s*+:')
_JSON = re.compile(rb"(?:\xef\xbb\xbf)?\s*+[\[{]")


@dataclass(slots=True)
class _Row:
    """A row of the table.

    Attributes:
        where: Its line, or its place.
        cells: Its values by column, without empty ones.
    """

    where: str
    cells: dict[str, object]

    def text(self, *columns: str) -> str:
        """Return the first of some columns that has a value, as text."""
        for column in columns:
            value = self.cells.get(column)
            if value is not None:
                return value if isinstance(value, str) else str(value)
        return ""

    @property
    def key(self) -> str:
        return f"table/{self.text(*GROUP, 'name')}"


@dataclass(slots=True)
class _Group:
    """The rows of an object, and what they say of it."""

    rows: list[_Row] = field(default_factory=list)
    devices: list[int] = field(default_factory=list)

    def text(self, *columns: str) -> str:
        """Return the first value of some columns that any row has."""
        return next(filter(None, (row.text(*columns) for row in self.rows)), "")


def recognises(path: Path) -> bool:
    """Whether this is a table of names."""
    head = files.head(path)
    if _JSON.match(head):
        return bool(_MAP.match(head)) or (bool(_LIST.match(head)) and b'"name"' in head)
    return _columns(head.decode("utf-8-sig", "replace")) is not None


def read(path: Path) -> tuple[Names, ...]:
    """Read a table.

    Returns:
        One `Names`.

    Raises:
        NamesError: It cannot be read, or is no table.
    """
    data = files.read(path, LIMIT)
    ledger = Ledger()
    rows = _from_json(data, path) if _JSON.match(data) else _from_csv(data, path)
    groups: dict[str, _Group] = {}
    taken: list[tuple[_Row, int]] = []
    for row in rows:
        told = next((row.cells[column] for column in ID if column in row.cells), None)
        device = whole(told)
        if device is None or device > MAX_DEVICE:
            ledger.refuse(row.where, not_a_device(told) if told is not None else "no device id")
        elif not row.text("name", *GROUP):
            ledger.refuse(row.where, "no name")
        else:
            group = groups.setdefault(row.key, _Group())
            group.rows.append(row)
            group.devices.append(device)
            taken.append((row, device))
    made = _objects(groups, ledger)
    for row, device in taken:
        ledger.add(_record(row, device), made[row.key])
    objects, records, unread = ledger.finish()
    found = Names(
        manager="table",
        source=path,
        is_unmanaged=True,
        objects=objects,
        records=records,
        unread=unread,
    )
    return (found,)


def _objects(groups: dict[str, _Group], ledger: Ledger) -> dict[str, Object]:
    devices = {str(device): key for key, group in groups.items() for device in group.devices}
    made = {}
    for key, group in groups.items():
        parent = group.text("parent")
        parent_key: str | None = f"table/{parent}"
        if parent_key not in groups:
            parent_key = devices.get(parent)
        if parent and parent_key is None:
            ledger.refuse(group.rows[0].where, f"its parent {shown(parent)} is in no row")
        labels = {
            column: row.text(column)
            for row in reversed(group.rows)
            for column in row.cells
            if column not in _KNOWN
        }
        made[key] = Object(
            key=key,
            kind=group.text("kind").strip().lower() or "volume",
            name=key.removeprefix("table/"),
            parent=parent_key if parent else None,
            labels=MappingProxyType(labels),
        )
    return made


def _record(row: _Row, device: int) -> Record:
    name, group = row.text("name"), row.text(*GROUP)
    return Record(
        device=device,
        where=row.where,
        object=row.key,
        part=row.text("part") or (name if group and name != group else ""),
        name=name,
        transaction_id=whole(row.cells.get("transaction_id")),
    )


def _columns(text: str) -> tuple[str, list[str]] | None:
    """Return the delimiter and the columns, if the first line is the head of a table."""
    first = text.lstrip("\r\n").partition("\n")[0].rstrip("\r")
    for delimiter in ",;\t":
        try:
            head = next(csv.reader([first], delimiter=delimiter, skipinitialspace=True), [])
        except csv.Error:
            continue
        columns = [column.strip().lower() for column in head]
        if "name" in columns and any(column in columns for column in ID):
            return delimiter, columns
    return None


def _from_csv(data: bytes, path: Path) -> Iterator[_Row]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise NamesError("no UTF-8", source=str(path), where=f"line {line}") from error
    found = _columns(text)
    if found is None:
        message = f"no head with the columns {ID[0]} and name"
        raise NamesError(message, source=str(path), where="line 1")
    delimiter, columns = found
    for column in columns:
        if column and columns.count(column) > 1:
            message = f"two columns {shown(column)}"
            raise NamesError(message, source=str(path), where="line 1")
    lines = io.StringIO(text, newline="")
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    line, is_head = 1, True
    try:
        for values in reader:
            where, line = f"line {line}", reader.line_num + 1
            if not any(values):
                continue
            if is_head:
                is_head = False
            elif len(values) > len(columns) and any(values[len(columns) :]):
                message = f"{len(values)} values for {len(columns)} columns"
                raise NamesError(message, source=str(path), where=where)
            else:
                cells = zip(columns, map(str.strip, values), strict=False)
                yield _Row(where, {column: value for column, value in cells if column and value})
    except csv.Error as error:
        raise NamesError(f"no CSV: {error}", source=str(path), where=f"line {line}") from error


def _from_json(data: bytes, path: Path) -> Iterator[_Row]:
    parsed = files.json_of(data, path)
    if isinstance(parsed, list):
        items = [(f"item {number}", None, item) for number, item in enumerate(parsed, 1)]
    elif isinstance(parsed, dict):
        items = [(f"key {shown(key)}", key, item) for key, item in parsed.items()]
    else:
        raise NamesError("neither a list nor an object", source=str(path))
    for where, key, item in items:
        values = item
        if key is not None:
            values = {**item, ID[0]: key} if isinstance(item, dict) else {ID[0]: key, "name": item}
        if not isinstance(values, dict):
            raise NamesError("no object", source=str(path), where=where)
        cells = {column.strip().lower(): value for column, value in values.items()}
        for column, value in cells.items():
            if isinstance(value, dict | list):
                message = f"{shown(column)} is no text and no number"
                raise NamesError(message, source=str(path), where=where)
        yield _Row(
            where, {column: value for column, value in cells.items() if value not in ("", None)}
        )
