"""Physical volumes and disks made by hand, byte by byte: the side that is not under test."""

from __future__ import annotations

import struct
import uuid
import zlib
from dataclasses import dataclass, field

KIB, MIB = 1 << 10, 1 << 20
SECTOR = 512
EXTENT = 64 * KIB
START = MIB
AREA = 4096
AREA_BYTES = START - AREA

IDS = [f"{letter * 6}-{'-'.join([letter * 4] * 5)}-{letter * 6}" for letter in "ABC"]
"""Ids of physical volumes, as LVM shows them."""


def crc(data: bytes) -> int:
    """LVM's checksum, bit by bit."""
    value = 0xF597A6CF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xEDB88320 if value & 1 else 0)
    return value


def label(id_: str, device_bytes: int, areas: list[tuple[int, int]], sector: int = 1) -> bytes:
    """The sector of a label."""
    lists = struct.pack("<QQQQ", START, 0, 0, 0)
    lists += b"".join(struct.pack("<QQ", *area) for area in areas) + bytes(16)
    body = id_.replace("-", "").encode() + struct.pack("<Q", device_bytes) + lists
    covered = (struct.pack("<I", 32) + b"LVM2 001" + body).ljust(SECTOR - 20, b"\0")
    return b"LABELONE" + struct.pack("<QI", sector, crc(covered)) + covered


def header(  # noqa: PLR0913 - as many as it has fields
    begin: int, size: int, text: bytes = b"", at: int = SECTOR, *, flags: int = 0, checksum: int = 0
) -> bytes:
    """The header of a metadata area whose text lies at a place."""
    entry = struct.pack("<QQII", at, len(text), checksum or crc(text), flags) if text else b""
    covered = b" LVM2 x[5A%r0N*>" + struct.pack("<IQQ", 1, begin, size) + entry
    covered = covered.ljust(SECTOR - 4, b"\0")
    return struct.pack("<I", crc(covered)) + covered


def ring(texts: list[bytes], size: int = AREA_BYTES, first: int = SECTOR) -> bytearray:
    """A metadata area into which texts were written one after the other, the last one counts."""
    area = bytearray(size)
    at, begin = first, first
    for text in texts:
        at = begin
        for number, byte in enumerate(text + b"\0"):
            area[SECTOR + (at - SECTOR + number) % (size - SECTOR)] = byte
        begin = at + -(-(len(text) + 1) // SECTOR) * SECTOR
        if begin >= size:
            begin -= size - SECTOR
    last = texts[-1] + b"\0" if texts else b""
    area[:SECTOR] = header(AREA, size, last, at)
    return area


@dataclass
class Volume:
    """A volume's section: its lines, and more sections."""

    name: str
    segments: list[str]
    id: str = ""

    def text(self) -> str:
        id_ = self.id or str(uuid.uuid5(uuid.NAMESPACE_OID, self.name)).ljust(38, "x")
        segments = "".join(
            f"segment{number} {{\n{segment}\n}}\n"
            for number, segment in enumerate(self.segments, 1)
        )
        head = f'id = "{id_}"\nstatus = ["READ", "WRITE"]\nflags = []\n'
        return f"{self.name} {{\n{head}segment_count = {len(self.segments)}\n{segments}}}\n"


def linear(pv: str, at: int, count: int, start: int = 0) -> str:
    return striped([(pv, at)], count, 0, start)


def striped(areas: list[tuple[str, int]], count: int, stripe_bytes: int, start: int = 0) -> str:
    size = f"stripe_size = {stripe_bytes // SECTOR}\n" if stripe_bytes else ""
    listed = ", ".join(f'"{pv}", {at}' for pv, at in areas)
    return (
        f'start_extent = {start}\nextent_count = {count}\ntype = "striped"\n'
        f"stripe_count = {len(areas)}\n{size}stripes = [{listed}]"
    )


def raid1(count: int, *pairs: tuple[str, str]) -> str:
    listed = ", ".join(f'"{meta}", "{data}"' for meta, data in pairs)
    return (
        f'start_extent = 0\nextent_count = {count}\ntype = "raid1"\n'
        f"device_count = {len(pairs)}\nregion_size = 1024\nraids = [{listed}]"
    )


def mirror(count: int, *images: str) -> str:
    listed = ", ".join(f'"{image}", 0' for image in images)
    return (
        f'start_extent = 0\nextent_count = {count}\ntype = "mirror"\n'
        f"mirror_count = {len(images)}\nmirrors = [{listed}]"
    )


def thin_pool(metadata: str, data: str, *, chunk: int = 256, transaction: int = 1) -> str:
    return (
        'start_extent = 0\nextent_count = 8\ntype = "thin-pool"\n'
        f'metadata = "{metadata}"\npool = "{data}"\n'
        f"transaction_id = {transaction}\nchunk_size = {chunk}"
    )


def thin(device: int, pool: str, transaction: int = 0) -> str:
    return (
        'start_extent = 0\nextent_count = 8\ntype = "thin"\n'
        f'thin_pool = "{pool}"\ntransaction_id = {transaction}\ndevice_id = {device}'
    )


@dataclass
class Group:
    """A volume group's text as it stands on disks."""

    volumes: list[Volume]
    seqno: int = 1
    name: str = "vg"
    id: str = "OpLNMB-spgt-d2Hw-zZ23-XXDm-23VF-IBqN3r"
    pvs: int = 1
    extents: int = 1024
    more: str = ""
    physical: list[str] = field(default_factory=lambda: list(IDS))

    def text(self) -> bytes:
        pvs = "".join(
            f'pv{number} {{\nid = "{self.physical[number]}"\ndevice = "/dev/sd{"abc"[number]}"\n'
            f"pe_start = {START // SECTOR}\npe_count = {self.extents}\n}}\n"
            for number in range(self.pvs)
        )
        volumes = "".join(volume.text() for volume in self.volumes)
        return (
            f'{self.name} {{\nid = "{self.id}"\nseqno = {self.seqno}\nformat = "lvm2"\n'
            f"extent_size = {EXTENT // SECTOR}\n{self.more}physical_volumes {{\n{pvs}}}\n"
            f"logical_volumes {{\n{volumes}}}\n}}\n"
            '# Generated by a test\n\ncontents = "Text Format Volume Group"\nversion = 1\n\n'
            'description = ""\n\ncreation_host = "host"\n'
            f"creation_time = {1795165108 + self.seqno}\n\n"
        ).encode()


def physical(
    texts: list[bytes], number: int = 0, extents: int = 256, area: bytes | None = None
) -> bytearray:
    """A physical volume without content."""
    image = bytearray(START + extents * EXTENT)
    image[SECTOR : 2 * SECTOR] = label(IDS[number], len(image), [(AREA, AREA_BYTES)])
    found = ring(texts) if area is None else area
    image[AREA : AREA + len(found)] = found
    return image


def put(image: bytearray, extent: int, content: bytes) -> None:
    """Put content into extents."""
    at = START + extent * EXTENT
    image[at : at + len(content)] = content


def mbr_entry(kind: int, begin: int, sectors: int) -> bytes:
    return struct.pack("<4xB3xII", kind, begin, sectors)


def boot_record(*entries: bytes) -> bytes:
    return (bytes(446) + b"".join(entries)).ljust(510, b"\0") + b"\x55\xaa"


def with_mbr(content: bytes, begin: int = 2048, kind: int = 0x8E) -> bytes:
    """A disk with one primary partition, the second of the table."""
    sectors = len(content) // SECTOR
    boot = boot_record(mbr_entry(0x83, 64, 128), mbr_entry(kind, begin, sectors))
    return boot.ljust(begin * SECTOR, b"\0") + content


def with_logical(content: bytes) -> bytes:
    """A disk with an extended partition, and in it a small logical one before that with content."""
    sectors = len(content) // SECTOR
    extended, second = 2048, 4096
    disk = bytearray(second * SECTOR + 64 * SECTOR)
    disk[:SECTOR] = boot_record(mbr_entry(0x05, extended, 1 << 20))
    at = extended * SECTOR
    disk[at : at + SECTOR] = boot_record(
        mbr_entry(0x83, 64, 8), mbr_entry(0x05, second - extended, 1 << 19)
    )
    at = second * SECTOR
    disk[at : at + SECTOR] = boot_record(mbr_entry(0x8E, 64, sectors))
    return bytes(disk) + content


LVM_TYPE = uuid.UUID("e6d6d379-f507-44c2-a23c-238f2a3df928")
LINUX_TYPE = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")


def with_gpt(content: bytes, sector: int = SECTOR) -> bytes:
    """A disk with a GPT, both copies, and the content in its third partition."""
    first = MIB // sector
    size = MIB + len(content) + MIB
    sectors = size // sector
    disk = bytearray(size)
    disk[:SECTOR] = boot_record(mbr_entry(0xEE, 1, min(sectors - 1, 0xFFFFFFFF)))

    def entry(kind: uuid.UUID, begin: int, last: int) -> bytes:
        head = kind.bytes_le + uuid.uuid5(kind, str(begin)).bytes_le
        return (
            head + struct.pack("<QQQ", begin, last, 0) + "part".encode("utf-16le").ljust(72, b"\0")
        )

    entries = entry(LINUX_TYPE, 40, 47) + bytes(128)
    entries += entry(LVM_TYPE, first, first + len(content) // sector - 1)
    entries = entries.ljust(128 * 128, b"\0")
    behind = sectors - 1 - len(entries) // sector
    for own, other, at in ((1, sectors - 1, 2), (sectors - 1, 1, behind)):
        fields = struct.pack(
            "<QQQQ16sQIII", own, other, 34, behind - 1, b"d" * 16, at, 128, 128, zlib.crc32(entries)
        )
        head = b"EFI PART" + struct.pack("<II", 0x10000, 92)
        checksum = zlib.crc32(head + bytes(8) + fields)
        disk[own * sector : own * sector + 92] = head + struct.pack("<II", checksum, 0) + fields
        disk[at * sector : at * sector + len(entries)] = entries
    disk[MIB : MIB + len(content)] = content
    return bytes(disk)
