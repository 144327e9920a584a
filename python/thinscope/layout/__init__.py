"""Blocks of the metadata as fields, and back: what the format says, for people.

A second description of the format beside the core's, with `construct`, under the names of the
kernel's structures; ``docs/format.md`` says what the fields mean. Nothing is checked: what a block
holds is shown, and what is given is built.

    from thinscope import layout

    superblock = layout.parse(block)
    superblock.held_root = 0
    superblock.csum = layout.checksum(layout.build(superblock), "superblock")
    block = layout.build(superblock)
"""

from __future__ import annotations

from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from construct import ConstructError, Struct

from thinscope import _core
from thinscope.layout.structures import (
    BITMAP,
    BITMAP_ENTRIES,
    BLOCK_SIZE,
    DEVICE_DETAILS,
    INDEX,
    INDEX_ENTRIES,
    INDEX_ENTRY,
    MAPPING,
    NODE_HEADER,
    NODES,
    SPACE_MAP_ROOT,
    SUPERBLOCK,
    VALUE_SIZES,
    VALUES,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = [
    "BITMAP",
    "BITMAP_ENTRIES",
    "BLOCK_SIZE",
    "COUNTS_IN_BYTE",
    "DEVICE_DETAILS",
    "INDEX",
    "INDEX_ENTRIES",
    "INDEX_ENTRY",
    "INTERNAL_NODE",
    "KEY_SIZE",
    "LEAF_NODE",
    "MAGIC",
    "MAPPING",
    "MAX_DEVICE_ID",
    "MAX_METADATA_BLOCKS",
    "NODES",
    "NODE_HEADER",
    "SPACE_MAP_ROOT",
    "SUPERBLOCK",
    "VALUES",
    "VALUE_SIZES",
    "Kind",
    "ValueKind",
    "build",
    "capacity",
    "checksum",
    "kind_of",
    "parse",
    "places",
    "value_kind_of",
]

Kind: TypeAlias = Literal["superblock", "node", "bitmap", "index"]
"""A kind of block that is described here."""

ValueKind: TypeAlias = Literal[
    "children", "roots", "mappings", "details", "index-entries", "counts", "bytes"
]
"""What the values of a node are: a key of `VALUES` and `NODES`."""

MAGIC = 27_022_010
"""``magic`` of a superblock."""

INTERNAL_NODE, LEAF_NODE = 1, 2
"""``flags`` of a node."""

MAX_METADATA_BLOCKS = INDEX_ENTRIES * BITMAP_ENTRIES
"""Blocks of the largest metadata device: all block numbers are lower."""

MAX_DEVICE_ID = (1 << 24) - 1
"""Device ids have 24 bits."""

KEY_SIZE = 8
"""Bytes in a key of a node."""

COUNTS_IN_BYTE = 4
"""Counts in each byte of a bitmap."""

_DATA_BLOCK_1 = 1 << 24
"""A mapping of data block 1 at time 0: lower values are of data block 0."""

_STRUCTS: Mapping[str, Any] = MappingProxyType(
    {"superblock": SUPERBLOCK, "bitmap": BITMAP, "index": INDEX}
)
_KIND_BY_SIZE: Mapping[int, ValueKind] = MappingProxyType(
    {24: "details", 16: "index-entries", 4: "counts"}
)


def checksum(block: bytes, kind: str) -> int:
    """Return the checksum that a block of a kind must carry in ``csum``.

    Args:
        block: All 4096 bytes; ``csum`` itself does not count.
        kind: One that is described here, or ``array``, ``cache-superblock``, ``era-superblock``.

    Raises:
        TypeError: The block is not bytes.
        ValueError: The block has another size, or there is no such kind.
    """
    by_kind = _core.checksums(_whole(block))
    if kind not in by_kind:
        raise ValueError(f"a kind of block is one of {', '.join(by_kind)}, not {kind!r}")
    return by_kind[kind]


def kind_of(block: bytes) -> str | None:
    """Return the kind of block whose checksum the block carries, or None.

    Besides the kinds that are described here: ``array``, ``cache-superblock`` and
    ``era-superblock``, which are other targets' of the device mapper.

    Raises:
        TypeError: The block is not bytes.
        ValueError: The block has another size than 4096 bytes.
    """
    by_kind = _core.checksums(_whole(block))
    found = int.from_bytes(block[:4], "little")
    return next((kind for kind, expected in by_kind.items() if found == expected), None)


def capacity(value_size: int) -> int:
    """Return ``max_entries`` of a node with values of so many bytes: a multiple of three."""
    fits: int = (BLOCK_SIZE - NODE_HEADER.sizeof()) // (KEY_SIZE + value_size)
    return fits - fits % 3


def value_kind_of(block: bytes) -> ValueKind:
    """Return what the values of a node are.

    The header tells most; in a leaf, values of 8 bytes are judged. They are taken for roots of
    mapping trees where most of them have 24 bits: as mappings they would all be of data block 0,
    which no device maps twice. One entry alone tells nothing: it is taken for a root where its
    key can be a device id and its value a block number. All else is taken for mappings.

    Args:
        block: All 4096 bytes.

    Raises:
        TypeError: The block is not bytes.
        ValueError: The block has another size, or keys and values do not fit it.
    """
    header = _node_header(_whole(block))
    if header.value_size != VALUES["children"].sizeof():
        return _KIND_BY_SIZE.get(header.value_size, "bytes")
    if header.flags == INTERNAL_NODE:
        return "children"
    node = NODES["roots"].parse(block)
    used = list(islice(zip(node["keys"], node["values"], strict=True), node.nr_entries))
    if len(used) == 1:
        [(key, value)] = used
        is_root = key <= MAX_DEVICE_ID and 0 < value < MAX_METADATA_BLOCKS
    else:
        is_root = sum(value < _DATA_BLOCK_1 for _, value in used) * 2 > len(used)
    return "roots" if is_root else "mappings"


def parse(block: bytes, kind: Kind | None = None, value_kind: ValueKind | None = None) -> Any:  # noqa: ANN401
    """Return the fields of a block as a `construct.Container`: by name, as attributes or items.

    Args:
        block: All 4096 bytes.
        kind: What the block is; by default what its checksum says.
        value_kind: What the values of a node are; by default as `value_kind_of` says.

    Raises:
        TypeError: The block is not bytes.
        ValueError: The block has another size; its checksum is of no kind that is described here,
            and none is given; keys and values of a node do not fit it, or have another size than
            values of the kind given.
    """
    block = _whole(block)
    found = kind or kind_of(block)
    if found != "node":
        if found is None or found not in _STRUCTS:
            raise ValueError(f"no layout for {found or 'a block without the checksum of a kind'}")
        return _STRUCTS[found].parse(block)
    size = _node_header(block).value_size
    values = value_kind or value_kind_of(block)
    if values not in VALUES:
        raise ValueError(f"values are one of {', '.join(VALUES)}, not {values!r}")
    if values != "bytes" and VALUES[values].sizeof() != size:
        raise ValueError(f"{values} have {VALUES[values].sizeof()} bytes each, not {size}")
    return NODES[values].parse(block)


def build(fields: Mapping[str, Any]) -> bytes:
    """Return the block that has these fields, ``kind`` and ``value_kind`` among them.

    Of what `parse` returned, it is the same block. ``csum`` is written as it is given.

    Raises:
        ValueError: A field is missing, does not fit or has another type, or all of them are not
            4096 bytes.
    """
    try:
        kind = fields["kind"]
        struct = NODES[fields["value_kind"]] if kind == "node" else _STRUCTS[kind]
        block: bytes = struct.build(fields)
    except KeyError as error:
        raise ValueError(f"missing or not known: {error}") from error
    except ConstructError as error:
        raise ValueError(" ".join(str(error).lower().split())) from error
    except TypeError as error:
        raise ValueError(f"a field has another type: {str(error).lower()}") from error
    return _whole(block)


def places(struct: Any, begin: int = 0, prefix: str = "") -> Iterator[tuple[str, int, int]]:  # noqa: ANN401
    """Yield name, offset and size in bytes of the fields of a structure, inner ones apart.

    Names of inner fields have the outer one's before them: ``data_space_map_root.nr_blocks``.

    Args:
        struct: A structure of a fixed size.
        begin: Where it begins.
        prefix: What all names begin with.
    """
    for member in struct.subcons:
        size = member.sizeof()
        name = f"{prefix}{member.name}"
        if isinstance(member.subcon, Struct):
            yield from places(member.subcon, begin, f"{name}.")
        elif size:
            yield name, begin, size
        begin += size


def _whole(block: bytes) -> bytes:
    """Return the bytes of a block, if there are as many as there must be."""
    whole = bytes(memoryview(block))  # `bytes` alone makes a block of a number
    if len(whole) != BLOCK_SIZE:
        raise ValueError(f"a metadata block has {BLOCK_SIZE} bytes, not {len(whole)}")
    return whole


def _node_header(block: bytes) -> Any:  # noqa: ANN401
    header = NODE_HEADER.parse(block)
    room = BLOCK_SIZE - NODE_HEADER.sizeof()
    if header.max_entries * (KEY_SIZE + header.value_size) > room:
        raise ValueError(
            f"{header.max_entries} keys, and values of {header.value_size} bytes, do not fit"
        )
    return header
