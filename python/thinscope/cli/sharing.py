"""``thinscope sharing SOURCE``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from thinscope.cli.answer import answer
from thinscope.cli.commands import COMMANDS
from thinscope.cli.request import opening
from thinscope.report.sharing import Sharing

if TYPE_CHECKING:
    from thinscope.cli.failure import ExitCode
    from thinscope.cli.request import Request

__all__ = ["command"]


@click.command(
    "sharing",
    short_help=COMMANDS["sharing"],
    epilog="""\b
    Examples:
      thinscope sharing /var/lib/docker
      thinscope sharing tmeta.bin --groups 3
      thinscope sharing tmeta.bin --matrix --format csv
    """,
)
@opening
@click.option(
    "--groups",
    type=click.IntRange(0),
    default=10,
    show_default=True,
    metavar="N",
    help="Tell the N groups of devices that share most.",
)
@click.option("--matrix", is_flag=True, help="Tell what each two devices share.")
def command(request: Request, groups: int, *, matrix: bool) -> ExitCode:
    """Tell who shares which blocks, device by device.

    First all blocks in use by who reaches them: terms that add up. Then for each device what it
    has to itself (exclusive), its fair share of what is shared, and what it maps. Then the groups
    of devices that share blocks with each other and with no other device.
    """
    return answer(request, partial(Sharing.of, groups=groups, with_matrix=matrix))
