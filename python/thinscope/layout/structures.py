"""The structures, in the order in which a block has their fields."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from construct import (
    Array,
    BitsInteger,
    BitsSwapped,
    Bitwise,
    Bytes,
    BytesInteger,
    Computed,
    ExprValidator,
    GreedyBytes,
    Int24ul,
    Int32ul,
    Int64ul,
    Struct,
    this,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "BITMAP",
    "BITMAP_ENTRIES",
    "BLOCK_SIZE",
    "DEVICE_DETAILS",
    "INDEX",
    "INDEX_ENTRIES",
    "INDEX_ENTRY",
    "MAPPING",
    "NODES",
    "NODE_HEADER",
    "SPACE_MAP_ROOT",
    "SUPERBLOCK",
    "VALUES",
    "VALUE_SIZES",
]

BLOCK_SIZE = 4096
"""Bytes in a metadata block."""

BITMAP_ENTRIES = 16_320
"""Counts in a bitmap."""

INDEX_ENTRIES = 255
"""Entries in an index block."""


def _bytes(size: Any) -> Any:  # noqa: ANN401 - construct has no types
    """Bytes that are built of bytes only: construct alone takes a number for its digits, too."""
    return ExprValidator(Bytes(size), lambda value, _: isinstance(value, (bytes, bytearray)))


SPACE_MAP_ROOT = Struct(
    "nr_blocks" / Int64ul,
    "nr_allocated" / Int64ul,
    "bitmap_root" / Int64ul,
    "ref_count_root" / Int64ul,
    "unused" / _bytes(96),
)
"""Root of a space map, in the superblock (kernel: ``disk_sm_root``, 32 bytes)."""

SUPERBLOCK = Struct(
    "kind" / Computed("superblock"),
    "csum" / Int32ul,
    "flags" / Int32ul,
    "blocknr" / Int64ul,
    "uuid" / _bytes(16),
    "magic" / Int64ul,
    "version" / Int32ul,
    "time" / Int32ul,
    "trans_id" / Int64ul,
    "held_root" / Int64ul,
    "data_space_map_root" / SPACE_MAP_ROOT,
    "metadata_space_map_root" / SPACE_MAP_ROOT,
    "data_mapping_root" / Int64ul,
    "device_details_root" / Int64ul,
    "data_block_size" / Int32ul,
    "metadata_block_size" / Int32ul,
    "metadata_nr_blocks" / Int64ul,
    "compat_flags" / Int32ul,
    "compat_ro_flags" / Int32ul,
    "incompat_flags" / Int32ul,
    "unused" / _bytes(3732),
)
"""Block 0, or a metadata snapshot's copy (kernel: ``thin_disk_superblock``)."""

INDEX_ENTRY = Struct("blocknr" / Int64ul, "nr_free" / Int32ul, "none_free_before" / Int32ul)
"""Where a bitmap lies (kernel: ``disk_index_entry``)."""

INDEX = Struct(
    "kind" / Computed("index"),
    "csum" / Int32ul,
    "padding" / Int32ul,
    "blocknr" / Int64ul,
    "index" / Array(INDEX_ENTRIES, INDEX_ENTRY),
)
"""The index of the metadata space map (kernel: ``disk_metadata_index``)."""

BITMAP = Struct(
    "kind" / Computed("bitmap"),
    "csum" / Int32ul,
    "not_used" / Int32ul,
    "blocknr" / Int64ul,
    # The first count lies in the low bits of a byte, and its more significant bit comes first:
    # with the bits of each byte turned round, all is in order.
    "counts" / BitsSwapped(Bitwise(Array(BITMAP_ENTRIES, BitsInteger(2)))),
)
"""Reference counts, 3 standing for all above 2 (kernel: ``disk_bitmap_header`` and bits)."""

DEVICE_DETAILS = Struct(
    "mapped_blocks" / Int64ul,
    "transaction_id" / Int64ul,
    "creation_time" / Int32ul,
    "snapshotted_time" / Int32ul,
)
"""A value of the details tree (kernel: ``disk_device_details``)."""

MAPPING = Struct("time" / Int24ul, "block" / BytesInteger(5, swapped=True))
"""A value of a mapping tree: a data block and the time, 40 and 24 bits of one number."""

NODE_HEADER = Struct(
    "csum" / Int32ul,
    "flags" / Int32ul,
    "blocknr" / Int64ul,
    "nr_entries" / Int32ul,
    "max_entries" / Int32ul,
    "value_size" / Int32ul,
    "padding" / Int32ul,
)
"""What a node of any B-tree begins with (kernel: ``node_header``)."""

VALUES: Mapping[str, Any] = MappingProxyType(
    {
        "children": Int64ul,
        "roots": Int64ul,
        "mappings": MAPPING,
        "details": DEVICE_DETAILS,
        "index-entries": INDEX_ENTRY,
        "counts": Int32ul,
        "bytes": _bytes(this.value_size),
    }
)
"""The values of a node by their kind: children of an internal node; in leaves roots of mapping trees,
mappings, details of devices, index entries or reference counts; bytes of any size."""

VALUE_SIZES = tuple(sorted({VALUES[kind].sizeof() for kind in VALUES if kind != "bytes"}))
"""Bytes in a value, of all kinds that there are."""


def _node(value_kind: str) -> Any:  # noqa: ANN401 - construct has no types
    return Struct(
        "kind" / Computed("node"),
        "value_kind" / Computed(value_kind),
        *NODE_HEADER.subcons,
        "keys" / Array(this.max_entries, Int64ul),
        "values" / Array(this.max_entries, VALUES[value_kind]),
        "unused" / GreedyBytes,
    )


NODES: Mapping[str, Any] = MappingProxyType({kind: _node(kind) for kind in VALUES})
"""A node by the kind of its values. All ``max_entries`` places of keys and values are there; those
from ``nr_entries`` on mean nothing."""
