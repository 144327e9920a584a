"""The objects of a pool: its devices under the names that their managers gave them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

from thinscope.names.model import Names, Object, Record, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from thinscope.pool import Device

__all__ = ["Claim", "Objects"]


@dataclass(frozen=True, slots=True)
class Claim:
    """A record, with the names that it is from.

    Attributes:
        record: The record.
        names: The records of the manager.
    """

    record: Record
    names: Names


class Objects:
    """Who the devices of a pool belong to.

    A record is believed where the pool has the device and, if the manager keeps them, the
    transaction ids agree: ids are used again, so an old record can name another device. Where
    several sources name a device, a manager comes before the device mapper, and that before a
    table; what the others say of it are more names and labels. A device of which no record is
    believed is an object of its own, of the kind ``device``.

    Attributes:
        names: What each manager has on record of the pool.
        claims: The record that is believed of each device, by id.
        absent: Records of devices that the pool has not.
        stale: Records of ids that another device has now.
        repeated: Records of devices of which another record is believed.
        all: All objects, those on record first.
    """

    def __init__(self, devices: Mapping[int, Device], names: Iterable[Names]) -> None:
        """Join the devices of the pool with the records."""
        self.names = tuple(_with_own_keys(list(names)))
        self.claims: dict[int, Claim] = {}
        absent, stale, repeated = [], [], []
        for source in sorted(self.names, key=_precedence):
            for record in source.records:
                claim, device = Claim(record, source), devices.get(record.device)
                if device is None:
                    absent.append(claim)
                elif device.is_recorded and record.transaction_id not in (
                    None,
                    device.transaction_id,
                ):
                    stale.append(claim)
                elif record.device in self.claims:
                    repeated.append(claim)
                else:
                    self.claims[record.device] = claim
        self.absent, self.stale, self.repeated = tuple(absent), tuple(stale), tuple(repeated)
        self._devices = devices
        self._by_key = self._on_records()
        self._of: dict[int, Object] = {}
        for id_ in devices:
            object_ = self._on_record(id_) or self._unnamed(id_)
            self._of[id_] = self._by_key.setdefault(object_.key, object_)
        self.all = tuple({object_.key: object_ for object_ in self._by_key.values()}.values())
        self._own: dict[str, list[int]] = defaultdict(list)
        for id_, object_ in self._of.items():
            self._own[object_.key].append(id_)

    def _on_records(self) -> dict[str, Object]:
        """Return the objects by key; those whose devices another source names, as that object."""
        own: dict[str | None, list[int]] = defaultdict(list)
        for id_ in sorted(self.claims):
            own[self.claims[id_].record.object].append(id_)
        found = {
            object_.key: replace(object_, removal=self._messages(own.get(object_.key, ())))
            if source.is_unmanaged
            else object_
            for source in self.names
            for object_ in source.objects
        }
        same: dict[str, set[str]] = defaultdict(set)
        for claim in self.repeated:
            key, named = claim.record.object, self.claims[claim.record.device]
            if key in found and key not in own and claim.names is not named.names:
                same[key].add(named.record.object or "")
        for key, [*believed] in same.items():
            if len(believed) == 1 and believed[0] in found:
                found[believed[0]] = _with_words_of(found[believed[0]], found[key])
        return found | {
            key: found[other] for key, (other, *more) in same.items() if other in found and not more
        }

    def _messages(self, devices: Iterable[int]) -> tuple[tuple[str, ...], ...]:
        """Return what makes the device mapper delete devices."""
        pool = self.dm_pool or "POOL"
        return tuple(("dmsetup", "message", pool, "0", f"delete {id_}") for id_ in devices)

    def _on_record(self, device: int) -> Object | None:
        claim = self.claims.get(device)
        return self._by_key.get(claim.record.object or "") if claim else None

    def _unnamed(self, device: int) -> Object:
        claim = self.claims.get(device)
        aliases = (claim.record.name,) if claim and claim.record.name else ()
        return Object(
            key=f"device/{device}",
            kind="device",
            name=str(device),
            aliases=aliases,
            removal=self._messages([device]),
        )

    @property
    def are_named(self) -> bool:
        """Whether any manager's records were read."""
        return bool(self.names)

    @property
    def dm_pool(self) -> str:
        """The pool's name to the device mapper, as far as the records tell, or an empty string."""
        return next((names.dm_pool for names in self.names if names.dm_pool), "")

    @property
    def is_complete(self) -> bool:
        """Whether the records are meant to name every device of the pool."""
        return any(names.is_complete for names in self.names)

    def __getitem__(self, key: str) -> Object:
        """Return the object of a key."""
        return self._by_key[key]

    @property
    def ids(self) -> Iterable[int]:
        """The ids of the devices of the pool, ascending."""
        return self._of.keys()

    def has_device(self, device: int) -> bool:
        """Return whether the pool has a device of this id."""
        return device in self._of

    def of(self, device: int) -> Object:
        """Return the object that a device of the pool belongs to."""
        return self._of[device]

    def devices(self, object_: Object) -> tuple[int, ...]:
        """Return the devices of an object that the pool has, by ascending id."""
        return tuple(self._own.get(object_.key, ()))

    @cached_property
    def kinds(self) -> frozenset[str]:
        """The kinds of objects that there are."""
        return frozenset(object_.kind for object_ in self.all)

    @cached_property
    def by_name(self) -> Mapping[str, tuple[Object, ...]]:
        """The objects by each of their names."""
        found: dict[str, dict[str, Object]] = defaultdict(dict)
        for object_ in self.all:
            for name in (object_.name, *object_.aliases):
                found[name][object_.key] = object_
        return {name: tuple(objects.values()) for name, objects in found.items()}

    @cached_property
    def _users(self) -> Mapping[str, tuple[Object, ...]]:
        users: dict[str, list[Object]] = defaultdict(list)
        for object_ in self.all:
            for used in self.used(object_):
                users[used.key].append(object_)
        return {key: tuple(found) for key, found in users.items()}

    def users(self, object_: Object) -> tuple[Object, ...]:
        """Return the objects that use an object directly."""
        return self._users.get(object_.key, ())

    def used(self, object_: Object) -> tuple[Object, ...]:
        """Return the objects that an object uses directly, as far as they are on record."""
        found = filter(None, map(self._by_key.get, object_.uses))
        return tuple({used.key: used for used in found}.values())

    @cached_property
    def _listed_under(self) -> Mapping[str, Object]:
        """For what is collected: of the images that use it, that which uses least."""
        images = [object_ for object_ in self.all if object_.kind == "image"]
        reach = [(self._all_used(image), image) for image in images if not image.is_collected]
        reach.sort(key=lambda found: (len(found[0]), found[1].name, found[1].key))
        listed: dict[str, Object] = {}
        for used, image in reach:
            for object_ in used:
                if object_.is_collected:
                    listed.setdefault(object_.key, image)
        return listed

    def _all_used(self, object_: Object) -> list[Object]:
        found = {object_.key: object_}
        waiting = [object_]
        while waiting:
            for used in self.used(waiting.pop()):
                if used.key not in found:
                    found[used.key] = used
                    waiting.append(used)
        return list(found.values())

    def listed_under(self, device: int) -> Object:
        """Return the object that a device is listed under.

        It is its own object, but for a layer the smallest image that it is part of: that which
        it came with.
        """
        own = self._of[device]
        return self._listed_under.get(own.key, own)

    def label(self, device: int) -> str:
        """Return what a device is called: ``container web-1 (init)``, ``device 5``."""
        part = self._part(device)
        title = self.title(self._of[device])
        return f"{title} ({part})" if part else title

    def label_on_record(self, device: int) -> str:
        """Return what a device is called, which the pool may have lost."""
        if device in self._of:
            return self.label(device)
        for claim in self.absent:
            if claim.record.device == device and (
                found := self._by_key.get(claim.record.object or "")
            ):
                part = claim.record.part
                return f"{self.title(found)} ({part})" if part else self.title(found)
        return f"device {device}"

    def title(self, object_: Object) -> str:
        """Return what an object is called: ``container web-1``, ``image web:2 (layer 6f3b)``."""
        listed = self._listed_under.get(object_.key, object_)
        if listed is not object_:
            return f"{listed.kind} {listed.name} ({object_.kind} {object_.name})"
        return f"{object_.kind} {object_.name}"

    def parent(self, device: int) -> int | None:
        """Return the device that a device was made from, as the records say, or None.

        Of an object with several devices, those with a part come first: a container's writable
        device is made from its init device.
        """
        own = self._of[device]
        siblings = [id_ for id_ in self._own[own.key] if id_ != device and self._part(id_)]
        if siblings and not self._part(device):
            return siblings[0]
        seen, waiting = {own.key}, [own]
        while waiting:
            object_ = waiting.pop(0)
            for key in (*filter(None, [object_.parent]), *object_.uses):
                above = self._by_key.get(key)
                if above is None or key in seen:
                    continue
                seen.add(key)
                if own_devices := self._own.get(key):
                    return next((id_ for id_ in own_devices if not self._part(id_)), own_devices[0])
                waiting.append(above)
        return None

    def _part(self, device: int) -> str:
        claim = self.claims.get(device)
        return claim.record.part if claim and claim.record.object else ""

    def clock(self, device: int) -> tuple[int, int, int]:
        """Return what sorts devices by their making: transaction id, the pool's time, id."""
        made = self._devices[device]
        return made.transaction_id, made.creation_time, device

    def virtual_bytes(self, device: int) -> int | None:
        """Return the virtual size of a device as its record has it, or None."""
        claim = self.claims.get(device)
        return claim.record.virtual_bytes if claim else None

    def external_origin(self, device: int) -> str | None:
        """Return what is read of a device where it maps nothing; None for zeros or not known."""
        claim = self.claims.get(device)
        return claim.record.external_origin if claim else None

    def external_origins(self, devices: Iterable[int]) -> Mapping[int, str] | None:
        """Return which of some devices read another volume where they map nothing, and which one.

        None where no manager's record tells it of each: then a hole may be zeros or one of those.
        """
        found = {}
        for device in devices:
            claim = self.claims.get(device)
            if claim is None or claim.names.is_unmanaged:
                return None
            if origin := claim.record.external_origin:
                found[device] = origin
        return found

    def manager_bytes(self, device: int) -> int | None:
        """Return what the manager says that a device takes, or None.

        containerd: what ``ctr snapshots usage`` prints. Blocks of the parent that were written
        over do not count, and those that were discarded count against it: it is not what
        deleting frees.
        """
        own = self._of[device]
        if own.manager_usage_bytes is not None:
            return own.manager_usage_bytes
        if own.manager_base_bytes is not None:
            return self._devices[device].mapped_bytes - own.manager_base_bytes
        return None

    def state(self, device: int) -> State | None:
        """Return what the manager makes of a device, or None where it is on no record."""
        claim = self.claims.get(device)
        return claim.record.state if claim else None


def _precedence(names: Names) -> tuple[bool, bool]:
    """Return what sorts first who is believed first: a manager, the device mapper, a table."""
    return names.is_unmanaged, not names.is_complete


def _with_words_of(object_: Object, other: Object) -> Object:
    """Return an object that answers to the names and labels of another, too."""
    words = dict.fromkeys((*object_.aliases, other.name, *other.aliases))
    return replace(
        object_,
        aliases=tuple(word for word in words if word != object_.name),
        labels=MappingProxyType({**other.labels, **object_.labels}),
    )


def _with_own_keys(names: list[Names]) -> list[Names]:
    """Set the keys of several managers apart."""
    if len(names) == 1:
        return names
    return [_prefixed(source, f"{at}/") for at, source in enumerate(names)]


def _prefixed(names: Names, prefix: str) -> Names:
    objects = tuple(
        replace(
            object_,
            key=prefix + object_.key,
            parent=object_.parent and prefix + object_.parent,
            uses=tuple(prefix + key for key in object_.uses),
        )
        for object_ in names.objects
    )
    records = tuple(
        replace(record, object=record.object and prefix + record.object) for record in names.records
    )
    return replace(names, objects=objects, records=records)
