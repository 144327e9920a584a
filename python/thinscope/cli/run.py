"""The command's whole life: from the arguments to the exit code, whatever happens."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from thinscope.cli.failure import ExitCode, OutputClosed, told
from thinscope.cli.group import COMMANDS, group
from thinscope.cli.streams import drop, flush, tell

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code; nothing is raised.

    Args:
        arguments: The words after the command's name; those of the process by default.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = _run(words)
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
        failure = told(error, is_tolerant=not words or _is_tolerant(words[0]))
        tell(failure.message, failure.hint)
        return ExitCode.NO_ANSWER
    return code


def _is_tolerant(word: str) -> bool:
    """Return whether the command of a word takes ``--tolerant``; what is no word is an overview."""
    if word not in COMMANDS:
        return True
    command = group.get_command(click.Context(group), word)
    return command is not None and any(each.name == "tolerant" for each in command.params)


def _run(arguments: list[str]) -> int:
    # Not `group.main`, which has an opinion of its own on exit codes and interrupts.
    try:
        with group.make_context("thinscope", arguments) as context:
            return ExitCode(group.invoke(context))
    except click.exceptions.Exit as end:
        return end.exit_code
