"""``thinscope devices SOURCE``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from thinscope.cli.answer import answer
from thinscope.cli.group import COMMANDS
from thinscope.cli.request import reporting
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
    """,
)
@reporting
def command(request: Request) -> ExitCode:
    """List all devices of the pool by their ids.

    What is mapped is what the pool has on record; no mapping is read but the last of each device.
    """
    return answer(request, Devices.of)
