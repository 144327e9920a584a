"""A thin pool of LVM and its volumes, whichever record they are read from."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from thinscope.names.fields import operand
from thinscope.names.ledger import Ledger, not_a_device, whole
from thinscope.names.model import MAX_DEVICE, Names, Object, Record, State, Unread, Upkeep

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime
    from pathlib import Path

__all__ = [
    "REMOVED",
    "Pool",
    "Volume",
    "dm_name",
    "find_readers",
    "from_dm_name",
    "name_key",
    "names_of",
]

_GUEST = re.compile(r"(?:snap_)?(?:vm|base)-([0-9]+)-(?:disk-|state-|cloudinit)")
"""The volumes of a guest of Proxmox VE."""

REMOVED = "-"
"""What LVM puts before the name of an origin that is in its history only."""

_PART = re.compile(r"(?:[^-]|--)+")
"""A part of a name of the device mapper: its own dashes are doubled."""


@dataclass(slots=True, kw_only=True)
class Volume:
    """A thin volume.

    Attributes:
        name: Its name in the volume group.
        device: Its device id, as it is recorded.
        where: Where that stands.
        uuid: Its uuid, or an empty string.
        transaction_id: The pool's transaction id before the volume was made, or None.
        virtual_bytes: Its size, or None.
        origin: The volume of the pool that it is a snapshot of, or None.
        external: The volume that is read where it maps nothing, or None.
        merging_into: The volume whose content it is to become, or None.
        created: When it was made, or None.
        tags: LVM's tags.
        labels: What else is known of it.
        is_queued: Whether the pool may not have it yet.
    """

    name: str
    device: object
    where: str
    uuid: str = ""
    transaction_id: int | None = None
    virtual_bytes: int | None = None
    origin: str | None = None
    external: str | None = None
    merging_into: str | None = None
    created: datetime | None = None
    tags: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    is_queued: bool = False


@dataclass(slots=True, kw_only=True)
class Pool:
    """A thin pool.

    Attributes:
        group: Its volume group.
        name: Its name there.
        transaction_id: What the kernel's transaction id should be, or None.
        block_bytes: Bytes in a block, or None.
        metadata: The volume that holds its metadata, or None.
        volumes: Its volumes.
        readers: Volumes of other pools that read a volume of this one where they map nothing, by
            the name of what they read.
        deletions: Device ids whose deletion is queued, and where that stands.
        unread: What could not be read.
        is_pending: Whether messages to the kernel are queued.
        is_complete: Whether all its volumes are on record.
        upkeep: How it is run, and how it can grow.
    """

    group: str
    name: str
    transaction_id: int | None = None
    block_bytes: int | None = None
    metadata: str | None = None
    volumes: list[Volume] = field(default_factory=list)
    readers: dict[str, list[str]] = field(default_factory=dict)
    deletions: list[tuple[object, str]] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    is_pending: bool = False
    is_complete: bool = True
    upkeep: Upkeep = field(default_factory=Upkeep)


def dm_name(group: str, volume: str) -> str:
    """Return the device mapper's name of a volume."""
    return "-".join(part.replace("-", "--") for part in (group, volume))


def from_dm_name(name: str) -> tuple[str, ...]:
    """Return the parts of a name of the device mapper: group, volume, and a layer if there is one."""
    return tuple(part.replace("--", "-") for part in _PART.findall(name))


def name_key(group: str, volume: str) -> str:
    """Return the key of a volume."""
    return f"lv/{group}/{volume}"


def find_readers(pools: Collection[Pool]) -> None:
    """Tell each pool of a volume group which volumes of the others read its volumes."""
    owners = {(pool.group, volume.name): pool for pool in pools for volume in pool.volumes}
    for pool in pools:
        for volume in pool.volumes:
            read = volume.external or ""
            owner = owners.get((pool.group, read))
            if owner is not None and owner is not pool:
                owner.readers.setdefault(read, []).append(volume.name)


def names_of(pool: Pool, source: Path, version: str = "", unread: Iterable[Unread] = ()) -> Names:
    """Return what the records say of a pool.

    Args:
        pool: The pool.
        source: The path that was read.
        version: Which version of the records it is.
        unread: What could not be read beside the pool.
    """
    ledger = Ledger()
    ledger.unread += [*unread, *pool.unread]
    merging = {volume.merging_into: volume.name for volume in pool.volumes if volume.merging_into}
    made: set[str] = set()
    for volume in pool.volumes:
        device = whole(volume.device)
        if device is None or device > MAX_DEVICE:
            ledger.refuse(volume.where, not_a_device(volume.device))
            continue
        # A volume of many segments is one object, and the list of its readers is long once.
        is_new = volume.name not in made
        made.add(volume.name)
        which = _object(pool, volume, merging.get(volume.name)) if is_new else None
        ledger.add(_record(pool, volume, device), which)
    for queued, where in pool.deletions:
        device = whole(queued)
        if device is None or device > MAX_DEVICE:
            ledger.refuse(where, not_a_device(queued))
            continue
        reason = "lvm has queued its deletion"
        ledger.add(Record(device=device, where=where, state=State.REMOVING, reason=reason))
    objects, records, refused = ledger.finish()
    # LVM does not look at a transaction id of 0: the pool is another manager's, or still empty.
    is_foreign = not pool.transaction_id and not pool.is_pending and not pool.volumes
    return Names(
        manager="lvm",
        source=source,
        version=version,
        pool=f"{pool.group}/{pool.name}",
        # LVM puts a layer over a pool that has volumes of its own.
        dm_pool=dm_name(pool.group, pool.name) + ("" if is_foreign else "-tpool"),
        transaction_id=None if is_foreign else pool.transaction_id,
        is_pending=pool.is_pending,
        is_complete=pool.is_complete and not is_foreign,
        block_bytes=pool.block_bytes,
        objects=objects,
        records=records,
        unread=refused,
        hint=_hint(pool),
        upkeep=replace(pool.upkeep, metadata_device=_metadata_device(pool)),
    )


def _hint(pool: Pool) -> str:
    command = f"lvchange -ay {pool.group}/{_metadata(pool)}"
    return f"the metadata device is {_metadata_device(pool)}; if the pool is not active, `{command}` makes it"


def _metadata(pool: Pool) -> str:
    return pool.metadata or f"{pool.name}_tmeta"


def _metadata_device(pool: Pool) -> str:
    return f"/dev/mapper/{dm_name(pool.group, _metadata(pool))}"


def _record(pool: Pool, volume: Volume, device: int) -> Record:
    return Record(
        device=device,
        where=volume.where,
        object=name_key(pool.group, volume.name),
        name=volume.name,
        state=State.QUEUED if volume.is_queued else State.IN_USE,
        reason="lvm has queued its creation" if volume.is_queued else None,
        transaction_id=volume.transaction_id,
        virtual_bytes=volume.virtual_bytes,
        external_origin=f"{pool.group}/{volume.external}" if volume.external else None,
    )


def _object(pool: Pool, volume: Volume, merging_from: str | None) -> Object:
    group, name = pool.group, volume.name
    path = f"{group}/{name}"
    labels = dict(volume.labels)
    for tag in volume.tags:
        key, _, value = tag.partition("=")
        labels[key] = value
    guest = _GUEST.match(name)
    if guest is not None:
        labels.setdefault("vmid", guest[1])
    if volume.merging_into:
        labels["merging into"] = f"{group}/{volume.merging_into}"
    if merging_from is not None:
        labels["merging from"] = f"{group}/{merging_from}"
    # A volume that a snapshot is being merged into is not deleted without the snapshot.
    used = volume.external or volume.merging_into
    readers = ", ".join(f"{group}/{reader}" for reader in pool.readers.get(name, ()))
    aliases = (name, volume.uuid, dm_name(group, name), f"/dev/{path}")
    return Object(
        key=name_key(group, name),
        kind="snapshot" if volume.origin else "volume",
        name=path,
        aliases=tuple(filter(None, aliases)),
        parent=name_key(group, volume.origin) if volume.origin else None,
        uses=(name_key(group, used),) if used else (),
        refused=f"it is the external origin of {readers}, in another pool" if readers else None,
        labels=MappingProxyType(labels),
        created=volume.created,
        removal=(("lvremove", *operand(path)),),
    )
