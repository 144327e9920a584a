"""Databases of bbolt: buckets of keys in trees of pages, one file, little-endian.

Every page is reached by one way only, and what the elements of a page point at lies in order and
does not overlap. Both are checked, so work and memory are bounded by the size of the file. They
also tell a torn copy: one that was made while the database was written to.
"""

from __future__ import annotations

import struct
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from construct import Int16ul, Int32ub, Int32ul, Int64ul, Renamed, Struct

from thinscope.errors import NamesError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "BRANCH_ELEMENT",
    "BUCKET",
    "LEAF_ELEMENT",
    "META",
    "PAGE",
    "Bucket",
    "Database",
    "checksum",
    "is_database",
]

PAGE = Struct("id" / Int64ul, "flags" / Int16ul, "count" / Int16ul, "overflow" / Int32ul)
"""What every page begins with; ``overflow`` is how many more pages belong to it."""

BUCKET = Struct("root" / Int64ul, "sequence" / Int64ul)
"""The value of a bucket's element. Where the root is 0, a page without a number follows."""

META = Struct(
    "magic" / Int32ul,
    "version" / Int32ul,
    "page_size" / Int32ul,
    "flags" / Int32ul,
    "root" / BUCKET,
    "freelist" / Int64ul,
    "high_water" / Int64ul,
    "txid" / Int64ul,
    "checksum" / Int64ul,
)
"""What pages 0 and 1 hold, in turns: the higher ``txid`` of those with a right checksum counts."""

LEAF_ELEMENT = Struct("flags" / Int32ul, "pos" / Int32ul, "ksize" / Int32ul, "vsize" / Int32ul)
"""A key and its value, which follows it; ``pos`` counts from the element itself."""

BRANCH_ELEMENT = Struct("pos" / Int32ul, "ksize" / Int32ul, "page" / Int64ul)
"""A page, and the key that none below it is less than."""

MAGIC = 0xED0C_DAED
VERSION = 2
PAGE_SIZES = frozenset(1024 << shift for shift in range(16))
"""Where bbolt itself looks for the second meta page, if the first one is lost."""

_BRANCH, _LEAF, _FREELIST = 0x01, 0x02, 0x10
_IS_BUCKET = 0x01
_NO_FREELIST = (1 << 64) - 1
_MANY_FREE = 0xFFFF
"""A count of free pages that stands for: the first of them is the count."""

MAX_DEPTH = 64
"""Levels of a tree, and of buckets in buckets: a page can have one child only, but few do."""

MAX_ELEMENTS = 1 << 21
"""Elements to be read of one database: 5,000 containers make some 200,000 of them."""


def _packed(definition: Any) -> struct.Struct:  # noqa: ANN401 - construct has no types
    """Return what unpacks arrays of a definition: construct needs 20 times as long for them."""
    return struct.Struct("<" + "".join(_codes(definition)))


def _codes(definition: Any) -> Iterator[str]:  # noqa: ANN401 - construct has no types
    for part in definition.subcons:
        plain = part.subcon if isinstance(part, Renamed) else part
        if isinstance(plain, Struct):
            yield from _codes(plain)
        else:
            yield plain.fmtstr.removeprefix("<")


_PAGE, _BUCKET, _LEAVES, _BRANCHES = map(_packed, (PAGE, BUCKET, LEAF_ELEMENT, BRANCH_ELEMENT))


def checksum(data: bytes) -> int:
    """Return the FNV-1a sum of 64 bits, which a meta ends with."""
    total = 0xCBF2_9CE4_8422_2325
    for byte in data:
        total = (total ^ byte) * 0x100_0000_01B3 & 0xFFFF_FFFF_FFFF_FFFF
    return total


def is_database(beginning: bytes) -> bool:
    """Say whether a file that begins so is a database, whole or damaged; 64 KiB and 32 bytes do."""
    magics = (Int32ul.build(MAGIC), Int32ub.build(MAGIC))
    places = (place + PAGE.sizeof() for place in (0, *PAGE_SIZES))
    return any(beginning.startswith(magics, place) for place in places)


@dataclass(slots=True)
class _Node:
    """A page of a tree, read: keys, and either children or flags and place of the values."""

    page: int
    keys: list[bytes] = field(default_factory=list)
    children: list[int] = field(default_factory=list)
    values: list[tuple[int, int, int]] = field(default_factory=list)


class Bucket:
    """Keys, each with a value or a bucket.

    Attributes:
        sequence: The last number that the bucket gave out.
    """

    __slots__ = ("_database", "_depth", "_inline", "_owner", "_root", "sequence")

    def __init__(  # noqa: PLR0913 - where the bucket lies
        self,
        database: Database,
        root: int,
        sequence: int,
        *,
        owner: tuple[int, int],
        depth: int,
        inline: _Node | None = None,
    ) -> None:
        """Make the bucket from where its tree begins; databases and buckets do."""
        self.sequence = sequence
        self._database = database
        self._root = root
        self._owner = owner
        self._depth = depth
        self._inline = inline

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key, or None: there is no such key, or it has a bucket."""
        found = self._find(key)
        value = found and self._value(*found)
        return value if isinstance(value, bytes) else None

    def bucket(self, key: bytes) -> Bucket | None:
        """Return the bucket of a key, or None: there is no such key, or it has a value."""
        found = self._find(key)
        value = found and self._value(*found)
        return value if isinstance(value, Bucket) else None

    def __iter__(self) -> Iterator[tuple[bytes, bytes | Bucket]]:
        """Go through all keys in order, with their values and buckets."""
        for node in self._leaves():
            for index, key in enumerate(node.keys):
                yield key, self._value(node, index)

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Go through the keys that have values, in order."""
        return ((key, value) for key, value in self if isinstance(value, bytes))

    def buckets(self) -> Iterator[tuple[bytes, Bucket]]:
        """Go through the keys that have buckets, in order."""
        return ((key, value) for key, value in self if isinstance(value, Bucket))

    def _top(self) -> _Node:
        return self._inline or self._database.node(self._root, self._owner, b"", None)

    def _child(self, node: _Node, index: int, high: bytes | None) -> tuple[_Node, bytes | None]:
        """Return a child, and the key that all below it are less than."""
        if index + 1 < len(node.keys):
            high = node.keys[index + 1]
        owner = (node.page, index)
        return self._database.node(node.children[index], owner, node.keys[index], high), high

    def _find(self, key: bytes) -> tuple[_Node, int] | None:
        node, high = self._top(), None
        for _ in range(MAX_DEPTH):
            if not node.children:
                index = bisect_left(node.keys, key)
                return (node, index) if key in node.keys[index : index + 1] else None
            node, high = self._child(node, max(bisect_right(node.keys, key) - 1, 0), high)
        raise self._database.error("lies too deep in its tree", node.page)

    def _leaves(self) -> Iterator[_Node]:
        top = self._top()
        if not top.children:
            yield top
            return
        way: list[tuple[_Node, Iterator[int], bytes | None]]
        way = [(top, iter(range(len(top.children))), None)]
        while way:
            node, left, high = way[-1]
            index = next(left, None)
            if index is None:
                way.pop()
                continue
            child, below = self._child(node, index, high)
            if not child.children:
                yield child
            elif len(way) < MAX_DEPTH:
                way.append((child, iter(range(len(child.children))), below))
            else:
                raise self._database.error("lies too deep in its tree", child.page)

    def _value(self, node: _Node, index: int) -> bytes | Bucket:
        database = self._database
        flags, start, end = node.values[index]
        if not flags:
            return database.data[start:end]
        if node is self._inline or self._depth >= MAX_DEPTH:
            raise database.error("holds a bucket where none can be", node.page)
        if end - start < _BUCKET.size:
            raise database.error("holds a bucket without its header", node.page)
        root, sequence = _BUCKET.unpack_from(database.data, start)
        inline = None if root else database.inline(start + _BUCKET.size, end, node.page)
        owner = (node.page, index)
        return Bucket(database, root, sequence, owner=owner, depth=self._depth + 1, inline=inline)


class Database:
    """A database in memory.

    Attributes:
        data: The file's bytes.
        page_size: Bytes in a page.
        transaction_id: The last transaction that is whole.
        root: The bucket that holds all others.
    """

    def __init__(self, data: bytes, source: str, *, hint: str | None = None) -> None:
        """Find the last whole transaction.

        Args:
            data: The file's bytes.
            source: What errors call it.
            hint: What to do where the database is damaged.

        Raises:
            NamesError: It is no database, or neither meta page is right.
        """
        self.data = data
        self._source = source
        self._hint = hint
        self._nodes: dict[int, tuple[tuple[int, int], _Node]] = {}
        self._owners: dict[int, tuple[int, int]] = {}
        self._left = MAX_ELEMENTS
        meta = self._meta()
        self.page_size: int = meta.page_size
        self.transaction_id: int = meta.txid
        self._pages: int = min(meta.high_water, len(data) // meta.page_size)
        self._free: frozenset[int] = frozenset()
        self._free = self._freelist(meta.freelist)
        self.root = Bucket(self, meta.root.root, meta.root.sequence, owner=(0, 0), depth=0)

    def error(self, message: str, page: int) -> NamesError:
        """Return an error about a page."""
        return NamesError(message, source=self._source, where=f"page {page}", hint=self._hint)

    def node(self, page: int, owner: tuple[int, int], low: bytes, high: bytes | None) -> _Node:
        """Return a page of a tree.

        Args:
            page: Its number.
            owner: The element that points at it: its page and its index there.
            low: The key that none of the page is less than.
            high: The key that all of the page are less than, or None.
        """
        known = self._nodes.get(page)
        if known is not None:
            if known[0] != owner:
                raise self.error("is reached by two ways", page)
            return known[1]
        flags, count, start, end = self._extent(page, owner)
        if flags == _LEAF:
            node = self._leaf(start, end, count, page)
        elif flags == _BRANCH and count:
            node = self._branch(start, end, count, page)
        else:
            raise self.error("is not of a tree", page)
        if node.keys and (node.keys[0] < low or (high is not None and node.keys[-1] >= high)):
            raise self.error("has keys that belong to another page", page)
        self._nodes[page] = (owner, node)
        return node

    def inline(self, start: int, end: int, page: int) -> _Node:
        """Return the page without a number that lies in a bucket's value."""
        if end - start < _PAGE.size:
            raise self.error("holds a bucket without its page", page)
        _, flags, count, overflow = _PAGE.unpack_from(self.data, start)
        if flags != _LEAF or overflow:
            raise self.error("holds a bucket whose page is no leaf", page)
        return self._leaf(start + _PAGE.size, end, count, page)

    def _meta(self) -> Any:  # noqa: ANN401 - construct has no types
        if not is_database(self.data):
            raise NamesError("not a bbolt database", source=self._source)
        first, wrong = self._meta_at(0)
        found = [first] if first else []
        for size in [first.page_size] if first else sorted(PAGE_SIZES):
            second, _ = self._meta_at(size)
            if second and second.page_size == size:
                found.append(second)
                break
        if not found:
            raise self.error(f"{wrong}, and the other meta page is not right either", 0)
        return max(found, key=lambda meta: meta.txid)

    def _meta_at(self, place: int) -> tuple[Any, str]:
        """Return the meta of the page that begins there, or None and what is wrong with it."""
        raw = self.data[place + PAGE.sizeof() :][: META.sizeof()]
        if len(raw) < META.sizeof():
            return None, "ends within its meta"
        meta = META.parse(raw)
        if Int32ub.parse(raw) == MAGIC:
            return None, "has its bytes in big-endian order, which is not read"
        wrong = ""
        if meta.magic != MAGIC:
            wrong = "has no magic number"
        elif meta.checksum != checksum(raw[: -Int64ul.sizeof()]):
            wrong = "has a wrong checksum"
        elif meta.version != VERSION:
            wrong = f"is of version {meta.version}, and only {VERSION} is known"
        elif meta.page_size not in PAGE_SIZES:
            wrong = f"says that pages have {meta.page_size} bytes"
        return None if wrong else meta, wrong

    def _extent(self, page: int, owner: tuple[int, int]) -> tuple[int, int, int, int]:
        """Return flags, count, and where the elements of a page begin and end; it is taken."""
        if not 1 < page < self._pages:
            raise self.error("lies outside the database", page)
        start = page * self.page_size
        number, flags, count, overflow = _PAGE.unpack_from(self.data, start)
        if number != page:
            raise self.error("has the number of another page", page)
        if overflow >= self._pages - page:
            raise self.error("goes on behind the end of the database", page)
        for each in range(page, page + overflow + 1):
            if each in self._free:
                raise self.error("is in use, and on the list of free pages", each)
            if self._owners.setdefault(each, owner) != owner:
                raise self.error("is reached by two ways", each)
        end = start + (overflow + 1) * self.page_size
        return flags, count, start + _PAGE.size, end

    def _freelist(self, page: int) -> frozenset[int]:
        """Return the pages that hold nothing; a tree that has one of them is torn."""
        if page == _NO_FREELIST:
            return frozenset()
        flags, count, start, end = self._extent(page, (0, 1))
        if flags != _FREELIST:
            raise self.error("is not the list of free pages", page)
        if count == _MANY_FREE:
            (count,) = struct.unpack_from("<Q", self.data, start)
            start += Int64ul.sizeof()
        if count > (end - start) // Int64ul.sizeof():
            raise self.error("lists more free pages than it has room for", page)
        return frozenset(struct.unpack_from(f"<{count}Q", self.data, start))

    def _elements(self, start: int, end: int, count: int, page: int, size: int) -> memoryview:
        """Return the bytes of a page's elements."""
        self._left -= count
        if self._left < 0:
            raise self.error(f"is behind the first {MAX_ELEMENTS} elements", page)
        if count * size > end - start:
            raise self.error(f"has no room for {count} elements", page)
        return memoryview(self.data)[start : start + count * size]

    def _leaf(self, start: int, end: int, count: int, page: int) -> _Node:
        node = _Node(page)
        data, keys, values = self.data, node.keys, node.values
        elements = self._elements(start, end, count, page, _LEAVES.size)
        free = start + len(elements)
        for flags, pos, key_size, value_size in _LEAVES.iter_unpack(elements):
            key_at = start + pos
            value_at = key_at + key_size
            value_end = value_at + value_size
            if key_at < free or value_end > end or flags > _IS_BUCKET:
                raise self.error(f"has an element {len(keys)} that cannot be", page)
            key = data[key_at:value_at]
            if keys and key <= keys[-1]:
                raise self.error(f"has an element {len(keys)} out of order", page)
            keys.append(key)
            values.append((flags, value_at, value_end))
            free = value_end
            start += _LEAVES.size
        return node

    def _branch(self, start: int, end: int, count: int, page: int) -> _Node:
        node = _Node(page)
        data, keys = self.data, node.keys
        elements = self._elements(start, end, count, page, _BRANCHES.size)
        free = start + len(elements)
        for pos, key_size, child in _BRANCHES.iter_unpack(elements):
            key_at = start + pos
            key_end = key_at + key_size
            if key_at < free or key_end > end:
                raise self.error(f"has an element {len(keys)} that cannot be", page)
            key = data[key_at:key_end]
            if keys and key <= keys[-1]:
                raise self.error(f"has an element {len(keys)} out of order", page)
            keys.append(key)
            node.children.append(child)
            free = key_end
            start += _BRANCHES.size
        return node
