"""Physical volumes of LVM: labels, metadata areas, texts old and new, and the pools in them."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

from tests.fuzz.judging import judge_error, judge_names, judge_text
from tests.images.made import (
    AREA,
    IDS,
    SECTOR,
    Group,
    Volume,
    header,
    label,
    linear,
    thin,
    thin_pool,
)
from tests.names import lvm_texts
from thinscope.disk_image import DiskImage, Request
from thinscope.errors import NamesError, ThinscopeError
from thinscope.formats import lvm_label, lvm_text, raid

if TYPE_CHECKING:
    from collections.abc import Iterator

WORDS = [
    *(b"LABELONE", b"LVM2 001", b" LVM2 x[5A%r0N*>", b"DmRd", b"\0\0\0\0\0\0\0\0", b"seqno = "),
    *(
        b"extent_count = ",
        b"start_extent = ",
        b"stripes = [",
        b'type = "thin-pool"',
        b"pe_start = ",
    ),
    *(b'id = "', b"pe_count = ", b'contents = "Text Format Volume Group"\n', b"creation_time = "),
]
MOST = 24576
_RING = 12 * SECTOR
_SEED = 0xF597A6CF


def seeds() -> Iterator[bytes]:
    """Physical volumes with one text, with many, around the end, and a captured one cut off."""
    yield physical()
    yield physical(texts=3)
    yield physical(texts=3, first=SECTOR + _RING - 2 * SECTOR)
    yield physical(texts=0)
    captured = bytearray(lvm_texts.disk()[: AREA + SECTOR])
    captured += lvm_texts.ring()[0].ljust(4 * SECTOR, b"\0") + lvm_texts.ring()[4].ljust(
        4 * SECTOR, b"\0"
    )
    yield bytes(captured)


def physical(texts: int = 1, first: int = SECTOR) -> bytes:
    """A physical volume as small as can be, with a thin pool in its text."""
    volumes = [
        Volume("pool", [thin_pool("m", "d")]),
        Volume("m", [linear("pv0", 0, 1)]),
        Volume("d", [linear("pv0", 1, 2)]),
        Volume("web", [thin(1, "pool")]),
    ]
    size = SECTOR + _RING
    area = bytearray(size)
    begin, last, at = first, b"", first
    for seqno in range(1, texts + 1):
        at, last = begin, Group(volumes, seqno).text() + b"\0"
        for number, byte in enumerate(last):
            area[SECTOR + (at - SECTOR + number) % _RING] = byte
        begin = SECTOR + (at - SECTOR + -(-len(last) // SECTOR) * SECTOR) % _RING
    area[:SECTOR] = header(AREA, size, last, at)
    head = bytearray(AREA)
    head[SECTOR : 2 * SECTOR] = label(IDS[0], 1 << 20, [(AREA, size)])
    return bytes(head + area)


def trial(data: bytes) -> None:
    """Read labels and areas wherever they are, then look for pools as `thinscope pools` does."""
    raid.superblock(data[: raid.SIZE])
    raid.superblock(b"DmRd" + data[SECTOR : SECTOR + raid.SIZE])
    try:
        found = lvm_label.label(data[: lvm_label.LABELLED])
    except NamesError as error:
        judge_error(error)
    else:
        areas = [(at, size) for at, size in found.metadata_areas if at + size <= len(data)]
        for at, size in (*areas, (AREA, len(data) - AREA)):
            _area(data[at : at + size], at)
    _image(data)


def _area(data: bytes, begin: int) -> None:
    try:
        text = lvm_label.area(data, begin).text
    except NamesError as error:
        judge_error(error)
    else:
        if text is not None:
            assert b"\0" not in text.data
            whole = data[text.at :] + data[lvm_label.HEADER : text.at]
            assert whole.startswith(text.data)
            judge_text(text.glance.name)
    places = []
    for older in lvm_label.older_texts(data):
        places.append(older.at)
        assert data.startswith(older.glance.name.encode(errors="surrogateescape"), older.at)
        try:
            lvm_text.parse(older.data, "x")
        except NamesError as error:
            judge_error(error)
    assert places == sorted(set(places))


def _image(data: bytes) -> None:
    try:
        image = DiskImage(data)
        pools = image.pools()
    except ThinscopeError as error:
        judge_error(error)
        return
    for text in (*image.seen, *image.faults, *image.missing):
        judge_text(text)
        assert text.isprintable(), text
    judge_names(known.names for known in pools)
    for known in pools[:4]:
        try:
            opened = image.open(Request(known.group, known.pool, known.seqno))
            opened.metadata.read(0, 4096)
            for name in opened.volumes:
                opened.volumes[name].read(0, 512)
        except ThinscopeError as error:
            judge_error(error)
    try:
        image.open(Request())
    except ThinscopeError as error:
        judge_error(error)


def mutated(data: bytes, chosen: int) -> bytes | None:
    """Change a field of a label or of an area's header, or copy a sector over another."""
    made = bytearray(data)
    values = (0, 1, 2, 511, 512, 513, 4096, len(made), len(made) - AREA, 1 << 28, chosen)
    wide = (*values, 0xFFFF_FFFF, (1 << 63) - 1, (1 << 64) - 1, (1 << 24) + 1)
    value = wide[chosen // 7 % len(wide)]
    match chosen % 4:
        case 0:
            place, width = SECTOR + (8, 20, 64, 72, 80, 88, 104, 112, 120, 128)[chosen // 3 % 10], 8
        case 1:
            place, width = AREA + (24, 32, 40, 48, 60)[chosen // 3 % 5], 8
        case 2:
            place, width = AREA + (20, 56, 60)[chosen // 3 % 3], 4
        case _:
            sectors = max(1, len(made) // SECTOR)
            to, back = chosen // 3 % sectors * SECTOR, chosen // 11 % sectors * SECTOR
            made[to : to + SECTOR] = made[back : back + SECTOR]
            return bytes(made)
    if place + width > len(made):
        return None
    made[place : place + width] = (value & (1 << 8 * width) - 1).to_bytes(width, "little")
    return bytes(made)


def repaired(data: bytes) -> bytes:
    """Put the checksums of labels, of areas' headers and of their texts right."""
    made = bytearray(data)
    for base in range(0, min(len(made) - SECTOR + 1, 4 * SECTOR), SECTOR):
        if made.startswith(b"LABELONE", base):
            struct.pack_into("<I", made, base + 16, _crc(made[base + 20 : base + SECTOR]))
    for base in range(0, len(made) - SECTOR + 1, SECTOR):
        if not made.startswith(b" LVM2 x[5A%r0N*>", base + 4):
            continue
        size, at, length = struct.unpack_from("<QQQ", made, base + 32)
        if length and at < size <= len(made) and length <= size:
            area = made[base : base + size]
            behind = area[at : at + length]
            text = behind + area[SECTOR : SECTOR + length - len(behind)]
            struct.pack_into("<I", made, base + 56, _crc(text))
        struct.pack_into("<I", made, base, _crc(made[base + 4 : base + SECTOR]))
    return bytes(made)


def _crc(data: bytes | bytearray) -> int:
    return zlib.crc32(data, _SEED ^ 0xFFFFFFFF) ^ 0xFFFFFFFF
