"""``thinscope thin_ls``: the devices of the pool in columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import thinscope
from thinscope.cli.output import Output
from thinscope.cli.peers.command import peer_command
from thinscope.cli.peers.words import HIDDEN, Option
from thinscope.cli.progress import ProgressBar
from thinscope.cli.streams import tell_may_be_stale

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from thinscope import Device, Pool

__all__ = ["command"]

_AMOUNTS = ("MAPPED", "EXCLUSIVE", "SHARED")
_UNITS = ("BLOCKS", "SECTORS", "BYTES")
_RECORDED = ("DEV", "TRANSACTION", "CREATE_TIME", "SNAP_TIME")
_COLUMNS = (
    *_RECORDED,
    *_AMOUNTS,
    *(f"{amount}_{unit}" for amount in _AMOUNTS for unit in _UNITS),
    "HIGHEST_MAPPED",
    *(f"HIGHEST_{unit.removesuffix('S')}" for unit in _UNITS),
)
_DEFAULT = ("DEV", "MAPPED", "CREATE_TIME", "SNAP_TIME")

_SECTOR_BYTES = 512
_SUFFIXES = ("b", "KiB", "MiB", "GiB", "Tib", "PiB", "EiB")
_MOST_SHOWN = 8192


def _column(word: str) -> str:
    """Return the name of a column, in capitals."""
    if word not in _COLUMNS:
        raise ValueError("Unknown field")
    return word


_OPTIONS = [
    Option(
        ["-o", "--format"],
        metavar="FIELDS",
        convert=_column,
        is_list=True,
        default=_DEFAULT,
        help=f"Show these columns, with commas between them: {', '.join(_COLUMNS)}.",
    ),
    Option(["--no-headers"], help="Leave out the line with the columns' names."),
    Option(
        ["-m", "--metadata-snap"],
        help="Read the pool as its held metadata snapshot keeps it.",
    ),
    *HIDDEN,
]


@peer_command(
    "thin_ls",
    _OPTIONS,
    """\
  thinscope thin_ls tmeta.bin
  thinscope thin_ls tmeta.bin -o DEV,MAPPED,EXCLUSIVE
  thinscope thin_ls /dev/mapper/vg-pool_tmeta -m --no-headers
""",
)
def command(
    source: str,
    *,
    format: Sequence[str],  # noqa: A002
    no_headers: bool,
    metadata_snap: bool,
    **_ignored: object,
) -> None:
    """List the devices of a pool in columns.

    EXCLUSIVE is what no other device maps, SHARED is the rest of what is MAPPED; HIGHEST is the
    last block, sector or byte that is mapped. INPUT is the metadata of a pool: a metadata
    device, or a copy of one, also packed.
    """
    output = Output()
    with (
        ProgressBar() as progress,
        thinscope.open(source, metadata_snapshot=metadata_snap, progress=progress) as pool,
    ):
        rows = [[_cell(column, figures) for column in format] for figures in _figures(pool, format)]
        names = [] if no_headers else [list(format)]
        output.write(_lines([*names, *rows]), before=progress.close)
        if pool.may_be_stale:
            tell_may_be_stale()


@dataclass(frozen=True, slots=True)
class _Figures:
    """What a row is made of, in data blocks."""

    device: Device
    block_bytes: int
    mapped: int
    exclusive: int
    highest: int


def _figures(pool: Pool, columns: Sequence[str]) -> Iterator[_Figures]:
    """Read what the columns need, and no more."""
    words = {column.partition("_")[0] for column in columns}
    mapped: Mapping[int, int] = {}
    exclusive: Mapping[int, int] = {}
    if words & set(_AMOUNTS):
        recount = pool.recount(exclusive=bool(words & {"EXCLUSIVE", "SHARED"}))
        mapped, exclusive = recount.mapped_blocks, recount.exclusive_blocks or {}
    highest = pool.highest_blocks() if "HIGHEST" in words else {}
    for device in pool.devices.values():
        yield _Figures(
            device=device,
            block_bytes=pool.superblock.data_block_bytes,
            mapped=mapped.get(device.id, 0),
            exclusive=exclusive.get(device.id, 0),
            # thin_ls says 0 where nothing is mapped.
            highest=highest.get(device.id) or 0,
        )


def _cell(column: str, figures: _Figures) -> str:
    recorded = dict(
        zip(
            _RECORDED,
            (
                figures.device.id,
                figures.device.transaction_id,
                figures.device.creation_time,
                figures.device.snapshot_time,
            ),
            strict=True,
        )
    )
    if column in recorded:
        return str(recorded[column])
    word, _, unit = column.partition("_")
    units_in_block = {
        "BLOCK": 1,
        "SECTOR": figures.block_bytes // _SECTOR_BYTES,
        "BYTE": figures.block_bytes,
    }.get(unit.removesuffix("S"))
    blocks = {
        "MAPPED": figures.mapped,
        "EXCLUSIVE": figures.exclusive,
        "SHARED": figures.mapped - figures.exclusive,
        "HIGHEST": figures.highest + 1,
    }[word]
    # The highest is a position: the last unit, not how many there are.
    less = int(word == "HIGHEST")
    if units_in_block is None:
        return _pretty(blocks * figures.block_bytes - less)
    return str(blocks * units_in_block - less)


def _pretty(size: int) -> str:
    """Return a size with a unit in which it is at most 8192."""
    unit = min(max(0, (size.bit_length() - 1) // 10 - 1), len(_SUFFIXES) - 1)
    shown = size >> 10 * unit
    if shown > _MOST_SHOWN and unit + 1 < len(_SUFFIXES):
        shown = (shown + 512) // 1024
        unit += 1
    return f"{shown}{_SUFFIXES[unit]}"


def _lines(rows: list[list[str]]) -> Iterator[str]:
    """Set the cells flush right, with a space behind each."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{cell:>{width}} " for cell, width in zip(row, widths, strict=True))
        yield "".join(cells) + "\n"
