"""What containerd's three databases say, each for itself.

``<pool>.db`` has the devices and the ids that are taken, ``metadata.db`` the snapshots, and
``meta.db`` what clients see: snapshots by their own keys, containers, images and labels of blobs.

Text that is no UTF-8 is kept, as Python keeps file names: with surrogates in place of bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from thinscope.errors import NamesError
from thinscope.formats import golang
from thinscope.names import files
from thinscope.names.model import MAX_DEVICE, Unread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from thinscope.formats.bbolt import Bucket, Database

__all__ = [
    "ACTIVE",
    "COMMITTED",
    "SNAPSHOTTER",
    "Clients",
    "Container",
    "Device",
    "Image",
    "Pool",
    "Reference",
    "Snapshot",
    "Snapshots",
    "clients",
    "pool",
    "snapshots",
]

SNAPSHOTTER = "devmapper"
"""What containerd calls the snapshotter, in ``meta.db`` and in labels."""

VIEW, ACTIVE, COMMITTED = 1, 2, 3
"""Kinds of snapshots."""

MAX_SIZE = (1 << 63) - 1

_Value = TypeVar("_Value")

_ID = re.compile(rb"0|[1-9][0-9]{0,7}")


@dataclass(frozen=True, slots=True)
class Device:
    """A device of ``<pool>.db``: the JSON's fields under their own names, the key as ``name``."""

    name: str
    device_id: int
    size: int
    parent_name: str
    state: int
    error: str


@dataclass(frozen=True, slots=True)
class Pool:
    """What ``<pool>.db`` says: devices by name, and what each id is marked as."""

    devices: dict[str, Device] = field(default_factory=dict)
    ids: dict[int, int] = field(default_factory=dict)
    unread: list[Unread] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot of ``metadata.db``; ``size`` is that of its device as it was committed."""

    key: str
    number: int
    kind: int
    parent: str
    size: int
    labels: dict[str, str]
    created: datetime | None


@dataclass(frozen=True, slots=True)
class Snapshots:
    """What ``metadata.db`` says: snapshots by key, which is ``<namespace>/<number>/<name>``."""

    by_key: dict[str, Snapshot] = field(default_factory=dict)
    unread: list[Unread] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Reference:
    """A snapshot of ``meta.db``: the key that clients know, and the one of ``metadata.db``."""

    namespace: str
    name: str
    key: str
    labels: dict[str, str]
    created: datetime | None


@dataclass(frozen=True, slots=True)
class Container:
    """A container of ``meta.db`` whose snapshot is of this snapshotter."""

    namespace: str
    identifier: str
    snapshot: str
    labels: dict[str, str]
    created: datetime | None


@dataclass(frozen=True, slots=True)
class Image:
    """An image of ``meta.db``: a name for a blob."""

    namespace: str
    name: str
    target: str
    labels: dict[str, str]
    created: datetime | None


@dataclass(frozen=True, slots=True)
class Clients:
    """What ``meta.db`` says.

    Attributes:
        references: Snapshots, by their key in ``metadata.db``.
        containers: Containers.
        images: Images.
        blobs: Labels of blobs, by namespace and digest.
        leased: Namespaces, and the snapshots (True) or blobs (False) that leases hold.
        pointing: Namespaces, and labels of what holds what they point at by itself.
        unread: What could not be read.
    """

    references: dict[str, Reference] = field(default_factory=dict)
    containers: list[Container] = field(default_factory=list)
    images: list[Image] = field(default_factory=list)
    blobs: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    leased: list[tuple[str, bool, str]] = field(default_factory=list)
    pointing: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)


def pool(database: Database, path: Path, where: str) -> Pool | None:
    """Read ``<pool>.db``; None where the database is of another program."""
    devices, ids = database.root.bucket(b"devices"), database.root.bucket(b"device_ids")
    if devices is None or ids is None:
        return None
    found = Pool()
    for key, value in devices.items():
        name = _text(key)
        try:
            found.devices[name] = _device(name, files.json_of(value, path))
        except (NamesError, ValueError) as error:
            why = error.message if isinstance(error, NamesError) else str(error)
            found.unread.append(Unread(where=f"{where}: devices/{name}", why=why))
    for key, value in ids.items():
        number = int(key) if _ID.fullmatch(key) else MAX_DEVICE + 1
        if number <= MAX_DEVICE and len(value) == 1:
            found.ids[number] = value[0]
        else:
            place = f"{where}: device_ids/{_text(key)}"
            found.unread.append(Unread(where=place, why="not an id and its state"))
    return found


def _device(name: str, record: object) -> Device:
    if not isinstance(record, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - what a file says is no type error
    return Device(
        name=name,
        device_id=_whole(record, "device_id", MAX_DEVICE),
        size=_whole(record, "size", MAX_SIZE),
        parent_name=_word(record, "parent_name"),
        state=_whole(record, "state", MAX_SIZE),
        error=_word(record, "error"),
    )


def _whole(record: dict[str, object], name: str, most: int) -> int:
    value = record.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise ValueError(f"its {name} is not a number from 0 to {most}")
    return value


def _word(record: dict[str, object], name: str) -> str:
    value = record.get(name, "")
    if not isinstance(value, str):
        raise ValueError(f"its {name} is not text")  # noqa: TRY004 - as above
    return value


def snapshots(database: Database, where: str) -> Snapshots | None:
    """Read ``metadata.db``; None where the database is of another program."""
    found = Snapshots()
    version = database.root.bucket(b"v1")
    if version is None:
        return None if any(True for _ in database.root) else found
    numbers: dict[int, str] = {}
    for key, bucket in _buckets(version.bucket(b"snapshots")):
        name = _text(key)
        try:
            snapshot = _snapshot(name, bucket)
            other = numbers.setdefault(snapshot.number, name)
            if other != name:
                raise ValueError(f"its id {snapshot.number} is that of another snapshot, too")  # noqa: TRY301
            found.by_key[name] = snapshot
        except ValueError as error:
            place = f"{where}: snapshots/{name}"
            found.unread.append(Unread(where=place, why=str(error)))
    return found


def _snapshot(name: str, bucket: Bucket) -> Snapshot:
    kind = bucket.get(b"kind") or b""
    if len(kind) != 1 or not VIEW <= kind[0] <= COMMITTED:
        raise ValueError("its kind is none that containerd has")
    size = bucket.get(b"size")
    return Snapshot(
        key=name,
        number=_value(bucket, b"id", golang.uvarint),
        kind=kind[0],
        parent=_text(bucket.get(b"parent") or b""),
        size=_value(bucket, b"size", golang.varint) if size else 0,
        labels=_labels(bucket),
        created=_created(bucket),
    )


def clients(database: Database, where: str) -> Clients | None:
    """Read ``meta.db``; None where the database is of another program."""
    found = Clients()
    version = database.root.bucket(b"v1")
    if version is None:
        return None if any(True for _ in database.root) else found
    for key, bucket in version.buckets():
        if b"/" in key:  # it separates namespaces from names, also in keys of objects
            found.unread.append(Unread(where=f"{where}: {_text(key)}", why="not a namespace"))
        else:
            _Namespace(_text(key), bucket, found, where).read()
    return found


class _Namespace:
    """A bucket of ``meta.db`` with all that one namespace has."""

    def __init__(self, name: str, bucket: Bucket, found: Clients, where: str) -> None:
        self._name = name
        self._bucket = bucket
        self._found = found
        self._where = where

    def read(self) -> None:
        """Add all to what was found."""
        self._snapshots()
        self._containers()
        self._images()
        for digest, blob in self._each(b"content", b"blob"):
            self._found.blobs[self._name, digest] = _labels(blob)
        for _, sandbox in self._each(b"sandboxes"):
            self._found.pointing.append((self._name, _labels(sandbox)))
        for _, lease in self._each(b"leases"):
            self._lease(lease)

    def _snapshots(self) -> None:
        for name, record in self._each(b"snapshots", SNAPSHOTTER.encode()):
            created = self._created("snapshots", name, record)
            key = _text(record.get(b"name") or b"")
            reference = Reference(self._name, name, key, _labels(record), created)
            self._found.references[key] = reference

    def _containers(self) -> None:
        for name, record in self._each(b"containers"):
            labels = _labels(record)
            self._found.pointing.append((self._name, labels))
            if record.get(b"snapshotter") == SNAPSHOTTER.encode():
                created = self._created("containers", name, record)
                snapshot = _text(record.get(b"snapshotKey") or b"")
                container = Container(self._name, name, snapshot, labels, created)
                self._found.containers.append(container)

    def _images(self) -> None:
        for name, record in self._each(b"images"):
            created = self._created("images", name, record)
            target = record.bucket(b"target")
            digest = _text((target and target.get(b"digest")) or b"")
            image = Image(self._name, name, digest, _labels(record), created)
            self._found.images.append(image)

    def _lease(self, lease: Bucket) -> None:
        """Take what a lease holds, though it may have run out: when the copy was made is not known."""
        leased = self._found.leased
        leased += ((self._name, False, _text(key)) for key, _ in lease.bucket(b"content") or ())
        held = lease.bucket(b"snapshots")
        held = held and held.bucket(SNAPSHOTTER.encode())
        leased += ((self._name, True, _text(key)) for key, _ in held or ())

    def _each(self, *way: bytes) -> Iterator[tuple[str, Bucket]]:
        bucket: Bucket | None = self._bucket
        for step in way:
            bucket = bucket and bucket.bucket(step)
        return ((_text(key), value) for key, value in _buckets(bucket))

    def _created(self, kind: str, name: str, record: Bucket) -> datetime | None:
        try:
            return _created(record)
        except ValueError as error:
            place = f"{self._where}: {self._name}/{kind}/{name}"
            self._found.unread.append(Unread(where=place, why=str(error)))
            return None


def _buckets(bucket: Bucket | None) -> Iterator[tuple[bytes, Bucket]]:
    return bucket.buckets() if bucket is not None else iter(())


def _labels(bucket: Bucket) -> dict[str, str]:
    labels = bucket.bucket(b"labels")
    return {_text(key): _text(value) for key, value in labels.items()} if labels else {}


def _created(bucket: Bucket) -> datetime | None:
    return _value(bucket, b"createdat", golang.time) if bucket.get(b"createdat") else None


def _value(bucket: Bucket, key: bytes, decode: Callable[[bytes], _Value]) -> _Value:
    try:
        return decode(bucket.get(key) or b"")
    except ValueError as error:
        raise ValueError(f"its {_text(key)} is {error}") from error


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
