"""``thinscope owners SOURCE``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from thinscope.cli.answer import answer
from thinscope.cli.commands import COMMANDS
from thinscope.cli.ranges import BlockRange, ByteRange, SectorRange
from thinscope.cli.request import opening
from thinscope.report.owners import Owners

if TYPE_CHECKING:
    from thinscope.cli.failure import ExitCode
    from thinscope.cli.request import Request

__all__ = ["command"]


class _Blocks(BlockRange):
    """A block, or ``BEGIN..END`` of them."""

    name = "BLOCK or BEGIN..END"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int | None]:
        text = str(value)
        if text.isascii() and text.isdecimal() and len(text) <= 20:  # noqa: PLR2004 - 64 bits
            text = f"{text}..{int(text) + 1}"
        return super().convert(text, param, ctx)


@click.command(
    "owners",
    short_help=COMMANDS["owners"],
    epilog="""\b
    Examples:
      thinscope owners tmeta.bin 9001
      thinscope owners tmeta.bin 7000..7100 9001 --names /etc/lvm/backup/vg
      thinscope owners tmeta.bin --sectors 123456789
      thinscope owners tmeta.bin --bytes 1GiB..2GiB --format csv
    """,
)
@opening
@click.argument("blocks", nargs=-1, type=_Blocks(), metavar="[BLOCK|BEGIN..END]...")
@click.option(
    "--bytes",
    "offsets",
    type=ByteRange(),
    multiple=True,
    help="The blocks that these bytes of the data device touch, such as 64KiB or 1GiB..2GiB. "
    "Can be given several times.",
)
@click.option(
    "--sectors",
    type=SectorRange(),
    multiple=True,
    help="The blocks that these sectors of the data device touch, 512 bytes each. Can be given "
    "several times.",
)
def command(
    request: Request,
    blocks: tuple[tuple[int, int | None], ...],
    offsets: tuple[tuple[int, int | None], ...],
    sectors: tuple[tuple[int, int | None], ...],
) -> ExitCode:
    """Tell who holds blocks of the data device: every device that shares them.

    Blocks are data blocks of the pool, from 0 on; a range goes from BEGIN up to, but without, END,
    which may be left out. Bytes and sectors are counted from the beginning of the pool's data
    device, not of the disk below it. Without any, all blocks are told.

    What only the held metadata snapshot has is told as such: the device has it no more. Of the
    blocks asked about it is also told which ones nobody holds: free ones, and leaked ones, which
    are counted as used all the same.
    """
    build = partial(Owners.of, blocks=blocks, places=(*offsets, *sectors))
    return answer(request, build)
