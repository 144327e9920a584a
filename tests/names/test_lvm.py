"""LVM's records of a pool, beside what the kernel says of the same pool."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import thinscope
from tests.names import lvm_texts, managers
from tests.names.lvm_texts import pool, text, thin, volume
from thinscope.errors import NamesError
from thinscope.names import Names, Record, State, lvm, lvm_pool, lvm_report

KERNEL = lvm_texts.LVM / "metadata.bin.zst"


def of(tmp_path: Path, data: bytes, name: str = "vg") -> tuple[Names, ...]:
    path = tmp_path / name
    path.write_bytes(data)
    assert managers.recognised(path) == "lvm"
    return managers.read(path)


def one(tmp_path: Path, data: bytes) -> Names:
    (found,) = of(tmp_path, data)
    return found


def states(found: Names) -> dict[int, str]:
    return {record.device: f"{record.name} {record.state}" for record in found.records}


def parents(found: Names) -> dict[str, str | None]:
    return {each.key.rpartition("/")[2]: each.parent for each in found.objects}


@pytest.fixture(params=["text", "report", "disk"])
def captured(request: pytest.FixtureRequest, tmp_path: Path) -> Names:
    """The captured pool: from the backup, from lvs, from the text on the disk."""
    path = {"text": lvm_texts.TEXT, "report": lvm_texts.REPORT}.get(request.param)
    if path is None:
        path = tmp_path / "text"
        path.write_bytes(lvm_texts.current())
    assert managers.recognised(path) == "lvm"
    (found,) = managers.read(path)
    return found


def test_the_captured_pool(captured: Names) -> None:
    assert captured.manager == "lvm"
    assert captured.pool == "vgdocker/thinpool"
    assert captured.block_bytes == 65536
    assert captured.transaction_id == 9
    assert captured.is_complete
    assert not captured.is_pending
    assert captured.unread == ()
    assert captured.hint == (
        "the metadata device is /dev/mapper/vgdocker-thinpool_tmeta; if the pool is not active, "
        "`lvchange -ay vgdocker/thinpool_tmeta` makes it"
    )
    assert states(captured) == {
        1: "web in use",
        2: "db in use",
        4: "web-snap1 in use",
        5: "web-snap2 in use",
        6: "web-snap1-clone in use",
        7: "db-snap in use",
        8: "late in use",
    }
    assert parents(captured) == {
        "web": None,
        "db": None,
        "web-snap1": "lv/vgdocker/web",
        "web-snap2": "lv/vgdocker/web",
        "web-snap1-clone": "lv/vgdocker/web-snap1",
        "db-snap": "lv/vgdocker/db",
        "late": None,
    }


def test_the_kernel_has_the_same_devices_and_transaction_ids(captured: Names) -> None:
    with thinscope.open(KERNEL) as kernel:
        devices = {device.id: device.transaction_id for device in kernel.devices.values()}
        assert captured.transaction_id == kernel.superblock.transaction_id
    assert {record.device: record.transaction_id for record in captured.records} == devices


def test_the_kernel_has_the_same_names_and_sizes(captured: Names) -> None:
    lines = lvm_texts.TABLE.read_text().splitlines()
    found = [re.fullmatch(r"(\S+): 0 (\d+) thin 253:2 (\d+)", line) for line in lines]
    table = {match[1]: (int(match[2]) * 512, int(match[3])) for match in found if match}
    assert len(table) == 7
    records = {record.object: record for record in captured.records}
    said = {
        each.aliases[2]: (records[each.key].virtual_bytes, records[each.key].device)
        for each in captured.objects
    }
    assert said == table


def test_all_sources_say_the_same(captured: Names) -> None:
    (backup,) = managers.read(lvm_texts.TEXT)
    assert sorted(map(str, captured.objects)) == sorted(map(str, backup.objects))
    said = [replace(record, where="") for record in captured.records]
    assert said == [replace(record, where="") for record in backup.records]


def test_an_object_in_full() -> None:
    (found,) = managers.read(lvm_texts.TEXT)
    clone = next(each for each in found.objects if each.name.endswith("clone"))
    assert clone.key == "lv/vgdocker/web-snap1-clone"
    assert clone.kind == "snapshot"
    assert clone.name == "vgdocker/web-snap1-clone"
    assert clone.aliases == (
        "web-snap1-clone",
        "hFvcck-yHpK-JYVy-l8zw-vhPu-rS2q-gXhusE",
        "vgdocker-web--snap1--clone",
        "/dev/vgdocker/web-snap1-clone",
    )
    assert clone.uses == ()
    assert clone.created == datetime(2026, 11, 20, 8, 55, 43, tzinfo=UTC)
    assert clone.removal == (("lvremove", "vgdocker/web-snap1-clone"),)
    assert {each.kind for each in found.objects} == {"volume", "snapshot"}
    assert found.version == "seqno 23, written 2026-11-20 08:58:28 UTC"
    assert found.records[0].where == "web/segment1"


def test_every_version_of_the_captured_pool(tmp_path: Path) -> None:
    """What was queued, step by step: each creation and the one deletion."""
    queued = {}
    for number, data in enumerate(lvm_texts.ring(), 1):
        if number < 4:  # before the pool was made
            (tmp_path / "early").write_bytes(data)
            with pytest.raises(NamesError, match="no thin pool in it"):
                lvm.read(tmp_path / "early")
            continue
        found = one(tmp_path, data)
        assert found.unread == ()
        waiting = [record for record in found.records if record.state != State.IN_USE]
        assert found.is_pending == bool(waiting)
        assert found.transaction_id == (number // 2 - 2 or None)
        assert found.is_complete == (number > 5)
        for record in waiting:
            assert record.transaction_id in (found.transaction_id - 1, None)
            queued[number] = (record.device, record.name, str(record.state), record.reason)
    making = ("queued", "lvm has queued its creation")
    assert queued == {
        6: (1, "web", *making),
        8: (2, "db", *making),
        10: (3, "cache", *making),
        12: (4, "web-snap1", *making),
        14: (5, "web-snap2", *making),
        16: (6, "web-snap1-clone", *making),
        18: (7, "db-snap", *making),
        20: (3, "", "removing", "lvm has queued its deletion"),
        22: (8, "late", *making),
    }


def test_a_pool_that_another_manager_fills(tmp_path: Path) -> None:
    """Docker on a pool of LVM: the text knows no devices, and its transaction id stays 0."""
    found = one(tmp_path, text(pool(transaction=0)))
    assert found.records == ()
    assert not found.is_complete
    assert found.transaction_id is None
    emptied = one(tmp_path, text(pool(transaction=7)))
    assert emptied.is_complete
    assert emptied.transaction_id == 7


def test_flags_after_the_type(tmp_path: Path) -> None:
    made = text(pool(), thin("web", 1)).replace(b'"thin-pool"', b'"thin-pool+CROP_METADATA"')
    found = one(tmp_path, made.replace(b'"thin"', b'"thin+X+Y"'))
    assert found.block_bytes == 65536
    assert states(found) == {1: "web in use"}


def test_several_pools_and_groups(tmp_path: Path) -> None:
    first = text(
        pool(),
        pool(name="p2", transaction=9),
        thin("web", 1),
        thin("web2", 1, pool="p2"),
        name="vg-a",
    )
    both = first + text(pool(), thin("x", 4), name="vg-b")
    found = of(tmp_path, both)
    assert [(each.pool, states(each)) for each in found] == [
        ("vg-a/pool", {1: "web in use"}),
        ("vg-a/p2", {1: "web2 in use"}),
        ("vg-b/pool", {4: "x in use"}),
    ]
    assert found[1].hint is not None
    assert "/dev/mapper/vg--a-p2_tmeta" in found[1].hint
    assert found[1].objects[0].aliases[2] == "vg--a-web2"


def test_external_origins(tmp_path: Path) -> None:
    found = one(
        tmp_path,
        text(
            pool(),
            volume("base", 'type = "striped"'),
            thin("a", 1, 'external_origin = "base"'),
            thin("b", 2, 'external_origin = "a"'),
            thin("c", 3, 'origin = "a"'),
        ),
    )
    assert found.unread == ()
    assert [record.external_origin for record in found.records] == ["vg/base", "vg/a", None]
    uses = {each.name: each.uses for each in found.objects}
    assert uses == {"vg/a": (), "vg/b": ("lv/vg/a",), "vg/c": ()}
    assert parents(found) == {"a": None, "b": None, "c": "lv/vg/a"}


def test_a_merge(tmp_path: Path) -> None:
    snapshot = thin("snap", 2, 'origin = "web"', 'merge = "web"')
    found = one(tmp_path, text(pool(), thin("web", 1), snapshot))
    labels = {each.name: dict(each.labels) for each in found.objects}
    assert labels == {
        "vg/web": {"merging from": "vg/snap"},
        "vg/snap": {"merging into": "vg/web"},
    }
    assert states(found) == {1: "web in use", 2: "snap in use"}
    assert [each.uses for each in found.objects] == [(), (found.objects[0].key,)]


def test_tags_and_guests(tmp_path: Path) -> None:
    tagged = thin("vm-100-disk-0", 1).replace('["READ"]', '["READ"]\ntags = ["cold", "owner=joe"]')
    guests = [
        thin(name, number)
        for number, name in enumerate(
            ["base-7-disk-1", "snap_vm-8-disk-0_x", "vm-9-cloudinit", "vm-x-disk-0", "web"], 2
        )
    ]
    found = one(tmp_path, text(pool(), tagged, *guests))
    assert [dict(each.labels) for each in found.objects] == [
        {"cold": "", "owner": "joe", "vmid": "100"},
        {"vmid": "7"},
        {"vmid": "8"},
        {"vmid": "9"},
        {},
        {},
    ]


def test_removed_origins(tmp_path: Path) -> None:
    """LVM's history, if it is switched on: a is the origin of -b, that of -c, that of d."""
    more = """
    historical_logical_volumes {
        b { id = "x" origin = "a" }
        c { id = "x" origin = "-b" descendants = ["d"] }
        loop { origin = "-loop" descendants = ["e"] }
        gone { origin = "-nothing" descendants = ["f"] }
    }
    """
    volumes = [thin(name, number) for number, name in enumerate("adef")]
    found = one(tmp_path, text(pool(), *volumes, more=more))
    assert found.unread == ()
    assert parents(found) == {"a": None, "d": "lv/vg/a", "e": None, "f": None}
    labels = {each.name: dict(each.labels) for each in found.objects}
    assert labels == {
        "vg/a": {},
        "vg/d": {"removed origin": "c"},
        "vg/e": {"removed origin": "loop"},
        "vg/f": {"removed origin": "gone"},
    }


@pytest.mark.parametrize(
    ("volumes", "records", "where", "why"),
    [
        ([thin("a", 1 << 24)], {}, "a/segment1", "16777216 is no device id"),
        ([thin("a", -1)], {}, "a/segment1", "-1 is no device id"),
        ([thin("a", '"1"')], {1: "a in use"}, None, None),
        ([thin("a", '"x\x1b[31m"')], {}, "a/segment1", r"'x\x1b[31m' is no device id"),
        ([thin("a", "[]")], {}, "a/segment1", "[] is no device id"),
        ([thin("a", 1.5)], {}, "a/segment1", "1.5 is no device id"),
        ([thin("a", "1\n").replace("device_id", "x")], {}, "a/segment1", "None is no device id"),
        (
            [thin("a", 1), thin("b", 1)],
            {1: "a in use"},
            "b/segment1",
            "device 1 is on record already, as a",
        ),
        (
            [thin("a", 1, 'origin = "b"')],
            {1: "a in use"},
            "a/segment1",
            "its origin 'b' is no volume of the pool",
        ),
        (
            [thin("a", 1, 'origin = "a"')],
            {1: "a in use"},
            "a/segment1",
            "following its origins leads back to itself",
        ),
        (
            [thin("a", 1, 'external_origin = "b"'), thin("b", 2, 'external_origin = "a"')],
            {1: "a in use", 2: "b in use"},
            "a/segment1",
            "following its origins leads back to itself",
        ),
    ],
)
def test_records_that_cannot_be(
    tmp_path: Path, volumes: list[str], records: dict[int, str], where: str | None, why: str | None
) -> None:
    found = one(tmp_path, text(pool(), *volumes))
    assert states(found) == records
    if where is None:
        assert found.unread == ()
    else:
        assert found.unread[0].where == where
        assert why is not None
        assert found.unread[0].why.startswith(why)


def test_a_loop_of_origins(tmp_path: Path) -> None:
    volumes = [thin(f"v{n}", n, f'origin = "v{(n + 1) % 5}"') for n in range(5)]
    found = one(tmp_path, text(pool(), *volumes, thin("leaf", 9, 'origin = "v3"')))
    assert len(found.unread) == 5
    assert parents(found) == {**{f"v{n}": None for n in range(5)}, "leaf": "lv/vg/v3"}


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ('create = "none"', "'none', which is to be made, is no volume of the pool"),
        ("create = 5", "5, which is to be made, is no volume of the pool"),
        ('delete = "x"', "'x' is no device id: they go from 0 to 16777215"),
        ("delete = 99999999", "99999999 is no device id: they go from 0 to 16777215"),
        ("delete = 1", "device 1 is on record already, as web"),
        ('trim = "web"', "a message that is not known"),
        ("", "a message that is not known"),
    ],
)
def test_messages_that_cannot_be(tmp_path: Path, message: str, why: str) -> None:
    found = one(tmp_path, text(pool(f"message1 {{ {message} }}"), thin("web", 1)))
    assert [(each.where, each.why) for each in found.unread] == [("pool/segment1/message1", why)]
    assert found.is_pending
    assert states(found) == {1: "web in use"}


def test_a_pool_that_the_text_lacks(tmp_path: Path) -> None:
    found = one(tmp_path, text(thin("web", 1, pool="lost")))
    assert found.pool == "vg/lost"
    assert found.transaction_id is None
    assert found.unread[0].why == "there is no pool 'lost' in volume group 'vg'"
    assert states(found) == {1: "web in use"}


def test_absurd_values_are_none(tmp_path: Path) -> None:
    made = text(pool(transaction=-4), thin("web", 1, transaction=-1))
    made = made.replace(b"chunk_size = 128", b"chunk_size = 0")
    made = made.replace(b"extent_count = 256", b"extent_count = 18446744073709551615")
    made = made.replace(b'id = "XJ9', b'creation_time = 99999999999999999 id = "XJ9')
    found = one(tmp_path, made)
    assert (found.transaction_id, found.block_bytes) == (None, None)
    (record,) = found.records
    assert (record.transaction_id, record.virtual_bytes) == (None, None)
    assert found.objects[0].created is None


def test_names_are_kept_as_they_are(tmp_path: Path) -> None:
    made = text(pool(), thin("NAME", 1)).replace(b"NAME {", b"\x1b(Bred\xff {")
    found = one(tmp_path, made)
    assert found.objects[0].name == "vg/\x1b(Bred\udcff"


# A folder of texts.


def archive(tmp_path: Path, *parts: bytes) -> Path:
    folder = tmp_path / "archive"
    folder.mkdir(exist_ok=True)
    for number, part in enumerate(parts):
        (folder / f"vg_{number:05}-123.vg").write_bytes(part)
    return folder


def test_the_highest_seqno_is_taken(tmp_path: Path) -> None:
    before = text(pool(), thin("new", 3), seqno=12).replace(b"*after*", b"*before*")
    folder = archive(
        tmp_path,
        text(pool(), thin("old", 1), seqno=9),
        before,
        text(pool(), thin("older", 2), seqno=10),
    )
    (found,) = managers.read(folder)
    assert states(found) == {3: "new in use"}
    assert found.source == folder
    assert found.version == (
        "seqno 12, written 2026-11-20 08:58:28 UTC, before a command that may have changed it, "
        "from vg_00001-123.vg, the highest of 3 versions"
    )
    assert found.records[0].where == "vg_00001-123.vg: new/segment1"


def test_a_broken_newest_version_is_told(tmp_path: Path) -> None:
    newest = text(pool(), thin("new", 3), seqno=12)
    folder = archive(tmp_path, text(pool(), thin("old", 1), seqno=9), newest[:-30])
    (found,) = managers.read(folder)
    assert states(found) == {1: "old in use"}
    assert "vg_00000-123.vg, the highest that can be read of 2 versions" in found.version
    (unread,) = found.unread
    assert unread.where.startswith("vg_00001-123.vg: line ")
    assert unread.why.startswith("expected ")


def test_all_versions_in_the_ring_buffer_as_an_archive(tmp_path: Path) -> None:
    folder = archive(tmp_path, *lvm_texts.ring())
    (found,) = managers.read(folder)
    (current,) = managers.read(lvm_texts.TEXT)
    assert found.objects == current.objects
    assert found.version.startswith("seqno 23, ")


def test_several_groups_renamed_and_made_anew(tmp_path: Path) -> None:
    other, third = lvm_texts.ID[::-1], "a" + lvm_texts.ID[1:]
    folder = archive(
        tmp_path,
        text(pool(), thin("a", 1), name="old-name", seqno=5),
        text(pool(), thin("a", 1), name="new-name", seqno=6),
        text(pool(), thin("b", 1), name="again", id=other, seqno=900, written=1000),
        text(pool(), thin("c", 1), name="again", id=third, seqno=2, written=2000),
        text(name="without", id="b" + third[1:]),
    )
    found = managers.read(folder)
    assert [(each.pool, states(each)) for each in found] == [
        ("again/pool", {1: "c in use"}),
        ("new-name/pool", {1: "a in use"}),
    ]


def test_etc_lvm(tmp_path: Path) -> None:
    for part, seqno, name in [("archive", 4, "a"), ("backup", 5, "b")]:
        (tmp_path / part).mkdir()
        (tmp_path / part / "vg").write_bytes(text(pool(), thin(name, 1), seqno=seqno))
    (tmp_path / "lvm.conf").write_text("config {\n\tchecks = 1\n}\n")
    (found,) = managers.read(tmp_path)
    assert states(found) == {1: "b in use"}
    assert found.records[0].where == "backup/vg: b/segment1"


def test_folders_of_something_else(tmp_path: Path) -> None:
    assert managers.recognised(tmp_path) is None
    (tmp_path / "x").write_bytes(b"\0" * 100)
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "folder").mkdir()
    assert managers.recognised(tmp_path) is None
    with pytest.raises(NamesError, match="no thin pool in it"):
        lvm.read(tmp_path)
    (tmp_path / "vg").write_bytes(text()[:-5])
    assert managers.recognised(tmp_path) == "lvm"
    with pytest.raises(NamesError, match=r"vg: line .*: expected a name or '}', found the end"):
        managers.read(tmp_path)
    (tmp_path / "vg").write_bytes(text()[:250])
    with pytest.raises(NamesError, match="no volume group in it, as far as its beginning tells"):
        managers.read(tmp_path)


# What lvs prints.


def report(*rows: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"report": [{"lv": list(rows)}], **more}).encode()


def row(name: str, device: object = "", **columns: object) -> dict[str, Any]:
    plain = {"lv_name": name, "vg_name": "vg", "pool_lv": "pool", "thin_id": device, "origin": ""}
    return {**plain, **columns}


POOL = row("pool", pool_lv="", lv_attr="twi-aotz--", transaction_id="3", chunk_size="64.00k")


def test_few_columns(tmp_path: Path) -> None:
    found = one(tmp_path, report(row("web", "1"), row("other", "")))
    assert found.pool == "vg/pool"
    assert found.transaction_id is None
    assert not found.is_complete  # the pool itself is not listed: some lines were asked for only
    (record,) = found.records
    assert record == Record(device=1, where="vg/web", object="lv/vg/web", name="web")
    assert found.objects[0].created is None


def test_standard_json(tmp_path: Path) -> None:
    """``json_std`` of LVM 2.03.17 and later: numbers, lists, and null where there is nothing."""
    rows = [
        {**POOL, "transaction_id": 3, "thin_id": None, "thin_count": 2, "lv_tags": []},
        row(
            "web",
            1,
            transaction_id=0,
            lv_size=1073741824,
            lv_tags=["a", "b=c"],
            lv_time="2026-11-20 09:55:40 +0100",
        ),
        row("snap", 2, transaction_id=2, origin="web", lv_size="1.00g", data_percent=None),
    ]
    found = one(tmp_path, report(*rows, log=[]))
    assert found.is_complete
    assert (found.transaction_id, found.block_bytes) == (3, 65536)
    assert [record.virtual_bytes for record in found.records] == [1 << 30, 1 << 30]
    assert [record.transaction_id for record in found.records] == [0, 2]
    web, snap = found.objects
    assert dict(web.labels) == {"a": "", "b": "c"}
    assert web.created == datetime(2026, 11, 20, 8, 55, 40, tzinfo=UTC)
    assert (snap.kind, snap.parent) == ("snapshot", web.key)


def test_a_report_of_some_volumes_is_not_complete(tmp_path: Path) -> None:
    found = one(tmp_path, report({**POOL, "thin_count": "3"}, row("web", "1")))
    assert not found.is_complete


def test_a_report_of_a_pool_that_another_manager_fills(tmp_path: Path) -> None:
    found = one(tmp_path, report({**POOL, "transaction_id": "0", "thin_count": "0"}))
    assert (found.is_complete, found.transaction_id, found.records) == (False, None, ())


def test_origins_in_a_report(tmp_path: Path) -> None:
    found = one(
        tmp_path,
        report(
            POOL,
            row("web", "1"),
            row("snap", "2", origin="web", lv_attr="Swi---tz--"),
            row("[hidden]", "3", origin="web"),
            row("base", "", pool_lv="", segtype="linear"),
            row("ext", "4", origin="base"),
            row("lost", "5", origin="elsewhere"),
            row("-web", "", pool_lv=""),
        ),
    )
    assert found.unread == ()
    assert parents(found) == {
        "web": None,
        "snap": "lv/vg/web",
        "hidden": "lv/vg/web",
        "ext": None,
        "lost": None,
    }
    assert found.records[3].external_origin == "vg/base"
    labels = {each.name: dict(each.labels) for each in found.objects if each.labels}
    assert labels == {
        "vg/web": {"merging from": "vg/snap"},
        "vg/snap": {"merging into": "vg/web"},
        "vg/lost": {"origin": "vg/elsewhere"},
    }


@pytest.mark.parametrize(
    ("shown", "size"),
    [
        ("1073741824B", 1 << 30),
        ("1073741824", 1 << 30),
        (1073741824, 1 << 30),
        ("2097152S", 1 << 30),
        ("1.00g", 1 << 30),
        ("1,00g", 1 << 30),
        ("1.00G", 10**9),
        ("1.00T", 10**12),
        ("4.00m", 4 << 20),
        ("65536.00k", 64 << 20),
        ("2.39g", None),  # it was rounded
        ("<1.00g", None),  # LVM says that it rounded
        ("1B", None),
        ("", None),
        ("x", None),
        (None, None),
        (True, None),
        ([], None),
        ("-1", None),
        (-1, None),
        (float("inf"), None),
        ("9" * 5000, None),
        ("9999999e", None),
    ],
)
def test_sizes(shown: object, size: int | None) -> None:
    assert lvm_report.size(shown) == size


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"report": [', "not JSON"),
        (b'{"report": []}', "no report of lvs"),
        (b'{"report": [{"vg": []}]}', "no report of lvs"),
        (b'{"report": [{"lv": [1]}]}', "no report of lvs"),
        (b'{"report": [{"lv": []}]}', "no thin pool in it"),
        (b'{"report": [[' + b"[" * 100_000, "nested too deep"),
        (b'{"report": [{"lv": [{"lv_name": "\xff"}]}]}', "not JSON"),
        (report({"lv_name": "x"}), "no column pool_lv and no thin_id and no vg_name"),
        (report(row("x")), "no thin pool in it"),
    ],
)
def test_reports_that_cannot_be_read(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(NamesError, match=message):
        of(tmp_path, data)


def test_a_report_with_history(tmp_path: Path) -> None:
    """As `lvs -H` prints it."""
    rows = [
        row("a", "1"),
        row("d", "2", lv_full_ancestors="-c,-b,a,web"),
        row("e", "3", lv_full_ancestors="-gone"),
    ]
    found = one(tmp_path, report(POOL, *rows))
    assert [dict(each.labels) for each in found.objects] == [
        {},
        {"removed origin": "c"},
        {"removed origin": "gone"},
    ]
    assert parents(found) == {"a": None, "d": "lv/vg/a", "e": None}


def test_what_to_ask_for(tmp_path: Path) -> None:
    with pytest.raises(NamesError) as caught:
        of(tmp_path, report({"lv_name": "x"}))
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("lvs -a --reportformat json --units b -o vg_name,")


def test_bad_cells(tmp_path: Path) -> None:
    rows = [
        row("a", "x"),
        row("b", [1]),
        row("c", 1 << 24),
        row("d", "1", lv_time="no time", lv_tags={"x": 1}, origin=7, lv_uuid=[], transaction_id=-1),
        row("e", "1"),
    ]
    found = one(tmp_path, report(POOL, *rows))
    assert states(found) == {1: "d in use"}
    assert [each.where for each in found.unread] == ["vg/a", "vg/b", "vg/c", "vg/e"]


# Files that are none.


def test_files_that_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "empty").touch()
    for path in (tmp_path / "fifo", tmp_path / "empty", tmp_path / "none", Path("/dev/zero")):
        assert not lvm.recognises(path)
        with pytest.raises(NamesError):
            lvm.read(path)
    assert not lvm.recognises(tmp_path / ("x" * 300))
    assert not lvm.recognises(Path("a\0b"))


def test_a_huge_file(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    path.write_bytes(lvm_texts.TEXT.read_bytes())
    os.truncate(path, 1 << 40)
    assert lvm.recognises(path)
    with pytest.raises(NamesError, match="larger than"):
        lvm.read(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_flipped_and_cut(tmp_path: Path, data: st.DataObject) -> None:
    source = data.draw(st.sampled_from([lvm_texts.TEXT, lvm_texts.REPORT]))
    content = bytearray(source.read_bytes())
    del content[data.draw(st.integers(0, len(content))) :]
    for _ in range(data.draw(st.integers(0, 8)) if content else 0):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "flipped"
    path.write_bytes(content)
    lvm.recognises(path)
    if managers.failure(lvm.read, path) is None:
        for each in lvm.read(path):
            assert len({record.device for record in each.records}) == len(each.records)


def test_names_of_the_device_mapper() -> None:
    parts = ["a", "b-c", "a--b", "a-", "a---", "vm-100-disk-0", "x.y_z+"]
    for group in parts:
        for name in parts:
            assert lvm_pool.from_dm_name(lvm_pool.dm_name(group, name)) == (group, name)
    assert lvm_pool.from_dm_name("vg-pool-tpool") == ("vg", "pool", "tpool")
