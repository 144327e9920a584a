"""``thinscope capture SOURCE -o FILE``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

import thinscope
from thinscope.cli.answer import repeated, write
from thinscope.cli.commands import COMMANDS
from thinscope.cli.failure import Failure
from thinscope.cli.output import Output
from thinscope.cli.progress import ProgressBar
from thinscope.cli.request import reporting
from thinscope.report.capture import Capture

if TYPE_CHECKING:
    from thinscope.cli.failure import ExitCode
    from thinscope.cli.request import Request

__all__ = ["command"]


@click.command(
    "capture",
    short_help=COMMANDS["capture"],
    epilog="""\b
    Examples:
      thinscope capture /dev/mapper/vg-pool_tmeta -o pool.tar
      thinscope capture /var/lib/docker -o docker.tar
      thinscope capture tmeta.bin --names /etc/lvm/backup/vg -o pool.tar
      thinscope pool.tar
    """,
)
@reporting
@click.option(
    "-o", "--output", "file", required=True, metavar="FILE", help="Write the capture to FILE."
)
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
def command(request: Request, *, file: str, force: bool) -> ExitCode:
    r"""Copy the metadata into one small FILE, with names, for a bug report or to keep.

    Every block is copied, damaged or not, and FILE is read back. All commands take FILE for SOURCE,
    and have the names from it. It holds no content of volumes; of managers' records only what
    thinscope reads of them: names, labels, ids, times, paths.

    A pool that commits meanwhile is copied again, up to three times; of a pool in use, capture the
    metadata snapshot.

    FILE is a tar: capture.json, metadata.bin.zst, names/*.json.

    The exit status is 1 if FILE cannot be read as a pool, or something is wrong with the pool.
    """
    if file in ("-", "/dev/stdout"):
        raise Failure("a capture is not written to stdout", "name a file, which is read back")
    output = Output()
    with ProgressBar() as progress:
        captured = _capture(request, file, progress, overwrite=force)
        report = Capture.of(captured, request.source)
        return write(report, request.format, output, progress, may_be_stale=captured.may_be_stale)


def _capture(
    request: Request, file: str, progress: ProgressBar, *, overwrite: bool
) -> thinscope.Capture:
    try:
        return repeated(
            lambda: thinscope.capture(
                request.source,
                file,
                names=request.names,
                more_pvs=request.more_pvs,
                metadata_snapshot=request.metadata_snapshot,
                overwrite=overwrite,
                threads=request.threads,
                progress=progress,
            )
        )
    except FileExistsError as error:
        hint = "--force replaces it"
        raise Failure(f"{error.filename}: there is something in it", hint) from error
