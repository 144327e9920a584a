"""Whether and when LVM extends a pool by itself, and from what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thinscope.diagnosis.advice import Severity, Topic, advice
from thinscope.names.lvm_settings import NEVER
from thinscope.report.units import percent, plural, size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thinscope import SpaceUsage
    from thinscope.diagnosis.advice import Advice
    from thinscope.diagnosis.place import Place

__all__ = ["LEAST_THRESHOLD", "extension"]

LEAST_THRESHOLD = 50
"""LVM takes a lower threshold for this one."""


def extension(data: SpaceUsage, metadata: SpaceUsage, place: Place) -> Iterator[Advice]:
    """Tell whether LVM extends the pool by itself."""
    upkeep = place.upkeep
    if upkeep.threshold is None or upkeep.percent is None:
        if place.is_of_lvm:
            yield _unknown(place)
        return
    numbers = {"threshold": upkeep.threshold, "percent": upkeep.percent}
    if upkeep.threshold >= NEVER or not upkeep.percent:
        yield advice(
            Severity.NOTE,
            Topic.GROWTH,
            "autoextend-off",
            "nothing extends the pool by itself: "
            f"thin_pool_autoextend_threshold is {upkeep.threshold} ({upkeep.settings})",
            "100 means never; with a lower one LVM's dmeventd extends the pool in time, "
            "from free space of the volume group",
            **numbers,
        )
        return
    threshold = max(LEAST_THRESHOLD, upkeep.threshold)
    beyond = [
        f"{name} is {percent(used, space.total)} in use"
        for name, space, used in (
            ("data", data, data.used),
            ("metadata", metadata, metadata.kernel_used),
        )
        if used is not None and used * 100 > space.total * threshold
    ]
    rule = (
        f"LVM extends the pool by {upkeep.percent} % when more than {threshold} % is in use "
        f"({upkeep.settings})"
    )
    if beyond:
        yield _beyond(rule, " and ".join(beyond), place, numbers)
    elif data.used is not None:
        yield _before(rule, threshold, data, place, numbers)


def _unknown(place: Place) -> Advice:
    upkeep = place.upkeep
    if upkeep.settings_unread:
        why = f"its settings cannot be read: {upkeep.settings_unread}"
    elif upkeep.profile:
        why = f"profile {upkeep.profile} says so, which was not read"
    else:
        why = "lvm.conf says so, which was not read"
    return advice(
        Severity.NOTE,
        Topic.GROWTH,
        "autoextend-not-known",
        f"it is not known whether LVM extends the pool by itself: {why}",
        "give the settings with --lvm-conf /etc/lvm; where nothing is set, LVM never does",
        ("lvmconfig", "--type", "full", "activation/thin_pool_autoextend_threshold")
        + (("--metadataprofile", upkeep.profile) if upkeep.profile else ()),
    )


def _beyond(rule: str, what: str, place: Place, numbers: dict[str, int]) -> Advice:
    free = place.upkeep.free_extents
    if free is not None:
        numbers["free_extents"] = free
    if free == 0:
        return advice(
            Severity.ATTENTION,
            Topic.GROWTH,
            "autoextend-impossible",
            f"{what}, and the volume group has no free extent: the pool cannot be extended",
            f"{rule}; add a disk to the volume group, or make room in the pool",
            ("vgs", "-o+vg_free,vg_free_count", place.group),
            **numbers,
        )
    has = f"the volume group has {plural(free, 'free extent')}" if free else ""
    return advice(
        Severity.ATTENTION,
        Topic.GROWTH,
        "autoextend-due",
        f"{what}, and the pool has not been extended",
        "; ".join(filter(None, [rule, has, "is dmeventd running, and monitoring the pool?"])),
        *((("lvs", "-o+seg_monitor", place.volume),) if place.volume else ()),
        *((("lvextend", "--use-policies", place.volume),) if place.volume and free else ()),
        **numbers,
    )


def _before(
    rule: str, threshold: int, data: SpaceUsage, place: Place, numbers: dict[str, int]
) -> Advice:
    blocks = data.total * threshold // 100 - (data.used or 0) + 1
    at = f"{rule}, which is {plural(blocks, 'data block')} ({size(blocks * data.block_bytes)}) away"
    numbers["blocks"] = blocks
    extent, free = place.upkeep.extent_bytes, place.upkeep.free_extents
    if not extent or free is None:
        return advice(Severity.FINE, Topic.GROWTH, "autoextend", at, None, **numbers)
    needed = -(-data.total_bytes * numbers["percent"] // (100 * extent))
    numbers |= {"free_extents": free, "extents": needed}
    has = (
        f"the volume group has {plural(free, 'free extent')} of {size(extent)}, "
        f"it takes {plural(needed, 'extent')}"
    )
    if free >= needed:
        return advice(Severity.FINE, Topic.GROWTH, "autoextend", f"{at}; {has}", None, **numbers)
    return advice(
        Severity.NOTE,
        Topic.GROWTH,
        "autoextend-short",
        at,
        f"{has}: it cannot be extended so far when it comes to that",
        ("vgs", "-o+vg_free,vg_free_count", place.group),
        **numbers,
    )
