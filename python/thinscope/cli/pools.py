"""``thinscope pools SOURCE``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from thinscope import locate
from thinscope.cli.answer import answer, write
from thinscope.cli.commands import COMMANDS
from thinscope.cli.output import Output
from thinscope.cli.progress import ProgressBar
from thinscope.cli.request import reporting
from thinscope.report.pools import Pools

if TYPE_CHECKING:
    from thinscope.cli.failure import ExitCode
    from thinscope.cli.request import Request

__all__ = ["command", "list_image"]


@click.command(
    "pools",
    short_help=COMMANDS["pools"],
    epilog="""\b
    Examples:
      thinscope pools disk.img
      thinscope pools pv1.img --pv pv2.img
      thinscope disk.img:vg/pool
      thinscope disk.img:vg/pool@17
    """,
)
@reporting
def command(request: Request) -> ExitCode:
    r"""List the thin pools on LVM physical volumes and in disk images.

    SOURCE is a physical volume, or a disk or an image of one; partitions are looked through. The
    pools are those of LVM's text on it; and of those that are gone, what older texts tell that were
    left behind. Each is named SOURCE:VG/POOL, or SOURCE:VG/POOL@SEQNO by an older text, wherever a
    command takes SOURCE.

    Of any other SOURCE, the one pool is listed of which it is the metadata.

    The exit status is 1 if something is damaged, or a physical volume is missing.
    """
    if request.more_pvs or locate.is_image(request.source):
        return list_image(request)
    return answer(request, Pools.of)


def list_image(request: Request) -> ExitCode:
    """Print the pools of an image."""
    output = Output()
    with ProgressBar() as progress:
        image, _ = locate.disk_image(
            request.source,
            request.more_pvs,
            shared=request.metadata_snapshot,
            progress=progress,
        )
        report = Pools.of_image(image, image.source, request.more_pvs)
        return write(report, request.format, output, progress, may_be_stale=image.may_be_stale)
