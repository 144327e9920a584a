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

import sys
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from thinscope import errors
    from thinscope import layout as layout
    from thinscope import names as names
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
    from thinscope.salvaging import Salvage, salvage
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

_HOMES = {
    "thinscope._core": """
        CountRun DeletedDevice Delta DeviceFragmentation FreeExtents LengthClass Mappings Misfit
        NodeFill Owner Owners Piece Reads ReferenceCounts Run SalvagedState SalvagedTree SpaceUsage
        Superblock SurveyedRun
    """,
    "thinscope.block": "Block read_block",
    "thinscope.captured": "Capture",
    "thinscope.capturing": "capture",
    "thinscope.checking": "Affected Check Finding check",
    "thinscope.content": "Content",
    "thinscope.diagnosis": "Advice Diagnosis doctor",
    "thinscope.exporting": "Export",
    "thinscope.gaps": "Gap Gaps Loss",
    "thinscope.pool": "Cell Device Fragmentation Pool Recount Root open",
    "thinscope.salvaging": "Salvage salvage",
    "thinscope.survey": "Survey",
    "thinscope.undeleting": "Undelete Undeleted undelete",
}
"""Where each name comes from: a module is loaded when something of it is asked for."""


_MODULES = frozenset({"errors", "layout", "names"})
"""Modules that can be asked for as names are."""

if not TYPE_CHECKING:  # else every name would pass for one of these

    def __getattr__(name: str) -> object:
        if name in _MODULES:
            return import_module(f"thinscope.{name}")
        for home, names in _HOMES.items():
            if name in names.split():
                found: object = getattr(import_module(home), name)
                setattr(sys.modules[__name__], name, found)
                return found
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)


def __dir__() -> list[str]:
    own = (name for name in globals() if name.startswith("__"))
    return sorted({*own, *_MODULES, *__all__})
