"""``thinscope SOURCE``, in full ``thinscope overview SOURCE``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from thinscope.cli.answer import answer
from thinscope.cli.commands import COMMANDS
from thinscope.cli.request import opening
from thinscope.errors import SeveralPools
from thinscope.report.overview import Overview

if TYPE_CHECKING:
    from thinscope.cli.failure import ExitCode
    from thinscope.cli.request import Request

__all__ = ["command"]


@click.command(
    "overview",
    short_help=COMMANDS["overview"],
    epilog="""\b
    Examples:
      thinscope /var/lib/docker
      thinscope tmeta.bin --names /etc/lvm/backup/vg
      thinscope tmeta.bin --format json
      thinscope --metadata-snapshot /dev/mapper/vg-pool_tmeta
    """,
)
@opening
def command(request: Request) -> ExitCode:
    """Tell how full the pool is, who holds the space, and what needs attention.

    The word "overview" may be left out. All mappings are counted, each distinct block of the
    metadata read once. What each object has to itself is exclusive; the fair shares, with what
    nobody holds, add up to what is in use.

    Where SOURCE is a disk image with several pools, they are listed, as "thinscope pools" does.

    \b
    The exit status is 1 if there is a finding:
      - the kernel asks for a check (needs_check)
      - features of the metadata that thinscope does not know
      - blocks in use that nothing reaches, or reached but counted as free
      - a device that does not map what its record says
      - data or metadata device at least 90 % full, the kernel's reserve included
    """  # noqa: D301 - click's mark for lines that stay
    try:
        return answer(request, Overview.of)
    except SeveralPools:
        # Imported here: one pool is the rule.
        from thinscope.cli.pools import list_image  # noqa: PLC0415

        return list_image(request)
