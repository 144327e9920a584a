"""Cells and sentences about pools that text and Markdown share."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from thinscope.report.printable import printable
from thinscope.report.units import count, exact_size, percent, plural, size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thinscope.report.devices import Devices
    from thinscope.report.mappings import Mappings
    from thinscope.report.overview import Overview, Space
    from thinscope.report.render import PoolReport, Report

__all__ = [
    "DEVICE_COLUMNS",
    "RUN_COLUMNS",
    "SPACE_COLUMNS",
    "asked_for",
    "clock",
    "device_rows",
    "facts",
    "kernel_says",
    "largest_device_columns",
    "largest_device_rows",
    "run_cells",
    "sharing",
    "snapshot_view",
    "source",
    "space_rows",
    "total",
    "verdict",
    "where_all_are",
]

SPACE_COLUMNS = ("", "in use", "of", "")
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


def facts(report: PoolReport) -> list[str]:
    """Return what every report of a pool says of it."""
    blocks = f"{exact_size(report.block_bytes)} blocks"
    return [blocks, f"transaction {report.transaction_id}"]


def verdict(report: Overview) -> str:
    """Return how many findings there are."""
    return plural(len(report.findings), "finding") if report.findings else "no findings"


def snapshot_view(report: PoolReport) -> str | None:
    """Return that the report is of the metadata snapshot, if it is."""
    if not report.is_metadata_snapshot:
        return None
    return f"read as the metadata snapshot keeps it, at time {report.time}"


def kernel_says(report: Overview) -> str:
    """Return why the kernel's figure for metadata is another one."""
    space = report.metadata
    if space.kernel_used_bytes is None or space.reserve_bytes is None:
        return "not known through a metadata snapshot, as the pool goes on writing"
    return (
        f"for metadata the kernel says {size(space.kernel_used_bytes)}: "
        f"it adds {size(space.reserve_bytes)} that it keeps in reserve"
    )


def sharing(report: Overview) -> str:
    """Return what the devices map, and what it comes to without counting twice."""
    totals = report.devices
    if totals.count == 0:
        return "the pool has no devices"
    mapped, reached = size(totals.mapped_bytes), size(totals.reached_bytes)
    who = "the device maps" if totals.count == 1 else "the devices map"
    if totals.mapped_blocks == totals.reached_blocks:
        return f"{who} {mapped} in all; no block is shared"
    return f"{who} {mapped} in all; shared blocks counted once, that is {reached}"


def clock(report: Overview | Devices) -> str:
    """Return what the columns of a table of devices mean."""
    at = "then" if report.is_metadata_snapshot else "now"
    return (
        "up to: end of the highest mapped block; created, snapshotted: by the pool's clock, "
        f"which each snapshot moves on by one ({at} {report.time})"
    )


def device_rows(report: Devices) -> Iterator[tuple[str, ...]]:
    """Yield the rows below `DEVICE_COLUMNS`, and their sum."""
    for row in report.devices:
        yield (
            f"device {row.id}",
            size(row.mapped_bytes),
            count(row.mapped_blocks),
            size(row.end_bytes),
            str(row.transaction_id),
            str(row.creation_time),
            str(row.snapshot_time),
        )
    if len(report.devices) > 1:
        who = plural(len(report.devices), "device")
        yield who, size(report.mapped_bytes), count(report.mapped_blocks), "", "", "", ""


def largest_device_columns(report: Overview) -> tuple[str, ...]:
    """Return the heads of the table of devices that an overview has."""
    first = "largest devices" if report.other_devices.count else "device"
    return (first, "mapped", "up to", "created", "snapshotted")


def largest_device_rows(report: Overview) -> Iterator[tuple[str, ...]]:
    """Yield the rows below `largest_device_columns`, the rest in one row, and their sum."""
    for row in report.largest_devices:
        yield (
            f"device {row.id}",
            size(row.mapped_bytes),
            size(row.end_bytes),
            str(row.creation_time),
            str(row.snapshot_time),
        )
    others, totals = report.other_devices, report.devices
    if others.count:
        yield f"and {count(others.count)} more", size(others.mapped_bytes), "", "", ""
    if totals.count > 1:
        yield plural(totals.count, "device"), size(totals.mapped_bytes), "", "", ""


def where_all_are(report: Overview) -> str | None:
    """Return how to see the devices that the overview leaves out, if it does."""
    if not report.other_devices.count:
        return None
    return f"all {count(report.devices.count)} devices: `thinscope devices SOURCE`"


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


def total(report: Mappings) -> str:
    """Return what the stream added up to, at its end."""
    runs, blocks = plural(report.total.runs, "run"), plural(report.total.mapped_blocks, "block")
    return f"{runs}, {blocks} ({size(report.total.mapped_bytes)})"
