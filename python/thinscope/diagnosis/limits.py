"""Counters and sizes near what the format can hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thinscope.diagnosis.advice import Severity, Topic, advice
from thinscope.names.model import MAX_DEVICE
from thinscope.report.units import count, percent, size

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from thinscope import SpaceUsage
    from thinscope.diagnosis.advice import Advice
    from thinscope.diagnosis.place import Place

__all__ = ["clock", "counters", "ids", "sizes"]

MAX_TIME = (1 << 24) - 1
"""The highest time that a mapping can hold: 24 bits, where the superblock has 32."""

MAX_TRANSACTION = (1 << 64) - 1
"""The highest transaction id."""

MAX_METADATA_BLOCKS = 255 * (16384 - 64)
"""Blocks of the largest metadata device that the kernel uses: 15.875 GiB."""

MAX_DATA_BLOCKS = 1 << 40
"""Blocks of the largest data device that mappings can name."""

_NEAR = (9, 10)
"""The share of a counter from which on its end is near."""


def _is_near(value: int, most: int) -> bool:
    part, whole = _NEAR
    return value * whole >= most * part


def clock(time: int) -> Iterator[Advice]:
    """Tell of the pool's clock, which each new snapshot moves on by one."""
    if not _is_near(time, MAX_TIME):
        return
    yield advice(
        Severity.ATTENTION,
        Topic.LIMITS,
        "time",
        f"the pool's clock is at {count(time)}: {percent(time, MAX_TIME)} of what a mapping can hold",
        "each new snapshot moves it on by one. A time of more than 24 bits does not fit into a "
        "mapping, and nothing says that the kernel stops before it: move to a new pool in time",
        time=time,
        limit=MAX_TIME,
    )


def ids(devices: Iterable[int], place: Place) -> Iterator[Advice]:
    """Tell of the highest device id."""
    highest = max(devices, default=0)
    if not _is_near(highest, MAX_DEVICE):
        return
    goes_on = place.is_of_lvm and "lvm" in place.managers
    yield advice(
        Severity.ATTENTION if goes_on and highest == MAX_DEVICE else Severity.NOTE,
        Topic.LIMITS,
        "device-id",
        f"the highest device id is {count(highest)}, of {count(MAX_DEVICE)} that there can be",
        "LVM gives a new volume the highest id plus one, and makes none beyond the last; "
        "Docker and containerd use ids again",
        device=highest,
        limit=MAX_DEVICE,
    )


def counters(transaction_id: int) -> Iterator[Advice]:
    """Tell of the transaction id."""
    if _is_near(transaction_id, MAX_TRANSACTION):
        yield advice(
            Severity.NOTE,
            Topic.LIMITS,
            "transaction-id",
            f"the transaction id is {transaction_id}, of 64 bits: no manager counts so far",
            "it was set by hand, or the superblock is damaged",
            transaction_id=transaction_id,
        )


def sizes(data: SpaceUsage, metadata: SpaceUsage) -> Iterator[Advice]:
    """Tell of devices that cannot be made larger."""
    if metadata.total >= MAX_METADATA_BLOCKS:
        half = metadata.kernel_used is not None and metadata.kernel_used * 2 >= metadata.total
        yield advice(
            Severity.ATTENTION if half else Severity.NOTE,
            Topic.LIMITS,
            "metadata-at-its-largest",
            f"the metadata device has {size(metadata.total * 4096)}, and the kernel uses no more",
            "it cannot be extended: when it is full, only deleting snapshots or a new pool with "
            "larger blocks helps",
            total=metadata.total,
            limit=MAX_METADATA_BLOCKS,
        )
    if _is_near(data.total, MAX_DATA_BLOCKS):
        yield advice(
            Severity.NOTE,
            Topic.LIMITS,
            "data-at-its-largest",
            f"the data device has {count(data.total)} blocks, of {count(MAX_DATA_BLOCKS)} that "
            "mappings can name",
            "it cannot be extended beyond that",
            total=data.total,
            limit=MAX_DATA_BLOCKS,
        )
