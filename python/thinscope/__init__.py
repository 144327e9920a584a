"""Who holds every block of a Linux dm-thin pool: read-only, offline.

with thinscope.open("tmeta.bin") as pool:
    pool.superblock.transaction_id
    pool.data_space.used_bytes
    pool.devices[5].mapped_bytes
    polars.DataFrame(pool.mappings())
"""

from thinscope import errors
from thinscope._core import (
    CountRun,
    Mappings,
    ReferenceCounts,
    Run,
    SpaceUsage,
    Superblock,
)
from thinscope.pool import Device, Pool, Recount, open  # noqa: A004 - the word that users know

__all__ = [
    "CountRun",
    "Device",
    "Mappings",
    "Pool",
    "Recount",
    "ReferenceCounts",
    "Run",
    "SpaceUsage",
    "Superblock",
    "errors",
    "open",
]
