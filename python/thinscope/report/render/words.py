"""Cells and sentences about pools that text and Markdown share."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from thinscope.report.printable import printable, shown
from thinscope.report.render.identity import identity_rows
from thinscope.report.units import count, percent, plural, size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thinscope.report.devices import Devices
    from thinscope.report.mappings import Mappings
    from thinscope.report.overview import Overview, Space
    from thinscope.report.render import PoolReport, Report

__all__ = [
    "DEVICE_COLUMNS",
    "OBJECT_COLUMNS",
    "RUN_COLUMNS",
    "SPACE_COLUMNS",
    "asked_for",
    "clock",
    "columns_mean",
    "device",
    "device_rows",
    "external_origins",
    "holes",
    "inferred",
    "kernel_says",
    "names",
    "object_rows",
    "over_provisioning",
    "run_cells",
    "snapshot_view",
    "source",
    "space_rows",
    "total",
    "verdict",
    "where_all_are",
    "without_devices",
]

SPACE_COLUMNS = ("", "in use", "of", "")
_INDENT = "  "
_FEW = 4
DEVICE_COLUMNS = (
    "device",
    "mapped",
    "blocks",
    "up to",
    "transaction",
    "created",
    "snapshotted",
)
RUN_COLUMNS = ("device", "virtual block", "data block", "length", "time")

run_cells = attrgetter("device", "virtual_begin", "data_begin", "length", "time")
"""Returns the cells of a run below `RUN_COLUMNS`; there may be millions of runs."""


def source(report: Report) -> str:
    """Return what was opened, fit to be shown."""
    return printable(report.source)


def verdict(report: Overview) -> str:
    """Return how many findings there are."""
    return plural(len(report.findings), "finding") if report.findings else "no findings"


def snapshot_view(report: PoolReport) -> str | None:
    """Return that the report is of the metadata snapshot, if it is."""
    if not getattr(report, "is_metadata_snapshot", False):  # not all are about one state
        return None
    time: int | None = getattr(report, "time", None)
    if time is None:
        return "only the trees that the metadata snapshot keeps"
    return f"read as the metadata snapshot keeps it, at time {time}"


def kernel_says(report: Overview) -> str:
    """Return why the kernel's figure for metadata is another one."""
    space = report.metadata
    if space.kernel_used_bytes is None or space.reserve_bytes is None:
        if not report.is_metadata_snapshot:
            return "not known of a state that was salvaged: its space maps are not looked for"
        return "not known through a metadata snapshot, as the pool goes on writing"
    return (
        f"for metadata the kernel says {size(space.kernel_used_bytes)}: "
        f"it adds {size(space.reserve_bytes)} that it keeps in reserve"
    )


def names(report: Overview) -> list[str]:
    """Return whose pool it is, where that is known: ``docker (loop-lvm)``."""
    return [
        printable(
            f"{row.manager} ({row.mode or row.pool})" if row.mode or row.pool else row.manager
        )
        for row in report.names
    ]


def over_provisioning(report: Overview) -> str | None:
    """Return what the devices promise, where their virtual sizes are on record."""
    promised = report.devices.virtual_bytes
    if promised is None:
        return None
    share = percent(promised, report.data.total_bytes)
    return f"virtual sizes add up to {size(promised)}: {share} of the data device"


def clock(report: Devices) -> str:
    """Return what the columns of a table of devices mean."""
    at = "then" if report.is_metadata_snapshot else "now"
    return (
        "up to: end of the highest mapped block; created, snapshotted: by the pool's clock, "
        f"which each snapshot moves on by one ({at} {report.time})"
    )


def device_rows(report: Devices) -> Iterator[tuple[str, ...]]:
    """Yield the rows below `DEVICE_COLUMNS`, and their sum."""
    for row in report.devices:
        inferred = "?" if row.parent_is_inferred else ""
        yield (
            f"{_INDENT * row.depth}{device(row.id, row.name)}{inferred}",
            size(row.mapped_bytes),
            count(row.mapped_blocks),
            size(row.end_bytes),
            str(row.transaction_id),
            str(row.creation_time),
            str(row.snapshot_time),
        )
    if len(report.devices) > 1:
        who = plural(len(report.devices), "device")
        yield who, size(report.mapped_bytes), count(report.mapped_blocks), *("",) * 4


def device(id_: int, name: str) -> str:
    """Return what a device is called, with its id: ``5: container web-1``, ``device 5``."""
    return name if name == f"device {id_}" else f"{id_}: {shown(name)}"


def external_origins(report: Devices) -> Iterator[str]:
    """Yield which devices read something else where they map nothing."""
    for row in report.devices:
        if row.external_origin is not None:
            who, origin = device(row.id, row.name), printable(row.external_origin)
            yield f"{who} reads {origin}, its external origin, where it maps nothing"


def inferred(report: Devices) -> str | None:
    """Return what a question mark means, where there is one."""
    if not any(row.parent_is_inferred for row in report.devices):
        return None
    return "?: no record says what the device was made from; times and shared blocks suggest it"


OBJECT_COLUMNS = ("", "exclusive", "fair share", "mapped")


def object_rows(report: Overview) -> Iterator[tuple[str, ...]]:
    """Yield the rows below `OBJECT_COLUMNS`, the rest in one row, and what it all adds up to."""
    for row in report.largest_objects:
        name = shown(f"{row.kind} {row.name}")
        yield name, *map(size, (row.exclusive_bytes, row.fair_share_bytes, row.mapped_bytes))
    others, totals, accounting = report.other_objects, report.devices, report.accounting
    if others.count:
        yield f"and {count(others.count)} more", "", size(others.fair_share_bytes), ""
    if report.objects > 1:
        yield plural(totals.count, "device"), "", size(accounting.reached_bytes), ""
    rest = list(identity_rows(accounting))
    if len(rest) > 1:  # besides what is in use
        for what, _, size_ in rest:
            yield what, "", size_, ""


def columns_mean(report: Overview) -> str:
    """Return what the columns of the table of objects mean."""
    who = "object" if report.names else "device"
    return (
        f"exclusive: reached by no other {who}; fair share: each block divided by the number of "
        "devices that reach it, which adds up"
    )


def where_all_are(report: Overview) -> str | None:
    """Return how to see the objects that the overview leaves out, if it does."""
    if not report.other_objects.count:
        return None
    return f"all {count(report.devices.count)} devices: `thinscope sharing SOURCE`"


def without_devices(report: Overview) -> str:
    """Return what stands for the objects where there are none."""
    if report.accounting.is_whole:
        return "the pool has no devices"
    return "no device can be read"


def space_rows(report: Overview) -> tuple[tuple[str, ...], ...]:
    """Return the rows below `SPACE_COLUMNS`."""
    return (
        ("data", *_space_cells(report.data)),
        ("metadata", *_space_cells(report.metadata)),
    )


def _space_cells(space: Space) -> tuple[str, str, str]:
    total = size(space.total_bytes)
    if space.used is None or space.used_bytes is None:
        return "not known", total, ""
    return size(space.used_bytes), total, percent(space.used, space.total)


def asked_for(report: Mappings) -> str | None:
    """Return which part of the mappings was asked for, if not all."""
    parts = []
    if report.devices is not None:
        ids = ", ".join(map(str, report.devices))
        parts.append(f"device{'s' * (len(report.devices) > 1)} {ids}")
    if report.begin or report.end is not None:
        parts.append(f"virtual blocks {report.begin}..{'' if report.end is None else report.end}")
    return ", ".join(parts) or None


def holes(report: Mappings) -> str | None:
    """Return what is read where nothing is mapped, unless it is nothing but zeros."""
    origins = report.external_origins
    if origins is None:
        return (
            "where nothing is mapped, zeros are read, or an external origin: "
            "only a manager's records tell"
        )
    if not origins:
        return None
    told = [f"{device(row.device, row.name)} reads {shown(row.origin)}" for row in origins[:_FEW]]
    if len(origins) > _FEW:
        told.append(f"{count(len(origins) - _FEW)} more have external origins")
    return f"where nothing is mapped, {', '.join(told)}"


def total(report: Mappings) -> str:
    """Return what the stream added up to, at its end."""
    runs, blocks = plural(report.total.runs, "run"), plural(report.total.mapped_blocks, "block")
    return f"{runs}, {blocks} ({size(report.total.mapped_bytes)})"
