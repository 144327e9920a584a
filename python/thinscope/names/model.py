"""What a manager's records say of a pool: its objects, and which devices are theirs."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

__all__ = ["MAX_DEVICE", "SECTOR", "Names", "Object", "Record", "State", "Unread", "Upkeep"]

MAX_DEVICE = (1 << 24) - 1
"""The highest id that a device can have."""

SECTOR = 512
"""Bytes in the unit in which the device mapper, and many a manager, tells sizes."""


class State(StrEnum):
    """What a manager makes of a device that it has on record."""

    IN_USE = "in use"
    """An object has it."""
    UNUSED = "unused"
    """It is on record, but nothing that the manager still needs has it."""
    QUEUED = "queued"
    """The manager is still to tell the pool to make it, or to hear that it did: if the pool has it,
    an object has it."""
    CREATING = "creating"
    """The manager was about to make it: the pool may have it or not."""
    REMOVING = "removing"
    """The manager was about to delete it, or put that off: the pool may have it or not."""
    REMOVED = "removed"
    """The manager took it for deleted: the pool should not have it any more."""
    FAULTY = "faulty"
    """The manager failed to make or to delete it: the pool may have it or not."""
    UNCLEAR = "unclear"
    """The manager gave up the id. A device that the pool has of it may well be somebody else's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A device in a manager's records.

    Attributes:
        device: Its id in the pool.
        where: The file, and what in it, that says so, below the source of the names.
        object: The key of the object that it belongs to, or None.
        part: Which of the object's devices it is, where it has several: ``init``.
        name: What the manager itself calls the device: a hash, a logical volume, a dm name.
        state: What the manager makes of it.
        reason: Why the state is another than `State.IN_USE`, as half a sentence, or None.
        transaction_id: The transaction id that the pool must have for the device, if it is the
            one that was recorded; None where the manager keeps none.
        virtual_bytes: Its virtual size, or None.
        external_origin: What is read where it maps nothing, or None for zeros or not known.
    """

    device: int
    where: str
    object: str | None = None
    part: str = ""
    name: str = ""
    state: State = State.IN_USE
    reason: str | None = None
    transaction_id: int | None = None
    virtual_bytes: int | None = None
    external_origin: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Object:
    """Something that a manager's user knows by name.

    Attributes:
        key: What tells it from all others of the same `Names`.
        kind: ``container``, ``image``, ``layer``, ``cache``, ``volume``, ``snapshot``,
            ``filesystem``, ``base``, or ``device`` where no manager has it; a table may say
            others.
        name: What its user calls it.
        aliases: Other words that stand for it: its id, more tags, the pod.
        parent: The key of what it was made from, or None.
        uses: Keys of the objects that cannot be deleted while it is there.
        is_collected: Whether the manager deletes it by itself once nothing uses it.
        is_kept: Whether the manager never deletes it.
        is_running: Whether it runs by the records: the manager deletes it when it was stopped, which
            `removal` begins with.
        refused: Why its manager would not delete it, whatever else goes, as half a sentence, or None.
        labels: Its labels.
        created: When it was made, or None; always with a time zone.
        manager_usage_bytes: What the manager itself says that it takes, where its records decide
            that, or None.
        manager_base_bytes: Where the manager works that out of what the object's device maps: what
            it takes off, or None.
        removal: The manager's commands that delete it, each as its words; none where there is
            no such command.
    """

    key: str
    kind: str
    name: str
    aliases: tuple[str, ...] = ()
    parent: str | None = None
    uses: tuple[str, ...] = ()
    is_collected: bool = False
    is_kept: bool = False
    is_running: bool = False
    refused: str | None = None
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    created: datetime | None = None
    manager_usage_bytes: int | None = None
    manager_base_bytes: int | None = None
    removal: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A record that could not be read, while others could.

    Attributes:
        where: Where it stands, below the source of the names.
        why: What is wrong with it, as half a sentence.
    """

    where: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """How a pool is run, and how it can grow, as far as records tell.

    Attributes:
        metadata_device: The path of its metadata device, or an empty string.
        profile: The profile of LVM that holds its settings, or an empty string.
        extent_bytes: Bytes in the unit in which its volume group gives out space, or None.
        free_extents: Extents of the volume group that are free to be given out, or None.
        threshold: The percentage in use from which on it is extended by itself, or None where no
            setting was read.
        percent: The percentage of its size that is then added, likewise.
        settings: The file that says so, or an empty string.
        settings_unread: Why settings that are there could not be read, or an empty string.
        is_full_an_error: Whether writes fail at once when no data block is free, or wait; None where
            it is not told.
        low_water_blocks: Free data blocks at which the kernel sends an event, or None.
    """

    metadata_device: str = ""
    profile: str = ""
    extent_bytes: int | None = None
    free_extents: int | None = None
    threshold: int | None = None
    percent: int | None = None
    settings: str = ""
    settings_unread: str = ""
    is_full_an_error: bool | None = None
    low_water_blocks: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What one manager has on record of one pool.

    Attributes:
        manager: ``docker``, ``containers-storage``, ``containerd``, ``lvm``, ``dmsetup``,
            ``stratis`` or ``table``.
        source: The path that was read.
        version: Which version of the records it is, in words, where they have versions, or an
            empty string.
        pool: What the manager calls the pool, or an empty string.
        dm_pool: The pool's name to the device mapper, or an empty string.
        mode: How the manager runs the pool, such as ``loop-lvm``, or an empty string.
        transaction_id: The transaction id that the manager expects of the pool, or None.
        is_pending: Whether the manager began what the pool may not have got yet: then a pool with
            a transaction id one less is as expected, too.
        is_complete: Whether the pool has no other devices by these records, if all was read. False
            where they tell of some only (those that are active), or where another manager makes
            the devices: then a device without a record is not known, but no orphan.
        is_unmanaged: Whether they tell of no manager that would delete the devices: the device
            mapper's own messages do.
        block_bytes: Bytes in a data block by the records, or None.
        objects: The objects, without any two of the same key.
        records: The devices, by ascending id.
        unread: What could not be read.
        metadata: The file that holds the pool's metadata, if the manager keeps one, or None.
        hint: Where the pool's metadata device is, in words, as far as the records tell, or None.
        upkeep: How the pool is run, and how it can grow.
    """

    manager: str
    source: Path
    version: str = ""
    pool: str = ""
    dm_pool: str = ""
    mode: str = ""
    transaction_id: int | None = None
    is_pending: bool = False
    is_complete: bool = True
    is_unmanaged: bool = False
    block_bytes: int | None = None
    objects: tuple[Object, ...] = ()
    records: tuple[Record, ...] = ()
    unread: tuple[Unread, ...] = ()
    metadata: Path | None = None
    hint: str | None = None
    upkeep: Upkeep = Upkeep()

    def is_of(self, transaction_id: int) -> bool:
        """Return whether a pool with this transaction id is as the records expect it."""
        expected = {
            self.transaction_id,
            self.transaction_id and self.transaction_id - self.is_pending,
        }
        return self.transaction_id is None or transaction_id in expected
