"""One block of the metadata, whatever state the pool or the file is in."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from operator import index
from typing import TYPE_CHECKING, Literal

from thinscope import _core, captured
from thinscope.block.kinds import KINDS, VALUE_KINDS
from thinscope.source import named

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from thinscope.layout import Kind, ValueKind
    from thinscope.pool import Progress
    from thinscope.source import Source

__all__ = ["Block", "Entry", "Field", "Finding", "read_block"]

_BLOCK_SIZE = 4096
_BLOCK_LIMIT = 1 << 64


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a block.

    Attributes:
        name: Its name in the kernel's structures; ``outer.inner`` in a structure of its own.
        offset: Where it lies in the block, in bytes.
        size: Its bytes.
        value: A number, or bytes where it is none.
        note: What the value means, or None.
    """

    name: str
    offset: int
    size: int
    value: int | bytes
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a node or an index block, or equal counts next to each other in a bitmap.

    Attributes:
        number: Which entry it is, from 0; of equal counts the first.
        length: How many equal counts; else 1.
        key: Key of a node's entry, or None.
        key_offset: Where the key lies in the block, in bytes, or None.
        value: The value, part by part: a ``child``, a ``root``, ``block`` and ``time`` of a
            mapping, the fields of details or of an index entry, a ``count``, or ``bytes``.
        value_offset: Where the value lies in the block, in bytes.
        part_offsets: Where each part of the value begins in the block, in bytes.
    """

    number: int
    length: int
    key: int | None
    key_offset: int | None
    value: Mapping[str, int | bytes] = field(hash=False)
    value_offset: int
    part_offsets: Mapping[str, int] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule of the format that a block breaks.

    Attributes:
        field: Name of a field, or part of an entry: ``keys[3]``, ``values[3].child``.
        offset: Where it lies in the block, in bytes.
        expected: What the rule asks for.
        found: What is there.
    """

    field: str
    offset: int
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class Block:
    """A block of 4096 bytes of any source, decoded as far as it can be.

    Attributes:
        number: Which block it is.
        offset: Where it lies in the source, in bytes.
        source_bytes: Length of the source in bytes; unpacked, if it is packed.
        may_be_stale: Whether it may be older than what the kernel wrote: only for a block device
            that refused to be read around the page cache.
        data: Its bytes: 4096, or fewer at the end of the source.
        kind: What it is: ``superblock``, ``node``, ``bitmap``, ``index`` (the metadata space map's
            index block); ``array``, ``cache-superblock`` and ``era-superblock``, which no thin
            pool has; ``zeros``; or None.
        kind_by: What tells the kind: its ``checksum``, its ``content`` where the checksum fits no
            kind, or the ``caller``; None where nothing does.
        value_kind: What the values of a node are: ``children``, ``roots`` of mapping trees,
            ``mappings``, ``details``, ``index-entries``, reference ``counts``, or ``bytes``
            where no value has their size. None of other blocks.
        value_kind_by: What tells that: the node's ``header``, its ``content`` (the values
            themselves), or the ``caller``.
        is_decoded: Whether fields and entries tell all that the block says.
        fields: The fields in the order of their offsets.
        entries: The entries in use.
        findings: What does not fit, in the order of the offsets.
    """

    number: int
    offset: int
    source_bytes: int
    may_be_stale: bool
    data: bytes = field(repr=False)
    kind: str | None
    kind_by: Literal["checksum", "content", "caller"] | None
    value_kind: ValueKind | None
    value_kind_by: Literal["header", "content", "caller"] | None
    is_decoded: bool
    fields: tuple[Field, ...] = field(repr=False)
    entries: tuple[Entry, ...] = field(repr=False)
    findings: tuple[Finding, ...]


def read_block(  # noqa: PLR0913 - keywords
    source: Source,
    block: int,
    *,
    more_pvs: Iterable[Source] = (),
    kind: Kind | None = None,
    value_kind: ValueKind | None = None,
    progress: Progress | None = None,
) -> Block:
    """Read one block of any source, and decode what can be decoded.

    The source need not hold a pool, and may be in use: one block is read at once. A block that is
    being written just then may come with a wrong checksum; read it again. A packed source is
    unpacked each time.

    Args:
        source: As `thinscope.open` takes it, but a disk or an image of one is read as it is, unless
            a pool on it is named.
        block: Number of the block, of 4096 bytes each.
        more_pvs: As `thinscope.open` takes them.
        kind: What the block is to be decoded as; by default what its checksum says, or else what
            it looks like.
        value_kind: What the values of a node are; by default what its header says. Whether values
            of 8 bytes in a leaf are roots or mappings it does not say: then the values are
            judged. One entry alone can be either; it is shown as a root where it can be one, and
            its value is not held against it.
        progress: As `thinscope.open` takes it: unpacking can be long.

    Raises:
        OSError: The path cannot be opened (`FileNotFoundError`, `PermissionError`, ...).
        SourceError: A read failed, or there is no such block.
        NotThinMetadata: The source is a folder, a pipe or a terminal.
        TypeError: The number is no integer, or the source is none of those.
        ValueError: The number is none of 64 bits, there is no such kind of block or of values, or
            values of this kind have another size than those of the node.
    """
    block = _number(block)
    _choice("a kind of block", kind, KINDS)
    _choice("a kind of values", value_kind, VALUE_KINDS)
    # Imported here: whoever reads no block need not load construct.
    from thinscope.block.decode import decode  # noqa: PLC0415

    more = tuple(more_pvs)
    if more or (isinstance(source, (str, os.PathLike)) and ":" in os.fspath(source)):
        # Imported here: few blocks are those of a pool on a disk.
        from thinscope.locate import is_named_pool, locate  # noqa: PLC0415

        if more or is_named_pool(source):
            located = locate(source, (), progress, more_pvs=more, metadata_snapshot=True)
            source = located.metadata
    if captured.is_captured(source):
        source = captured.opened(source, progress).metadata
    opened, name = named(source)
    data, source_bytes, may_be_stale = _core.read_block(opened, name, block, progress=progress)
    raw = Block(
        number=block,
        offset=block * _BLOCK_SIZE,
        source_bytes=source_bytes,
        may_be_stale=may_be_stale,
        data=data,
        kind=kind,
        kind_by="caller" if kind else None,
        value_kind=None,
        value_kind_by=None,
        is_decoded=False,
        fields=(),
        entries=(),
        findings=(),
    )
    return decode(raw, value_kind)


def _number(block: int) -> int:
    """Return the number of a block, if it is one."""
    try:
        number = index(block)
    except TypeError as error:
        raise TypeError(f"a block number is an integer, not {block!r}") from error
    if not 0 <= number < _BLOCK_LIMIT:
        raise ValueError(f"a block number is from 0 on and has 64 bits: not {number}")
    return number


def _choice(what: str, chosen: str | None, choices: tuple[str, ...]) -> None:
    """Refuse what is none of the choices."""
    if chosen is not None and chosen not in choices:
        raise ValueError(f"{what} is one of {', '.join(choices)}, not {chosen!r}")
