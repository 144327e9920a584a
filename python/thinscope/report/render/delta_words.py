"""Cells and sentences about what two devices have in common that text and Markdown share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thinscope.report.printable import printable, shown
from thinscope.report.render.words import device
from thinscope.report.units import count, plural, size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thinscope.report.delta import Delta, PieceRow, SideRow

__all__ = [
    "COLUMNS",
    "TOTAL_COLUMNS",
    "beyond",
    "cells",
    "not_exact",
    "sides",
    "total",
    "total_rows",
]

COLUMNS = ("kind", "virtual block", "length", "left data block", "right data block")
TOTAL_COLUMNS = ("kind", "blocks", "")

_KINDS = {
    "left_only": "left only",
    "right_only": "right only",
    "different": "different",
    "same": "same",
}


def cells(row: PieceRow) -> tuple[str, ...]:
    """Return the cells of a piece below `COLUMNS`; there may be millions of pieces."""
    left, right = row.left_data_begin, row.right_data_begin
    return (
        _KINDS[row.kind],
        str(row.virtual_begin),
        str(row.length),
        "" if left is None else str(left),
        "" if right is None else str(right),
    )


def sides(report: Delta) -> Iterator[str]:
    """Yield what stands on the two sides."""
    yield f"left: {_named(report.left)}"
    right = f"right: {_named(report.right)}"
    if report.other_source not in (None, report.source):
        right += f" of {printable(report.other_source or '')}"
    if report.right.is_metadata_snapshot and not report.is_metadata_snapshot:
        right += " as the metadata snapshot keeps it"
    yield right


def _named(side: SideRow) -> str:
    return shown(side.name) if side.device is None else device(side.device, side.name)


def not_exact(report: Delta) -> str | None:
    """Return what a comparison of two states does not tell, if it is one."""
    if report.is_exact:
        return None
    return (
        "compared by allocation: blocks written in place between the two states are not told, "
        "since that changes no mapping; take a snapshot and compare with that to have all changes"
    )


def total_rows(report: Delta) -> Iterator[tuple[str, str, str]]:
    """Yield the rows below `TOTAL_COLUMNS`."""
    found = report.total
    yield "left only", count(found.left_only_blocks), size(found.left_only_bytes)
    yield "right only", count(found.right_only_blocks), size(found.right_only_bytes)
    yield "different", count(found.different_blocks), size(found.different_bytes)
    if found.same_blocks is not None and found.same_bytes is not None:
        yield "same", count(found.same_blocks), size(found.same_bytes)


def beyond(report: Delta) -> Iterator[str]:
    """Yield which sides map blocks behind the end that their records have."""
    blocks = (report.total.left_beyond_blocks, report.total.right_beyond_blocks)
    for word, side, number in zip(
        ("left", "right"), (report.left, report.right), blocks, strict=True
    ):
        if number and side.virtual_bytes is not None:
            yield (
                f"{plural(number, 'block')} of these on the {word} side lie beyond the end of "
                f"{shown(side.name)}, which is {size(side.virtual_bytes)} long: it was made smaller"
            )


def total(report: Delta) -> str:
    """Return how much was told and read, which tells that it is all."""
    pieces = plural(report.total.pieces, "piece")
    return f"{pieces}; {plural(report.total.nodes_read, 'node')} of the trees read"
