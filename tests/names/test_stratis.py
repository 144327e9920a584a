"""Filesystems of Stratis, in the form in which stratisd keeps them."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.names import managers
from thinscope.errors import NamesError
from thinscope.names import Names, stratis

POOL = "e70c2f6e45a04d1e83a1d1f2b3c4d5e6"
ONE = "11111111-2222-3333-4444-555555555555"
TWO = "22222222222233334444555555555555"
THREE = "33333333-2222-3333-4444-555555555555"


def record(name: str, uuid: str, thin_id: object, **more: object) -> dict[str, Any]:
    size = {"size": 2147483648, "created": 1700000000}
    return {"name": name, "uuid": uuid, "thin_id": thin_id, **size, **more}


def folder(path: Path, *records: dict[str, Any]) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    for each in records:
        (path / f"{each['uuid']}.json").write_text(json.dumps(each))
    return path


def of(path: Path) -> Names:
    assert managers.recognised(path) == "stratis"
    (found,) = managers.read(path)
    return found


def test_a_mounted_folder(tmp_path: Path) -> None:
    mounted = tmp_path / f".mdv-{POOL}"
    folder(
        mounted / "filesystems",
        record("root", ONE, 0),
        record("snap", TWO, 1, origin=ONE, merge=True, fs_size_limit=None),
        record("snap2", THREE, 7, origin=TWO.upper(), merge=False, created=0),
    )
    found = of(mounted)
    assert (found.manager, found.pool, found.source) == ("stratis", POOL, mounted)
    assert found.is_complete
    assert found.unread == ()
    assert found.transaction_id is None
    assert found.hint == (
        f"the metadata device is /dev/mapper/stratis-1-private-{POOL}-flex-thinmeta "
        "while the pool is started"
    )
    assert [(each.device, each.name, each.virtual_bytes) for each in found.records] == [
        *((0, "root", 1 << 40), (1, "snap", 1 << 40), (7, "snap2", 1 << 40)),
    ]
    assert found.records[1].where == f"filesystems/{TWO}.json"
    root, snap, snap2 = found.objects
    assert root.kind == "filesystem"
    assert root.aliases == (ONE, f"stratis-1-{POOL}-thin-fs-{ONE.replace('-', '')}")
    assert root.created == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert root.removal == (("stratis", "filesystem", "destroy", "POOL", "root"),)
    assert (root.parent, snap.parent, snap2.parent) == (None, root.key, snap.key)
    assert dict(snap.labels) == {"merging into": "root"}
    assert (dict(snap2.labels), snap2.created) == ({}, None)


def test_the_folder_itself_and_the_pools_own_metadata(tmp_path: Path) -> None:
    path = folder(tmp_path / f".mdv-{POOL}/filesystems", record("root", ONE, 0))
    assert of(path).pool == POOL
    pool = {"name": "p1", "flex_devs": {}, "thinpool_dev": {"data_block_size": 2048}}
    (path / "pool.json").write_text(json.dumps(pool))
    found = of(path)
    assert (found.pool, found.block_bytes) == ("p1", 1 << 20)
    assert found.objects[0].removal == (("stratis", "filesystem", "destroy", "p1", "root"),)
    folder(tmp_path / f".mdv-{POOL}/filesystems", record("--force", ONE, 0))
    removal = of(path).objects[0].removal
    assert removal == (("stratis", "filesystem", "destroy", "--", "p1", "--force"),)
    (path / "pool.json").write_text('{"thinpool_dev": ')
    assert of(path).pool == POOL


def test_a_copy_of_the_folder(tmp_path: Path) -> None:
    found = of(folder(tmp_path / "copy", record("root", ONE, 0)))
    assert (found.pool, found.hint) == ("", None)
    assert found.objects[0].aliases == (ONE,)
    assert found.is_complete


def test_one_record(tmp_path: Path) -> None:
    path = tmp_path / "fs"
    path.write_text(json.dumps(record("snap", ONE, 3, origin=TWO, merge=True)))
    found = of(path)
    assert not found.is_complete
    assert found.records[0].where == "fs"
    assert found.unread == ()  # the origin has a file of its own
    assert found.objects[0].parent is None
    assert dict(found.objects[0].labels) == {"merging into": TWO}


def test_a_pool_without_filesystems(tmp_path: Path) -> None:
    mounted = tmp_path / f".mdv-{POOL}"
    (mounted / "filesystems").mkdir(parents=True)
    found = of(mounted)
    assert (found.records, found.is_complete) == ((), True)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not JSON: expecting value: line 1 column 1 (char 0)"),
        (b"{", "not JSON"),
        (b"[]", "no filesystem's record"),
        (b"\xff\xfe{", "not JSON"),
        (b"[" * 100_000, "nested too deep"),
        (b" " * (2 << 20), "larger than 1048576 bytes"),
        (json.dumps({"uuid": TWO, "thin_id": 1}).encode(), "no name, or none that is text"),
        (json.dumps(record("a", "", 1) | {"uuid": 1}).encode(), "no uuid, or none that is text"),
        (json.dumps(record("a", TWO, "x")).encode(), "'x' is no device id"),
        (json.dumps(record("a", TWO, None)).encode(), "None is no device id"),
        (json.dumps(record("a", TWO, 1 << 24)).encode(), "16777216 is no device id"),
        (json.dumps(record("a", TWO, 1.5)).encode(), "1.5 is no device id"),
        (json.dumps(record("a", TWO, True)).encode(), "True is no device id"),  # noqa: FBT003
        (json.dumps(record("a", TWO, 0)).encode(), "device 0 is on record already, as root"),
    ],
)
def test_records_that_cannot_be(tmp_path: Path, data: bytes, why: str) -> None:
    path = folder(tmp_path / "x", record("root", ONE, 0))
    (path / f"{TWO}.json").write_bytes(data)
    found = of(path)
    assert [each.name for each in found.records] == ["root"]
    (unread,) = found.unread
    assert unread.where == f"{TWO}.json"
    assert unread.why.startswith(why)


def test_origins_that_cannot_be(tmp_path: Path) -> None:
    path = folder(tmp_path / "x", record("a", ONE, 0, origin=TWO), record("b", TWO, 1, origin=ONE))
    found = of(path)
    assert {each.why for each in found.unread} == {"following its origins leads back to itself"}
    assert [each.parent for each in found.objects] == [None, None]
    (path / f"{TWO}.json").unlink()
    (unread,) = of(path).unread
    assert unread.why == f"its origin '{TWO}' is not on record"


def test_absurd_values_are_none(tmp_path: Path) -> None:
    path = folder(tmp_path / "x", record("a", ONE, 0, size=1 << 63, created=1 << 60, origin=5))
    found = of(path)
    assert found.records[0].virtual_bytes is None
    assert found.objects[0].created is None


def test_folders_and_files_of_something_else(tmp_path: Path) -> None:
    assert managers.recognised(tmp_path) is None
    (tmp_path / "filesystems").mkdir()
    (tmp_path / f"{ONE}.json").write_text('{"id": 1}')
    os.mkfifo(tmp_path / f"{TWO}.json")
    assert managers.recognised(tmp_path) is None
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "empty").touch()
    for path in (tmp_path / "fifo", tmp_path / "empty", tmp_path / "none", Path("/dev/zero")):
        assert not stratis.recognises(path)
        with pytest.raises(NamesError):
            stratis.read(path)


def test_a_fifo_among_the_records(tmp_path: Path) -> None:
    path = folder(tmp_path / "x", record("root", ONE, 0))
    os.mkfifo(path / f"{TWO}.json")
    (unread,) = of(path).unread
    assert unread.why == "not a regular file"


def test_names_are_kept_as_they_are(tmp_path: Path) -> None:
    found = of(folder(tmp_path / "x", record("\x1b[31m\n\ud800", ONE, 0)))
    assert found.objects[0].name == "\x1b[31m\n\ud800"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_flipped_and_cut(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(json.dumps(record("root", ONE, 0, origin=TWO, merge=True)).encode())
    del content[data.draw(st.integers(0, len(content))) :]
    for _ in range(data.draw(st.integers(0, 4)) if content else 0):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = folder(tmp_path / "x")
    (path / f"{ONE}.json").write_bytes(content)
    stratis.recognises(path)
    stratis.read(path)
    managers.failure(stratis.read, path / f"{ONE}.json")
