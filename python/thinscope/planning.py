"""Few objects whose deletion gives back enough, in an order that their manager accepts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from thinscope import _core
    from thinscope.names import Object
    from thinscope.objects import Objects

__all__ = ["Plan", "Step", "Wish", "blocks_of", "bytes_of", "make_plan"]

_SIZE = re.compile(r"([0-9]{1,19})(?:\.([0-9]{1,9}))?\s*(?:([kmgtpe])(i?)b?|b)?", re.IGNORECASE)
_POWERS = "kmgtpe"

_NO_POOL = 1 << 64
"""Bytes that no device has."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a plan is to achieve.

    Attributes:
        free_blocks: How much to give back at least, in data blocks.
        keep: Keys of objects that stay.
        only: Keys of the only objects that may go, or None.
        oldest_first: Whether to take objects in the order of their making.
        min_each_blocks: What each step gives back at least, in data blocks.
    """

    free_blocks: int
    keep: frozenset[str]
    only: frozenset[str] | None
    oldest_first: bool
    min_each_blocks: int


@dataclass(frozen=True, slots=True)
class Step:
    """Objects that are deleted together: one, and those that have to go before it.

    Attributes:
        objects: The objects, in an order that the manager accepts.
        collected: What their manager then deletes by itself.
        gain_blocks: What comes free, in data blocks.
        total_blocks: What has come free after this step.
    """

    objects: tuple[Object, ...]
    collected: tuple[Object, ...]
    gain_blocks: int
    total_blocks: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What to delete.

    Attributes:
        target_blocks: What was asked for, in data blocks, rounded up.
        steps: What to delete, in this order.
        freed_blocks: What comes free in all.
        is_reached: Whether that is enough.
        most_blocks: What deleting everything that may go would give back.
    """

    target_blocks: int
    steps: tuple[Step, ...]
    freed_blocks: int
    is_reached: bool
    most_blocks: int

    @property
    def objects(self) -> tuple[Object, ...]:
        """Everything that is to be deleted, in order."""
        return tuple(object_ for step in self.steps for object_ in step.objects)


def bytes_of(size: int | str) -> int:
    """Return bytes from a number of them or from a size such as ``10GiB``, ``1.5T`` or ``512 KiB``.

    All units are powers of 1024, whether they are written ``GiB``, ``GB`` or ``G``.

    Raises:
        ValueError: It is no size, or more than any pool can have.
    """
    if isinstance(size, int):
        found = size
    else:
        match = _SIZE.fullmatch(size.strip())
        if match is None:
            raise ValueError(f"`{size}` is no size such as 10GiB or 512M")
        whole, fraction, unit, _ = match.groups()
        factor = 1024 ** (_POWERS.index(unit.lower()) + 1) if unit else 1
        digits = fraction or ""
        # Rounded up: what is asked for is at least so much.
        found = _rounded_up(int(whole + digits) * factor, 10 ** len(digits))
    if found < 0:
        raise ValueError(f"a size cannot be negative: {size}")
    if found >= _NO_POOL:
        raise ValueError(f"`{size}` is more than any pool can have")
    return found


def blocks_of(size: int | str, block_bytes: int) -> int:
    """Return the data blocks that it takes for a size; see `bytes_of`."""
    return _rounded_up(bytes_of(size), block_bytes)


def _rounded_up(dividend: int, divisor: int) -> int:
    return -(-dividend // divisor)


def make_plan(core: _core.Sharing, objects: Objects, wish: Wish) -> Plan:
    """Ask the core for a plan, object by object; see `Sharing.plan`."""
    ordered = sorted(objects.all, key=lambda object_: _age(objects, object_))
    positions = {object_.key: at for at, object_ in enumerate(ordered)}
    units = [
        (
            list(objects.devices(object_)),
            [positions[used.key] for used in objects.used(object_)],
            object_.is_collected,
            _may_go(objects, object_, wish),
        )
        for object_ in ordered
    ]
    found = core.plan(
        units,
        wish.free_blocks,
        min_each_blocks=wish.min_each_blocks,
        in_order=wish.oldest_first,
    )

    def of(numbers: list[int]) -> tuple[Object, ...]:
        return tuple(ordered[at] for at in numbers)

    steps = tuple(
        Step(of(step.objects), of(step.collected), step.gain_blocks, step.total_blocks)
        for step in found.steps
    )
    return Plan(wish.free_blocks, steps, found.freed_blocks, found.is_reached, found.most_blocks)


def _may_go(objects: Objects, object_: Object, wish: Wish) -> bool:
    if object_.key in wish.keep or object_.is_kept or object_.refused:
        return False
    if object_.is_collected:
        return True
    if wish.only is not None:
        return object_.key in wish.only
    # Where there are names, a device without one may be in use: it is for `orphans` to judge.
    is_nameless = object_.kind == "device" and objects.are_named
    return bool(object_.removal) and not is_nameless


def _age(objects: Objects, object_: Object) -> tuple[int, int, int, str]:
    """Return what sorts by the pool's clock: that of the youngest device, as far as there is one."""
    layers = objects.devices(object_) or [
        device for used in objects.used(object_) for device in objects.devices(used)
    ]
    clocks = (objects.clock(device) for device in layers)
    transaction, time, id_ = max(clocks, default=(0, 0, 0))
    return transaction, time, id_, object_.key
