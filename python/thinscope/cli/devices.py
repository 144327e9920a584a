"""``thinscope devices SOURCE``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from thinscope.cli.answer import answer
from thinscope.cli.commands import COMMANDS
from thinscope.cli.request import opening
from thinscope.report.devices import Devices

if TYPE_CHECKING:
    from thinscope.cli.failure import ExitCode
    from thinscope.cli.request import Request

__all__ = ["command"]


@click.command(
    "devices",
    short_help=COMMANDS["devices"],
    epilog="""\b
    Examples:
      thinscope devices tmeta.bin
      thinscope devices tmeta.bin --format csv
      thinscope devices /var/lib/docker --tree
    """,
)
@opening
@click.option("--tree", is_flag=True, help="Put devices below what they were made from.")
def command(request: Request, *, tree: bool) -> ExitCode:
    """List all devices of the pool by their ids.

    What is mapped is what the pool has on record; no mapping is read but the last of each device.

    With --tree each device stands below the one that it was made from, as the manager's records
    say. Where none says it, the pool's clock and shared blocks suggest it, which reads all
    mappings; such devices are marked.
    """
    return answer(request, partial(Devices.of, tree=tree))
