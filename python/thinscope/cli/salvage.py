"""``thinscope salvage SOURCE``."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

import click

import thinscope
from thinscope.cli.answer import repeated, write
from thinscope.cli.commands import COMMANDS
from thinscope.cli.failure import ExitCode, Failure
from thinscope.cli.output import Output
from thinscope.cli.progress import ProgressBar
from thinscope.cli.request import DATA_BLOCK_SIZE, ROOT, reporting
from thinscope.cli.streams import tell, tell_may_be_stale
from thinscope.report.gaps import Gaps
from thinscope.report.salvage import Salvage

if TYPE_CHECKING:
    from thinscope.cli.request import Request

__all__ = ["command"]

_ROWS = 20
"""States, and trees, that are told unless all are asked for."""


@click.command(
    "salvage",
    short_help=COMMANDS["salvage"],
    epilog="""\b
    Examples:
      thinscope salvage tmeta.bin
      thinscope salvage tmeta.bin --names /etc/lvm/archive/vg_00042.vg
      thinscope devices tmeta.bin --root 290
      thinscope salvage tmeta.bin --dump pool.xml --root 290
    """,
)
@ROOT
@DATA_BLOCK_SIZE
@reporting
@click.option("--all", "is_all", is_flag=True, help="Tell all states and trees.")
@click.option(
    "--dump",
    metavar="FILE",
    help="Write a state as XML, which thin_restore reads, to FILE, or - for stdout: that of --root, "
    "by default the live one with what is left of it, or the best. Nothing else is told.",
)
def command(request: Request, *, is_all: bool, dump: str | None) -> ExitCode:
    """Read every block of the metadata, and tell which states of the pool are left in it.

    Works without superblock, list of devices or records. Best first: the live state, the metadata
    snapshot that is held, older commits that are consistent, others that are plausible, with what
    does not fit; trees that no list names; devices that were deleted since. All commands read a
    state with --root.

    Older commits stay in blocks that are free until these are used again. A block that was used
    again looks as right as before: consistent means that nothing contradicts, not that it is proved.

    The exit status is 1 if something is wrong with the live state, or the state that is written
    is not consistent.
    """
    if request.metadata_snapshot:
        hint = "it is among the states that are found: without --metadata-snapshot"
        raise Failure("every block is read, whoever holds it", hint)
    if dump is None and request.root is not None:
        raise Failure("--root names what to --dump", "other commands read a state with --root")
    output = Output() if dump is None or dump == "-" else None
    attempt = partial(_once, request, output, dump, None if is_all else _ROWS)
    # What went to stdout cannot be taken back.
    return attempt() if dump == "-" else repeated(attempt, output)


def _once(request: Request, output: Output | None, dump: str | None, most: int | None) -> ExitCode:
    with ProgressBar() as progress:
        found = thinscope.salvage(
            request.source,
            names=request.names,
            more_pvs=request.more_pvs,
            data_block_sectors=request.data_block_sectors,
            threads=request.threads,
            progress=progress,
        )
        if dump is not None:
            return _dump(found, request.root, dump)
        if output is None:
            raise AssertionError("a report is written to stdout")
        report = Salvage.of(found, request.source, most=most)
        return write(report, request.format, output, progress, may_be_stale=found.may_be_stale)


def _dump(found: thinscope.Salvage, root: int | None, target: str) -> ExitCode:
    state = found.to_restore if root is None else found.state(root)
    if state is None and root is None:
        raise Failure("no state is left of which all trees are there", "--root names a tree")
    chosen = root if state is None else state.root
    is_tolerant = state is not None and not state.is_whole
    with found.open(chosen or 0, tolerant=is_tolerant) as pool:
        pool.dump(sys.stdout.buffer if target == "-" else target)
        gaps = Gaps.of(pool) if is_tolerant else None
    if gaps is not None and gaps.are_any:
        tell(f"note: left out, since it is broken: {gaps.summary}")
    if found.may_be_stale:
        tell_may_be_stale()
    if state is None:
        tell(f"note: a single device was written, as device 0, from the tree of root {root}")
        return ExitCode.NEEDS_ATTENTION
    is_other = root is None and not state.is_live
    if is_other:
        tell(f"note: the live state is damaged: that of root {state.root} was written")
    if state.is_consistent:
        return ExitCode.NEEDS_ATTENTION if is_other else ExitCode.ANSWERED
    told = "; ".join(misfit.message for misfit in state.misfits)
    tell(f"note: the state that was written, of root {state.root}, is plausible only: {told}")
    return ExitCode.NEEDS_ATTENTION
