"""Who holds every block of a Linux dm-thin pool: read-only, offline.

with thinscope.open("tmeta.bin") as pool:
    pool.superblock.transaction_id
    pool.data_space.used_bytes
    pool.devices[5].mapped_bytes
    polars.DataFrame(pool.mappings())

thinscope.read_block("tmeta.bin", 7).fields  # of any file, whatever state it is in
thinscope.capture("/dev/mapper/vg-p_tmeta", "pool.tar")  # a small copy that can be sent
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
from thinscope.captured import Capture
from thinscope.capturing import capture
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
    "Capture",
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
    "capture",
    "errors",
    "open",
    "read_block",
]
