"""Who holds every block of a Linux dm-thin pool: read-only, offline.

with thinscope.open("tmeta.bin") as pool:
    pool.superblock.transaction_id
    pool.data_space.used_bytes
    pool.devices[5].mapped_bytes
    polars.DataFrame(pool.mappings())

thinscope.read_block("tmeta.bin", 7).fields  # of any file, whatever state it is in
"""

from thinscope import errors
from thinscope._core import (
    CountRun,
    DeviceFragmentation,
    FreeExtents,
    LengthClass,
    Mappings,
    NodeFill,
    Reads,
    ReferenceCounts,
    Run,
    SpaceUsage,
    Superblock,
)
from thinscope.block import Block, read_block
from thinscope.pool import (
    Cell,
    Device,
    Fragmentation,
    Pool,
    Recount,
    open,  # noqa: A004 - the word that users know
)

__all__ = [
    "Block",
    "Cell",
    "CountRun",
    "Device",
    "DeviceFragmentation",
    "Fragmentation",
    "FreeExtents",
    "LengthClass",
    "Mappings",
    "NodeFill",
    "Pool",
    "Reads",
    "Recount",
    "ReferenceCounts",
    "Run",
    "SpaceUsage",
    "Superblock",
    "errors",
    "open",
    "read_block",
]
