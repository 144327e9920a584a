"""A request becomes a report, and a report is written."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

import thinscope
from thinscope.cli.failure import ExitCode
from thinscope.cli.output import Output
from thinscope.cli.progress import ProgressBar
from thinscope.cli.streams import tell, tell_may_be_stale
from thinscope.errors import SourceChanged
from thinscope.report.gaps import Gaps
from thinscope.report.render import render

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from thinscope import Pool
    from thinscope.cli.request import Request
    from thinscope.report.render import Report

__all__ = ["answer", "opened", "repeated", "write"]

_Answer = TypeVar("_Answer")

_REPETITIONS = 3
"""How often a pool that changed while it was read is read again, from its new state."""


def answer(
    request: Request,
    build: Callable[[Pool, str], Report],
    *,
    rows: int | None = None,
    who: Collection[str] = (),
) -> ExitCode:
    """Open the source, build the report, write it.

    Args:
        request: What was asked.
        build: Makes the report from the open pool and the source's name.
        rows: Most rows of a table that can be cut, or None for all.
        who: The devices that the report is about: what is missing of others is not told. None
            means all.

    Raises:
        ThinscopeError: There is no answer.
        OSError: The source cannot be opened.
    """
    output = Output(rows)
    return repeated(partial(_answer_once, request, build, output, who), output)


def repeated(attempt: Callable[[], _Answer], output: Output | None = None) -> _Answer:
    """Return what an attempt gives; it is made again where the pool changes meanwhile.

    Args:
        attempt: What is attempted, up to three times more.
        output: Where it writes: once something is written, it is not made again.

    Raises:
        SourceChanged: The pool changed each time.
    """
    for _ in range(_REPETITIONS):
        try:
            return attempt()
        except SourceChanged:
            if output is not None and output.has_begun:
                raise
    return attempt()


def opened(request: Request, progress: ProgressBar) -> Pool:
    """Open the pool that is meant."""
    request.check_root()
    return thinscope.open(
        request.source,
        names=request.names,
        more_pvs=request.more_pvs,
        metadata_snapshot=request.metadata_snapshot,
        tolerant=request.tolerant,
        root=request.root,
        data_block_sectors=request.data_block_sectors,
        threads=request.threads,
        progress=progress,
    )


def _answer_once(
    request: Request, build: Callable[[Pool, str], Report], output: Output, who: Collection[str]
) -> ExitCode:
    with ProgressBar() as progress, opened(request, progress) as pool:
        report = build(pool, request.source)
        only = {pool.device(name).id for name in who} or None
        gaps = Gaps.of(pool, only) if request.tolerant else None
        return write(
            report,
            request.format,
            output,
            progress,
            may_be_stale=pool.may_be_stale,
            gaps=gaps,
        )


def write(  # noqa: PLR0913 - all that a report comes with
    report: Report,
    format_: str,
    output: Output,
    progress: ProgressBar,
    *,
    may_be_stale: bool,
    gaps: Gaps | None = None,
) -> ExitCode:
    """Write a report, and return what it says in one number.

    Args:
        report: The report.
        format_: One of the formats.
        output: Where it is written.
        progress: What is taken away when the first of it is about to be written.
        may_be_stale: Whether what was read may be older than what the kernel wrote.
        gaps: What is missing, since it is broken; None where nothing may be.
    """
    output.write(render(report, format_, output.page, gaps), before=progress.close)
    if may_be_stale:
        tell_may_be_stale()
    if gaps is not None and gaps.are_any and format_ == "csv":
        tell(f"some mappings are missing: {gaps.summary}", "`--format json` tells which")
    needs_attention = report.needs_attention or (gaps is not None and gaps.are_any)
    return ExitCode.NEEDS_ATTENTION if needs_attention else ExitCode.ANSWERED
