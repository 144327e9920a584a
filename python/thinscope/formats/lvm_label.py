"""What LVM writes on a physical volume: the label, and the areas that hold the volume group's text.

The label lies in one of the first four sectors. Each metadata area is a header and a ring: a
text is written behind the one before it, from a sector's beginning on, and around the end of
the area. So older texts are left behind until the ring comes round.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from thinscope.errors import NamesError
from thinscope.formats import lvm_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thinscope.formats.lvm_text import Glance

__all__ = [
    "HEADER",
    "LABELLED",
    "LARGEST_AREA",
    "LARGEST_TEXT",
    "SECTOR",
    "Area",
    "Label",
    "Text",
    "area",
    "checksum",
    "label",
    "older_texts",
]

SECTOR = 512
LABELLED = 4 * SECTOR
"""Bytes at the beginning of a physical volume that can hold the label."""

HEADER = 512
"""Bytes of a metadata area's header; the ring begins behind it."""

LARGEST_AREA = 256 << 20
"""Bytes that a metadata area can have; LVM makes them with 1 MiB."""

LARGEST_TEXT = 16 << 20
"""Bytes that a text can have; 10,000 volumes take some 5 MiB."""

_SEED = 0xF597A6CF
_LABEL = b"LABELONE"
_LABEL_TYPE = b"LVM2 001"
_AREA_MAGIC = b" LVM2 x[5A%r0N*>"
_AREA_VERSION = 1
_IGNORED = 1
_MOST_AREAS = 16
_GLANCED_AT = 1 << 12
_FIRST_LINES = 256


@dataclass(frozen=True, slots=True)
class Label:
    """A physical volume's label.

    Attributes:
        sector: The sector that it lies in.
        id: The physical volume's id, with dashes as LVM shows it.
        device_bytes: Bytes of the device that it was made on.
        data_areas: Where extents lie: the first byte, and how many (0: all that follow).
        metadata_areas: Where metadata areas lie: the first byte, and how many.
    """

    sector: int
    id: str
    device_bytes: int
    data_areas: tuple[tuple[int, int], ...]
    metadata_areas: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Text:
    """A text of a volume group.

    Attributes:
        at: Where it begins in its area, in bytes.
        data: The text, without the zero byte that ends it.
        glance: What its beginning tells.
    """

    at: int
    data: bytes
    glance: Glance


@dataclass(frozen=True, slots=True)
class Area:
    """A metadata area.

    Attributes:
        is_ignored: Whether LVM keeps no text in it at present: what it has is old.
        text: The text that counts, or None where there is none.
    """

    is_ignored: bool
    text: Text | None


def checksum(data: bytes, seed: int = _SEED) -> int:
    """Return LVM's CRC: that of zlib, begun elsewhere and not inverted."""
    return zlib.crc32(data, seed ^ 0xFFFFFFFF) ^ 0xFFFFFFFF


def label(head: bytes) -> Label:
    """Return the label of a physical volume; of several, the first that is whole.

    Args:
        head: Its first `LABELLED` bytes.

    Raises:
        NamesError: There is none, or none is whole.
    """
    faults = []
    for number in range(LABELLED // SECTOR):
        sector = head[number * SECTOR : (number + 1) * SECTOR]
        if not sector.startswith(_LABEL):
            continue
        try:
            return _label(sector, number)
        except NamesError as error:
            faults.append(f"{error.where}: {error.message}")
    raise NamesError("; ".join(faults) or "no label in its first four sectors")


def _label(sector: bytes, number: int) -> Label:
    where = f"label in sector {number}"
    if len(sector) < SECTOR:
        raise NamesError("it is cut off", where=where)
    found = _structures()["label"].parse(sector)
    if found.type != _LABEL_TYPE:
        raise NamesError(f"of type {found.type!r}, expected {_LABEL_TYPE!r}", where=where)
    if found.sector != number:
        raise NamesError(f"it says that it lies in sector {found.sector}", where=where)
    if found.crc != (counted := checksum(sector[20:])):
        message = f"its checksum is {found.crc:#010x}, expected {counted:#010x}"
        raise NamesError(message, where=where)
    from construct import ConstructError  # noqa: PLC0415 - takes long

    try:
        header = _structures()["volume"].parse(sector[found.offset :])
    except ConstructError as error:
        raise NamesError("its lists of areas have no end", where=where) from error
    if len(header.metadata_areas) > _MOST_AREAS + 1:
        raise NamesError(f"more than {_MOST_AREAS} metadata areas", where=where)
    return Label(
        sector=number,
        id=_dashed(header.id),
        device_bytes=header.device_bytes,
        data_areas=tuple((each.offset, each.size) for each in header.data_areas[:-1]),
        metadata_areas=tuple((each.offset, each.size) for each in header.metadata_areas[:-1]),
    )


def _dashed(uuid: bytes) -> str:
    """Return an id as LVM shows it."""
    text = uuid.decode("ascii", "backslashreplace")
    cuts = (0, 6, 10, 14, 18, 22, 26, len(text))
    return "-".join(text[begin:end] for begin, end in pairwise(cuts))


def area(data: bytes, begin: int) -> Area:
    """Return what a metadata area says, and its text.

    Args:
        data: All bytes of the area.
        begin: Where it lies on the physical volume, in bytes.

    Raises:
        NamesError: Its header or its text is damaged.
    """
    entry = _entry(data, begin)
    is_ignored = bool(entry.flags & _IGNORED)
    if entry.offset == 0 or entry.size == 0:
        return Area(is_ignored, None)
    if not HEADER <= entry.offset < len(data) or entry.size > len(data) - HEADER:
        message = f"its text would have {entry.size} bytes from {entry.offset} on"
        raise NamesError(f"{message}, which does not fit in {len(data)} bytes")
    if entry.size > LARGEST_TEXT:
        raise NamesError(f"a text of {entry.size} bytes, and no more than {LARGEST_TEXT} are read")
    behind = data[entry.offset : entry.offset + entry.size]
    text = behind + data[HEADER : HEADER + entry.size - len(behind)]
    if checksum(text) != entry.crc:
        message = f"the checksum of its text is {entry.crc:#010x}, expected {checksum(text):#010x}"
        raise NamesError(message)
    plain = text.partition(b"\0")[0]
    glance = lvm_text.glance(plain[:_GLANCED_AT])
    if glance is None:
        raise NamesError("its text does not begin as a volume group's does")
    return Area(is_ignored, Text(entry.offset, plain, glance))


def _entry(data: bytes, begin: int) -> Any:  # noqa: ANN401 - of construct
    """Return what the header of an area says of its text."""
    if len(data) < HEADER:
        raise NamesError("it is cut off")
    header = data[:HEADER]
    found = _structures()["area"].parse(header)
    if found.magic != _AREA_MAGIC:
        raise NamesError(f"it begins with {found.magic!r}, expected {_AREA_MAGIC!r}")
    if found.crc != (counted := checksum(header[4:])):
        message = f"the checksum of its header is {found.crc:#010x}, expected {counted:#010x}"
        raise NamesError(message)
    if found.version != _AREA_VERSION:
        raise NamesError(f"of version {found.version}, expected {_AREA_VERSION}")
    if (found.begin, found.size) != (begin, len(data)):
        raise NamesError(
            f"it says that it has {found.size} bytes from {found.begin} on, "
            f"and has {len(data)} from {begin} on"
        )
    return found.texts[0]


def older_texts(data: bytes) -> Iterator[Text]:
    """Yield every whole text in an area, the one that counts as well, by their places.

    A text is whole if a zero byte ends it and no other begins within it.

    Args:
        data: All bytes of the area, whatever its header says.
    """
    ring = memoryview(data)[HEADER:]  # not copied: it can be large
    starts = [
        at for at in range(0, len(ring), SECTOR) if _begins(bytes(ring[at : at + _FIRST_LINES]))
    ]
    for number, start in enumerate(starts):
        following = starts[number + 1] if number + 1 < len(starts) else starts[0] + len(ring)
        room = min(following - start, LARGEST_TEXT + 1)
        piece = bytes(ring[start : start + room])
        piece += bytes(ring[: max(0, room - len(piece))])
        text, zero, _ = piece.partition(b"\0")
        glance = lvm_text.glance(text[:_GLANCED_AT])
        if zero and glance is not None and len(text) <= LARGEST_TEXT and _is_whole(text):
            yield Text(HEADER + start, text, glance)


def _begins(head: bytes) -> bool:
    glance = lvm_text.glance(head)
    return glance is not None and head.startswith(glance.name.encode(errors="surrogateescape"))


def _is_whole(text: bytes) -> bool:
    """Whether the head is there, which stands at the end."""
    return b'\ncontents = "Text Format Volume Group"\n' in text[-_GLANCED_AT:]


@cache
def _structures() -> dict[str, Any]:
    from construct import (  # noqa: PLC0415 - takes long to load
        Bytes,
        Int32ul,
        Int64ul,
        RepeatUntil,
        Struct,
    )

    areas = RepeatUntil(
        lambda found, _list, _context: not found.offset,
        Struct("offset" / Int64ul, "size" / Int64ul),
    )
    entry = Struct("offset" / Int64ul, "size" / Int64ul, "crc" / Int32ul, "flags" / Int32ul)
    return {
        "label": Struct(
            "magic" / Bytes(8),
            "sector" / Int64ul,
            "crc" / Int32ul,
            "offset" / Int32ul,
            "type" / Bytes(8),
        ),
        "volume": Struct(
            "id" / Bytes(32),
            "device_bytes" / Int64ul,
            "data_areas" / areas,
            "metadata_areas" / areas,
        ),
        "area": Struct(
            "crc" / Int32ul,
            "magic" / Bytes(16),
            "version" / Int32ul,
            "begin" / Int64ul,
            "size" / Int64ul,
            "texts" / entry[1],
        ),
    }
