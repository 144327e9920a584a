"""The rules of the format that one block alone can break (``docs/format.md``)."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

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

_UNSURE = 1
"""Roots are taken for roots because of each other: so few may be mappings as well."""


class _Bound(NamedTuple):
    """Below which number the numbers of other blocks must be.

    Attributes:
        blocks: How many blocks there are, block 0 included.
        reason: What these blocks are.
    """

    blocks: int
    reason: str


def findings(block: Block) -> Iterator[Finding]:
    """Yield what does not fit."""
    if len(block.data) < layout.BLOCK_SIZE:
        unit = "byte" if len(block.data) == 1 else "bytes"
        found = f"{len(block.data)} {unit}, where the source ends"
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
    bound = _bound(block)
    roots = ["data_mapping_root", "device_details_root"]
    if block.number == 0:  # a metadata snapshot's copy has no space maps
        counted = number["metadata_space_map_root.nr_blocks"]
        is_right = 1 <= counted <= bound.blocks
        expected = f"at least 1, at most {bound.blocks}, {bound.reason}"
        yield from rule("metadata_space_map_root.nr_blocks", is_right, expected)
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
        if 1 < counted < bound.blocks:
            bound = _Bound(counted, "the blocks that the metadata space map counts")
    for root in roots + ["held_root"] * bool(number["held_root"]):
        yield from _pointer(block, root, fields[root].offset, number[root], bound)


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
        yield from _values(block, "values")


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
    size = layout.INDEX_ENTRY.sizeof()
    begin = layout.BLOCK_SIZE - layout.INDEX_ENTRIES * size
    if not block.entries:
        yield Finding("index[0].blocknr", begin, "a block number: each map has a bitmap", "0")
    following = 0
    for entry in block.entries:
        if entry.number > following:
            name, offset = f"index[{following}].blocknr", begin + following * size
            expected = f"a block number, as index[{entry.number}] follows"
            yield Finding(name, offset, expected, "0")
        following = entry.number + 1
    yield from _values(block, "index")


def _values(block: Block, array: str) -> Iterator[Finding]:
    """Yield what is wrong with the values of a node or an index block."""
    is_sure = block.value_kind_by != "content" or len(block.entries) > _UNSURE
    bound = _bound(block)
    owners: dict[int, str] = {}
    for entry in block.entries if is_sure else ():
        name = f"{array}[{entry.number}]"
        yield from _value(block, entry, name, bound)
        for part in ("child", "blocknr"):  # devices may have the same root: snapshots do at first
            value = entry.value.get(part)
            if isinstance(value, int) and owners.setdefault(value, name) != name and value:
                place, offset = f"{name}.{part}", entry.part_offsets[part]
                yield Finding(place, offset, f"another block than {owners[value]} has", str(value))


def _value(block: Block, entry: Entry, name: str, bound: _Bound) -> Iterator[Finding]:
    for part, value in entry.value.items():
        if isinstance(value, bytes):
            continue
        place, offset = f"{name}.{part}", entry.part_offsets[part]
        match part:
            case "child" | "root" | "blocknr":
                yield from _pointer(block, place, offset, value, bound)
            case "count" if value < _LEAST_OVERFLOW:
                expected = f"at least {_LEAST_OVERFLOW}: lower counts stand in a bitmap"
                yield Finding(place, offset, expected, str(value))
            case "nr_free" | "none_free_before" if value > layout.BITMAP_ENTRIES:
                expected = f"at most {layout.BITMAP_ENTRIES}, the counts of a bitmap"
                yield Finding(place, offset, expected, str(value))
            case "none_free_before":
                free = int(entry.value["nr_free"])
                used = layout.BITMAP_ENTRIES - free
                if free <= layout.BITMAP_ENTRIES and value > used:
                    expected = f"at most {used}, as nr_free is {free}"
                    yield Finding(place, offset, expected, str(value))
            case _:
                pass


def _bound(block: Block) -> _Bound:
    blocks = block.source_bytes // layout.BLOCK_SIZE
    if blocks > layout.MAX_METADATA_BLOCKS:
        return _Bound(layout.MAX_METADATA_BLOCKS, "the most that metadata can have")
    return _Bound(blocks, "the blocks of the source")


def _pointer(block: Block, field: str, offset: int, value: int, bound: _Bound) -> Iterator[Finding]:
    """Yield what is wrong with the number of another block."""
    if not 0 < value < bound.blocks:
        expected = f"a block from 1 on, below {bound.blocks}, {bound.reason}"
        if bound.blocks == 1:
            expected = "a block from 1 on: the source has block 0 only"
        yield Finding(field, offset, expected, str(value))
    elif value == block.number:
        yield Finding(field, offset, "another block than its own", str(value))
