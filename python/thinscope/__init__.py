"""Who holds every block of a Linux dm-thin pool: read-only, offline.

with thinscope.open("tmeta.bin") as pool:
    pool.superblock.transaction_id
    pool.data_space.used_bytes
    pool.devices[5].mapped_bytes
    polars.DataFrame(pool.mappings())

thinscope.check("tmeta.bin").findings  # what is wrong, whatever state it is in
thinscope.read_block("tmeta.bin", 7).fields  # of any file, whatever state it is in
pool.device("web-1").export("web-1.img", data="tdata.img")  # the content of a device
thinscope.capture("/dev/mapper/vg-p_tmeta", "pool.tar")  # a small copy that can be sent
thinscope.salvage("tmeta.bin").deleted  # what older commits left behind
"""

from thinscope import errors
from thinscope._core import (
    CountRun,
    DeletedDevice,
    Delta,
    DeviceFragmentation,
    FreeExtents,
    LengthClass,
    Mappings,
    Misfit,
    NodeFill,
    Owner,
    Owners,
    Piece,
    Reads,
    ReferenceCounts,
    Run,
    SalvagedState,
    SalvagedTree,
    SpaceUsage,
    Superblock,
    SurveyedRun,
)
from thinscope.block import Block, read_block
from thinscope.captured import Capture
from thinscope.capturing import capture
from thinscope.checking import Affected, Check, Finding, check
from thinscope.content import Content
from thinscope.diagnosis import Advice, Diagnosis, doctor
from thinscope.exporting import Export
from thinscope.gaps import Gap, Gaps, Loss
from thinscope.pool import (
    Cell,
    Device,
    Fragmentation,
    Pool,
    Recount,
    Root,
    open,  # noqa: A004 - the word that users know
)
from thinscope.salvage import Salvage, salvage
from thinscope.survey import Survey
from thinscope.undeleting import Undelete, Undeleted, undelete

__all__ = [
    "Advice",
    "Affected",
    "Block",
    "Capture",
    "Cell",
    "Check",
    "Content",
    "CountRun",
    "DeletedDevice",
    "Delta",
    "Device",
    "DeviceFragmentation",
    "Diagnosis",
    "Export",
    "Finding",
    "Fragmentation",
    "FreeExtents",
    "Gap",
    "Gaps",
    "LengthClass",
    "Loss",
    "Mappings",
    "Misfit",
    "NodeFill",
    "Owner",
    "Owners",
    "Piece",
    "Pool",
    "Reads",
    "Recount",
    "ReferenceCounts",
    "Root",
    "Run",
    "Salvage",
    "SalvagedState",
    "SalvagedTree",
    "SpaceUsage",
    "Superblock",
    "Survey",
    "SurveyedRun",
    "Undelete",
    "Undeleted",
    "capture",
    "check",
    "doctor",
    "errors",
    "open",
    "read_block",
    "salvage",
    "undelete",
]
