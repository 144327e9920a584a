"""LVM's text and its report, and the volumes and pools that they tell of."""

from __future__ import annotations

import json
import re
import struct
from pathlib import Path
from typing import TYPE_CHECKING

from tests.conftest import FIXTURES
from tests.fuzz.judging import judge_error, judge_names
from tests.images.made import Group, Volume, linear, mirror, raid1, striped, thin, thin_pool
from tests.names import lvm_texts
from tests.oracle import answers
from thinscope._core import Extents
from thinscope.errors import NamesError, ThinscopeError
from thinscope.formats import lvm_text
from thinscope.logical_volumes import PhysicalVolume, VolumeGroup
from thinscope.names import lvm, lvm_groups, lvm_report
from thinscope.names.lvm_pool import names_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thinscope.formats.lvm_text import Section

SOURCE = Path("x")
MOST = 8192
WORDS = [
    *(b"{", b"}", b"[", b"]", b"=", b'"', b"\\", b"#", b"\n", b" ", b",", b"-", b"+"),
    *(b"segment1", b"logical_volumes", b"physical_volumes", b"historical_logical_volumes"),
    *(b'type = "thin"', b'type = "thin-pool"', b'type = "striped"', b'type = "raid1"'),
    *(b'type = "mirror"', b'type = "linear"', b"thin_pool = ", b"origin = ", b"external_origin = "),
    *(
        b"device_id = ",
        b"transaction_id = ",
        b"merge = ",
        b"message1 {",
        b'create = "',
        b"delete = ",
    ),
    *(
        b"extent_size = 8192",
        b"extent_count = ",
        b"start_extent = 0",
        b"stripe_count = ",
        b"stripes",
    ),
    *(
        b"raids = [",
        b"mirrors = [",
        b"stripe_size = ",
        b"pe_start",
        b"pe_count",
        b"chunk_size = 128",
    ),
    *(
        b"status = [",
        b"flags = [",
        b"tags = [",
        b"descendants = [",
        b"creation_time = ",
        b"profile = ",
    ),
    *(b'contents = "Text Format Volume Group"', b"18446744073709551615", b"9223372036854775807"),
    *(b"1e9", b".", b"0.5", b"-1", b"\xe2\x80\xae", b"\x1b[2J", b"\xff", b"\0", b"\r\n"),
    *(
        b'{"report":[{"lv":[',
        b'"lv_name":"',
        b'"thin_id":"',
        b'"pool_lv":"',
        b'"lv_uuid":"',
        b"null",
    ),
]


def seeds() -> Iterator[bytes]:
    """Texts of captures, of the ring of a captured disk, made ones, and reports."""
    for path in sorted(FIXTURES.glob("*-6.1/answers/*/lvm.vg")):
        yield _without_comments(path.read_bytes())[:MOST]
    for path in sorted(FIXTURES.glob("lvm-*-6.1/answers/*/lvs.json*"))[::5]:
        yield _cut_report(answers.content(path))
    yield from lvm_texts.ring()[:9:4]
    yield lvm_texts.text(
        lvm_texts.pool("message1 {", 'create = "a"', "}"),
        lvm_texts.thin("a", 1, 'origin = "b"'),
        lvm_texts.thin("b", 2, 'external_origin = "c"', 'merge = "a"'),
        more='historical_logical_volumes {\nd {\ndescendants = ["b"]\norigin = "-e"\n}\ne {\n}\n}\n',
    )
    mirrored = [
        Volume("pool", [thin_pool("m", "d")]),
        Volume("m", [raid1(2, ("m_rmeta_0", "m_rimage_0"), ("m_rmeta_1", "m_rimage_1"))]),
        *(Volume(f"m_rmeta_{number}", [linear(f"pv{number}", 0, 1)]) for number in range(2)),
        *(Volume(f"m_rimage_{number}", [linear(f"pv{number}", 1, 2)]) for number in range(2)),
        Volume("d", [striped([("pv0", 4), ("pv1", 4)], 4, 1 << 16), linear("e", 0, 1, 4)]),
        Volume("e", [mirror(1, "d_image", "pv2")]),
        Volume("d_image", [linear("pv2", 9, 1)]),
        Volume("web", [thin(1, "pool")]),
    ]
    yield Group(mirrored, pvs=3).text()
    yield b'{"report":[{"lv":[{"lv_name":"a","vg_name":"vg","pool_lv":"p","thin_id":"1","origin":"b"}]}]}'
    cells = {"chunk_size": "64.00k", "lv_when_full": "error", "vg_extent_size": "4.00m"}
    cells |= {
        "lv_name": "p",
        "vg_name": "vg",
        "pool_lv": "",
        "thin_id": "",
        "lv_attr": "twi-aotz--",
    }
    yield json.dumps(
        {"report": [{"lv": [{**cells, "transaction_id": 3, "vg_free_count": "9"}]}]}
    ).encode()
    yield b'a = 1 b = -2.5 c = "x\\"y\\\\" d = [1, "two", .5,] e { f = "" # no\n }'


def _without_comments(text: bytes) -> bytes:
    return re.sub(rb"\t+|(?<=\n)\t*#[^\n]*\n|\t*# [^\n]*(?=\n)", b"", text)


def _cut_report(data: bytes) -> bytes:
    """Return a report with a few of its volumes and segments."""
    report = json.loads(data)
    for part in report["report"]:
        for key, rows in part.items():
            part[key] = rows[:2]
    return json.dumps(report).encode()[:MOST]


def trial(data: bytes) -> None:
    """Parse it, write and parse it again, and follow whatever it tells."""
    lvm_text.begins(data)
    lvm_text.glance(data)
    if lvm_report.begins(data):
        _report(data)
    try:
        parsed = lvm_text.parse(data, "x")
    except NamesError as error:
        judge_error(error)
        return
    assert lvm_text.parse(lvm_texts.written(parsed)) == parsed
    if any(isinstance(value, dict) for value in parsed.values()):
        judge_names(lvm.of_section(parsed, SOURCE))
    lvm_groups.pools(parsed, "a file")
    for name, group in parsed.items():
        if isinstance(group, dict):
            _volumes(name, group)


def _report(data: bytes) -> None:
    try:
        judge_names(names_of(pool, SOURCE) for pool in lvm_report.pools(data, SOURCE))
    except NamesError as error:
        judge_error(error)


def _volumes(name: str, group: Section) -> None:
    """Put all volumes of a group together, on disks that have all ids of the text."""
    raid = struct.pack("<4sIIIQQQQ", b"DmRd", 0, 2, 0, 5, 0, (1 << 64) - 1, 0)
    disk = Extents([raid.ljust(1 << 13, b"\0")], "disk")
    physical = group.get("physical_volumes")
    sections = physical.values() if isinstance(physical, dict) else ()
    ids = [str(each.get("id")) for each in sections if isinstance(each, dict)]
    given = ids if len(ids) % 2 else ids[1:]
    found = {each: PhysicalVolume(each, disk, "disk") for each in given}
    try:
        made = VolumeGroup(name, group, found, "x")
    except NamesError as error:
        judge_error(error)
        return
    assert len(made.missing) <= len(ids)
    for volume in made.readable[:8]:
        size = made.size(volume)
        try:
            opened = made.volume(volume)
            assert opened.length == size
            opened.read(0, 512)
            opened.read(opened.length - 1, 512)
        except ThinscopeError as error:
            judge_error(error)


def mutated(data: bytes, chosen: int) -> bytes | None:
    """Take lines and sections of the text twice, away, or elsewhere."""
    parts = re.split(rb"(?<=[\n{}])", data)
    first, second = chosen % len(parts), chosen // 7 % len(parts)
    low, high = min(first, second), max(first, second)
    match chosen % 5:
        case 0:
            parts[low:high] = parts[low:high] * 2
        case 1:
            del parts[low:high]
        case 2:
            parts[low], parts[high] = parts[high], parts[low]
        case 3:
            parts.insert(low, WORDS[chosen // 11 % len(WORDS)])
        case _:
            return None
    return b"".join(parts)


def repaired(data: bytes) -> bytes:
    """Return it as it is: a text alone has no checksum."""
    return data
