"""A request becomes a report, and a report is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import thinscope
from thinscope.cli.failure import ExitCode
from thinscope.cli.output import Output
from thinscope.cli.progress import ProgressBar
from thinscope.cli.streams import tell_may_be_stale
from thinscope.errors import SourceChanged
from thinscope.report.render import render

if TYPE_CHECKING:
    from collections.abc import Callable

    from thinscope import Pool
    from thinscope.cli.request import Request
    from thinscope.report.render import Report

__all__ = ["REPETITIONS", "answer", "write"]

REPETITIONS = 3
"""How often a pool that changed while it was read is read again, from its new state."""


def answer(
    request: Request, build: Callable[[Pool, str], Report], *, rows: int | None = None
) -> ExitCode:
    """Open the source, build the report, write it.

    Args:
        request: What was asked.
        build: Makes the report from the open pool and the source's name.
        rows: Most rows of a table that can be cut, or None for all.

    Raises:
        ThinscopeError: There is no answer.
        OSError: The source cannot be opened.
    """
    output = Output(rows)
    repetitions = REPETITIONS
    while True:
        try:
            return _answer_once(request, build, output)
        except SourceChanged:
            if output.has_begun or not repetitions:
                raise
            repetitions -= 1


def _answer_once(
    request: Request, build: Callable[[Pool, str], Report], output: Output
) -> ExitCode:
    with (
        ProgressBar() as progress,
        thinscope.open(
            request.source,
            names=request.names,
            metadata_snapshot=request.metadata_snapshot,
            threads=request.threads,
            progress=progress,
        ) as pool,
    ):
        report = build(pool, request.source)
        return write(report, request.format, output, progress, may_be_stale=pool.may_be_stale)


def write(
    report: Report, format_: str, output: Output, progress: ProgressBar, *, may_be_stale: bool
) -> ExitCode:
    """Write a report, and return what it says in one number.

    Args:
        report: The report.
        format_: One of the formats.
        output: Where it is written.
        progress: What is taken away when the first of it is about to be written.
        may_be_stale: Whether what was read may be older than what the kernel wrote.
    """
    output.write(render(report, format_, output.page), before=progress.close)
    if may_be_stale:
        tell_may_be_stale()
    return ExitCode.NEEDS_ATTENTION if report.needs_attention else ExitCode.ANSWERED
