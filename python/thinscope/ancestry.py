"""What each device was made from: as the manager's records say, else inferred."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from thinscope.pool import Device, Pool

__all__ = ["Parent", "parents"]


@dataclass(frozen=True, slots=True)
class Parent:
    """The device that another one was made from.

    Attributes:
        device: Its id.
        is_inferred: Whether no record says so, and times and shared blocks suggest it.
    """

    device: int
    is_inferred: bool


def parents(pool: Pool, *, with_inferred: bool) -> Mapping[int, Parent | None]:
    """Return the parent of each device, by ascending id.

    When the kernel makes a snapshot, it moves the pool's time on by one, and writes the new time as
    the creation time of the snapshot and as the snapshot time of its origin. So the origin is
    older, has been snapshotted at that time or later, and shares blocks, unless all of them have
    been overwritten. A device that was last snapshotted at just that time is the origin: each time
    is that of one snapshot. Else the origin was snapshotted again, and is taken to be the device
    that shares most; that can be wrong where the origin is gone.

    Args:
        pool: The pool.
        with_inferred: Whether to infer where no record says it; needs all mappings.
    """
    found: dict[int, Parent | None] = {}
    for id_ in pool.devices:
        recorded = pool.objects.parent(id_)
        found[id_] = None
        if recorded is not None and recorded != id_:
            found[id_] = Parent(recorded, is_inferred=False)
    if with_inferred and not all(found.values()):
        unknown = [pool.devices[id_] for id_, parent in found.items() if parent is None]
        found |= {id_: Parent(parent, is_inferred=True) for id_, parent in _inferred(pool, unknown)}
    return _without_loops(found)


def _inferred(pool: Pool, unknown: list[Device]) -> Iterator[tuple[int, int]]:
    """Yield those of the devices of which it can be told, each with what it was made from."""
    sharing = pool.sharing()
    for device, fitting in _fitting(pool.devices.values(), unknown):
        shared = sharing.shared_with(device.id)
        likely = [other for other in fitting if shared.get(other.id)]
        made = device.creation_time
        if likely:
            yield (
                device.id,
                max(
                    likely,
                    key=lambda other: (other.snapshot_time == made, shared[other.id], -other.id),
                ).id,
            )


def _fitting(
    devices: Iterable[Device], unknown: list[Device]
) -> Iterator[tuple[Device, list[Device]]]:
    """Yield each device with those that were there before it, and snapshotted then or later."""
    by_creation = sorted(devices, key=lambda device: device.creation_time, reverse=True)
    fitting: list[Device] = []
    for device in sorted(unknown, key=lambda device: device.creation_time):
        made = device.creation_time
        while by_creation and by_creation[-1].creation_time < made:
            fitting.append(by_creation.pop())
        fitting = [other for other in fitting if made <= other.snapshot_time]
        if fitting:
            yield device, fitting


def _without_loops(found: dict[int, Parent | None]) -> dict[int, Parent | None]:
    """Cut what records that contradict each other would close to a ring."""
    safe: set[int] = set()
    for start in found:
        path: list[int] = []
        at: int | None = start
        on_path: set[int] = set()
        while at is not None and at not in safe:
            if at in on_path:
                found[at] = None
                break
            path.append(at)
            on_path.add(at)
            parent = found.get(at)
            at = parent.device if parent else None
        safe.update(path)
    return found
