"""``thinscope mappings SOURCE``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from thinscope.cli.answer import answer
from thinscope.cli.commands import COMMANDS
from thinscope.cli.ranges import BlockRange
from thinscope.cli.request import opening
from thinscope.report.mappings import Mappings

if TYPE_CHECKING:
    from thinscope.cli.failure import ExitCode
    from thinscope.cli.request import Request

__all__ = ["command"]


@click.command(
    "mappings",
    short_help=COMMANDS["mappings"],
    epilog="""\b
    Examples:
      thinscope mappings tmeta.bin
      thinscope mappings tmeta.bin --device 5 --device 7
      thinscope mappings tmeta.bin --device 5 --range 0..1000 --format csv
    """,
)
@opening
@click.option(
    "--device",
    "who",
    multiple=True,
    metavar="ID",
    help="Only this device. Can be given several times.",
)
@click.option(
    "--range",
    "block_range",
    type=BlockRange(),
    default="0..",
    help="Only virtual blocks from BEGIN up to, but without, END. END may be left out.",
)
def command(
    request: Request, who: tuple[str, ...], block_range: tuple[int, int | None]
) -> ExitCode:
    """Tell where the blocks of devices lie on the data device, run by run.

    A run is a stretch of blocks that follow each other in the device and on the data device, and
    were allocated at the same time of the pool's clock. Numbers are data blocks; an overview tells
    their size. Devices come by their ids, a device's runs by virtual block; blocks that devices
    share come with each of them. Text ends with a sum, which tells that nothing is missing.
    """
    begin, end = block_range
    return answer(request, partial(Mappings.of, who=who, begin=begin, end=end), who=who)
