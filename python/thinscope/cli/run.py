"""The command's whole life: from the arguments to the exit code, whatever happens."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from thinscope.cli.failure import ExitCode, OutputClosed, told
from thinscope.cli.group import group
from thinscope.cli.streams import drop, flush, tell

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code; nothing is raised.

    Args:
        arguments: The words after the command's name; those of the process by default.
    """
    try:
        code = _run(list(sys.argv[1:] if arguments is None else arguments))
        if sys.stdout is not None:
            sys.stdout.flush()
    except (OutputClosed, BrokenPipeError):
        drop(sys.stdout)
        return ExitCode.ANSWERED
    except KeyboardInterrupt:
        drop(sys.stdout)
        return ExitCode.INTERRUPTED
    except BaseException as error:  # a panic of the core is no Exception
        if os.environ.get("THINSCOPE_TRACEBACK"):
            raise
        flush(sys.stdout)
        failure = told(error)
        tell(failure.message, failure.hint)
        return ExitCode.NO_ANSWER
    return code


def _run(arguments: list[str]) -> int:
    # Not `group.main`, which has an opinion of its own on exit codes and interrupts.
    try:
        with group.make_context("thinscope", arguments) as context:
            return ExitCode(group.invoke(context))
    except click.exceptions.Exit as end:
        return end.exit_code
