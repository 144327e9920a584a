"""Bytes of a block become fields and entries."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from itertools import groupby
from operator import getitem
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from thinscope import layout
from thinscope.block import Entry, Field
from thinscope.block.rules import findings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from thinscope.block import Block
    from thinscope.layout import ValueKind

__all__ = ["decode"]

_By: TypeAlias = Literal["checksum", "content"]

_NODE_SIGNS = 4
"""How many of five fields must be those of a node where the checksum is of nothing."""

_VALUE_NAMES = {"children": "child", "roots": "root", "counts": "count", "bytes": "bytes"}
"""What the value of an entry is called where it has no parts."""

_PART_PLACES: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {
        kind: {_VALUE_NAMES[kind]: 0}
        if kind in _VALUE_NAMES
        else {name: begin for name, begin, _ in layout.places(layout.VALUES[kind])}
        for kind in layout.VALUES
    }
)
"""Where the parts of a value begin in it, by the kind of values."""


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
    notes = {
        "flags": "needs_check" if fields.flags & 1 else None,
        "held_root": None if fields.held_root else "no metadata snapshot",
        "data_block_size": "sectors",
        "metadata_block_size": "sectors",
        "metadata_nr_blocks": "when the pool was made",
    }
    return _fields(layout.SUPERBLOCK, fields, notes)


def _node(block: Block, value_kind: ValueKind | None) -> Block:
    header = layout.NODE_HEADER.parse(block.data)
    flags = {layout.INTERNAL_NODE: "internal", layout.LEAF_NODE: "leaf"}
    fields = tuple(_fields(layout.NODE_HEADER, header, {"flags": flags.get(header.flags)}))
    try:
        told = layout.value_kind_of(block.data)
    except ValueError:
        return replace(block, fields=fields)
    node = layout.parse(block.data, "node", value_kind or told)
    keys_offset = layout.NODE_HEADER.sizeof()
    values_offset = keys_offset + len(node["keys"]) * layout.KEY_SIZE
    entries = (
        _entry(
            number,
            value,
            node.value_kind,
            values_offset + number * node.value_size,
            key=key,
            key_offset=keys_offset + number * layout.KEY_SIZE,
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
        entries.append(_entry(number, count, "counts", offset, length=length))
        number += length
    return replace(block, is_decoded=True, fields=fields, entries=tuple(entries))


def _index(block: Block) -> Block:
    index = layout.INDEX.parse(block.data)
    fields = tuple(_fields(layout.INDEX, index, {}))
    index_offset, size = sum(field.size for field in fields), layout.INDEX_ENTRY.sizeof()
    entries = (
        _entry(number, entry, "index-entries", index_offset + number * size)
        for number, entry in enumerate(index.index)
        if any(_value(entry, "index-entries").values())
    )
    return replace(block, is_decoded=True, fields=fields, entries=tuple(entries))


def _fields(struct: Any, fields: Any, notes: Mapping[str, str | None]) -> Iterator[Field]:  # noqa: ANN401
    """Yield the fields of a structure that have one value."""
    for name, offset, size in layout.places(struct):
        value = reduce(getitem, name.split("."), fields)
        if isinstance(value, (int, bytes)):
            yield Field(name, offset, size, value, notes.get(name))


def _entry(  # noqa: PLR0913 - an entry has as many
    number: int,
    value: Any,  # noqa: ANN401
    value_kind: str,
    offset: int,
    *,
    length: int = 1,
    key: int | None = None,
    key_offset: int | None = None,
) -> Entry:
    part_offsets = {name: offset + begin for name, begin in _PART_PLACES[value_kind].items()}
    parts = _value(value, value_kind)
    return Entry(number, length, key, key_offset, parts, offset, part_offsets)


def _value(value: Any, value_kind: str) -> dict[str, int | bytes]:  # noqa: ANN401
    if value_kind == "mappings":
        return {"block": value.block, "time": value.time}
    if value_kind in _VALUE_NAMES:
        return {_VALUE_NAMES[value_kind]: value}
    return {name: part for name, part in value.items() if not name.startswith("_")}
