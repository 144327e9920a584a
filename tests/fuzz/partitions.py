"""Partition tables, and the physical volumes in the partitions."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

from tests.fuzz.judging import judge_error, judge_text
from tests.fuzz.lvm_label import physical
from tests.images.made import LINUX_TYPE, LVM_TYPE, SECTOR, boot_record, mbr_entry
from thinscope._core import Extents
from thinscope.disk_image import DiskImage
from thinscope.errors import ThinscopeError
from thinscope.formats import partitions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thinscope.formats.partitions import Table

WORDS = [
    *(b"EFI PART", b"\x55\xaa", b"LABELONE", b"LVM2 001", LVM_TYPE.bytes_le, LINUX_TYPE.bytes_le),
    *(b"\xff\xff\xff\xff", b"\0\0\0\0\0\0\0\0", b"\x05", b"\x8e", b"\xee", b"\x0f", b"\x85"),
]
MOST = 40960
_EXTENDED = (0x05, 0x0F, 0x85)
_ENTRIES = 4
_GPT = struct.Struct("<8sIIIIQQQQ16sQIII")


def seeds() -> Iterator[bytes]:
    """Small disks with a physical volume in a partition: MBR, logical partitions, GPT, both sizes."""
    volume = physical()
    room = len(volume) // SECTOR
    lvm, linux = mbr_entry(0x8E, 8, room), mbr_entry(0x83, 2, 4)
    yield boot_record(linux, lvm).ljust(8 * SECTOR, b"\0") + volume
    yield boot_record(linux, lvm)
    yield boot_record(mbr_entry(0x83, 2, 1 << 31), mbr_entry(0x8E, 8, room - 2)).ljust(4096, b"\0")
    first = boot_record(mbr_entry(0x83, 1, 2), mbr_entry(0x05, 4, 1 << 8))
    second = boot_record(mbr_entry(0x8E, 2, room))
    yield (
        boot_record(mbr_entry(0x0F, 2, 1 << 9)).ljust(2 * SECTOR, b"\0")
        + first.ljust(4 * SECTOR, b"\0")
        + second.ljust(2 * SECTOR, b"\0")
        + volume
    )
    yield (
        b"".join(boot_record(bytes(16), mbr_entry(5, following, 1)) for following in (1, 1, 1))
        + first
    )
    for sector in (512, 4096):
        yield _disk_with_gpt(volume, sector)
    damaged = bytearray(_disk_with_gpt(volume, 512))
    damaged[600] ^= 1
    yield bytes(damaged)


def _disk_with_gpt(content: bytes, sector: int) -> bytes:
    """A disk with a GPT of a few entries, the content in the second one."""
    first, taken = 4, len(content) // sector
    behind = first + taken
    disk = bytearray((behind + 2) * sector)
    disk[:SECTOR] = boot_record(mbr_entry(0xEE, 1, len(disk) // sector - 1))
    kinds = ((LINUX_TYPE, 3, 3), (LVM_TYPE, first, behind - 1))
    entries = b"".join(
        (kind.bytes_le + kind.bytes + struct.pack("<QQQ", *place, 0)).ljust(128, b"\0")
        for kind, *place in kinds
    ).ljust(_ENTRIES * 128, b"\0")
    for own, other, at in ((1, behind + 1, 2), (behind + 1, 1, behind)):
        head = _GPT.pack(
            *(b"EFI PART", 0x10000, _GPT.size, 0, 0, own, other, first, behind - 1, b"d" * 16, at),
            *(_ENTRIES, 128, 0),
        )
        disk[own * sector : own * sector + len(head)] = head
        disk[at * sector : at * sector + len(entries)] = entries
    disk[first * sector : behind * sector] = content
    return repaired(bytes(disk))


def trial(data: bytes) -> None:
    """Read the table, beside a reader of primary entries and of a whole GPT, and what it tells of."""
    disk = Extents([data], "x")
    table = partitions.table(disk.read, disk.length)
    if table is not None:
        _judge(data, table)
    try:
        image = DiskImage(data)
    except ThinscopeError as error:
        judge_error(error)
        return
    for volume in image._found.values():
        assert volume.disk.length <= len(data)
        assert volume.disk.read(0, len(data) + 1) in data
    for text in (*image.seen, *image.faults):
        judge_text(text)
        assert text.isprintable(), text


def _judge(data: bytes, table: Table) -> None:
    numbers = [partition.number for partition in table.partitions]
    assert numbers == sorted(set(numbers))
    assert len(numbers) <= 1 << 13
    assert all(each.length > 0 and each.begin >= 0 for each in table.partitions)
    found = {(each.number, each.begin, each.length) for each in table.partitions}
    if table.kind == "MBR":
        assert {each for each in found if each[0] < 5} == set(_primary(data))
        assert len(numbers) <= 4 * 128 + 4
    elif table.partitions:
        assert found in [set(_of_gpt(data, sector)) for sector in (512, 4096)]


def _primary(data: bytes) -> Iterator[tuple[int, int, int]]:
    for number in range(4):
        kind, begin, sectors = struct.unpack_from("<4xB3xII", data, 446 + 16 * number)
        if kind not in (0, 0xEE, *_EXTENDED) and sectors:
            yield number + 1, begin * SECTOR, sectors * SECTOR


def _of_gpt(data: bytes, sector: int) -> Iterator[tuple[int, int, int]]:
    """The partitions of the first header that is whole; nothing is bounded."""
    for number in (1, len(data) // sector - 1):
        head = data[max(0, number) * sector :][:sector]
        if len(head) < _GPT.size or not head.startswith(b"EFI PART"):
            continue
        *_, own, _, _, _, _, at, count, size, total = _GPT.unpack_from(head)
        entries = data[at * sector :][: count * size] if count * size <= len(data) else b""
        length = struct.unpack_from("<I", head, 12)[0]
        plain = head[:16] + bytes(4) + head[20:length]
        if (
            own == number
            and _GPT.size <= length <= sector
            and size >= 128
            and struct.unpack_from("<I", head, 16)[0] == zlib.crc32(plain)
            and len(entries) == count * size
            and zlib.crc32(entries) == total
        ):
            for index in range(count):
                kind, begin, last = struct.unpack_from("<16s16xQQ", entries, index * size)
                if any(kind) and begin <= last:
                    yield index + 1, begin * sector, (last - begin + 1) * sector
            return


def mutated(data: bytes, chosen: int) -> bytes | None:
    """Change a field of the boot record, of a GPT header, or of an entry."""
    made = bytearray(data)
    headers = [at for at in range(0, len(made), SECTOR) if made.startswith(b"EFI PART", at)]
    values = (0, 1, 2, 3, len(made) // 512, len(made) // 4096, 127, 128, 129, 1 << 20, chosen)
    wide = (*values, 0xFFFF_FFFF, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, (1 << 55), (1 << 52) + 1)
    value = wide[chosen // 7 % len(wide)]
    if not headers or chosen % 5 == 0:
        base = 446 + chosen // 3 % len(made) // SECTOR * SECTOR
        place, width = base + chosen // 11 % 4 * 16 + (4, 8, 12)[chosen // 13 % 3], 4
    elif chosen % 5 < 4:
        base = headers[chosen // 3 % len(headers)]
        place, width = (
            base + (12, 24, 32, 72, 80, 84, 88)[chosen // 11 % 7],
            (4, 8)[chosen // 17 % 2],
        )
    else:
        base = headers[chosen // 3 % len(headers)]
        (at,) = struct.unpack_from("<Q", made, base + 72) if base + 80 <= len(made) else (0,)
        place = (
            at * (512, 4096)[chosen // 17 % 2] + chosen // 11 % 4 * 128 + (0, 32, 40)[chosen % 3]
        )
        width = 8
    if place + width > len(made):
        return None
    made[place : place + width] = (value & (1 << 8 * width) - 1).to_bytes(width, "little")
    return bytes(made)


def repaired(data: bytes) -> bytes:
    """Put the checksums of all GPT headers and of their entries right."""
    made = bytearray(data)
    for base in range(0, len(made) - _GPT.size, SECTOR):
        if not made.startswith(b"EFI PART", base):
            continue
        *_, own, _, _, _, _, at, count, size, _ = _GPT.unpack_from(made, base)
        (length,) = struct.unpack_from("<I", made, base + 12)
        sector = 4096 if own == 1 and base == 4096 else 512
        if count * size <= len(made) and at < len(made):
            total = zlib.crc32(made[at * sector :][: count * size])
            struct.pack_into("<I", made, base + 88, total)
        struct.pack_into("<I", made, base + 16, 0)
        struct.pack_into("<I", made, base + 16, zlib.crc32(made[base : base + min(length, 4096)]))
    return bytes(made)
