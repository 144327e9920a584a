"""The rules of the format that one block alone can break (``docs/format.md``)."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from thinscope import layout
from thinscope.block import Entry, Field, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thinscope.block import Block

__all__ = ["findings"]

_FLAGS = 1
"""All flags of a superblock that there are: needs_check."""

_VERSIONS = (1, 2)
_DATA_BLOCK_SECTORS = range(128, 2_097_152 + 1, 128)
_METADATA_BLOCK_SECTORS = 8
_MAX_DATA_BLOCKS = 1 << 40
_LEAST_OVERFLOW = 3
"""Lower counts stand in the bitmaps."""

_PARTS = {name: begin for name, begin, _ in layout.places(layout.INDEX_ENTRY)}
"""Where the parts of an index entry lie in it; other values are one number."""


def findings(block: Block) -> Iterator[Finding]:
    """Yield what does not fit."""
    if len(block.data) < layout.BLOCK_SIZE:
        found = f"{len(block.data)}, where the source ends"
        yield Finding("size", 0, f"{layout.BLOCK_SIZE} bytes", found)
        return
    if block.kind == "zeros":
        return
    yield from _checksum(block)
    fields = {field.name: field for field in block.fields}
    if "blocknr" in fields:
        own = fields["blocknr"]
        yield from _rule(own, own.value == block.number, f"{block.number}, its own number")
    match block.kind:
        case "superblock":
            yield from _superblock(block, fields)
        case "node":
            yield from _node(block, fields)
        case "index":
            yield from _index_block(block)
        case _:
            pass


def _checksum(block: Block) -> Iterator[Finding]:
    if block.kind_by == "checksum":
        return
    stored = f"{int.from_bytes(block.data[:4], 'little'):#010x}"
    if block.kind is None:
        yield Finding("csum", 0, "the checksum of some kind of block", stored)
        return
    expected = f"{layout.checksum(block.data, block.kind):#010x}"
    if stored != expected:
        yield Finding("csum", 0, expected, stored)


def _rule(field: Field, holds: bool, expected: str) -> Iterator[Finding]:  # noqa: FBT001
    if not holds:
        yield Finding(field.name, field.offset, expected, str(field.value))


def _superblock(block: Block, fields: dict[str, Field]) -> Iterator[Finding]:
    def rule(name: str, holds: bool, expected: str) -> Iterator[Finding]:  # noqa: FBT001
        return _rule(fields[name], holds, expected)

    number = {name: int(field.value) for name, field in fields.items() if _is_number(field)}
    yield from rule("flags", number["flags"] <= _FLAGS, "0, or 1 (needs_check)")
    yield from rule("magic", number["magic"] == layout.MAGIC, str(layout.MAGIC))
    yield from rule("version", number["version"] in _VERSIONS, "1 or 2")
    yield from rule("incompat_flags", number["incompat_flags"] == 0, "0: none is known")
    sectors = number["data_block_size"]
    expected = "a multiple of 128 up to 2097152 sectors"
    yield from rule("data_block_size", sectors in _DATA_BLOCK_SECTORS, expected)
    is_right = number["metadata_block_size"] == _METADATA_BLOCK_SECTORS
    yield from rule("metadata_block_size", is_right, f"{_METADATA_BLOCK_SECTORS} sectors")
    blocks = _blocks(block)
    roots = ["data_mapping_root", "device_details_root"]
    if block.number == 0:  # a metadata snapshot's copy has no space maps
        counted = number["metadata_space_map_root.nr_blocks"]
        expected = f"at most {blocks}, the blocks of the source"
        yield from rule("metadata_space_map_root.nr_blocks", counted <= blocks, expected)
        yield from rule(
            "data_space_map_root.nr_blocks",
            number["data_space_map_root.nr_blocks"] <= _MAX_DATA_BLOCKS,
            f"at most {_MAX_DATA_BLOCKS}",
        )
        for space_map in ("data_space_map_root", "metadata_space_map_root"):
            total = number[f"{space_map}.nr_blocks"]
            allocated = f"{space_map}.nr_allocated"
            expected = f"at most nr_blocks, {total}"
            yield from rule(allocated, number[allocated] <= total, expected)
            roots += [f"{space_map}.bitmap_root", f"{space_map}.ref_count_root"]
        blocks = min(blocks, counted)
    for root in roots + ["held_root"] * bool(number["held_root"]):
        yield from _pointer(block, root, fields[root].offset, number[root], blocks)


def _is_number(field: Field) -> bool:
    return isinstance(field.value, int)


def _node(block: Block, fields: dict[str, Field]) -> Iterator[Finding]:
    flags, entries, places, size = (
        int(fields[name].value) for name in ("flags", "nr_entries", "max_entries", "value_size")
    )
    is_internal = flags == layout.INTERNAL_NODE
    is_known = flags in (layout.INTERNAL_NODE, layout.LEAF_NODE)
    yield from _rule(fields["flags"], is_known, "1 (internal) or 2 (leaf)")
    sizes = (layout.VALUES["children"].sizeof(),) if is_internal else layout.VALUE_SIZES
    expected = f"{' or '.join(map(str, sizes))} bytes"
    yield from _rule(fields["value_size"], size in sizes, expected)
    if size in layout.VALUE_SIZES:
        capacity = layout.capacity(size)
        expected = f"{capacity}, the room for values of {size} bytes"
        yield from _rule(fields["max_entries"], places == capacity, expected)
    least = int(is_internal)
    expected = f"from {least} to max_entries, {places}"
    yield from _rule(fields["nr_entries"], least <= entries <= places, expected)
    if entries <= places:  # else it is not known which entries mean anything
        yield from _keys(block)
        for entry in block.entries:
            yield from _value(block, entry, f"values[{entry.number}]")


def _keys(block: Block) -> Iterator[Finding]:
    for before, entry in pairwise(block.entries):
        if before.key is None or entry.key is None or entry.key_offset is None:
            continue
        name = f"keys[{entry.number}]"
        if block.value_kind == "index-entries":  # numbers of bitmaps: none is left out
            if entry.key != before.key + 1:
                expected = f"{before.key + 1}, one more than the key before it"
                yield Finding(name, entry.key_offset, expected, str(entry.key))
        elif entry.key <= before.key:
            expected = f"more than the key before it, {before.key}"
            yield Finding(name, entry.key_offset, expected, str(entry.key))
    if block.value_kind in {"roots", "details"}:
        for entry in block.entries:
            if entry.key is not None and entry.key > layout.MAX_DEVICE_ID:
                name, offset = f"keys[{entry.number}]", entry.key_offset or 0
                yield Finding(name, offset, "a device id, at most 24 bits", str(entry.key))


def _index_block(block: Block) -> Iterator[Finding]:
    for number, entry in enumerate(block.entries):
        if entry.number != number:
            name = f"index[{number}].blocknr"
            offset = entry.value_offset - (entry.number - number) * layout.INDEX_ENTRY.sizeof()
            yield Finding(name, offset, "a block number, as entries follow", "0")
            return
        yield from _value(block, entry, f"index[{number}]")


def _value(block: Block, entry: Entry, name: str) -> Iterator[Finding]:
    """Yield what is wrong with a value of a node or an index block."""
    for part, value in entry.value.items():
        if isinstance(value, bytes):
            continue
        place, offset = f"{name}.{part}", entry.value_offset + _PARTS.get(part, 0)
        match part:
            case "child" | "root" | "blocknr":
                yield from _pointer(block, place, offset, value, _blocks(block))
            case "count" if value < _LEAST_OVERFLOW:
                expected = f"at least {_LEAST_OVERFLOW}: lower counts stand in a bitmap"
                yield Finding(place, offset, expected, str(value))
            case "nr_free" | "none_free_before" if value > layout.BITMAP_ENTRIES:
                expected = f"at most {layout.BITMAP_ENTRIES}, the counts of a bitmap"
                yield Finding(place, offset, expected, str(value))
            case _:
                pass


def _blocks(block: Block) -> int:
    """Return how many blocks of the source can be pointed at, block 0 included."""
    return min(block.source_bytes // layout.BLOCK_SIZE, layout.MAX_METADATA_BLOCKS)


def _pointer(block: Block, field: str, offset: int, value: int, blocks: int) -> Iterator[Finding]:
    """Yield what is wrong with the number of another block."""
    if not 0 < value < blocks:
        yield Finding(field, offset, f"a block from 1 to {blocks - 1}", str(value))
    elif value == block.number:
        yield Finding(field, offset, "another block than its own", str(value))
