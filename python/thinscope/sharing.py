"""Who shares which blocks, and what deleting would give back."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import lcm
from types import MappingProxyType
from typing import TYPE_CHECKING

from thinscope import who
from thinscope.deletion import Deletion, Refusal
from thinscope.planning import Plan, Wish, blocks_of, make_plan

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from thinscope import _core
    from thinscope._core import Matrix, Totals
    from thinscope.names import Object
    from thinscope.pool import Device, Pool

__all__ = ["Given", "Group", "Holding", "Reclaim", "Sharing", "Usage"]

_MOST_HOLDERS = 10
"""Objects that are told by name to hold a set's blocks."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a device, or a set of them, has of the data device; in data blocks.

    Attributes:
        mapped_blocks: Distinct blocks that it reaches.
        exclusive_blocks: Of those, the blocks that no other device reaches.
        shared_blocks: Of those, the blocks that others reach as well; not to be summed.
        reclaimable_blocks: Of the exclusive ones, those that the held metadata snapshot does not
            reach either: what deleting it gives back at once.
        shared_by: Pairs of a number of devices and how many blocks, counted once for each device
            of the set, just so many devices reach; by ascending number.
    """

    mapped_blocks: int
    exclusive_blocks: int
    shared_blocks: int
    reclaimable_blocks: int
    shared_by: tuple[tuple[int, int], ...]

    @property
    def fair_share(self) -> Fraction:
        """Each block divided by the number of devices that reach it, exactly.

        Of all devices it adds up to the blocks that are reached.
        """
        # Adding fractions one by one would look for common divisors each time.
        common = lcm(*(devices for devices, _ in self.shared_by))
        return Fraction(
            sum(blocks * (common // devices) for devices, blocks in self.shared_by), common
        )

    @classmethod
    def of(cls, usage: _core.SetUsage) -> Usage:
        """Take over what the core counted."""
        return cls(
            mapped_blocks=usage.mapped_blocks,
            exclusive_blocks=usage.exclusive_blocks,
            shared_blocks=usage.mapped_blocks - usage.exclusive_blocks,
            reclaimable_blocks=usage.reclaimable_blocks,
            shared_by=tuple(usage.shared_by),
        )

    @classmethod
    def of_device(cls, usage: _core.DeviceUsage) -> Usage:
        """Take over what the core counted of a device where no metadata snapshot is held."""
        return cls(
            mapped_blocks=usage.mapped_blocks,
            exclusive_blocks=usage.exclusive_blocks,
            shared_blocks=usage.shared_blocks,
            reclaimable_blocks=usage.exclusive_blocks,
            shared_by=tuple(usage.shared_by),
        )


@dataclass(frozen=True, slots=True)
class Given:
    """An object that would be deleted.

    Attributes:
        object: The object.
        devices: Its devices in the pool, and those of what goes with it alone.
        usage: What they have of the data device.
        alone_blocks: What deleting only this object would give back, in data blocks.
    """

    object: Object
    devices: tuple[int, ...]
    usage: Usage
    alone_blocks: int


@dataclass(frozen=True, slots=True)
class Holding:
    """An object that stays, and what it holds of the blocks of those that go.

    Attributes:
        object: The object.
        blocks: Of the blocks that the set maps, those that it reaches, in data blocks. A block
            that several objects hold counts for each of them.
    """

    object: Object
    blocks: int


@dataclass(frozen=True, slots=True)
class Reclaim:
    """What deleting a set of objects would give back; in data blocks.

    ``mapped = freed + kept by the metadata snapshot + still held``.

    Attributes:
        deletion: The objects, and what goes with them.
        given: Each object by itself.
        mapped_blocks: Distinct blocks that the devices of the set reach.
        freed_blocks: Blocks that come free, since nothing else reaches them.
        kept_by_metadata_snapshot_blocks: Blocks that come free when the held metadata snapshot
            is released as well.
        still_held_blocks: Blocks that other devices reach.
        holders: Who holds those, the largest first; no more than the ten largest.
        freed_metadata_blocks: Blocks of mapping trees, 4 KiB each, that come free.
        kept_metadata_blocks: Blocks of mapping trees that then only the metadata snapshot keeps.
    """

    deletion: Deletion
    given: tuple[Given, ...]
    mapped_blocks: int
    freed_blocks: int
    kept_by_metadata_snapshot_blocks: int
    still_held_blocks: int
    holders: tuple[Holding, ...]
    freed_metadata_blocks: int
    kept_metadata_blocks: int

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """What the manager would refuse to delete."""
        return self.deletion.refusals


@dataclass(frozen=True, slots=True)
class Group:
    """Devices that share blocks with each other and with no other device.

    Attributes:
        devices: Their ids, ascending.
        has_metadata_snapshot: Whether the held metadata snapshot reaches the blocks as well.
        blocks: How many blocks, in data blocks.
    """

    devices: tuple[int, ...]
    has_metadata_snapshot: bool
    blocks: int


class Sharing:
    """Who shares which blocks: made by `Pool.sharing`, in one pass over the metadata.

    Every question is then answered at once, from the classes of blocks that have the same
    holders.
    """

    def __init__(self, core: _core.Sharing, pool: Pool) -> None:
        """Wrap what the core found; use `Pool.sharing`."""
        self._core = core
        self._objects = pool.objects
        self._source = pool.source
        self._block_bytes = pool.superblock.data_block_bytes

    @property
    def totals(self) -> Totals:
        """What all blocks of the data device add up to."""
        return self._core.totals()

    @property
    def is_whole(self) -> bool:
        """Whether all mappings could be read; of a tolerant pool, some may be lost.

        If not, the lost ones may hold blocks as well: what is exclusive, comes free or is leaked
        is then at most what is told.
        """
        return self._core.is_whole

    @cached_property
    def mappings(self) -> Mapping[int, int]:
        """How many mappings each device has, by ascending id.

        As many as it reaches blocks, unless it maps one twice, which the kernel never does.
        """
        return MappingProxyType({usage.id: usage.mappings for usage in self._counted})

    def disagreeing(self, devices: Iterable[Device]) -> tuple[tuple[int, int, int], ...]:
        """Return devices that map more or less than their record says: id, mappings, on record."""
        return tuple(
            (device.id, self.mappings.get(device.id, 0), device.mapped_blocks)
            for device in devices
            if self.mappings.get(device.id) != device.mapped_blocks
        )

    @cached_property
    def devices(self) -> Mapping[int, Usage]:
        """What each device has, by ascending id."""
        ids = [usage.id for usage in self._counted]
        if self._core.has_metadata_snapshot:
            usages = map(Usage.of, self._core.usage([[id_] for id_ in ids]))
        else:  # nobody else keeps what is exclusive
            usages = map(Usage.of_device, self._counted)
        return MappingProxyType(dict(zip(ids, usages, strict=True)))

    @cached_property
    def _counted(self) -> list[_core.DeviceUsage]:
        return self._core.devices()

    def usage(self, words: who.Who | Iterable[who.Who]) -> Usage:
        """Return what the devices of some objects have together.

        Raises:
            UnknownDevice: Nothing in the pool answers to a word.
            AmbiguousName: Several objects do.
        """
        chosen = who.find(self._objects, words, self._source)
        devices = [device for object_ in chosen for device in self._objects.devices(object_)]
        return self.usage_of([devices])[0]

    def usage_of(self, sets: Iterable[Iterable[int]]) -> tuple[Usage, ...]:
        """Return what each set of device ids has.

        Raises:
            UnknownDevice: The pool has no such device.
        """
        # Of one device it is known: most objects have no more.
        lists = [list(ids) for ids in sets]
        known = [self.devices.get(ids[0]) if len(ids) == 1 else None for ids in lists]
        several = [ids for ids, usage in zip(lists, known, strict=True) if usage is None]
        counted = map(Usage.of, self._core.usage(several) if several else ())
        return tuple(usage or next(counted) for usage in known)

    def shared_with(self, device: int) -> Mapping[int, int]:
        """Return how many blocks of a device each other device reaches, in data blocks, by id.

        Raises:
            UnknownDevice: The pool has no such device.
        """
        return dict(self._core.shared_with(device))

    def matrix(self) -> Matrix:
        """Return what each two devices share, as a table; pairs that share nothing are left out.

        Columns: ``device_a``, ``device_b`` (ids, the lower one first), ``blocks`` (data blocks
        that both reach).
        """
        return self._core.matrix()

    def groups(self, limit: int = 20) -> tuple[Group, ...]:
        """Return the groups of devices that share most, the largest first."""
        return tuple(
            Group(tuple(group.devices), group.has_metadata_snapshot, group.blocks)
            for group in self._core.groups(limit)
        )

    def reclaim(self, words: who.Who | Iterable[who.Who]) -> Reclaim:
        """Tell what deleting some objects would give back.

        Args:
            words: What to delete, see docs/cli.md (WHO): names, ids, patterns, labels.

        Raises:
            UnknownDevice: Nothing in the pool answers to a word.
            AmbiguousName: Several objects do.
        """
        return self.reclaim_of(who.find(self._objects, words, self._source))

    def reclaim_of(self, chosen: Iterable[Object]) -> Reclaim:
        """Tell the same of objects."""
        objects = self._objects
        deletion = Deletion.of(objects, chosen)
        sets = [list(Deletion.of(objects, [object_]).devices) for object_ in deletion.objects]
        found = self._core.reclaim(sets, list(deletion.devices))
        rows = zip(deletion.objects, sets, self.usage_of(sets), found.alone_blocks, strict=True)
        return Reclaim(
            deletion=deletion,
            given=tuple(
                Given(object_, tuple(devices), usage, alone)
                for object_, devices, usage, alone in rows
            ),
            mapped_blocks=found.mapped_blocks,
            freed_blocks=found.freed_blocks,
            kept_by_metadata_snapshot_blocks=found.kept_by_metadata_snapshot_blocks,
            still_held_blocks=found.still_held_blocks,
            holders=self._holdings(deletion, found),
            freed_metadata_blocks=found.freed_metadata_blocks,
            kept_metadata_blocks=found.kept_metadata_blocks,
        )

    def _holdings(self, deletion: Deletion, found: _core.Reclaim) -> tuple[Holding, ...]:
        """Tell by objects what the core tells by devices."""
        objects = self._objects
        largest: dict[str, tuple[Object, int]] = {}
        for device, blocks in found.holders:
            object_ = objects.of(device)
            largest.setdefault(object_.key, (object_, blocks))
            if len(largest) == _MOST_HOLDERS:
                break
        of_several = {
            key: list(objects.devices(object_))
            for key, (object_, _) in largest.items()
            if len(objects.devices(object_)) > 1
        }
        # What two sets share: the sum of both, less what both have together.
        own = self.usage_of(list(of_several.values()))
        both = self.usage_of([[*devices, *deletion.devices] for devices in of_several.values()])
        shared = {
            key: found.mapped_blocks + alone.mapped_blocks - together.mapped_blocks
            for key, alone, together in zip(of_several, own, both, strict=True)
        }
        holdings = [
            Holding(object_, shared.get(key, blocks)) for key, (object_, blocks) in largest.items()
        ]
        return tuple(sorted(holdings, key=lambda holding: -holding.blocks))

    def plan(
        self,
        free: int | str,
        *,
        keep: Iterable[str] = (),
        only: Iterable[str] = (),
        oldest_first: bool = False,
        min_each: int | str = 0,
    ) -> Plan:
        """Find few objects whose deletion gives back at least so much.

        Nothing is deleted. The result is the same each time, and near the best; docs/concepts.md
        says how near.

        Args:
            free: How much to give back: bytes, or a size such as ``10GiB``.
            keep: Names or patterns of objects that stay, and with them all that they use.
            only: Names or patterns of the only objects that may go; by default all may whose
                manager deletes them when asked.
            oldest_first: Take objects in the order of their making, by the pool's clock.
            min_each: Leave out steps that give back less: bytes, or a size.

        Raises:
            UnknownDevice: Nothing in the pool answers to one of the patterns.
            ValueError: A size cannot be read.
        """
        only = tuple(only)
        wish = Wish(
            free_blocks=blocks_of(free, self._block_bytes),
            keep=self._all_of(keep),
            only=self._all_of(only) if only else None,
            oldest_first=oldest_first,
            min_each_blocks=blocks_of(min_each, self._block_bytes),
        )
        return make_plan(self._core, self._objects, wish)

    def _all_of(self, patterns: Iterable[str]) -> frozenset[str]:
        found = who.find(self._objects, tuple(patterns), self._source)
        return frozenset(object_.key for object_ in found)
