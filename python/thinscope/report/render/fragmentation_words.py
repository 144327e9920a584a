"""Cells and sentences about fragmentation that text and Markdown share."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from thinscope.report.fragmentation import Total
from thinscope.report.render.words import device
from thinscope.report.units import count, exact_size, mean_size, percent, plural, quotient, size

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from thinscope.report.fragmentation import (
        DeviceRow,
        Fragmentation,
        LengthRow,
        NodeFill,
    )
    from thinscope.report.picture import Picture

__all__ = [
    "EXTENT_COLUMNS",
    "FREE_COLUMNS",
    "LEGEND",
    "MEANING",
    "NODE_COLUMNS",
    "READ_COLUMNS",
    "RUN_COLUMNS",
    "about_device",
    "about_free",
    "about_nodes",
    "device_columns",
    "device_rows",
    "extent_rows",
    "legend",
    "length_rows",
    "node_rows",
    "picture_lines",
    "read_rows",
    "where_more_are",
]

RUN_COLUMNS = ("runs from", "runs", "together", "")
FREE_COLUMNS = ("free extents from", "extents", "together", "")
EXTENT_COLUMNS = ("largest free extents at", "data block", "blocks", "size")
READ_COLUMNS = ("read in I/Os of", "I/Os", "pieces", "pieces per I/O", "seeks per I/O")
NODE_COLUMNS = ("mapping trees", "nodes", "full", *map(str, range(0, 90, 10)), "90 %")

MEANING = (
    "run: blocks that follow each other in the device and on the data device; contiguous: of the "
    "blocks next to each other in the device, those that are so on the data device; seeks: of "
    "reading the device once, from begin to end"
)

_NOT_KNOWN = "-"
_BAR = 30
"""Characters of the longest bar."""

_ROWS = (128, 64, 32, 16)
"""Cells in a line of a picture; as many as there is room for."""

_MARGIN = 12
"""Columns before the cells of a line."""


class Look(NamedTuple):
    """How a cell of a picture looks.

    Attributes:
        character: What stands for it.
        meaning: What it holds.
        style: Its colour.
    """

    character: str
    meaning: str
    style: str


LEGEND: Mapping[str, Look] = MappingProxyType(
    {
        "free": Look(".", "free", "dim"),
        "one_device": Look("o", "one device", "green"),
        "several_devices": Look("S", "several devices", "cyan"),
        "only_metadata_snapshot": Look("m", "only the metadata snapshot", "magenta"),
        "leaked": Look("L", "leaked", "bold yellow"),
        "missing": Look("!", "reached, but counted as free", "bold red"),
    }
)
"""By what a cell is taken for."""


def device_columns(report: Fragmentation, rows: int | None) -> tuple[str, ...]:
    """Return the heads of the table of devices."""
    is_cut = rows is not None and len(report.devices) > rows
    first = "most seeks" if is_cut else "device"
    return (first, "mapped", "runs", "mean run", "median run", "contiguous", "seeks")


def device_rows(report: Fragmentation, rows: int | None) -> Iterator[tuple[str, ...]]:
    """Yield the devices with most seeks, the rest in one row, and their sum."""
    devices = report.by_seeks
    shown = devices if rows is None else devices[:rows]
    for row in shown:
        yield device(row.id, row.name), *_cells(row, size(row.median_run_bytes))
    if rest := devices[len(shown) :]:
        yield f"and {count(len(rest))} more", *_cells(Total.of(rest), "")
    if len(devices) > 1:
        yield plural(len(devices), "device"), *_cells(report.total, "")


def _cells(row: DeviceRow | Total, median: str) -> tuple[str, ...]:
    return (
        size(row.mapped_bytes),
        count(row.runs),
        mean_size(row.mapped_bytes, row.runs) if row.runs else _NOT_KNOWN,
        median if row.runs else _NOT_KNOWN,
        percent(row.contiguous, row.neighbours) if row.neighbours else _NOT_KNOWN,
        count(row.seeks),
    )


def where_more_are(report: Fragmentation, rows: int | None) -> str | None:
    """Return how to see the devices that are left out, if there are any."""
    if rows is None or len(report.devices) <= rows:
        return None
    return f"all {plural(len(report.devices), 'device')}: `--all`"


def about_device(row: DeviceRow) -> str:
    """Return what a device comes to in a sentence."""
    who = device(row.id, row.name)
    if not row.runs:
        return f"{who} maps nothing"
    runs = f"{who}: {plural(row.runs, 'run')}, the longest {size(row.longest_run_bytes)}"
    if not row.seeks:
        return f"{runs}; no seeks"
    distance = mean_size(row.seek_bytes, row.seeks)
    return f"{runs}; {plural(row.seeks, 'seek')}, over {distance} on average"


def length_rows(lengths: Iterable[LengthRow]) -> Iterator[tuple[str, str, str, str]]:
    """Yield the classes that are not empty; a bar shows how much there is together."""
    filled = [row for row in lengths if row.count]
    most = max((row.blocks for row in filled), default=1)
    for row in filled:
        bar = "#" * max(row.blocks * _BAR // most, 1)
        yield exact_size(row.shortest_bytes), count(row.count), size(row.bytes), bar


def read_rows(row: DeviceRow) -> Iterator[tuple[str, ...]]:
    """Yield the reading of a device by I/O size."""
    for reads in row.reads:
        yield (
            exact_size(reads.io_bytes),
            count(reads.ios),
            count(reads.pieces),
            quotient(reads.pieces, reads.ios) if reads.ios else _NOT_KNOWN,
            quotient(row.seeks, reads.ios) if reads.ios else _NOT_KNOWN,
        )


def about_free(report: Fragmentation) -> str:
    """Return what is free in a sentence."""
    free = report.free
    if free is None:
        if not report.is_metadata_snapshot:
            return "what is free is not known of a state that was salvaged"
        return "what is free is not known through a metadata snapshot"
    if not free.count:
        return "no data block is free"
    extents = f"{size(free.bytes)} free in {plural(free.count, 'extent')}"
    return extents if free.count == 1 else f"{extents}, the longest {size(free.longest_bytes)}"


def extent_rows(report: Fragmentation) -> Iterator[tuple[str, ...]]:
    """Yield the free extents that were asked for."""
    for extent in report.free.largest if report.free else ():
        yield (
            size(extent.begin_bytes),
            count(extent.begin),
            count(extent.length),
            size(extent.length_bytes),
        )


def node_rows(report: Fragmentation) -> Iterator[tuple[str, ...]]:
    """Yield how full leaves and internal nodes are, with the nodes in each tenth."""
    yield "leaves", *_fill_cells(report.nodes.leaves)
    yield "internal nodes", *_fill_cells(report.nodes.internal_nodes)


def _fill_cells(fill: NodeFill) -> tuple[str, ...]:
    full = percent(fill.entries, fill.room) if fill.nodes else _NOT_KNOWN
    return count(fill.nodes), full, *map(count, fill.tenths)


def about_nodes(report: Fragmentation) -> str:
    """Return what packing would make of the nodes."""
    nodes = report.nodes
    difference = nodes.packed_bytes - nodes.bytes
    if not difference:
        change = "as many as now"
    else:
        more = "more" if difference > 0 else "less"
        change = f"instead of {count(nodes.nodes)}, {size(abs(difference))} {more}"
    return (
        f"packed by thin_dump and thin_restore: {plural(nodes.packed_nodes, 'node')}, {change}; "
        f"packed with nothing shared: {count(nodes.unshared_nodes)}"
    )


def picture_lines(picture: Picture, width: int) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield where a line begins on the data device, and what its cells are taken for."""
    row = next((row for row in _ROWS if row + _MARGIN <= width), _ROWS[-1])
    for begin in range(0, len(picture.cells), row):
        cells = picture.cells[begin : begin + row]
        where = size(begin * picture.bytes_per_cell)
        yield where.rjust(_MARGIN - 2), [cell.shown for cell in cells]


def legend(report: Fragmentation) -> Iterator[tuple[Look, str]]:
    """Yield how cells look, with how much there is of what they are taken for."""
    picture = report.picture
    for name, blocks in picture.blocks().items() if picture else ():
        if blocks:
            yield LEGEND[name], size(blocks * report.block_bytes)
