"""``thinscope undelete SOURCE [WHO...]``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

import thinscope
from thinscope.cli.answer import repeated, write
from thinscope.cli.commands import COMMANDS
from thinscope.cli.failure import Failure
from thinscope.cli.output import Output
from thinscope.cli.progress import ProgressBar
from thinscope.cli.request import DATA_BLOCK_SIZE, reporting
from thinscope.report.undelete import Undelete

if TYPE_CHECKING:
    from thinscope.cli.failure import ExitCode
    from thinscope.cli.request import Request

__all__ = ["command"]


@click.command(
    "undelete",
    short_help=COMMANDS["undelete"],
    epilog="""\b
    Examples:
      thinscope undelete tmeta.bin
      thinscope undelete tmeta.bin 3 --data tdata.img
      thinscope undelete pv.img --names vg_00042.vg
    """,
)
@DATA_BLOCK_SIZE
@reporting
@click.argument("who", nargs=-1)
@click.option(
    "--data",
    metavar="DATA",
    help="The pool's data device, or a raw copy of it: tells which free blocks are zeros.",
)
def command(request: Request, *, who: tuple[str, ...], data: str | None) -> ExitCode:
    """Find devices that were deleted, and tell what became of each of their blocks.

    Every metadata block is read for older states, as "thinscope salvage" does. Nothing is put back:
    "thinscope export" with --root writes what a device held, which is as good as its blocks are.

    \b
    same         a live device shares the block since then
    used again   live devices have it anew, and wrote to it
    held         the held metadata snapshot alone has it
    free         nobody has it; what it holds is not proven
    leaked       nobody has it, but it is counted as used

    With WHO, ids or names, each run of mappings is told. See docs/forensics.md.
    """  # noqa: D301 - click's mark for lines that stay
    if request.metadata_snapshot:
        hint = "every block is read, whoever holds it: without --metadata-snapshot"
        raise Failure("deleted devices are those that the live pool has not", hint)
    output = Output()

    def look() -> ExitCode:
        with ProgressBar() as progress:
            found = thinscope.undelete(
                request.source,
                who,
                data=data,
                names=request.names,
                more_pvs=request.more_pvs,
                data_block_sectors=request.data_block_sectors,
                threads=request.threads,
                progress=progress,
            )
            report = Undelete.of(found, request.source, data, runs=bool(who))
            stale = found.salvage.may_be_stale
            return write(report, request.format, output, progress, may_be_stale=stale)

    return repeated(look, output)
