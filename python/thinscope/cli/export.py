"""``thinscope export SOURCE WHO -o FILE``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from thinscope.cli.answer import opened, repeated, write
from thinscope.cli.commands import COMMANDS
from thinscope.cli.failure import ExitCode, Failure
from thinscope.cli.output import Output
from thinscope.cli.progress import ProgressBar
from thinscope.cli.request import SIZE, opening
from thinscope.cli.streams import tell, tell_may_be_stale
from thinscope.report.export import Export
from thinscope.report.gaps import Gaps

if TYPE_CHECKING:
    from typing import BinaryIO

    import thinscope
    from thinscope.cli.request import Request

__all__ = ["command"]


@click.command(
    "export",
    short_help=COMMANDS["export"],
    epilog="""\b
    Examples:
      thinscope export tmeta.bin web --names vg.lvm --data tdata.img -o web.img
      thinscope export tmeta.bin 5 --data tdata.img -o - | zstd > 5.img.zst
      thinscope export tmeta.bin 7 --data tdata.img --origin base.img -o 7.img
    """,
)
@opening
@click.argument("who", metavar="WHO")
@click.option(
    "--data",
    metavar="DATA",
    help="The pool's data device (LVM: VG-POOL_tdata), or a raw copy of it.",
)
@click.option(
    "-o",
    "--output",
    "file",
    required=True,
    metavar="FILE",
    help="Write the content to FILE; - is stdout.",
)
@click.option(
    "--origin",
    metavar="FILE",
    help="The external origin, which is read where the device maps nothing, or a raw copy of it.",
)
@click.option(
    "--size", type=SIZE, help="Length of the device, such as 10GiB, in place of that on record."
)
@click.option(
    "--follow-holes",
    is_flag=True,
    help="Make holes where the device maps nothing, and only there. By default whatever is zeros "
    "becomes a hole.",
)
@click.option(
    "--inconsistent",
    is_flag=True,
    help="Read content that is of no point in time as well: through a metadata snapshot, or of "
    "data that is in use.",
)
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
def command(  # noqa: PLR0913 - one for each option
    request: Request,
    *,
    who: str,
    data: str | None,
    file: str,
    origin: str | None,
    size: int | None,
    follow_holes: bool,
    inconsistent: bool,
    force: bool,
) -> ExitCode:
    r"""Write the content of the device WHO to FILE: a raw image with holes.

    The content lies on the pool's data device: DATA. Of a container it is the writable device; of
    what has several devices otherwise, name one by its id.

    FILE is read back and compared, and takes its name only then. Where nothing is mapped there are
    zeros, or the external origin. Its length is that on record, or --size, or ends with the highest
    mapped block.

    With --tolerant, zeros stand for what is missing, which is told.

    With -o - the content goes to stdout, with zeros for holes, and the report is left out.
    """
    is_stdout = file in ("-", "/dev/stdout")
    if is_stdout and sys.stdout is not None and sys.stdout.isatty():
        raise Failure("content is not written to a terminal", "name a file, or pipe it on")
    output = Output()
    target: str | BinaryIO = sys.stdout.buffer if is_stdout else file

    def export(pool: thinscope.Pool, progress: ProgressBar) -> thinscope.Export:
        return pool.device(who).export(
            target,
            data,
            size=size,
            origin=origin,
            inconsistent=inconsistent,
            follow_holes=follow_holes,
            overwrite=force,
            progress=progress,
        )

    def attempt() -> ExitCode:
        with ProgressBar() as progress, opened(request, progress) as pool:
            exported = export(pool, progress)
            gaps = Gaps.of(pool, {exported.device}) if request.tolerant else None
            is_stale = pool.may_be_stale or exported.may_be_stale
            if is_stdout:
                progress.close()
                return _told(exported, gaps, is_stale=is_stale)
            report = Export.of(pool, exported, request.source, inconsistent=inconsistent)
            return write(report, request.format, output, progress, may_be_stale=is_stale, gaps=gaps)

    try:
        # What went to stdout cannot be taken back.
        return attempt() if is_stdout else repeated(attempt)
    except FileExistsError as error:
        hint = "--force replaces it"
        raise Failure(f"{error.filename}: there is something in it", hint) from error


def _told(exported: thinscope.Export, gaps: Gaps | None, *, is_stale: bool) -> ExitCode:
    """Tell on stderr what went to stdout."""
    tell(f"{exported.size} bytes of device {exported.device}, sha256 {exported.sha256}")
    if is_stale:
        tell_may_be_stale()
    if gaps is not None and gaps.are_any:
        tell(f"zeros stand for what is missing: {gaps.summary}")
        return ExitCode.NEEDS_ATTENTION
    return ExitCode.ANSWERED
