"""Partition tables of disks: MBR, with the logical partitions of an extended one, and GPT."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias
from uuid import UUID

__all__ = ["Partition", "Read", "Table", "table"]

Read: TypeAlias = Callable[[int, int], bytes]
"""Returns so many bytes from an offset on, fewer where the disk ends."""

SECTOR = 512
_SECTORS = (512, 4096)
"""Sizes of sectors that a disk with a GPT can have."""

_BOOT_MARK = b"\x55\xaa"
_EXTENDED = (0x05, 0x0F, 0x85)
_PROTECTIVE = 0xEE
_MOST_LOGICAL = 128
_FIRST_LOGICAL = 5
_MOST_ENTRY_BYTES = 1 << 20

_MBR_TYPES = {
    0x07: "NTFS or exFAT",
    0x0B: "FAT",
    0x0C: "FAT",
    0x82: "Linux swap",
    0x83: "Linux",
    0x8E: "Linux LVM",
    0xEF: "EFI system",
    0xFD: "Linux RAID",
}
_GPT_TYPES = {
    "c12a7328-f81f-11d2-ba4b-00a0c93ec93b": "EFI system",
    "21686148-6449-6e6f-744e-656564454649": "BIOS boot",
    "0fc63daf-8483-4772-8e79-3d69d8477de4": "Linux",
    "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f": "Linux swap",
    "e6d6d379-f507-44c2-a23c-238f2a3df928": "Linux LVM",
    "a19d880f-05fc-4d3b-a006-743f0f84911e": "Linux RAID",
    "4f68bce3-e8cd-4db1-96e7-fbcaf984b709": "Linux root",
    "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7": "Windows data",
}


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition.

    Attributes:
        number: Its number, as in the name of its device.
        begin: Where it begins on the disk, in bytes.
        length: Its length in bytes.
        type: What it is meant for, in words or as the table has it.
    """

    number: int
    begin: int
    length: int
    type: str


@dataclass(frozen=True, slots=True)
class Table:
    """A disk's table of partitions.

    Attributes:
        kind: ``MBR`` or ``GPT``.
        partitions: The partitions, by their places in the table.
        faults: What is wrong with it, in words.
    """

    kind: str
    partitions: tuple[Partition, ...]
    faults: tuple[str, ...] = ()


def table(read: Read, disk_bytes: int) -> Table | None:
    """Return the table of partitions of a disk; None where there is none.

    Args:
        read: Reads the disk.
        disk_bytes: Its length.
    """
    faults: list[str] = []
    found = _gpt(read, disk_bytes, faults)
    if found is not None:
        return Table("GPT", found, tuple(faults))
    boot = read(0, SECTOR)
    if boot[510:] != _BOOT_MARK:
        return Table("GPT", (), tuple(faults)) if faults else None
    return Table("MBR", _mbr(read, boot, faults), tuple(faults))


def _mbr(read: Read, boot: bytes, faults: list[str]) -> tuple[Partition, ...]:
    primary: list[Partition] = []
    logical: list[Partition] = []
    for number, entry in enumerate(_structures()["boot"].parse(boot).entries, 1):
        if entry.type in (0, _PROTECTIVE) or not entry.sectors:
            continue
        if entry.type in _EXTENDED:
            # Of a second extended one, Linux goes on counting.
            logical += _logical(read, entry.begin, _FIRST_LOGICAL + len(logical), faults)
        else:
            primary.append(_of_mbr(number, entry.begin, entry))
    return (*primary, *logical)


def _of_mbr(number: int, begin: int, entry: Any) -> Partition:  # noqa: ANN401 - of construct
    type_ = _MBR_TYPES.get(entry.type, f"type {entry.type:#04x}")
    return Partition(number, begin * SECTOR, entry.sectors * SECTOR, type_)


def _logical(read: Read, extended: int, number: int, faults: list[str]) -> list[Partition]:
    """Return the logical partitions of an extended one, numbered from there on: a chain of boot records."""
    found: list[Partition] = []
    seen: set[int] = set()
    at = extended
    while len(found) < _MOST_LOGICAL:
        if at in seen:
            faults.append(f"the chain of logical partitions comes back to sector {at}")
            break
        seen.add(at)
        boot = read(at * SECTOR, SECTOR)
        if boot[510:] != _BOOT_MARK:
            faults.append(f"no boot record of a logical partition in sector {at}")
            break
        first, second, *_ = _structures()["boot"].parse(boot).entries
        if first.type and first.sectors:
            found.append(_of_mbr(number + len(found), at + first.begin, first))
        if second.type not in _EXTENDED or not second.begin:
            break
        at = extended + second.begin
    else:
        faults.append(f"more than {_MOST_LOGICAL} logical partitions")
    return found


def _gpt(read: Read, disk_bytes: int, faults: list[str]) -> tuple[Partition, ...] | None:
    """Return the partitions of a GPT; of its two copies, the first that is whole."""
    for sector in _SECTORS:
        own: list[str] = []
        for called, number in (("", 1), ("backup ", disk_bytes // sector - 1)):
            header = read(number * sector, sector) if number > 0 else b""
            if not header.startswith(b"EFI PART"):
                continue
            try:
                found = _of_gpt(read, sector, header, number, disk_bytes)
            except ValueError as error:
                own.append(f"the {called}GPT header in sector {number}: {error}")
            else:
                faults += own
                return found
        faults += own
    return None


def _of_gpt(
    read: Read, sector: int, data: bytes, number: int, disk_bytes: int
) -> tuple[Partition, ...]:
    """Return the partitions of a copy of a GPT.

    Raises:
        ValueError: It is damaged.
    """
    structures = _structures()
    if len(data) < sector:
        raise ValueError("it is cut off")
    header = structures["gpt"].parse(data)
    if not structures["gpt"].sizeof() <= header.header_bytes <= sector:
        raise ValueError(f"it would have {header.header_bytes} bytes")
    covered = data[:16] + bytes(4) + data[20 : header.header_bytes]
    if zlib.crc32(covered) != header.crc:
        raise ValueError("its checksum is wrong")
    if header.own_sector != number:
        raise ValueError(f"it says that it lies in sector {header.own_sector}")
    entry = structures["entry"]
    size = header.entries * header.entry_bytes
    if header.entry_bytes < entry.sizeof() or size > _MOST_ENTRY_BYTES:
        raise ValueError(f"{header.entries} entries of {header.entry_bytes} bytes")
    if header.entries_sector * sector + size > disk_bytes:
        raise ValueError(f"its entries would lie in sector {header.entries_sector}")
    entries = read(header.entries_sector * sector, size)
    if len(entries) < size or zlib.crc32(entries) != header.entries_crc:
        raise ValueError("the checksum of its entries is wrong")
    found = []
    for place in range(header.entries):
        each = entry.parse(entries[place * header.entry_bytes :][: entry.sizeof()])
        type_ = str(UUID(bytes_le=each.type))
        if any(each.type) and each.first <= each.last:
            length = (each.last - each.first + 1) * sector
            words = _GPT_TYPES.get(type_, f"type {type_}")
            found.append(Partition(place + 1, each.first * sector, length, words))
    return tuple(found)


@cache
def _structures() -> dict[str, Any]:
    from construct import (  # noqa: PLC0415 - takes long to load
        Bytes,
        Int8ul,
        Int32ul,
        Int64ul,
        Padding,
        Struct,
    )

    primary = Struct(
        Padding(4), "type" / Int8ul, Padding(3), "begin" / Int32ul, "sectors" / Int32ul
    )
    return {
        "boot": Struct(Padding(446), "entries" / primary[4], "mark" / Bytes(2)),
        "gpt": Struct(
            "magic" / Bytes(8),
            "revision" / Int32ul,
            "header_bytes" / Int32ul,
            "crc" / Int32ul,
            Padding(4),
            "own_sector" / Int64ul,
            "other_sector" / Int64ul,
            "first_sector" / Int64ul,
            "last_sector" / Int64ul,
            "disk" / Bytes(16),
            "entries_sector" / Int64ul,
            "entries" / Int32ul,
            "entry_bytes" / Int32ul,
            "entries_crc" / Int32ul,
        ),
        "entry": Struct(
            "type" / Bytes(16),
            "id" / Bytes(16),
            "first" / Int64ul,
            "last" / Int64ul,
            "flags" / Int64ul,
            "name" / Bytes(72),
        ),
    }
