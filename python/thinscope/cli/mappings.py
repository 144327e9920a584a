"""``thinscope mappings SOURCE``."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

import click

from thinscope.cli.answer import answer
from thinscope.cli.group import COMMANDS
from thinscope.cli.request import reporting
from thinscope.report.mappings import Mappings

if TYPE_CHECKING:
    from thinscope.cli.failure import ExitCode
    from thinscope.cli.request import Request

__all__ = ["command"]

_RANGE = re.compile(r"([0-9]{1,20})\.\.([0-9]{1,20})?")
_BLOCK_LIMIT = 1 << 64


class _BlockRange(click.ParamType):  # type: ignore[type-arg] # generic only in new releases of click
    """``BEGIN..END``, half-open; without END it has no limit."""

    name = "BEGIN..END"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int | None]:
        match = _RANGE.fullmatch(str(value))
        if match is None:
            self.fail(f"'{value}' is not of the form BEGIN..END", param, ctx)
        begin, end = int(match[1]), int(match[2]) if match[2] else None
        if max(begin, end or 0) >= _BLOCK_LIMIT:
            self.fail(f"'{value}' ends beyond any device", param, ctx)
        if end is not None and begin >= end:
            self.fail(f"'{value}' holds no block", param, ctx)
        return begin, end


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
@reporting
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
    type=_BlockRange(),
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
    return answer(request, partial(Mappings.of, who=who, begin=begin, end=end))
