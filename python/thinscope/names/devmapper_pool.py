"""The records of a pool of the graph driver ``devicemapper``, joined with what has the devices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from thinscope.names.devmapper_records import BASE, RECORDS, Owner, read
from thinscope.names.folder import Folder, is_file
from thinscope.names.model import Names, Object, State

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Owners", "Place", "place"]

BASE_OBJECT = Object(key=BASE, kind="base", name=BASE, is_kept=True)
"""What all others begin as snapshots of."""


class Owners:
    """Whose the devices on record are, as far as that has been read.

    Attributes:
        folder: Where it is read.
        devices: The devices on record.
        objects: The objects, by key.
    """

    def __init__(self, folder: Folder) -> None:
        """Read the device records, of which the base belongs to itself."""
        self.folder = folder
        self.devices = read(folder)
        self.objects: dict[str, Object] = {BASE: BASE_OBJECT}
        self._owners: dict[str, Owner] = {BASE: Owner(BASE)}
        self._gaps = folder.gaps

    def add(self, *objects: Object) -> None:
        """Add objects."""
        self.objects |= {object_.key: object_ for object_ in objects}

    def own(self, hash_: str | None, owner: Owner, where: str) -> None:
        """Say whose a hash is, by what record."""
        if hash_ is None:
            return
        if hash_ in self._owners:
            self.folder.tell(where, f"the device {hash_[:12]} is another's already", is_gap=False)
            return
        self._owners[hash_] = owner

    def names(self, manager: str, thin_pool: str, nobody: Owner) -> Names:
        """Return all that was read, given what a device is that has no owner."""
        folder, owners = self.folder, self._owners
        if folder.gaps > self._gaps:
            # What could not be read may have what nothing else has.
            nobody = _unless_unused(nobody)
            owners = {hash_: _unless_unused(owner) for hash_, owner in owners.items()}
        for hash_, owner in owners.items():
            where = f"{RECORDS}/{hash_}"
            if hash_ in self.devices.entries or folder.has_told(where):
                continue
            part = f" ({owner.part})" if owner.part else ""
            folder.tell(where, f"not there, but {owner.object}{part} has it")
        found = place(folder, thin_pool)
        return Names(
            manager=manager,
            source=folder.root,
            pool=found.pool,
            mode=found.mode,
            transaction_id=self.devices.transaction_id,
            # An open transaction, or one that broke off, leaves no other trace in the records.
            is_pending=True,
            objects=tuple(self.objects.values()),
            records=self.devices.records(owners, nobody),
            unread=folder.unread,
            metadata=found.metadata,
            hint=found.hint,
        )


def _unless_unused(owner: Owner) -> Owner:
    return Owner(owner.object, owner.part) if owner.state is State.UNUSED else owner


@dataclass(frozen=True, slots=True)
class Place:
    """Where the driver keeps the pool.

    Attributes:
        mode: ``loop-lvm``, ``direct-lvm``, or empty where the folder does not tell.
        pool: The pool's name, or empty where the folder does not tell.
        metadata: The file that holds the pool's metadata, or None.
        hint: Where the pool's metadata is, in words, or None.
    """

    mode: str
    pool: str
    metadata: Path | None
    hint: str | None


def place(folder: Folder, thin_pool: str) -> Place:
    """Tell where the pool is, given what the driver calls a pool that it sets up with LVM.

    A pool that others set up (``dm.thinpooldev``) leaves no trace in the folder, nor does a copy
    of the folder without the loop files tell what they were.
    """
    device = f"/dev/mapper/{thin_pool}_tmeta"
    setup = folder.mapping("devicemapper/setup-config.json", optional=True) or {}
    # The driver never takes up loop files after LVM, but makes them when started without options.
    if setup.get("Device"):
        return Place("direct-lvm", thin_pool, None, f"it was set up as {device}")
    loop = "devicemapper/devicemapper/metadata"
    if is_file(folder.root / loop, folder.root):
        return Place("loop-lvm", "", folder.root / loop, None)
    return Place("", "", None, f"it is often {device}, or {loop} in what this is a copy of")
