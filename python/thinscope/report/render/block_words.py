"""Cells and sentences about a block that text and Markdown share."""

from __future__ import annotations

from itertools import groupby
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from thinscope.report.units import plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from thinscope.block import Entry
    from thinscope.report.block import Block

__all__ = ["FIELD_COLUMNS", "facts", "findings", "hex_lines", "sentences", "tables"]

Table: TypeAlias = "tuple[Sequence[str], Iterator[Sequence[str]]]"

FIELD_COLUMNS = ("field", "offset", "value", "")

_BLOCK_SIZE = 4096
_LINE = 16
"""Bytes in a line of a hexadecimal view."""

_FINDINGS = 20
"""Findings that are shown one by one."""

_PAIR = 2
"""Entries that are needed to tell roots from mappings."""

_SHORT = 16
"""Longer bytes are not shown digit by digit."""

_KINDS: Mapping[str | None, str] = MappingProxyType(
    {
        None: "not known",
        "superblock": "superblock",
        "node": "node",
        "bitmap": "bitmap",
        "index": "metadata index block",
        "array": "array block of dm-cache or dm-era",
        "cache-superblock": "superblock of dm-cache",
        "era-superblock": "superblock of dm-era",
        "zeros": "zeros",
    }
)
_NODES: Mapping[str | None, str] = MappingProxyType(
    {
        None: "node",
        "children": "internal node",
        "roots": "leaf of roots",
        "mappings": "leaf of mappings",
        "details": "leaf of details",
        "index-entries": "leaf of index entries",
        "counts": "leaf of counts",
        "bytes": "node of unknown values",
    }
)
_HEADS: Mapping[str, str] = MappingProxyType(
    {
        "mapped_blocks": "mapped",
        "transaction_id": "transaction",
        "creation_time": "created",
        "snapshotted_time": "snapshotted",
    }
)
"""Columns that would be too wide under their own names."""

_JUDGED: Mapping[str, str] = MappingProxyType(
    {
        "roots": "taken for roots of mapping trees: as mappings, most would be of data block 0",
        "mappings": "taken for mappings: half of the values or more can be no roots",
    }
)
_NOT_JUDGED: Mapping[str, str] = MappingProxyType(
    {
        "roots": "one entry that can be either: a root, or a mapping of data block 0; "
        "`--value-kind` takes it for one of them",
        "mappings": "an empty leaf: of a mapping tree or of the top-level tree",
    }
)
_HALF_JUDGED = (
    "taken for mappings, but one of the two values can be a root: if both are meant to be, say "
    "`--value-kind roots`"
)


def facts(report: Block) -> list[str]:
    """Return which block it is, what it is, and how many findings there are."""
    blocks = -(-report.source_bytes // _BLOCK_SIZE)
    kind = _NODES[report.value_kind] if report.kind == "node" else _KINDS[report.kind]
    count = len(report.findings)
    return [
        f"block {report.number} of {blocks}",
        f"offset {report.offset:#x}",
        kind,
        plural(count, "finding") if count else "no findings",
    ]


def findings(report: Block) -> Iterator[str]:
    """Yield what does not fit, as far as it is shown."""
    for finding in report.findings[:_FINDINGS]:
        place = f"{finding.field} (offset {finding.offset})"
        yield f"{place} is {finding.found}, expected {finding.expected}"


def sentences(report: Block) -> Iterator[str]:
    """Yield how the block was understood, where that does not go without saying."""
    if (more := len(report.findings) - _FINDINGS) > 0:
        yield f"and {plural(more, 'finding')} more: `--format json` has all"
    if report.kind_by == "content" and report.kind in {"superblock", "node"}:
        sign = "magic" if report.kind == "superblock" else "header"
        yield f"taken for a {report.kind} by its {sign}: its checksum is of no kind of block"
    if report.kind == "superblock" and report.number:
        yield "superblocks elsewhere than in block 0 are copies for metadata snapshots"
    if report.kind in {"array", "cache-superblock", "era-superblock"}:
        yield "no block of a thin pool: shown as it is"
    if report.value_kind_by == "content":
        yield _judgement(report)


def _judgement(report: Block) -> str:
    """Return what tells roots from mappings, if anything does."""
    count = len(report.entries)
    values = [entry.value for entry in report.entries]
    if count == _PAIR and any(value.get("block") == 0 and value["time"] for value in values):
        return _HALF_JUDGED
    least = _PAIR if report.value_kind == "roots" else 1
    return (_JUDGED if count >= least else _NOT_JUDGED)[report.value_kind or ""]


def tables(report: Block) -> Iterator[Table]:
    """Yield the fields, then the entries, as columns and rows."""
    if report.fields:
        yield FIELD_COLUMNS, _field_rows(report)
    if not report.entries:
        return
    parts = report.entries[0].value
    if report.kind == "bitmap":
        yield ("counts", "offset", "length", "count"), map(_count_row, report.entries)
        return
    keys = () if report.entries[0].key is None else ("key at", "key")
    columns = ("entry", *keys, "value at", *(_HEADS.get(part, part) for part in parts))
    yield columns, map(_entry_row, report.entries)


def _field_rows(report: Block) -> Iterator[tuple[str, str, str, str]]:
    outer = ""
    for field in report.fields:
        *path, name = field.name.split(".")
        if path and path[0] != outer:
            yield path[0], str(field.offset), "", ""
        outer = path[0] if path else ""
        value, note = field.value, field.note or ""
        if isinstance(value, bytes):
            shown, note = "zeros", plural(len(value), "byte")
            if any(value):
                shown = value.hex()
                if len(value) > _SHORT:
                    zeros = len(value) - len(value.lstrip(b"\0"))
                    shown, note = "not zeros", f"{note}: not zero from {field.offset + zeros} on"
        else:
            shown = f"{value:#010x}" if name == "csum" else str(value)
        yield "  " * len(path) + name, str(field.offset), shown, note


def _count_row(entry: Entry) -> tuple[str, ...]:
    count = entry.value["count"]
    entries = f"{entry.number}..{entry.number + entry.length}"
    shown = "3 or more" if count == 3 else str(count)  # noqa: PLR2004 - look in the overflow tree
    return entries, str(entry.value_offset), str(entry.length), shown


def _entry_row(entry: Entry) -> tuple[str, ...]:
    keys = () if entry.key is None else (str(entry.key_offset), str(entry.key))
    parts = (part.hex() if isinstance(part, bytes) else str(part) for part in entry.value.values())
    return str(entry.number), *keys, str(entry.value_offset), *parts


def hex_lines(data: bytes) -> Iterator[str]:
    """Yield a hexadecimal view; an asterisk stands for lines as the one before it."""
    lines = (data[begin : begin + _LINE] for begin in range(0, len(data), _LINE))
    offset = 0
    for line, equal in groupby(lines):
        text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in line)  # noqa: PLR2004
        yield f"{offset:04x}  {line.hex(' '):47}  {text}\n"
        count = len(list(equal))
        if count > 1:
            yield "*\n"
        offset += count * len(line)
    yield f"{offset:04x}\n"
