"""The devices of a pool's database, and what containerd makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thinscope.names.model import Record, State, Unread

if TYPE_CHECKING:
    from collections.abc import Mapping

    from thinscope.names.containerd.tables import Device, Pool

__all__ = ["is_expected", "records"]

_REMOVED = 12
_FAULTY = 13

_STATES: Mapping[int, tuple[State, str]] = {
    0: (State.CREATING, "containerd gave it an id, and had not begun to make it"),
    1: (State.CREATING, "containerd was making it"),
    11: (State.REMOVING, "containerd was deleting it"),
    _REMOVED: (State.REMOVED, "containerd had deleted it, and not yet its snapshot"),
    _FAULTY: (State.FAULTY, "containerd failed to make or to delete it"),
}
"""The states of which a device need not be in the pool, by their numbers; `_PUT_OFF` is one more."""

_PUT_OFF = (State.REMOVING, "its snapshot is gone, and containerd put off deleting it")
_GONE_OR_PUT_OFF = (State.REMOVING, "containerd had deleted it, or put off deleting it")
"""With ``async_remove``, containerd marks a device as removed with its snapshot, and deletes it after
the next garbage collection. Without, the snapshot stays until the device is gone."""

_EXISTS = "file exists"
_FOREIGN = (State.UNCLEAR, "the pool had a device of its id before, which is not containerd's")
"""What the kernel answers where the id that containerd chose is taken, and so what it says of the id."""

_ID_TAKEN, _ID_FAULTY = 1, 2

_ID_STATES: Mapping[int, tuple[State, str]] = {
    _ID_TAKEN: (State.UNUSED, "its id is taken, but containerd has no device of it on record"),
    _ID_FAULTY: (State.UNCLEAR, "containerd could not use its id, and marked it as faulty"),
}

_NO_SNAPSHOT = "containerd has the device on record, but no snapshot has it"


def is_expected(device: Device) -> bool:
    """Say whether the pool should have a device."""
    return device.state not in _STATES


def records(
    pool: Pool, owners: Mapping[str, str], where: str, *, has_snapshots: bool
) -> tuple[tuple[Record, ...], list[Unread]]:
    """Return the records of a pool's database, and what is wrong with them.

    Args:
        pool: What the database says.
        owners: Keys of the objects that have devices, by the devices' names.
        where: What the database is called.
        has_snapshots: Whether all snapshots are known.
    """
    found: dict[int, Record] = {}
    unread: list[Unread] = []
    # A device that something has comes before one that nothing has.
    for device in sorted(pool.devices.values(), key=lambda each: each.name not in owners):
        place = f"{where}: devices/{device.name}"
        if device.state > _FAULTY:
            why = f"state {device.state} is none that containerd has"
            unread.append(Unread(where=place, why=why))
        owner = owners.get(device.name)
        state, reason = _state(device, owner, has_snapshots=has_snapshots)
        record = Record(
            device=device.device_id,
            where=place,
            object=owner,
            name=device.name,
            state=state,
            reason=reason,
            virtual_bytes=device.size,
        )
        other = found.setdefault(record.device, record)
        if other is not record:
            why = f"device {record.device} is {other.name} already"
            unread.append(Unread(where=place, why=why))
    for number, marked in pool.ids.items():
        if number not in found and marked in _ID_STATES:
            state, reason = _ID_STATES[marked]
            place = f"{where}: device_ids/{number}"
            found[number] = Record(device=number, where=place, state=state, reason=reason)
    return tuple(found[number] for number in sorted(found)), unread


def _state(device: Device, owner: str | None, *, has_snapshots: bool) -> tuple[State, str | None]:
    if is_expected(device):
        if owner is None and has_snapshots:
            return State.UNUSED, _NO_SNAPSHOT
        return State.IN_USE, None
    state, reason = _STATES[device.state]
    if device.state == _REMOVED and owner is None:
        state, reason = _PUT_OFF if has_snapshots else _GONE_OR_PUT_OFF
    error = " ".join(device.error.split())
    if device.state == _FAULTY and error == _EXISTS:
        state, reason = _FOREIGN
    return state, f"{reason}: {error}" if error else reason
