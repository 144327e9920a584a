"""``thinscope orphans SOURCE``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from thinscope.cli.answer import answer
from thinscope.cli.commands import COMMANDS
from thinscope.cli.request import opening
from thinscope.report.orphans import Orphans

if TYPE_CHECKING:
    from thinscope.cli.failure import ExitCode
    from thinscope.cli.request import Request

__all__ = ["command"]


@click.command(
    "orphans",
    short_help=COMMANDS["orphans"],
    epilog="""\b
    Examples:
      thinscope orphans /var/lib/docker
      thinscope orphans /dev/mapper/vg-pool_tmeta --names /etc/lvm/backup/vg
    """,
)
@opening
def command(request: Request) -> ExitCode:
    """Compare the pool with its manager's records, both ways.

    Devices of the pool that no record knows, records whose device is gone, and what is half made
    or half removed, each with what deleting it would free, the reason, and how sure that is. A
    snapshot whose origin is gone is no orphan.

    The exit status is 1 if there are any.
    """
    return answer(request, Orphans.of)
