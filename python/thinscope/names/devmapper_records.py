"""The device records of the graph driver ``devicemapper``, which Docker and Podman share.

A device is on record under a hash. Making or deleting one is a transaction: the driver writes
id, hash and the transaction id that the pool is to have into ``transaction-metadata``, then it
asks the kernel, then it writes or removes the record, and at last it sets the pool's transaction
id. So the kernel stamps a device with one less than its record has, and a pool that is one behind
``Names.transaction_id`` has a transaction that was not finished; the driver undoes that when it
starts, whatever it was. What the records alone say of the last transaction:

- its device has a record of the same transaction: it was made. If the pool is one behind, it is
  still to be deleted again; it is the device whose ``Record.transaction_id`` the pool has.
- its device has an older record: it was to be deleted, and that broke off or was refused.
- its device has no record: it was deleted, as most often, or it was about to be made, and then
  the pool may have it. As ids and transaction ids of the two differ, a record of `State.CREATING`
  tells them apart: the pool has it, with that transaction id, only if it was about to be made.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from thinscope.names import files
from thinscope.names.fields import natural
from thinscope.names.model import MAX_DEVICE, Record, State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from thinscope.names.folder import Folder

__all__ = ["BASE", "RECORDS", "TABLE", "Devices", "Owner", "read"]

RECORDS = "devicemapper/metadata"
TABLE = "devicemapper/devicemapper/json"
"""The one table of all devices that the first versions kept."""

BASE = "base"
"""What the empty hash is called: the device that all others begin as snapshots of."""

_DEVICE_SET = "deviceset-metadata"
_TRANSACTION = "transaction-metadata"
_MOST = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a hash is.

    Attributes:
        object: The key of the object, or None.
        part: Which of its devices it is.
        state: What that makes of the device.
        reason: Why the state is not `State.IN_USE`.
    """

    object: str | None = None
    part: str = ""
    state: State = State.IN_USE
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A device on record.

    Attributes:
        hash: What it is on record as.
        device: Its id.
        where: The record.
        virtual_bytes: Its size, if that can be read.
        transaction_id: The transaction that made it, if that can be read.
        is_deleted: Whether it is to be deleted as soon as nothing has it open.
    """

    hash: str
    device: int
    where: str
    virtual_bytes: int | None
    transaction_id: int | None
    is_deleted: bool


@dataclass(frozen=True, slots=True)
class Devices:
    """The devices on record.

    Attributes:
        entries: By hash.
        last: The device of the last transaction, with that transaction, or None.
    """

    entries: Mapping[str, Entry]
    last: Entry | None

    @property
    def transaction_id(self) -> int | None:
        """The transaction id of the pool, or one more where a transaction was not finished."""
        return self.last.transaction_id if self.last else None

    def records(self, owners: Mapping[str, Owner], nobody: Owner) -> tuple[Record, ...]:
        """Return the records, given whose each hash is, and what others are."""
        found = [self._record(entry, owners, nobody) for entry in self.entries.values()]
        on_record = {entry.device for entry in self.entries.values()}
        last = self.last
        if last and last.hash not in self.entries and last.device not in on_record:
            found.append(self._record(last, owners, nobody))
        return tuple(sorted(found, key=lambda record: (record.device, record.where)))

    def _record(self, entry: Entry, owners: Mapping[str, Owner], nobody: Owner) -> Record:
        owner = owners.get(entry.hash, nobody)
        state, reason = self._doubt(entry) or (owner.state, owner.reason)
        # Zero is what Go makes of a field that is not there.
        made = entry.transaction_id - 1 if entry.transaction_id else None
        return Record(
            device=entry.device,
            where=entry.where,
            object=owner.object,
            part=owner.part,
            name=entry.hash,
            state=state,
            reason=reason,
            transaction_id=made,
            virtual_bytes=entry.virtual_bytes,
        )

    def _doubt(self, entry: Entry) -> tuple[State, str] | None:
        if entry is self.last:
            return State.CREATING, "the last transaction was about to make it, or has deleted it"
        if entry.is_deleted:
            return State.REMOVING, "its deletion was deferred"
        last = self.last
        is_of_last = last and (last.hash, last.device) == (entry.hash, entry.device)
        if is_of_last and (entry.transaction_id or 0) < (self.transaction_id or 0):
            return State.REMOVING, "the last transaction was about to delete it"
        return None


def read(folder: Folder) -> Devices:
    """Read all device records.

    Raises:
        NamesError: The folder that they are in cannot be read.
    """
    entries: dict[str, Entry] = {}
    for path in files.entries(folder.root / RECORDS):
        name, where = path.name, f"{RECORDS}/{path.name}"
        if name.startswith(".") or name.endswith(".migrated"):
            continue
        if name in {_DEVICE_SET, _TRANSACTION}:
            continue
        data = folder.mapping(where)
        if data is not None:
            _keep(entries, folder, name, data, where)
    table = folder.mapping(TABLE, files.LIMIT, optional=True) or {}
    devices = table.get("Devices") if table else {}
    if not isinstance(devices, dict):
        folder.tell(TABLE, "without a table `Devices`")
        devices = {}
    for hash_, data in devices.items():
        name = hash_ or BASE
        if name not in entries:
            _keep(entries, folder, name, data, f"{TABLE}: {name}")
    folder.mapping(f"{RECORDS}/{_DEVICE_SET}", optional=True)
    _tell_repeated(folder, entries)
    return Devices(entries, _last(folder))


def _keep(entries: dict[str, Entry], folder: Folder, name: str, data: object, where: str) -> None:
    if entry := _entry(folder, name, data, where):
        entries[name] = entry


def _entry(folder: Folder, hash_: str, data: object, where: str) -> Entry | None:
    if not isinstance(data, dict):
        folder.tell(where, "not a JSON object")
        return None
    device = natural(data.get("device_id"), MAX_DEVICE)
    if device is None:
        folder.tell(where, f"its device id is not a number from 0 to {MAX_DEVICE}")
        return None
    for field in ("size", "transaction_id"):
        if field in data and natural(data[field], _MOST) is None:
            folder.tell(where, f"its `{field}` is not a number of 64 bits")
    return Entry(
        hash=hash_,
        device=device,
        where=where,
        virtual_bytes=natural(data.get("size"), _MOST),
        transaction_id=natural(data.get("transaction_id"), _MOST),
        is_deleted=data.get("deleted") is True,
    )


def _tell_repeated(folder: Folder, entries: Mapping[str, Entry]) -> None:
    """Tell of ids on record twice; whose the device is, its transaction id tells."""
    by_device: dict[int, list[Entry]] = defaultdict(list)
    for entry in entries.values():
        by_device[entry.device].append(entry)
    for device, [*found] in by_device.items():
        found.sort(key=lambda entry: entry.transaction_id or 0)
        for older in found[:-1]:
            folder.tell(older.where, f"device {device} is on record as {found[-1].hash}, too")


def _last(folder: Folder) -> Entry | None:
    where = f"{RECORDS}/{_TRANSACTION}"
    data = folder.mapping(where, optional=True)
    if data is None:
        return None
    transaction_id = natural(data.get("open_transaction_id"), _MOST)
    device = natural(data.get("device_id"), MAX_DEVICE)
    hash_ = data.get("device_hash")
    if not transaction_id or device is None or not isinstance(hash_, str):
        folder.tell(where, "without a transaction id, a device id and a hash")
        return None
    return Entry(hash_ or BASE, device, where, None, transaction_id, is_deleted=False)
