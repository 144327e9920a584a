"""``thinscope doctor SOURCE``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

import thinscope
from thinscope.cli.answer import repeated, write
from thinscope.cli.commands import COMMANDS
from thinscope.cli.output import Output
from thinscope.cli.progress import ProgressBar
from thinscope.cli.request import reporting
from thinscope.report.doctor import Doctor

if TYPE_CHECKING:
    from thinscope.cli.failure import ExitCode
    from thinscope.cli.request import Request

__all__ = ["command"]


@click.command(
    "doctor",
    short_help=COMMANDS["doctor"],
    epilog="""\b
    Examples:
      thinscope doctor /var/lib/docker
      thinscope doctor /dev/mapper/vg-pool_tmeta --names /etc/lvm
      thinscope doctor tmeta.bin --names vg.vg --lvm-conf /etc/lvm
      thinscope doctor tmeta.bin --names vg.vg --autoextend-threshold 80
    """,
)
@reporting
@click.option(
    "--lvm-conf",
    metavar="PATH",
    help="Take LVM's settings from PATH: /etc/lvm, an lvm.conf or a profile. Names that lie in "
    "/etc/lvm bring them along.",
)
@click.option(
    "--autoextend-threshold",
    type=click.IntRange(1, 100),
    metavar="PERCENT",
    help="LVM's thin_pool_autoextend_threshold; 100 is never.",
)
@click.option(
    "--autoextend-percent",
    type=click.IntRange(1, 1 << 20),
    metavar="PERCENT",
    help="LVM's thin_pool_autoextend_percent. By default 20.",
)
def command(
    request: Request,
    *,
    lvm_conf: str | None,
    autoextend_threshold: int | None,
    autoextend_percent: int | None,
) -> ExitCode:
    """Look the pool over: what needs attention, what it means, what to do next.

    Room for data and metadata, growth, damage, needs_check, the manager's transaction id, a
    forgotten metadata snapshot, limits, leaks, orphans; then one next step that is safe, and what
    not to do. Nothing is run, and nothing is written. A source that is damaged is looked at as far
    as it can be read.

    The exit status is 1 if something needs attention.
    """
    output = Output()

    def look_over() -> ExitCode:
        with ProgressBar() as progress:
            found = thinscope.doctor(
                request.source,
                names=request.names,
                more_pvs=request.more_pvs,
                metadata_snapshot=request.metadata_snapshot,
                lvm_conf=lvm_conf,
                autoextend_threshold=autoextend_threshold,
                autoextend_percent=autoextend_percent,
                threads=request.threads,
                progress=progress,
            )
            report = Doctor.of(found, request.source)
            stale = found.pool is not None and found.pool.may_be_stale
            if found.pool is not None:
                found.pool.close()
            return write(report, request.format, output, progress, may_be_stale=stale)

    return repeated(look_over, output)
