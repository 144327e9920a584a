"""``thinscope fragmentation SOURCE``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from thinscope.cli.answer import answer
from thinscope.cli.commands import COMMANDS
from thinscope.cli.failure import Failure
from thinscope.cli.request import opening
from thinscope.report.fragmentation import Fragmentation

if TYPE_CHECKING:
    from thinscope import Pool
    from thinscope.cli.failure import ExitCode
    from thinscope.cli.request import Request

__all__ = ["command"]

_ROWS = 20
"""Devices that one screen has room for."""

_MAX_EXTENTS = 1_000_000
"""More than anybody looks at; they are held in memory."""


@click.command(
    "fragmentation",
    short_help=COMMANDS["fragmentation"],
    epilog="""\b
    Examples:
      thinscope fragmentation tmeta.bin
      thinscope fragmentation tmeta.bin --device 5
      thinscope fragmentation tmeta.bin --picture --free-extents 10
      thinscope fragmentation tmeta.bin --all --format markdown
    """,
)
@opening
@click.option(
    "--device",
    "who",
    multiple=True,
    metavar="WHO",
    help="Only this device, with the lengths of its runs, and what reading it costs by I/O size. "
    "Can be given several times.",
)
@click.option(
    "--all",
    "is_all",
    is_flag=True,
    help=f"Show all devices in text and Markdown, not only the {_ROWS} with most seeks.",
)
@click.option(
    "--free-extents",
    type=click.IntRange(1, _MAX_EXTENTS),
    metavar="N",
    help="List the N largest free extents of the data device.",
)
@click.option(
    "--picture",
    is_flag=True,
    help="Show the data device from begin to end, and who reaches what of it. Takes longer.",
)
def command(
    request: Request,
    *,
    who: tuple[str, ...],
    is_all: bool,
    free_extents: int | None,
    picture: bool,
) -> ExitCode:
    """Tell how scattered the devices are, what is free in one piece, and how full the nodes are.

    A run is a stretch of blocks that follow each other in the device and on the data device, whenever
    they were allocated. Seeks are those of reading a device once from begin to end: each block that
    does not begin on the data device where the one read before ended. Holes cost nothing.
    """

    def build(pool: Pool, source: str) -> Fragmentation:
        if picture and pool.is_metadata_snapshot:
            raise Failure("no picture through a metadata snapshot: it is not known what is free")
        if picture and pool.is_salvaged:
            raise Failure("no picture of a state that was salvaged: it is not known what is free")
        extents = free_extents or 0
        return Fragmentation.of(pool, source, who=who, free_extents=extents, picture=picture)

    return answer(request, build, rows=None if is_all else _ROWS, who=who)
