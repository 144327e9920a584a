"""Names from containerd's databases: a captured host, and hosts made up for single facts."""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import thinscope
from tests.conftest import FIXTURES, capture_path
from tests.names.bolt import File
from thinscope import names
from thinscope.errors import NamesError
from thinscope.names import State, containerd
from thinscope.names.containerd import collection, databases

CAPTURE = FIXTURES / "containerd-b"
DATABASES = CAPTURE / "dbs"
FILES = ("ctd-pool.db", "metadata.db", "meta.db")
ROOT_LAYOUT = {
    "ctd-pool.db": "io.containerd.snapshotter.v1.devmapper",
    "metadata.db": "io.containerd.snapshotter.v1.devmapper",
    "meta.db": "io.containerd.metadata.v1.bolt",
}
CHAIN = "containerd.io/gc.ref.snapshot.devmapper"
CONFIG = "containerd.io/gc.ref.content.config"


def usage(names, mapped_bytes):
    """What ``ctr snapshots usage`` says, by the keys of the objects, from what devices map."""
    mapped = {record.object: mapped_bytes.get(record.device) for record in names.records}
    found = {}
    for each in names.objects:
        maps = mapped.get(each.key)
        if each.manager_usage_bytes is not None:
            found[each.key] = each.manager_usage_bytes
        elif each.manager_base_bytes is not None and maps is not None:
            found[each.key] = maps - each.manager_base_bytes
    return found


def columns(name: str) -> list[list[str]]:
    """The rows of a table that containerd printed, without its head."""
    head, *lines = (CAPTURE / "answers" / name).read_text().splitlines()
    starts = [match.start() for match in re.finditer(r"\S+", head)]
    ends = [*starts[1:], None]
    return [
        [line[start:end].strip() for start, end in zip(starts, ends, strict=True)] for line in lines
    ]


def read(path: Path) -> names.Names:
    (found,) = containerd.read(path)
    assert found.manager == "containerd"
    assert found.source == path
    assert len({each.key for each in found.objects}) == len(found.objects)
    devices = [record.device for record in found.records]
    assert devices == sorted(set(devices))
    keys = {each.key for each in found.objects}
    assert {record.object for record in found.records} <= {*keys, None}
    assert all({each.parent, *each.uses} <= {*keys, None} for each in found.objects)
    return found


def named(found: names.Names, name: str) -> names.Object:
    (one,) = (each for each in found.objects if each.name == name)
    return one


def device(found: names.Names, number: int) -> names.Record:
    (one,) = (record for record in found.records if record.device == number)
    return one


def unread(found: names.Names) -> dict[str, str]:
    return {each.where: each.why for each in found.unread}


@pytest.fixture(scope="module")
def captured() -> names.Names:
    return read(DATABASES)


# The captured host


def test_it_is_recognised(captured) -> None:
    assert containerd.recognises(DATABASES)
    assert captured.pool == "ctd-pool"
    hint = captured.hint or ""
    assert hint.startswith("its metadata device is what the thin-pool ctd-pool was made of")
    assert "`dmsetup table ctd-pool`" in hint
    assert captured.transaction_id is None
    assert captured.metadata is None
    assert captured.unread == ()


def test_snapshots_are_those_that_containerd_lists(captured) -> None:
    snapshots = [each for each in captured.objects if each.kind != "image"]
    by_key = {each.key: each for each in snapshots}
    kinds = {"container": "Active", "snapshot": "Committed"}
    listed = [
        [each.name, by_key[each.parent].name if each.parent else "", kinds[each.kind]]
        for each in sorted(snapshots, key=lambda each: each.name)
    ]
    assert listed == columns("snapshots.txt")
    assert all(each.uses == ((each.parent,) if each.parent else ()) for each in snapshots)
    assert {each.name for each in snapshots if each.is_collected} == {
        key for key, _, kind in columns("snapshots.txt") if kind == "Committed"
    }


def test_containers_are_those_that_containerd_lists(captured) -> None:
    containers = [each for each in captured.objects if each.kind == "container"]
    assert sorted(each.name for each in containers) == [row[0] for row in columns("containers.txt")]
    for each in containers:
        assert each.labels["io.kubernetes.pod.name"] == each.name
        assert each.labels["io.kubernetes.pod.namespace"] == "finance"
        assert each.labels["containerd.io/snapshot/devmapper/fstype"] == "ext4"
        full_key = each.key.removeprefix("snapshot/")
        aliases = (f"finance/{each.name}", f"finance/{each.name}/app", full_key)
        assert each.aliases == aliases
        assert re.fullmatch(rf"k8s\.io/\d+/{each.name}", full_key)
        # They were made by `ctr`: crictl does not know them.
        assert each.removal == (("ctr", "-n", "k8s.io", "containers", "rm", each.name),)
        assert each.created
        assert each.created.utcoffset() == timedelta(0)


def test_the_image_uses_its_top_layer(captured) -> None:
    (image,) = (each for each in captured.objects if each.kind == "image")
    (name,) = {row[1] for row in columns("containers.txt")}
    assert image.key == f"image/k8s.io/{name}"
    assert image.name == name
    assert len(image.aliases) == 1
    assert image.aliases[0].startswith("sha256:3fb2d9c6f4bc")
    assert image.removal == (("crictl", "rmi", name),)
    (top,) = image.uses
    assert {each.parent for each in captured.objects if each.kind == "container"} == {top}
    assert not image.is_collected


def test_devices_are_those_that_the_kernel_lists(captured) -> None:
    table = (CAPTURE / "answers/table.txt").read_text()
    active = {
        int(number): name
        for name, number in re.findall(r"^(\S+): .* thin \S+ (\d+)$", table, re.MULTILINE)
    }
    by_key = {each.key: each for each in captured.objects}
    assert {
        record.device: record.name
        for record in captured.records
        if by_key[record.object].kind == "container"
    } == active
    sizes = {record.virtual_bytes for record in captured.records}
    assert sizes == {512 * int(sectors) for sectors in re.findall(r"0 (\d+) thin ", table)}
    with thinscope.open(capture_path("containerd-b")) as pool:
        assert [record.device for record in captured.records] == list(pool.devices)
    for record in captured.records:
        assert record.name == f"ctd-pool-snap-{record.device}"
        assert record.where == f"ctd-pool.db: devices/{record.name}"
        assert (record.state, record.reason) == (State.IN_USE, None)
        assert record.transaction_id is None


def test_what_was_removed_is_nowhere(captured) -> None:
    assert b"billing-4" in (DATABASES / "meta.db").read_bytes()
    assert "billing-4" not in repr(captured)


def test_usage_is_what_containerd_says(captured) -> None:
    with thinscope.open(capture_path("containerd-b")) as pool:
        mapped = {number: each.mapped_bytes for number, each in pool.devices.items()}
    found = usage(captured, mapped)
    by_name = {each.name: found[each.key] for each in captured.objects if each.key in found}
    said = {key: size for key, size, _ in columns("usage.txt")}
    assert {
        key: f"{size / 2**20:.1f} MiB" if size else "0.0 B" for key, size in by_name.items()
    } == said
    # Without the pool, what is on record: the committed ones.
    assert set(usage(captured, {})) == {
        each.key for each in captured.objects if each.kind == "snapshot"
    }


# Where the databases lie


def placed(folder: Path, layout: dict[str, str], *only: str) -> Path:
    for name in only or FILES:
        (folder / layout.get(name, ".")).mkdir(parents=True, exist_ok=True)
        shutil.copy(DATABASES / name, folder / layout.get(name, ".") / name)
    return folder


def test_the_root_of_containerd(tmp_path, captured) -> None:
    root = placed(tmp_path, ROOT_LAYOUT)
    assert containerd.recognises(root)
    found = read(root)
    assert found.objects == captured.objects
    assert not found.unread
    where = "io.containerd.snapshotter.v1.devmapper/ctd-pool.db: devices/ctd-pool-snap-1"
    assert device(found, 1).where == where


def test_a_root_with_a_snapshotter_folder_of_another_name(tmp_path, captured) -> None:
    layout = dict.fromkeys(FILES, "devmapper") | {"meta.db": "io.containerd.metadata.v1.bolt"}
    root = placed(tmp_path, layout)
    other = root / "io.containerd.snapshotter.v1.overlayfs"
    other.mkdir()
    shutil.copy(DATABASES / "metadata.db", other)
    assert containerd.recognises(root)
    assert read(root).objects == captured.objects


def test_the_folder_of_the_snapshotter(tmp_path, captured) -> None:
    folder = placed(tmp_path, ROOT_LAYOUT) / "io.containerd.snapshotter.v1.devmapper"
    found = read(folder)
    assert found.objects == captured.objects
    assert not found.unread


def test_the_database_of_a_pool_with_the_others_beside_it(captured) -> None:
    file = DATABASES / "ctd-pool.db"
    assert containerd.recognises(file)
    found = read(file)
    assert (found.objects, found.records) == (captured.objects, captured.records)
    assert not found.unread


def test_the_database_of_a_pool_alone(tmp_path, captured) -> None:
    found = read(placed(tmp_path, {}, "ctd-pool.db") / "ctd-pool.db")
    gone = "no such file or directory"
    assert unread(found) == {
        "metadata.db": f"{gone}: only the names of devices are known",
        "../io.containerd.metadata.v1.bolt/meta.db": (
            f"{gone}: containers, images and labels are not known"
        ),
    }
    assert [record.device for record in found.records] == [1, 2, 3, 4, 5, 6, 7, 9]
    devices = {each.name: each.parent for each in found.objects}
    assert devices["ctd-pool-snap-1"] is None
    assert devices["ctd-pool-snap-9"] == "snapshot/ctd-pool-snap-4"
    assert {each.kind for each in found.objects} == {"snapshot"}
    assert not any(each.is_collected or each.removal for each in found.objects)
    by_device = {each.device: each.object for each in captured.records}
    assert len(by_device) == len(found.objects)


def test_without_what_clients_know(tmp_path, captured) -> None:
    found = read(placed(tmp_path, {}, "ctd-pool.db", "metadata.db"))
    assert len(found.unread) == 1
    assert {each.kind for each in found.objects} == {"snapshot"}
    old = {each.key: each for each in captured.objects}
    for each in found.objects:
        was = old[each.key]
        assert (each.name, each.parent, each.uses) == (was.name, was.parent, was.uses)
        assert (each.manager_usage_bytes, each.manager_base_bytes) == (
            was.manager_usage_bytes,
            was.manager_base_bytes,
        )
        assert not each.is_collected
        assert not each.removal


def test_without_snapshots(tmp_path) -> None:
    found = read(placed(tmp_path, {}, "ctd-pool.db", "meta.db"))
    assert list(unread(found)) == ["metadata.db"]
    assert {each.name for each in found.objects} == {record.name for record in found.records}


def test_a_copy_of_another_name(tmp_path, captured) -> None:
    placed(tmp_path, {})
    (tmp_path / "ctd-pool.db").rename(tmp_path / "saved copy.db")
    found = read(tmp_path)
    assert found.pool == "ctd-pool"
    assert found.objects == captured.objects


def test_no_database_of_a_pool(tmp_path) -> None:
    for only in (["meta.db"], ["metadata.db"], ["meta.db", "metadata.db"]):
        folder = placed(tmp_path / only[0] / str(len(only)), {}, *only)
        for path in (folder, folder / only[0]):
            assert containerd.recognises(path)
            with pytest.raises(NamesError, match=r"no <pool>\.db of containerd's") as caught:
                containerd.read(path)
            assert "metadata.db and meta.db" in (caught.value.hint or "")


def test_what_is_not_recognised(tmp_path) -> None:
    (tmp_path / "other.db").write_bytes(b"SQLite format 3\0" + bytes(5000))
    (tmp_path / "folder.db").mkdir()
    os.mkfifo(tmp_path / "pipe.db")
    assert not containerd.recognises(tmp_path)
    assert not containerd.recognises(tmp_path / "other.db")
    assert not containerd.recognises(tmp_path / "pipe.db")
    assert not containerd.recognises(tmp_path / "none")
    with pytest.raises(NamesError, match="not a bbolt database"):
        containerd.read(tmp_path / "other.db")
    with pytest.raises(NamesError, match="not a regular file"):
        containerd.read(tmp_path / "pipe.db")
    with pytest.raises(NamesError, match="no such file or directory"):
        containerd.read(tmp_path / "none.db")


def test_databases_of_other_programs_are_passed_over(tmp_path, captured) -> None:
    placed(tmp_path, {})
    (tmp_path / "history.db").write_bytes(File.of({b"_containers": {b"a": b"b"}}).data())
    assert read(tmp_path).objects == captured.objects
    (tmp_path / "metadata.db").write_bytes(File.of({b"other": {}}).data())
    why = "a database of another program: only the names of devices are known"
    assert unread(read(tmp_path)) == {"metadata.db": why}


# Hosts made up


def uvarint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def varint(number: int) -> bytes:
    return uvarint(number << 1 if number >= 0 else ~(number << 1))


def time(moment: datetime) -> bytes:
    since = moment - datetime(1, 1, 1, tzinfo=UTC)
    seconds = since.days * 86400 + since.seconds
    return struct.pack(">Bqih", 1, seconds, since.microseconds * 1000, -1)


def raw(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def labelled(labels: dict, **rest: bytes | dict) -> dict:
    found: dict = {key.encode(): value for key, value in rest.items()}
    if labels:
        found[b"labels"] = {raw(key): raw(value) for key, value in labels.items()}
    return found


NOW = datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)


@dataclass
class Host:
    """A host's databases, before they are written."""

    pool: str = "p"
    devices: dict[bytes, bytes] = field(default_factory=dict)
    ids: dict[bytes, bytes] = field(default_factory=dict)
    snapshots: dict = field(default_factory=dict)
    namespaces: dict = field(default_factory=dict)

    def device(self, number: int, parent: int | None = None, name: str = "", **fields) -> None:
        key = name or f"{self.pool}-snap-{number}"
        record = {
            "device_id": number,
            "size": 1 << 30,
            "name": key,
            "parent_name": f"{self.pool}-snap-{parent}" if parent else "",
            "state": 4,
            "error": "",
        }
        self.devices[key.encode()] = json.dumps(record | fields).encode()
        self.ids[str(number).encode()] = b"\x01"

    def snapshot(  # noqa: PLR0913 - what a snapshot has
        self,
        number: int,
        name: str | bytes,
        parent: bytes = b"",
        *,
        kind: int = 3,
        size: int | None = None,
        namespace: str = "ns",
        labels: dict | None = None,
        has_device: bool = True,
        has_client: bool = True,
    ) -> bytes:
        """Add a snapshot with its device, and return its full key."""
        key = f"{namespace}/{number}/".encode() + raw(name)
        record = {b"id": uvarint(number), b"kind": bytes([kind]), b"createdat": time(NOW)}
        if parent:
            record[b"parent"] = parent
        if size is not None:
            record[b"size"] = varint(size)
        self.snapshots[key] = record
        if has_device:
            above = self.snapshots[parent][b"id"][0] if parent in self.snapshots else None
            self.device(number, above)
        if has_client:
            below = self.of(namespace, "snapshots").setdefault(b"devmapper", {})
            below[raw(name)] = labelled(labels or {}, name=key)
        return key

    def container(
        self, name: str, snapshot: str, namespace: str = "ns", labels: dict | None = None
    ) -> None:
        self.of(namespace, "containers")[name.encode()] = labelled(
            labels or {}, snapshotter=b"devmapper", snapshotKey=snapshot.encode()
        )

    def image(
        self, name: str, digest: str, namespace: str = "ns", labels: dict | None = None
    ) -> None:
        target = {b"digest": digest.encode()}
        self.of(namespace, "images")[name.encode()] = labelled(labels or {}, target=target)

    def blob(self, digest: str, labels: dict, namespace: str = "ns") -> None:
        blobs = self.of(namespace, "content").setdefault(b"blob", {})
        blobs[digest.encode()] = labelled(labels)

    def of(self, namespace: str, kind: str) -> dict:
        return self.namespaces.setdefault(namespace.encode(), {}).setdefault(kind.encode(), {})

    def write(self, folder: Path) -> Path:
        pool = File.of({b"devices": self.devices, b"device_ids": self.ids})
        (folder / f"{self.pool}.db").write_bytes(pool.data())
        known = File.of({b"v1": {b"snapshots": self.snapshots, b"parents": {}}})
        (folder / "metadata.db").write_bytes(known.data())
        clients = File.of({b"v1": {b"version": b"\x06", **self.namespaces}})
        (folder / "meta.db").write_bytes(clients.data())
        return folder

    def read(self, folder: Path) -> names.Names:
        return read(self.write(folder))


@pytest.fixture
def host() -> Host:
    return Host()


# Devices


@pytest.mark.parametrize(
    ("number", "state", "reason"),
    [
        (0, State.CREATING, "containerd gave it an id, and had not begun to make it"),
        (1, State.CREATING, "containerd was making it"),
        *((number, State.IN_USE, None) for number in range(2, 11)),
        (11, State.REMOVING, "containerd was deleting it"),
        (12, State.REMOVED, "containerd had deleted it, and not yet its snapshot"),
        (13, State.FAULTY, "containerd failed to make or to delete it"),
        (14, State.IN_USE, None),
    ],
)
def test_states_of_devices(host, tmp_path, number, state, reason) -> None:
    host.snapshot(1, "a")
    host.device(1, state=number, error="" if reason is None else "exit status 1:\n device busy")
    found = host.read(tmp_path)
    record = device(found, 1)
    assert record.state is state
    assert record.reason == (reason and f"{reason}: exit status 1: device busy")
    assert record.object == "snapshot/ns/1/a"
    expected = {"p.db: devices/p-snap-1": "state 14 is none that containerd has"}
    assert unread(found) == (expected if number == 14 else {})


def test_devices_that_containerd_removes_later(host, tmp_path) -> None:
    host.snapshot(1, "a")
    host.device(2, state=12)
    found = host.read(tmp_path)
    record = device(found, 2)
    assert record.state is State.REMOVING
    assert record.reason == "its snapshot is gone, and containerd put off deleting it"
    (tmp_path / "metadata.db").unlink()
    found = read(tmp_path)
    record = device(found, 2)
    assert (record.state, record.object) == (State.REMOVING, None)
    assert record.reason == "containerd had deleted it, or put off deleting it"
    assert [each.name for each in found.objects] == ["p-snap-1"]


def test_devices_without_a_snapshot(host, tmp_path) -> None:
    host.snapshot(1, "a")
    host.device(2)
    record = device(host.read(tmp_path), 2)
    assert (record.state, record.object) == (State.UNUSED, None)
    assert record.reason == "containerd has the device on record, but no snapshot has it"


def test_ids_without_a_device(host, tmp_path) -> None:
    host.snapshot(1, "a")
    host.ids |= {b"1": b"\x01", b"5": b"\x00", b"10": b"\x01", b"7": b"\x02", b"8": b"\x03"}
    found = host.read(tmp_path)
    assert [record.device for record in found.records] == [1, 7, 10]
    faulty, taken = device(found, 7), device(found, 10)
    assert (faulty.state, faulty.where) == (State.UNCLEAR, "p.db: device_ids/7")
    assert faulty.reason == "containerd could not use its id, and marked it as faulty"
    assert (taken.state, taken.name) == (State.UNUSED, "")
    assert taken.reason == "its id is taken, but containerd has no device of it on record"


@pytest.mark.parametrize("key", [b"x", b"-1", b"007", b"16777216", b"9" * 500, b"\xff"])
@pytest.mark.parametrize("value", [b"\x01", b"", b"\x01\x01"])
def test_ids_that_are_none(host, tmp_path, key, value) -> None:
    host.snapshot(1, "a")
    host.ids[key] = value
    found = host.read(tmp_path)
    assert len(found.records) == 1
    assert [each.why for each in found.unread] == ["not an id and its state"]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b"{", "not JSON: expecting property name"),
        (b"\xff", "not JSON: 'utf-8' codec"),
        (b"[" * 100_000, "nested too deep"),
        (b"[]", "not a JSON object"),
        (b"{}", "its device_id is not a number from 0 to 16777215"),
        (b'{"device_id": true}', "its device_id is not a number from 0 to 16777215"),
        (b'{"device_id": 16777216}', "its device_id is not a number from 0 to 16777215"),
        (b'{"device_id": 1e400}', "its device_id is not a number from 0 to 16777215"),
        (b'{"device_id": ' + b"9" * 5000 + b"}", "not JSON: exceeds the limit"),
        (b'{"device_id": 1, "size": -1}', "its size is not a number"),
        (b'{"device_id": 1, "size": 1}', "its state is not a number"),
        (b'{"device_id": 1, "size": 1, "state": 4, "error": 5}', "its error is not text"),
    ],
    ids=range(12),
)
def test_records_that_are_none(host, tmp_path, value, why) -> None:
    host.snapshot(1, "a")
    host.devices[b"p-snap-2"] = value
    found = host.read(tmp_path)
    assert [record.device for record in found.records] == [1]
    (wrong,) = found.unread
    assert wrong.where == "p.db: devices/p-snap-2"
    assert wrong.why.startswith(why)


def test_two_devices_of_one_id(host, tmp_path) -> None:
    host.snapshot(2, "b")
    host.device(2, name="p-snap-1")
    found = host.read(tmp_path)
    assert device(found, 2).name == "p-snap-2"
    assert unread(found) == {"p.db: devices/p-snap-1": "device 2 is p-snap-2 already"}


# Snapshots


def test_two_pools_in_a_folder(host, tmp_path) -> None:
    base = host.snapshot(1, "base")
    host.snapshot(2, "here", base, kind=2)
    host.snapshot(3, "there", kind=2, has_device=False)
    host.write(tmp_path)
    other = Host(pool="q")
    other.device(1, name="q-snap-3")
    pages = File.of({b"devices": other.devices, b"device_ids": other.ids})
    (tmp_path / "q.db").write_bytes(pages.data())
    first, second = containerd.read(tmp_path)
    assert (first.pool, second.pool) == ("p", "q")
    assert {each.name for each in first.objects} == {"base", "here"}
    assert [each.name for each in second.objects] == ["there"]
    assert not first.unread
    assert not second.unread
    alone = read(tmp_path / "q.db")
    assert (alone.objects, alone.unread) == (second.objects, ())


def test_a_snapshot_whose_device_is_not_on_record(host, tmp_path) -> None:
    base = host.snapshot(1, "base", size=5)
    host.snapshot(2, "here", base, kind=2)
    del host.devices[b"p-snap-1"]
    found = host.read(tmp_path)
    assert [each.name for each in found.objects] == ["here"]
    assert found.objects[0].parent is None
    assert unread(found) == {
        "metadata.db: snapshots/ns/1/base": "no record of its device can be read"
    }
    # What the parent takes off is known from metadata.db alone, but the parent is no object.
    assert usage(found, {2: 100}) == {}


def test_usage(host, tmp_path) -> None:
    base = host.snapshot(1, "base", size=1000)
    top = host.snapshot(2, "top", base, size=1500)
    host.snapshot(3, "active", top, kind=2)
    host.snapshot(4, "view", top, kind=1)
    host.snapshot(5, "first", kind=2)
    found = host.read(tmp_path)
    said = usage(found, dict.fromkeys(range(9), 1400))
    by_name = {each.name: said.get(each.key) for each in found.objects}
    # The active one was trimmed: it maps less than its parent did.
    assert by_name == {"base": 1000, "top": 500, "active": -100, "view": -1500, "first": 1400}


def test_two_namespaces_with_one_key(host, tmp_path) -> None:
    host.snapshot(1, "same", kind=2, namespace="one")
    host.snapshot(2, "same", kind=2, namespace="two")
    host.snapshot(3, "other", kind=2, namespace="two")
    found = host.read(tmp_path)
    assert {each.key: (each.name, each.aliases) for each in found.objects} == {
        "snapshot/one/1/same": ("one/same", ("same", "one/1/same")),
        "snapshot/two/2/same": ("two/same", ("same", "two/2/same")),
        "snapshot/two/3/other": ("other", ("two/3/other",)),
    }


def test_containers_have_many_names(host, tmp_path) -> None:
    pod = {"io.kubernetes.pod.name": "pod", "io.kubernetes.pod.namespace": "space"}
    app = pod | {"io.kubernetes.container.name": "app", "io.cri-containerd.kind": "container"}
    sandbox = pod | {"io.cri-containerd.kind": "sandbox"}
    for number, (name, space, labels) in enumerate(
        [
            ("a1", "k8s.io", app),
            ("b2", "k8s.io", sandbox),
            ("c3", "default", {"nerdctl/name": "web"}),
        ]
    ):
        host.snapshot(number + 1, f"key-{name}", kind=2, namespace=space)
        host.container(name, f"key-{name}", space, labels)
    found = host.read(tmp_path)
    one, two, three = (named(found, f"key-{name}") for name in ("a1", "b2", "c3"))
    assert one.aliases == ("a1", "pod", "space/pod", "space/pod/app", "k8s.io/1/key-a1")
    assert two.aliases == ("b2", "pod", "space/pod", "k8s.io/2/key-b2")
    assert three.aliases == ("c3", "web", "default/3/key-c3")
    assert one.removal == (("crictl", "rm", "a1"),)
    assert two.removal == (("crictl", "rmp", "b2"),)
    assert three.removal == (("ctr", "-n", "default", "containers", "rm", "c3"),)


def test_two_containers_with_one_snapshot(host, tmp_path) -> None:
    host.snapshot(1, "shared", kind=2)
    host.container("a", "shared", labels={"l": "1"})
    host.container("b", "shared", labels={"m": "2"})
    one = named(host.read(tmp_path), "shared")
    assert one.aliases == ("a", "b", "ns/1/shared")
    assert one.labels == {"l": "1", "m": "2"}
    assert len(one.removal) == 2


def test_containers_of_other_snapshotters_and_namespaces(host, tmp_path) -> None:
    host.snapshot(1, "key", kind=2)
    host.container("a", "key", "other")
    host.container("b", "key")
    host.of("ns", "containers")[b"b"][b"snapshotter"] = b"overlayfs"
    assert named(host.read(tmp_path), "key").kind == "snapshot"


def test_names_with_escapes_and_bytes_that_are_no_text(host, tmp_path) -> None:
    host.snapshot(1, b"a\x1b[31m\n\xff/\xc3\xa9", kind=2, labels={b"\xfe": b"\xfd"})
    one = host.read(tmp_path).objects[0]
    assert one.name == "a\x1b[31m\n\udcff/é"
    assert one.name.encode("utf-8", "surrogateescape") == b"a\x1b[31m\n\xff/\xc3\xa9"
    assert one.key == f"snapshot/ns/1/{one.name}"
    assert one.labels == {"\udcfe": "\udcfd"}
    assert one.removal[0][-1] == one.name


def test_snapshots_come_with_their_time(host, tmp_path) -> None:
    host.snapshot(1, "a", kind=2)
    host.snapshot(2, "b", kind=2)
    host.of("ns", "snapshots")[b"devmapper"][b"b"][b"createdat"] = b"\x01 none"
    found = host.read(tmp_path)
    assert named(found, "a").created == NOW
    assert named(found, "b").created == NOW
    assert unread(found) == {"meta.db: ns/snapshots/b": "its createdat is no time"}


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        (b"kind", b"\x00", "its kind is none that containerd has"),
        (b"kind", b"", "its kind is none that containerd has"),
        (b"id", b"\x80", "its id is no number of 64 bits"),
        (b"id", b"\x01", "its id 1 is that of another snapshot, too"),
        (b"size", b"\xff", "its size is no number of 64 bits"),
        (b"createdat", b"\x09", "its createdat is no time"),
    ],
)
def test_snapshots_that_are_none(host, tmp_path, field, value, why) -> None:
    host.snapshot(1, "a", kind=2)
    bad = host.snapshot(2, "b", kind=2, has_client=False)
    host.snapshots[bad][field] = value
    found = host.read(tmp_path)
    assert [each.name for each in found.objects] == ["a"]
    assert unread(found)["metadata.db: snapshots/ns/2/b"] == why


@pytest.mark.parametrize("has_snapshots", [True, False])
def test_parents_in_a_circle(host, tmp_path, has_snapshots) -> None:
    one = host.snapshot(1, "a")
    two = host.snapshot(2, "b", one)
    host.snapshots[one][b"parent"] = two
    host.device(1, parent=2)
    host.snapshot(3, "c", two)
    host.write(tmp_path)
    if not has_snapshots:
        (tmp_path / "metadata.db").unlink()
    found = read(tmp_path)
    assert "comes from itself" in unread(found).values()
    parents = {each.key: each.parent for each in found.objects}
    way = list(parents)
    for _ in parents:
        way = [parents[key] for key in way if key]
    assert not any(way)


def test_snapshots_of_another_pool(host, tmp_path) -> None:
    base = host.snapshot(1, "base")
    for number in (2, 3, 4):
        host.snapshot(number, f"n{number}", base, kind=2)
        host.device(number, parent=None)
    found = host.read(tmp_path)
    assert {each.name for each in found.objects} == {f"p-snap-{number}" for number in (1, 2, 3, 4)}
    why = "made from another device than its snapshot: the copies are not of one time"
    assert unread(found)["p.db: devices/p-snap-2"] == why
    assert "metadata.db" in unread(found)


def test_one_snapshot_with_another_parent(host, tmp_path) -> None:
    base = host.snapshot(1, "base")
    for number in (2, 3, 4):
        host.snapshot(number, f"n{number}", base, kind=2)
    host.device(4, parent=None)
    found = host.read(tmp_path)
    assert len(found.objects) == 4
    assert list(unread(found)) == ["p.db: devices/p-snap-4"]


def test_snapshots_whose_parent_cannot_be_read(host, tmp_path) -> None:
    base = host.snapshot(1, "base")
    for number in (2, 3, 4):
        host.snapshot(number, f"n{number}", base, kind=2)
    host.snapshots[base][b"kind"] = b""
    found = host.read(tmp_path)
    assert {each.name for each in found.objects} == {"n2", "n3", "n4"}
    assert unread(found) == {
        "metadata.db: snapshots/ns/1/base": "its kind is none that containerd has",
        "meta.db: snapshots/ns/1/base": "no record of it can be read in metadata.db",
    }
    assert usage(found, {2: 1, 3: 1, 4: 1}) == {}
    # It may be that one's, so it is not called unused.
    record = device(found, 1)
    assert (record.state, record.object) == (State.IN_USE, None)


def test_clients_of_another_host(host, tmp_path) -> None:
    host.snapshot(1, "a", kind=2, has_client=False)
    host.container("a", "a")
    found = host.read(tmp_path)
    assert [each.kind for each in found.objects] == ["snapshot"]
    assert unread(found)["meta.db"].startswith("none of its snapshots is of this pool")


def test_clients_of_another_time(host, tmp_path) -> None:
    host.snapshot(1, "a", kind=2)
    gone = host.snapshot(2, "b", kind=2)
    del host.snapshots[gone]
    found = host.read(tmp_path)
    assert unread(found) == {
        "meta.db: snapshots/ns/2/b": "no record of it can be read in metadata.db"
    }
    assert device(found, 2).state is State.UNUSED


def test_namespaces_that_are_none(host, tmp_path) -> None:
    host.snapshot(1, "a", kind=2)
    host.of("n/s", "images")
    assert unread(host.read(tmp_path)) == {"meta.db: n/s": "not a namespace"}


def test_empty_databases(host, tmp_path) -> None:
    host.write(tmp_path)
    for name in ("metadata.db", "meta.db"):
        (tmp_path / name).write_bytes(File.of({}).data())
    found = read(tmp_path)
    assert (found.objects, found.records, found.unread) == ((), (), ())


# Garbage collection


def collected(found: names.Names) -> set[str]:
    return {each.name for each in found.objects if each.is_collected}


def test_what_garbage_collection_takes(host, tmp_path) -> None:
    base = host.snapshot(1, "layer of an image")
    host.snapshot(2, "committed, no image")
    host.snapshot(3, "active, no container", base, kind=2)
    host.snapshot(4, "of a container", base, kind=2)
    host.snapshot(5, "forgotten", base, kind=2, has_client=False)
    host.container("c", "of a container")
    host.image("i", "sha256:m")
    host.blob("sha256:m", {CHAIN: "layer of an image"})
    found = host.read(tmp_path)
    assert collected(found) == {
        "layer of an image",
        "committed, no image",
        "active, no container",
        "forgotten",
    }
    assert named(found, "i").uses == ("snapshot/ns/1/layer of an image",)
    assert not named(found, "forgotten").removal
    assert named(found, "active, no container").removal == (
        (
            "ctr",
            "-n",
            "ns",
            "snapshots",
            "--snapshotter",
            "devmapper",
            "rm",
            "active, no container",
        ),
    )


@pytest.mark.parametrize(
    "label",
    ["containerd.io/gc.root", "containerd.io/gc.bref.image", "containerd.io/gc.expire"],
)
def test_labels_of_its_own_keep_a_snapshot(host, tmp_path, label) -> None:
    host.snapshot(1, "kept", labels={label: "2024-01-01T00:00:00Z"})
    host.snapshot(2, "not")
    assert collected(host.read(tmp_path)) == {"not"}


def test_leases_keep_snapshots(host, tmp_path) -> None:
    for number, name in enumerate(("by itself", "by a blob", "by a blob of it", "not")):
        host.snapshot(number + 1, name)
    host.blob("sha256:a", {CHAIN: "by a blob", "containerd.io/gc.ref.content.0": "sha256:b"})
    host.blob("sha256:b", {f"{CHAIN}/1": "by a blob of it"})
    host.of("ns", "leases")[b"lease"] = {
        b"snapshots": {b"devmapper": {b"by itself": b""}, b"overlayfs": {b"not": b""}},
        b"content": {b"sha256:a": b""},
    }
    assert collected(host.read(tmp_path)) == {"not"}


def test_labels_of_others_keep_a_snapshot(host, tmp_path) -> None:
    for number, name in enumerate(
        ("of a root blob", "of a container", "of a sandbox", "of another")
    ):
        host.snapshot(number + 1, name)
    host.snapshot(5, "not", labels={CHAIN: "of another"})
    host.blob("sha256:a", {CHAIN: "of a root blob", "containerd.io/gc.root": "1"})
    host.container("c", "none", labels={CHAIN: "of a container"})
    host.of("ns", "sandboxes")[b"s"] = labelled({CHAIN: "of a sandbox"})
    assert collected(host.read(tmp_path)) == {"not"}


# Images


def test_an_image_of_several_platforms(host, tmp_path) -> None:
    host.snapshot(1, "amd64")
    host.snapshot(2, "arm64")
    host.image("multi", "sha256:index")
    host.blob(
        "sha256:index",
        {f"containerd.io/gc.ref.content.m.{number}": f"sha256:m{number}" for number in range(3)},
    )
    host.blob("sha256:m0", {CONFIG: "sha256:c0"})
    host.blob("sha256:m1", {CONFIG: "sha256:c1", "containerd.io/gc.ref.content.l.0": "sha256:l"})
    host.blob("sha256:c0", {CHAIN: "amd64"})
    host.blob("sha256:c1", {CHAIN: "arm64"})
    image = named(host.read(tmp_path), "multi")
    assert image.uses == ("snapshot/ns/1/amd64", "snapshot/ns/2/arm64")
    assert image.removal == (("ctr", "-n", "ns", "images", "rm", "multi"),)


def test_an_image_whose_own_label_points_at_its_snapshot(host, tmp_path) -> None:
    host.snapshot(1, "top")
    host.image("direct", "sha256:none", labels={CHAIN: "top"})
    assert named(host.read(tmp_path), "direct").uses == ("snapshot/ns/1/top",)


def test_images_that_have_no_snapshot_here_are_not_of_the_pool(host, tmp_path) -> None:
    host.snapshot(1, "top")
    host.image("elsewhere", "sha256:m")
    host.blob("sha256:m", {"containerd.io/gc.ref.snapshot.overlayfs": "top"})
    host.image("other namespace", "sha256:m", "other")
    host.blob("sha256:m", {CHAIN: "top"}, "other")
    host.image("longer name", "sha256:n")
    host.blob("sha256:n", {f"{CHAIN}2": "top", "containerd.io/gc.ref.contents": "sha256:m"})
    assert [each.kind for each in host.read(tmp_path).objects] == ["snapshot"]


def test_labels_in_circles(host, tmp_path) -> None:
    host.snapshot(1, "top")
    host.image("i", "sha256:a")
    host.blob("sha256:a", {"containerd.io/gc.ref.content": "sha256:b"})
    host.blob("sha256:b", {"containerd.io/gc.ref.content.x": "sha256:a", CHAIN: "top"})
    assert named(host.read(tmp_path), "i").uses == ("snapshot/ns/1/top",)


def test_labels_that_lead_too_far(host, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(collection, "_MOST_STEPS", 100)
    host.snapshot(1, "top", kind=2)
    host.container("c", "top")
    for number in range(50):
        host.image(f"i{number}", f"sha256:{number}")
        host.blob(f"sha256:{number}", {CONFIG: f"sha256:{number + 1}"})
    found = host.read(tmp_path)
    assert unread(found) == {"meta.db": "labels of blobs lead through more than 100 of them"}
    assert [each.kind for each in found.objects] == ["snapshot"]


def test_a_blob_with_many_labels_that_many_images_have(host, tmp_path, monkeypatch) -> None:
    host.snapshot(1, "top")
    host.blob("sha256:a", {f"{CHAIN}.{number}": "top" for number in range(9)})
    for number in range(10):
        host.image(f"i{number}", "sha256:a")
    for most, images in ((100, 10), (99, 0)):
        monkeypatch.setattr(collection, "_MOST_STEPS", most)
        kinds = [each.kind for each in host.read(tmp_path).objects]
        assert kinds.count("image") == images


def test_kubernetes_deletes_all_names_of_an_image(host, tmp_path) -> None:
    managed = {"io.cri-containerd.image": "managed"}
    repeated = ["reg/app@sha256:d", "sha256:config", "reg/app:2", "reg/app:1"]
    for space, labels in (("k8s.io", managed), ("default", {})):
        host.snapshot(1 if labels else 2, "top", namespace=space)
        host.blob("sha256:config", {CHAIN: "top"}, space)
        for name in repeated:
            host.image(name, "sha256:config", space, labels)
    host.image("by hand", "sha256:config", "k8s.io")
    found = host.read(tmp_path)
    images = {each.key: each for each in found.objects if each.kind == "image"}
    assert set(images) == {
        "image/k8s.io/reg/app:1",
        "image/k8s.io/by hand",
        *(f"image/default/{name}" for name in repeated),
    }
    one = images["image/k8s.io/reg/app:1"]
    assert one.name == "k8s.io/reg/app:1"  # the other namespace has a reg/app:1, too
    assert one.aliases == ("reg/app:1", "reg/app:2", "reg/app@sha256:d", "sha256:config")
    assert one.removal == (("crictl", "rmi", "reg/app:1"),)
    other = images["image/k8s.io/by hand"]
    assert other.removal == (("ctr", "-n", "k8s.io", "images", "rm", "by hand"),)


# Copies that are damaged, and databases that are written to


HINT = "the copy may be torn: copy it while containerd is stopped, or again"


def spoil(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for place in (0, 4096):
        data[place + 40] ^= 0xFF
    path.write_bytes(data)


def test_a_damaged_database_of_the_pool(tmp_path) -> None:
    placed(tmp_path, {})
    spoil(tmp_path / "ctd-pool.db")
    assert containerd.recognises(tmp_path)
    for path in (tmp_path, tmp_path / "ctd-pool.db"):
        with pytest.raises(NamesError) as caught:
            containerd.read(path)
        assert caught.value.hint == HINT
        assert caught.value.where == "page 0"
        assert caught.value.source == str(tmp_path / "ctd-pool.db")


def test_one_damaged_pool_of_two(tmp_path, captured) -> None:
    placed(tmp_path, {})
    shutil.copy(tmp_path / "ctd-pool.db", tmp_path / "another.db")
    spoil(tmp_path / "another.db")
    damaged, whole = containerd.read(tmp_path)
    assert whole.objects == captured.objects
    assert (damaged.pool, damaged.objects, damaged.records) == ("another", (), ())
    why = "has a wrong checksum, and the other meta page is not right either"
    assert unread(damaged) == {"another.db: page 0": why}


@pytest.mark.parametrize("name", ["metadata.db", "meta.db"])
def test_other_damaged_databases(tmp_path, name) -> None:
    placed(tmp_path, {})
    spoil(tmp_path / name)
    found = read(tmp_path)
    ((where, why),) = unread(found).items()
    assert where == f"{name}: page 0"
    assert why.startswith("has a wrong checksum")
    assert "known" in why
    assert len(found.records) == 8
    assert len(found.objects) == 8


def test_a_database_that_is_written_to(tmp_path, monkeypatch, captured) -> None:
    placed(tmp_path, {})
    path = tmp_path / "ctd-pool.db"
    now = path.read_bytes()
    times = []

    def changing(where: Path) -> bytes:
        data = where.read_bytes()
        if where == path:
            times.append(where)
            if len(times) <= late:
                data = data[:80] + b"x" + data[81:]
        return data

    monkeypatch.setattr(databases.files, "read", changing)
    late = 1
    assert read(tmp_path).objects == captured.objects
    assert len(times) == 2
    late = 9
    with pytest.raises(NamesError, match="wrote to it while it was read, each time") as caught:
        containerd.read(path)
    assert caught.value.hint == HINT
    assert path.read_bytes() == now


CONTENTS = {name: (DATABASES / name).read_bytes() for name in FILES}


@settings(
    max_examples=150,
    deadline=3000,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_whatever_the_bytes_are(tmp_path, data) -> None:
    for name in FILES:
        whole = bytearray(CONTENTS[name])
        pages = len(whole) // 4096
        for _ in range(data.draw(st.integers(0, 6))):
            # Most damage is at the beginnings of pages: headers, elements, first keys.
            page = data.draw(st.integers(0, pages - 1)) * 4096
            at = page + data.draw(st.one_of(st.integers(0, 200), st.integers(0, 4095)))
            whole[at] = data.draw(st.integers(0, 255))
        if data.draw(st.integers(0, 9)) == 0:
            del whole[data.draw(st.integers(0, len(whole))) :]
        (tmp_path / name).write_bytes(whole)
    recognised = containerd.recognises(tmp_path)
    try:
        found = read(tmp_path)
    except NamesError as error:
        assert "\n" not in str(error)  # noqa: PT017 - other errors are not expected
    else:
        assert recognised
        assert usage(found, dict.fromkeys(range(20), 1 << 20)) is not None


@settings(
    max_examples=100,
    deadline=3000,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_whatever_the_values_are(tmp_path, data) -> None:
    """Whole databases whose records hold anything."""
    host = Host()
    base = host.snapshot(1, "base", size=9)
    host.snapshot(2, "key", base, kind=2)
    host.container("c", "key")
    host.image("i", "sha256:a", labels={CHAIN: "base"})
    host.blob("sha256:a", {CHAIN: "base"})
    places = [host.devices, host.ids, host.snapshots, host.namespaces]

    def inner(tree: dict) -> dict:
        keys = sorted(key for key in tree if isinstance(tree[key], dict))
        if keys and data.draw(st.booleans()):
            return inner(tree[data.draw(st.sampled_from(keys))])
        return tree

    for _ in range(data.draw(st.integers(1, 4))):
        tree = inner(data.draw(st.sampled_from(places)))
        known = st.sampled_from(sorted(tree)) if tree else st.just(b"v")
        key = data.draw(st.one_of(known, st.binary(min_size=1, max_size=8)))
        tree[key] = data.draw(st.one_of(st.binary(max_size=20), st.just({})))
    found = host.read(tmp_path)
    usage(found, {1: 1, 2: 2})


def test_thousands_of_snapshots_take_little_time(host, tmp_path) -> None:
    layers = [
        host.snapshot(number, f"sha256:{number:064}", size=number) for number in range(1, 101)
    ]
    for number in range(101, 5001):
        name = f"{number:064x}"
        parent = layers[number % 100]
        pod = {
            "io.kubernetes.pod.name": f"pod-{number}",
            "io.kubernetes.pod.namespace": "space",
            "io.kubernetes.pod.uid": name,
        }
        host.snapshot(number, name, kind=2, namespace="k8s.io", labels={"l": name})
        host.snapshots[f"k8s.io/{number}/{name}".encode()] |= {
            b"parent": parent,
            b"labels": {b"containerd.io/snapshot/devmapper/fstype": b"ext4"},
        }
        host.device(number, parent=number % 100 + 1)
        host.container(name, name, "k8s.io", pod)
        host.of("k8s.io", "containers")[name.encode()][b"spec"] = bytes(3000)
    host.write(tmp_path)
    # In a process of its own: what other tests keep in memory would count.
    program = """
import sys, time
from pathlib import Path
from thinscope.names import containerd
began = time.process_time()
(found,) = containerd.read(Path(sys.argv[1]))
print(time.process_time() - began, len(found.objects), len(found.records), len(found.unread))
"""
    ran = subprocess.run(
        [sys.executable, "-c", program, tmp_path], capture_output=True, check=True, text=True
    )
    took, *counts = ran.stdout.split()
    assert counts == ["5000", "5000", "0"]
    assert float(took) < 2
