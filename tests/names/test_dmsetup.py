"""What dmsetup prints, beside what LVM and the kernel say of the same devices."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import thinscope
from tests.conftest import FIXTURES
from tests.names import lvm_texts, managers
from thinscope.errors import NamesError
from thinscope.formats import dmtable
from thinscope.formats.dmtable import Thin, ThinPool
from thinscope.names import Names, dmsetup

POOL = "pool: 0 8388608 thin-pool 254:32 254:48 128 65536 1 skip_block_zeroing \n"


def of(tmp_path: Path, table: str | bytes) -> tuple[Names, ...]:
    path = tmp_path / "table"
    path.write_bytes(table if isinstance(table, bytes) else table.encode())
    assert managers.recognised(path) == "dmsetup"
    return managers.read(path)


def devices(found: Names) -> dict[int, str]:
    return {record.device: record.name for record in found.records}


def test_the_captured_pool_of_lvm() -> None:
    (found,) = managers.read(lvm_texts.TABLE)
    (backup,) = managers.read(lvm_texts.TEXT)
    assert found.manager == "dmsetup"
    assert found.pool == "vgdocker-thinpool-tpool"
    assert found.block_bytes == backup.block_bytes
    assert found.transaction_id is None
    assert not found.is_complete
    assert found.unread == ()
    assert found.hint == "the metadata device is /dev/block/253:0"
    known = {each.key: each for each in backup.objects}
    assert [record.device for record in found.records] == [1, 2, 4, 5, 6, 7, 8]
    by_key = {each.key: each for each in found.objects}
    for record, same in zip(found.records, backup.records, strict=True):
        assert (record.device, record.virtual_bytes) == (same.device, same.virtual_bytes)
        volume = known[same.object or ""]
        made = by_key[record.object or ""]
        assert made.name == record.name == volume.aliases[2]
        assert made.aliases == (volume.name, f"/dev/mapper/{made.name}")
        assert made.removal == volume.removal
        assert made.kind == "volume"


def test_the_captured_pool_made_by_hand() -> None:
    (found,) = managers.read(FIXTURES / "walkthrough-b/answers/table.txt")
    assert found.pool == "pool"
    assert devices(found) == {0: "base", 1: "snap1", 2: "snap2"}
    assert found.records[0].where == "line 1"
    snap1 = found.objects[1]
    assert snap1.aliases == ("/dev/mapper/snap1",)
    assert snap1.removal == (
        ("dmsetup", "remove", "snap1"),
        ("dmsetup", "message", "pool", "0", "delete 1"),
    )
    with thinscope.open(FIXTURES / "walkthrough-b/metadata.bin.zst") as kernel:
        assert set(kernel.devices) == set(devices(found))


def test_captured_pools_of_other_managers() -> None:
    """Their managers keep records that dmsetup would not change, so no command is given."""
    (containerd,) = managers.read(FIXTURES / "containerd-b/answers/table.txt")
    assert containerd.pool == "ctd-pool"
    assert devices(containerd) == {n: f"ctd-pool-snap-{n}" for n in (5, 6, 7, 9)}
    assert {each.removal for each in containerd.objects} == {()}
    (docker,) = managers.read(FIXTURES / "docker-b/answers/table.txt")
    assert docker.pool == "docker-254:16-131081-pool"
    assert docker.records == ()
    assert not docker.is_complete
    line = "docker-254:16-131081-abc: 0 20971520 thin 253:0 7\n"
    data = (FIXTURES / "docker-b/answers/table.txt").read_text() + line
    table = dmtable.parse(data.encode())
    assert table.lines[1].name == "docker-254:16-131081-abc"


def test_several_pools(tmp_path: Path) -> None:
    """A pool is known by its path, by LVM's volume over it, or not at all."""
    found = of(
        tmp_path,
        "vg-p: 0 100 linear 253:2 0\n"
        "vg-p-tpool: 0 100 thin-pool 253:0 253:1 128 0\n"
        "vg-web: 0 8 thin 253:2 1\n"
        "vg-web-real: 0 8 thin 253:2 2\n"
        "vg-web-x-y: 0 8 thin 253:2 3\n"
        "p2: 0 100 thin-pool /dev/sda /dev/sdb 256 0\n"
        "a: 0 8 thin /dev/mapper/p2 1 /dev/mapper/base\n"
        "b: 0 8 thin 253:9 1 253:7\n"
        "c: 0 8 thin /dev/mapper/gone 1\n"
        "p3: 0 100 thin-pool 8:1 8:2 512\n",
    )
    assert [(each.pool, each.block_bytes, devices(each)) for each in found] == [
        ("vg-p-tpool", 65536, {1: "vg-web", 2: "vg-web-real", 3: "vg-web-x-y"}),
        ("p2", 131072, {1: "a"}),
        ("253:9", None, {1: "b"}),
        ("/dev/mapper/gone", None, {1: "c"}),
        ("p3", 262144, {}),
    ]
    lvm = [each.aliases[0] for each in found[0].objects]
    assert lvm == ["vg/web", "vg/web", "/dev/mapper/vg-web-x-y"]
    assert found[1].hint == "the metadata device is /dev/sda"
    assert found[1].records[0].external_origin == "/dev/mapper/base"
    assert found[2].records[0].external_origin == "253:7"
    assert found[2].objects[0].removal[1] == (
        *("dmsetup", "message", "-j", "253", "-m", "9", "0", "delete 1"),
    )
    assert found[3].objects[0].removal[1][2] == "/dev/mapper/gone"
    assert found[3].hint is None


def test_mangled_names(tmp_path: Path) -> None:
    (found,) = of(tmp_path, POOL + "my\\x20disk: 0 8 thin 253:0 1\n")
    (made,) = found.objects
    assert made.name == "my disk"
    assert made.aliases == ("/dev/mapper/my\\x20disk",)
    assert made.removal[0] == ("dmsetup", "remove", "my\\x20disk")


def test_other_lines_are_passed_over(tmp_path: Path) -> None:
    more = "\n\nempty: \nvg-x: 0 5 linear 8:0 0\nvg-x: 5 5 error\nc: 0 8 crypt aes 0 0 8:1 0\r\n"
    (found,) = of(tmp_path, more + POOL + "a: 0 8 thin 253:0 1\r\n")
    assert devices(found) == {1: "a"}
    assert found.unread == ()


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("a: 0 8 thin 253:0", "no pool device and device id after `thin`"),
        ("a: 0 8 thin", "no pool device and device id after `thin`"),
        ("a: 0 8 thin 25600 38399", "no pool device and device id after `thin`"),
        ("a: 0 8 thin 253:0 x", "'x' is no device id: they go from 0 to 16777215"),
        ("a: 0 8 thin 253:0 -1", "'-1' is no device id: they go from 0 to 16777215"),
        ("a: 0 8 thin 253:0 16777216", "'16777216' is no device id: they go from 0 to 16777215"),
        ("a: 0 8 thin 253:0 1", "device 1 is on record already, as ok"),
        ("a: 0 8 thin-pool 8:1 8:2", "no metadata device, data device and block size"),
        ("a: 0 8 thin-pool 9 1047/10240 614/39232 -", "no metadata device, data device and"),
        ("a 0 8 thin 253:0 5", "not of the form `name: begin length target ...`"),
        ("a: x 8 thin 253:0 5", "not of the form `name: begin length target ...`"),
        ("a: 0 8", "not of the form `name: begin length target ...`"),
        ("a: 0 " + "9" * 5000 + " thin 253:0 5", "not of the form `name: begin length target"),
        ("\x1b[31m", "not of the form `name: begin length target ...`"),
    ],
)
def test_broken_lines(tmp_path: Path, line: str, why: str) -> None:
    (found,) = of(tmp_path, f"{POOL}ok: 0 8 thin 253:0 1\n{line}\n")
    assert devices(found) == {1: "ok"}
    (unread,) = found.unread
    assert unread.where == "line 3"
    assert unread.why.startswith(why)


def test_a_size_beyond_all_bounds_is_none(tmp_path: Path) -> None:
    (found,) = of(tmp_path, POOL + f"a: 0 {'9' * 20} thin 253:0 1")
    assert found.records[0].virtual_bytes is None


@pytest.mark.parametrize("name", ["lvm-b", "walkthrough-b", "containerd-b", "docker-b"])
def test_status_lines_are_no_table(name: str) -> None:
    with pytest.raises(NamesError, match="line 1: no ") as caught:
        managers.read(FIXTURES / name / "answers/status.txt")
    assert caught.value.hint is not None
    assert "`dmsetup table`" in caught.value.hint


def test_a_table_without_thin_devices(tmp_path: Path) -> None:
    with pytest.raises(NamesError, match="no thin pool and no thin device in it"):
        of(tmp_path, "vg-x: 0 5 linear 8:0 0\n")


@pytest.mark.parametrize(
    "text", ["", "\n\n", "No devices found\n", "vg-x\t(253:0)\n", "x:\n", "x: y\n", "a: 1 2 3 4\n"]
)
def test_what_is_no_table(tmp_path: Path, text: str) -> None:
    path = tmp_path / "table"
    path.write_text(text)
    assert not dmsetup.recognises(path)
    with pytest.raises(NamesError):
        dmsetup.read(path)


def test_files_that_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", tmp_path, tmp_path / "none", Path("/dev/zero")):
        assert not dmsetup.recognises(path)
        with pytest.raises(NamesError):
            dmsetup.read(path)


def test_a_huge_file(tmp_path: Path) -> None:
    path = tmp_path / "table"
    path.write_text(POOL)
    os.truncate(path, 1 << 40)
    with pytest.raises(NamesError, match="larger than"):
        dmsetup.read(path)


def test_a_hundred_thousand_devices(tmp_path: Path) -> None:
    lines = "".join(f"d{number}: 0 8 thin 253:0 {number}\n" for number in range(100_000))
    (found,) = of(tmp_path, POOL + lines)
    assert len(found.records) == len(found.objects) == 100_000


@pytest.mark.parametrize("text", ["\n" * 60_000, ":" * 60_000, "a: " * 20_000, "a:\t1 2 " * 9000])
def test_odd_heads_take_no_long_time(text: str) -> None:
    assert not dmtable.begins(text.encode())


def test_the_fields() -> None:
    table = dmtable.parse(
        b"p: 0 80 thin-pool 1:2 /dev/x 128 0 2 a b\nt: 0 8 thin 1:3 5\nu: 0 8 thin /dev/p 6 7:8\n"
    )
    assert [line.target for line in table.lines] == [
        ThinPool("1:2", "/dev/x", 128, 0, ("a", "b")),
        Thin("1:3", "5", None),
        Thin("/dev/p", "6", "7:8"),
    ]
    assert [(line.number, line.name, line.sectors) for line in table.lines] == [
        *((1, "p", 80), (2, "t", 8), (3, "u", 8)),
    ]


def test_many_pools_and_many_broken_lines(tmp_path: Path) -> None:
    """Each pool tells of lines that could not be read, and of thousands not one by one."""
    pools = "".join(f"p{number}: 0 9 thin-pool 7:1 7:2 128 0\n" for number in range(20_000))
    found = of(tmp_path, pools + "x\n" * 20_000)
    assert len(found) == 20_000
    for names in (found[0], found[-1]):
        assert len(names.unread) == dmsetup.MOST_TOLD + 1
        assert names.unread[0].where == "line 20001"
        assert names.unread[-1].where == "lines 20021 to 40000"
        assert names.unread[-1].why == "19980 more that cannot be read"


@pytest.mark.parametrize("line", ["x", "", "p: 0 1 linear 7:0 0"])
def test_more_lines_than_any_table_has(tmp_path: Path, line: str) -> None:
    """Short lines take many times their size in memory."""
    path = tmp_path / "table"
    path.write_text(POOL + f"{line}\n" * dmsetup.MOST_LINES)
    with pytest.raises(NamesError, match="more than 500000 lines"):
        managers.read(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_flipped_and_cut(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(lvm_texts.TABLE.read_bytes())
    del content[data.draw(st.integers(0, len(content))) :]
    for _ in range(data.draw(st.integers(0, 8)) if content else 0):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "flipped"
    path.write_bytes(content)
    dmsetup.recognises(path)
    managers.failure(dmsetup.read, path)
