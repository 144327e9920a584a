"""A writer of bbolt databases, for tests: plain struct, and nothing of the reader.

Pages are written in the order in which their contents are, leaves before branches, buckets before
the bucket that holds them. `File` keeps them apart, so that tests can spoil one before `data` puts
the database together.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

PAGE, META_BODY = struct.Struct("<QHHI"), struct.Struct("<IIIIQQQQQ")
LEAF, BRANCH, BUCKET = struct.Struct("<IIII"), struct.Struct("<IIQ"), struct.Struct("<QQ")
BRANCH_FLAG, LEAF_FLAG, META_FLAG, FREELIST_FLAG = 1, 2, 4, 16


class Tree(dict[bytes, "bytes | Tree"]):
    """A bucket's content, with its sequence."""

    sequence = 0


def fnv(data: bytes) -> int:
    total = 14695981039346656037
    for byte in data:
        total = ((total ^ byte) * 1099511628211) % 2**64
    return total


@dataclass
class File:
    """A database as its pages.

    Attributes:
        page_size: Bytes in a page.
        most: Elements that a page can have at most, or as many as it has room for.
        inlines: Whether small buckets lie in the values of their elements.
    """

    page_size: int = 4096
    most: int = 1 << 16
    inlines: bool = True
    pages: dict[int, bytearray] = field(default_factory=dict)
    free: list[int] = field(default_factory=lambda: [2])
    high_water: int = 4
    root: int = 0
    sequence: int = 0
    txids: tuple[int, int] = (10, 9)
    version: int = 2
    magic: int = 0xED0CDAED
    freelist: int = 3

    @classmethod
    def of(cls, tree: dict, **settings) -> File:
        """Write a tree of buckets; only buckets can be at its top."""
        file = cls(**settings)
        file.root = file.bucket(tree)
        return file

    def add(self, flags: int, count: int, body: bytes) -> int:
        """Add a page, and as many more as it needs."""
        taken = -(-(PAGE.size + len(body)) // self.page_size)
        number = self.high_water
        self.high_water += taken
        header = PAGE.pack(number, flags, count, taken - 1)
        self.pages[number] = bytearray((header + body).ljust(taken * self.page_size, b"\0"))
        return number

    def bucket(self, tree: dict) -> int:
        """Add the pages of a bucket and of all below it, and return its root page."""
        items = [(key, *self.value(tree[key])) for key in sorted(tree)]
        level = [
            (chunk[0][0] if chunk else b"", self.add(LEAF_FLAG, len(chunk), leaf(chunk)))
            for chunk in self.chunks(items, LEAF.size) or [[]]
        ]
        while len(level) > 1:
            level = [
                (chunk[0][0], self.add(BRANCH_FLAG, len(chunk), branch(chunk)))
                for chunk in self.chunks(level, BRANCH.size)
            ]
        return level[0][1]

    def value(self, value: bytes | dict) -> tuple[int, bytes]:
        """Return the flags and the bytes of an element's value."""
        if not isinstance(value, dict):
            return 0, value
        sequence = getattr(value, "sequence", 0)
        plain = [(key, 0, value[key]) for key in sorted(value)]
        if self.inlines and not any(isinstance(each, dict) for *_, each in plain):
            body = leaf(plain)
            if PAGE.size + len(body) <= self.page_size // 4:
                page = PAGE.pack(0, LEAF_FLAG, len(plain), 0) + body
                return 1, BUCKET.pack(0, sequence) + page
        return 1, BUCKET.pack(self.bucket(value), sequence)

    def chunks(self, items: list, size: int) -> list[list]:
        """Part the elements into pages; one that is too large gets one of its own."""
        found: list[list] = []
        room = 0
        for item in items:
            needs = size + sum(len(part) for part in item if isinstance(part, bytes))
            if not found or needs > room or len(found[-1]) >= self.most:
                found.append([])
                room = self.page_size - PAGE.size
            found[-1].append(item)
            room -= needs
        return found

    def meta(self, index: int) -> bytearray:
        """Return a meta page."""
        body = META_BODY.pack(
            *(self.magic, self.version, self.page_size, 0, self.root, self.sequence),
            *(self.freelist, self.high_water, self.txids[index]),
        )
        page = PAGE.pack(index, META_FLAG, 0, 0) + body + struct.pack("<Q", fnv(body))
        return bytearray(page.ljust(self.page_size, b"\0"))

    def data(self) -> bytearray:
        """Put the database together."""
        whole = bytearray(self.high_water * self.page_size)
        free = struct.pack(f"<{len(self.free)}Q", *self.free)
        pages = {0: self.meta(0), 1: self.meta(1)}
        if self.freelist == 3:
            pages[3] = bytearray(PAGE.pack(3, FREELIST_FLAG, len(self.free), 0) + free)
        for number, page in (pages | self.pages).items():
            at = number * self.page_size
            whole[at : at + len(page)] = page
        return whole

    def header(self, page: int, /, **fields: int) -> None:
        """Change fields of a page's header."""
        names = ("id", "flags", "count", "overflow")
        old = dict(zip(names, PAGE.unpack_from(self.pages[page]), strict=True))
        PAGE.pack_into(self.pages[page], 0, *(fields.get(name, old[name]) for name in names))

    def leaf(self, page: int, index: int, /, **fields: int) -> None:
        """Change fields of an element of a leaf."""
        self._element(page, index, LEAF, ("flags", "pos", "ksize", "vsize"), fields)

    def branch(self, page: int, index: int, /, **fields: int) -> None:
        """Change fields of an element of a branch."""
        self._element(page, index, BRANCH, ("pos", "ksize", "page"), fields)

    def _element(self, page, index, form, names, fields) -> None:
        at = PAGE.size + index * form.size
        old = dict(zip(names, form.unpack_from(self.pages[page], at), strict=True))
        form.pack_into(self.pages[page], at, *(fields.get(name, old[name]) for name in names))


def leaf(items: list[tuple[bytes, int, bytes]]) -> bytes:
    """Return the elements of a leaf, and what they point at."""
    head, tail = bytearray(), bytearray()
    for index, (key, flags, value) in enumerate(items):
        pos = (len(items) - index) * LEAF.size + len(tail)
        head += LEAF.pack(flags, pos, len(key), len(value))
        tail += key + value
    return bytes(head + tail)


def branch(items: list[tuple[bytes, int]]) -> bytes:
    """Return the elements of a branch, and their keys."""
    head, tail = bytearray(), bytearray()
    for index, (key, page) in enumerate(items):
        head += BRANCH.pack((len(items) - index) * BRANCH.size + len(tail), len(key), page)
        tail += key
    return bytes(head + tail)


def read(data: bytes) -> Tree:
    """Return all that is in a database, by a reader that takes every page for what it says it is.

    Only of databases that are whole: it checks nothing but which of the meta pages counts.
    """
    size, root, sequence = _last_meta(data)
    return _read_bucket(data, size, root, sequence)


def _last_meta(data: bytes) -> tuple[int, int, int]:
    places = [0, *(1024 << shift for shift in range(16))]
    metas = {}
    for place in places:
        body = data[place + PAGE.size :][: META_BODY.size]
        (total,) = struct.unpack("<Q", data[place + 72 : place + 80].ljust(8, b"\0"))
        if len(body) == META_BODY.size and fnv(body) == total:
            magic, version, size, _, root, sequence, _, _, txid = META_BODY.unpack(body)
            if (magic, version) == (0xED0CDAED, 2) and place in (0, size) and size in places[1:]:
                metas[place] = txid, size, root, sequence
    first = metas.get(0)
    if first is None:
        return metas[min(metas)][1:]
    return max(first, metas.get(first[1], first), key=lambda meta: meta[0])[1:]


def _read_bucket(data: bytes, size: int, root: int, sequence: int) -> Tree:
    found = Tree()
    found.sequence = sequence
    for key, flags, value in _read_page(data, size, root * size):
        found[key] = _read_value(data, size, value) if flags else value
    return found


def _read_value(data: bytes, size: int, value: bytes) -> Tree:
    root, sequence = BUCKET.unpack_from(value)
    if root:
        return _read_bucket(data, size, root, sequence)
    found = Tree((key, inner) for key, _, inner in _read_page(value, size, BUCKET.size))
    found.sequence = sequence
    return found


def _read_page(data: bytes, size: int, at: int) -> list[tuple[bytes, int, bytes]]:
    _, flags, count, _ = PAGE.unpack_from(data, at)
    found = []
    for index in range(count):
        if flags == BRANCH_FLAG:
            _, _, child = BRANCH.unpack_from(data, at + PAGE.size + index * BRANCH.size)
            found += _read_page(data, size, child * size)
        else:
            place = at + PAGE.size + index * LEAF.size
            is_bucket, pos, key_size, value_size = LEAF.unpack_from(data, place)
            middle = place + pos + key_size
            found.append(
                (data[place + pos : middle], is_bucket, data[middle : middle + value_size])
            )
    return found
