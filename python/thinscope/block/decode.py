"""Bytes of a block become fields and entries."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from itertools import groupby
from operator import getitem
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from thinscope import layout
from thinscope.block import Entry, Field
from thinscope.block.rules import findings
from thinscope.report.units import exact_size

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from thinscope.block import Block
    from thinscope.layout import ValueKind

__all__ = ["decode"]

_By: TypeAlias = Literal["checksum", "content"]

_SECTOR = 512
_NODE_SIGNS = 4
"""How many of five fields must be those of a node where the checksum is of nothing."""

_VALUE_NAMES = {"children": "child", "roots": "root", "counts": "count", "bytes": "bytes"}
"""What the value of an entry is called where it has no parts."""


def decode(block: Block, value_kind: ValueKind | None) -> Block:
    """Decode a block of which only the bytes are there, and say what does not fit.

    Args:
        block: The block; its kind, if the caller gave one.
        value_kind: What the values of a node are, or None.

    Raises:
        ValueError: There is no such kind, or values of this kind have another size.
    """
    if block.kind is None:
        kind, kind_by = _kind(block.data, block.number)
        block = replace(block, kind=kind, kind_by=kind_by)
    if len(block.data) == layout.BLOCK_SIZE:
        match block.kind:
            case "superblock":
                block = replace(block, is_decoded=True, fields=tuple(_superblock(block.data)))
            case "node":
                block = _node(block, value_kind)
            case "bitmap":
                block = _bitmap(block)
            case "index":
                block = _index(block)
            case "zeros":
                block = replace(block, is_decoded=True)
            case _:
                pass
    return replace(block, findings=tuple(sorted(findings(block), key=lambda one: one.offset)))


def _kind(data: bytes, number: int) -> tuple[str | None, _By | None]:
    """Return what a block is, and what tells so."""
    if not any(data):
        return "zeros", "content"
    if len(data) < layout.BLOCK_SIZE:
        return None, None
    if kind := layout.kind_of(data):
        return kind, "checksum"
    if layout.SUPERBLOCK.parse(data).magic == layout.MAGIC:
        return "superblock", "content"
    header = layout.NODE_HEADER.parse(data)
    signs = (
        header.flags in (layout.INTERNAL_NODE, layout.LEAF_NODE),
        header.blocknr == number,
        header.value_size in layout.VALUE_SIZES,
        header.max_entries in map(layout.capacity, layout.VALUE_SIZES),
        header.nr_entries <= layout.capacity(min(layout.VALUE_SIZES)),
    )
    return ("node", "content") if sum(signs) >= _NODE_SIGNS else (None, None)


def _superblock(data: bytes) -> Iterator[Field]:
    fields = layout.SUPERBLOCK.parse(data)
    sector_sizes = ("data_block_size", "metadata_block_size")
    data_block_bytes = fields.data_block_size * _SECTOR
    notes = {
        "flags": "needs_check" if fields.flags & 1 else None,
        "held_root": None if fields.held_root else "no metadata snapshot",
        "data_space_map_root.nr_blocks": exact_size(
            fields.data_space_map_root.nr_blocks * data_block_bytes
        ),
        "metadata_space_map_root.nr_blocks": exact_size(
            fields.metadata_space_map_root.nr_blocks * layout.BLOCK_SIZE
        ),
        "metadata_nr_blocks": "when the pool was made",
    } | {name: f"sectors: {exact_size(fields[name] * _SECTOR)}" for name in sector_sizes}
    return _fields(layout.SUPERBLOCK, fields, notes)


def _node(block: Block, value_kind: ValueKind | None) -> Block:
    header = layout.NODE_HEADER.parse(block.data)
    flags = {layout.INTERNAL_NODE: "internal", layout.LEAF_NODE: "leaf"}
    fields = tuple(_fields(layout.NODE_HEADER, header, {"flags": flags.get(header.flags)}))
    try:
        told = layout.value_kind_of(block.data, block.source_bytes // layout.BLOCK_SIZE)
    except ValueError:
        return replace(block, fields=fields)
    node = layout.parse(block.data, "node", value_kind or told)
    keys_offset = layout.NODE_HEADER.sizeof()
    values_offset = keys_offset + len(node["keys"]) * layout.KEY_SIZE
    entries = (
        Entry(
            number=number,
            length=1,
            key=key,
            key_offset=keys_offset + number * layout.KEY_SIZE,
            value=_value(value, node.value_kind),
            value_offset=values_offset + number * node.value_size,
        )
        for number, (key, value) in enumerate(zip(node["keys"], node["values"], strict=True))
        if number < node.nr_entries
    )
    unused = Field("unused", layout.BLOCK_SIZE - len(node.unused), len(node.unused), node.unused)
    by: Literal["caller", "content", "header"] = "caller"
    if value_kind is None:
        by = "content" if told in {"roots", "mappings"} else "header"
    return replace(
        block,
        value_kind=node.value_kind,
        value_kind_by=by,
        is_decoded=True,
        fields=(*fields, unused) if unused.size else fields,
        entries=tuple(entries),
    )


def _bitmap(block: Block) -> Block:
    bitmap = layout.BITMAP.parse(block.data)
    fields = tuple(_fields(layout.BITMAP, bitmap, {}))
    counts_offset = sum(field.size for field in fields)
    entries, number = [], 0
    for count, equal in groupby(bitmap.counts):
        length = len(list(equal))
        offset = counts_offset + number // layout.COUNTS_IN_BYTE
        entries.append(Entry(number, length, None, None, {"count": count}, offset))
        number += length
    return replace(block, is_decoded=True, fields=fields, entries=tuple(entries))


def _index(block: Block) -> Block:
    index = layout.INDEX.parse(block.data)
    fields = tuple(_fields(layout.INDEX, index, {}))
    index_offset, size = sum(field.size for field in fields), layout.INDEX_ENTRY.sizeof()
    entries = (
        Entry(number, 1, None, None, _value(entry, None), index_offset + number * size)
        for number, entry in enumerate(index.index)
        if any(_value(entry, None).values())
    )
    return replace(block, is_decoded=True, fields=fields, entries=tuple(entries))


def _fields(struct: Any, fields: Any, notes: Mapping[str, str | None]) -> Iterator[Field]:  # noqa: ANN401
    """Yield the fields of a structure that have one value."""
    for name, offset, size in layout.places(struct):
        value = reduce(getitem, name.split("."), fields)
        if isinstance(value, (int, bytes)):
            yield Field(name, offset, size, value, notes.get(name))


def _value(value: Any, value_kind: str | None) -> dict[str, int | bytes]:  # noqa: ANN401
    if value_kind == "mappings":
        return {"block": value.block, "time": value.time}
    if value_kind in _VALUE_NAMES:
        return {_VALUE_NAMES[value_kind]: value}
    return {name: part for name, part in value.items() if not name.startswith("_")}
