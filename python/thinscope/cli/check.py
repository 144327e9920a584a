"""``thinscope check SOURCE``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

import thinscope
from thinscope.cli.answer import repeated, write
from thinscope.cli.commands import COMMANDS
from thinscope.cli.output import Output
from thinscope.cli.progress import ProgressBar
from thinscope.cli.request import reporting
from thinscope.report.check import Check

if TYPE_CHECKING:
    from thinscope.cli.failure import ExitCode
    from thinscope.cli.request import Request

__all__ = ["command"]


@click.command(
    "check",
    short_help=COMMANDS["check"],
    epilog="""\b
    Examples:
      thinscope check tmeta.bin
      thinscope check /var/lib/docker
      thinscope check tmeta.bin --names /etc/lvm/backup/vg --format json
      thinscope check /dev/mapper/vg-pool_tmeta --metadata-snapshot
    """,
)
@reporting
def command(request: Request) -> ExitCode:
    """Check everything that the metadata says of itself, and tell whom damage hits.

    Works on metadata that cannot be opened, and stops at nothing: what lies below a broken block is
    told by device and virtual blocks. Superblock, every node, every mapping, records of devices,
    times and transaction ids, and both space maps: each count, each sum, each hint. A held metadata
    snapshot is checked as well; with --metadata-snapshot its trees alone, which is the way to check
    a pool in use.

    \b
    The exit status is 1 if something is wrong:
      damage    something is lost, or will be when the pool is used
      warning   nothing is lost: leaks, needs_check, counters near limits
    """  # noqa: D301 - click's mark for lines that stay
    output = Output()
    with ProgressBar() as progress:
        checked = _check(request, progress)
        report = Check.of(checked, request.source, is_metadata_snapshot=request.metadata_snapshot)
        return write(report, request.format, output, progress, may_be_stale=checked.may_be_stale)


def _check(request: Request, progress: ProgressBar) -> thinscope.Check:
    return repeated(
        lambda: thinscope.check(
            request.source,
            names=request.names,
            more_pvs=request.more_pvs,
            metadata_snapshot=request.metadata_snapshot,
            threads=request.threads,
            progress=progress,
        )
    )
