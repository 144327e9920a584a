"""Room on the data and the metadata device, and what was promised of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thinscope.diagnosis.advice import Severity, Topic, advice
from thinscope.report.units import count, percent, plural, size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thinscope import Fragmentation, SpaceUsage
    from thinscope.diagnosis.advice import Advice
    from thinscope.diagnosis.place import Place

__all__ = [
    "NEARLY_FULL",
    "data_full",
    "forecast",
    "is_nearly_full",
    "low_water",
    "metadata_full",
    "promised",
    "when_full",
]

NEARLY_FULL = (9, 10)
"""The share of a space in use from which on it is nearly full, as in the overview."""

NODE_BYTES = 4096
"""Bytes in a metadata block, which is what a node takes."""

FEW_LEAVES = 16
"""Below so many leaves, how full they are tells little of those to come."""

PLANNED_BYTES = 48
"""Bytes that a mapping takes by the kernel's documentation, where there are too few to tell."""

SCARCE = 10
"""Room for fewer mappings than one in so many blocks of the data device is little."""

LOW_WATER = 1024
"""Metadata blocks, 4 MiB: at so many free ones, or at a quarter of all, the kernel sends an event."""


def is_nearly_full(space: SpaceUsage) -> bool:
    """Whether a space is nearly full, as the kernel counts it; False where that is not known."""
    part, whole = NEARLY_FULL
    return space.kernel_used is not None and space.kernel_used * whole >= space.total * part


def when_full(is_error: bool | None) -> str:  # noqa: FBT001 - three states
    """Return what happens to writes that need a block when there is none."""
    fails = "fail at once (error_if_no_space)"
    waits = "wait, 60 s unless no_space_timeout says otherwise, then fail (queue_if_no_space)"
    if is_error is None:
        return f"writes that need a new block {waits}; or they {fails}, if the pool is set so"
    return f"writes that need a new block {fails if is_error else waits}"


def data_full(space: SpaceUsage, place: Place) -> Iterator[Advice]:
    """Tell how full the data device is."""
    if space.used is None or space.free is None or space.used_bytes is None:
        yield advice(
            Severity.NOTE,
            Topic.FULL,
            "room-not-known",
            "how full the pool is cannot be known through a metadata snapshot: the pool goes on",
            "`dmsetup status` tells: metadata blocks in use and of, then data blocks",
            ("dmsetup", "status", place.dm_pool or "POOL"),
        )
        return
    numbers = {"used": space.used, "kernel_used": space.used, "total": space.total}
    said = (
        f"{percent(space.used, space.total)} in use, {size(space.free * space.block_bytes)} of "
        f"{size(space.total_bytes)} free"
    )
    if not is_nearly_full(space):
        yield advice(Severity.FINE, Topic.FULL, "data-room", f"data {said}", None, **numbers)
        return
    is_full = space.used >= space.total
    full = when_full(place.upkeep.is_full_an_error)
    yield advice(
        Severity.ATTENTION,
        Topic.FULL,
        "data-full" if is_full else "data-nearly-full",
        f"the data device is {'full' if is_full else 'nearly full'}: {said}",
        (full if is_full else f"when it is full, {full}") + _docker(place),
        *_more_data(space, place),
        **numbers,
    )


def metadata_full(space: SpaceUsage, place: Place) -> Iterator[Advice]:
    """Tell how full the metadata device is, with what the kernel keeps in reserve."""
    if space.used is None or space.kernel_used is None:
        return
    reserve = space.kernel_used - space.used
    left = space.total - space.kernel_used
    numbers = {"used": space.used, "kernel_used": space.kernel_used, "total": space.total}
    said = (
        f"{percent(space.kernel_used, space.total)} in use, "
        f"{size(space.used * NODE_BYTES)} and {size(reserve * NODE_BYTES)} that the kernel keeps "
        f"in reserve, of {size(space.total * NODE_BYTES)}"
    )
    if not is_nearly_full(space):
        yield advice(
            Severity.FINE, Topic.FULL, "metadata-room", f"metadata {said}", None, **numbers
        )
        return
    is_full = not left
    meaning = (
        "a full pool takes no more changes: it is read-only, and wants a check before it goes on"
        if is_full
        else "once it is full, the pool turns read-only at once: nothing waits, as it does for data"
    )
    yield advice(
        Severity.ATTENTION,
        Topic.FULL,
        "metadata-full" if is_full else "metadata-nearly-full",
        f"the metadata device is {'full' if is_full else 'nearly full'}: {said}",
        meaning + _docker(place),
        *_room_in_metadata(space, place, is_full=is_full),
        **numbers,
    )


def _docker(place: Place) -> str:
    if not place.is_of_docker:
        return ""
    return "; below 10 % free (dm.min_free_space) no container or layer is made any more"


def _more_data(space: SpaceUsage, place: Place) -> Iterator[tuple[str, ...]]:
    """Yield what adds a fifth to the data device, or makes it a fifth empty."""
    fifth = -(-space.total_bytes // 5)
    extent, free = place.upkeep.extent_bytes, place.upkeep.free_extents
    if place.is_of_lvm and extent and free:
        yield ("lvextend", "-l", f"+{min(free, -(-fifth // extent))}", place.volume)
        return
    lacking = max(1, space.block_bytes * (space.total // 5 - (space.free or 0)))
    yield place.thinscope("plan", "--free", _whole_size(lacking))


def _more_metadata(space: SpaceUsage, place: Place) -> Iterator[tuple[str, ...]]:
    """Yield what doubles the metadata device, as far as there is room and sense in it."""
    extent, free = place.upkeep.extent_bytes, place.upkeep.free_extents
    if place.is_of_lvm and extent and free:
        extents = min(free, max(1, space.total_bytes // extent))
        added = f"+{extents * extent // 1024}k"
        yield ("lvextend", "--poolmetadatasize", added, place.volume)


def _room_in_metadata(
    space: SpaceUsage, place: Place, *, is_full: bool
) -> tuple[tuple[str, ...], ...]:
    """Return what extends the metadata, which LVM wants repaired first if it ran full."""
    if not place.is_of_lvm:  # a check before it goes on; else what packing would save
        return (place.thinscope("check" if is_full else "fragmentation"),)
    more = tuple(_more_metadata(space, place))
    if is_full:
        repair = ("lvconvert", "--repair", place.volume)
        return (("lvchange", "-an", place.volume), repair, *more)
    return more or (("vgs", "-o+vg_free,vg_free_count", place.group),)


def _whole_size(size_bytes: int) -> str:
    """Return a size for a command: no less than it, in whole MiB."""
    return f"{-(-size_bytes >> 20)}MiB" if size_bytes >= 1 << 20 else f"{size_bytes}"


def low_water(data: SpaceUsage, metadata: SpaceUsage, mark: int | None) -> Iterator[Advice]:
    """Tell where the kernel asks for more space, by an event, before it is nearly full."""
    asks = "the kernel has sent its event for it, once; whoever hears it, as dmeventd, may extend"
    if mark and data.free is not None and data.free <= mark and not is_nearly_full(data):
        yield advice(
            Severity.NOTE,
            Topic.FULL,
            "data-low-water",
            f"{plural(data.free, 'data block')} free: no more than the low-water mark of "
            f"{count(mark)}",
            asks,
            free=data.free,
            mark=mark,
        )
    own_mark = min(LOW_WATER, metadata.total // 4)
    if metadata.free is not None and metadata.free < own_mark and not is_nearly_full(metadata):
        yield advice(
            Severity.NOTE,
            Topic.FULL,
            "metadata-low-water",
            f"{plural(metadata.free, 'metadata block')} not allocated: below the kernel's own mark "
            f"of {count(own_mark)}",
            asks,
            free=metadata.free,
            mark=own_mark,
        )


def forecast(
    data: SpaceUsage, metadata: SpaceUsage, found: Fragmentation, place: Place
) -> Iterator[Advice]:
    """Tell how many more blocks can be mapped, at the present density and at worst."""
    if metadata.kernel_used is None or data.free is None:
        return
    left = metadata.total - metadata.kernel_used
    if not left:  # what that means is told with how full it is
        return
    by_leaves = found.leaves.nodes >= FEW_LEAVES
    if by_leaves:
        room = left * found.leaves.entries // found.nodes
        of = f"{found.leaves.entries // found.nodes} a node as now"
    else:
        room = left * NODE_BYTES // PLANNED_BYTES
        of = f"{PLANNED_BYTES} bytes each, the kernel's planning figure"
    said = (
        f"metadata has room for about {plural(room, 'more mapping')} ({of}; at worst for "
        f"{count(left)}, each in a leaf of its own)"
    )
    numbers = {"room": room, "worst": left, "data_free": data.free}
    if room >= data.free:
        said = f"room for about {plural(room, 'more mapping')} ({of}; at worst {count(left)})"
        yield advice(Severity.FINE, Topic.FORECAST, "metadata-forecast", said, None, **numbers)
        return
    # Of a pool that has hardly any leaves it is only a guess.
    is_little = by_leaves and room * SCARCE < data.total
    yield advice(
        Severity.ATTENTION if is_little else Severity.NOTE,
        Topic.FORECAST,
        "metadata-short",
        said,
        f"{plural(data.free, 'data block')} are free: the metadata runs out before the data does; "
        "extend it in time",
        *_room_in_metadata(metadata, place, is_full=False),
        **numbers,
    )


def promised(virtual_bytes: int | None, data: SpaceUsage, place: Place) -> Iterator[Advice]:
    """Tell whether the devices may grow beyond the data device."""
    if virtual_bytes is None:
        return
    share = percent(virtual_bytes, data.total_bytes)
    said = f"virtual sizes add up to {size(virtual_bytes)}: {share} of the data device"
    numbers = {"virtual_bytes": virtual_bytes, "total_bytes": data.total_bytes}
    if virtual_bytes <= data.total_bytes:
        yield advice(Severity.FINE, Topic.PROMISED, "promised", said, None, **numbers)
        return
    yield advice(
        Severity.NOTE,
        Topic.PROMISED,
        "over-provisioned",
        said,
        "devices can fill the data device without being full themselves; when it is full, "
        + when_full(place.upkeep.is_full_an_error),
        **numbers,
    )
