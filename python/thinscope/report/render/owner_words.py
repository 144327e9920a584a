"""Cells and sentences about owners of blocks that text and Markdown share."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from thinscope.report.render.words import device
from thinscope.report.units import count, plural, size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thinscope.report.owners import OwnerRow, Owners

__all__ = [
    "COLUMNS",
    "UNHELD_COLUMNS",
    "WORDS",
    "asked_for",
    "cells",
    "more_unheld",
    "total",
    "unheld_rows",
]

COLUMNS = ("data block", "length", "virtual block", "time", "device")
WORDS = (4,)
UNHELD_COLUMNS = ("data block", "length", "held by nobody")

_FEW = 4
_UNHELD = 20
"""Stretches that nobody holds and that are told one by one."""

_STATES = {"free": "free", "leaked": "leaked or in flight: counted as used"}


def asked_for(report: Owners) -> str | None:
    """Return which blocks were asked about, if not all."""
    if report.asked is None:
        return None
    told = [f"{row.begin}..{row.end}" for row in report.asked[:_FEW]]
    if len(report.asked) > _FEW:
        told.append(f"{count(len(report.asked) - _FEW)} ranges more")
    return f"data blocks {', '.join(told)}"


def cells(row: OwnerRow) -> tuple[str, ...]:
    """Return the cells of a row below `COLUMNS`; there may be millions of rows."""
    owner = device(row.device, row.name)
    if row.only_metadata_snapshot:
        owner += " (only in the metadata snapshot)"
    return str(row.data_begin), str(row.length), str(row.virtual_begin), str(row.time), owner


def total(report: Owners) -> str:
    """Return what the stream added up to, at its end."""
    found = report.total
    held = f"{plural(found.held_blocks, 'block')} ({size(found.held_bytes)})"
    who = [plural(found.devices, "device")] if found.devices else []
    if found.has_metadata_snapshot:
        who.append("the metadata snapshot" if who else "the metadata snapshot only")
    told = [f"{held} held by {' and '.join(who)}"] if who else ["nobody holds any block"]
    if found.free_blocks:
        told.append(f"{count(found.free_blocks)} free")
    if found.leaked_blocks:
        told.append(f"{count(found.leaked_blocks)} leaked or in flight")
    if found.unknown_blocks and not report.is_metadata_snapshot:
        told.append(f"{count(found.unknown_blocks)} unknown: {_why_unknown(report)}")
    return ", ".join(told)


def unheld_rows(report: Owners) -> Iterator[tuple[str, str, str]]:
    """Yield the rows below `UNHELD_COLUMNS`: of the blocks asked for, what nobody holds."""
    unknown = f"unknown: {_why_unknown(report)}"
    if report.is_metadata_snapshot:
        unknown = "not known through a metadata snapshot"
    for row in islice(report.unheld, _UNHELD):
        yield str(row.begin), str(row.length), _STATES.get(row.state, unknown)


def _why_unknown(report: Owners) -> str:
    """Return why it is not known whether somebody holds blocks, of the live pool."""
    if report.total.free_blocks is None:
        return "the counts of the data space map are not known"
    return "lost mappings may hold them"


def more_unheld(report: Owners) -> str | None:
    """Return that there are more rows than are told, if so."""
    more = len(report.unheld) - _UNHELD
    return f"and {plural(more, 'stretch')} more: `--format json` has all" if more > 0 else None
