"""What a person is told when there is no answer."""

from __future__ import annotations

import enum
import os
from dataclasses import dataclass

import click

from thinscope.errors import ThinscopeError

__all__ = ["ExitCode", "Failure", "OutputClosed", "Told", "told"]


class ExitCode(enum.IntEnum):
    """What a process ends with."""

    ANSWERED = 0
    NEEDS_ATTENTION = 1
    NO_ANSWER = 2
    PEER_FAILED = 64
    INTERRUPTED = 130


class Failure(Exception):
    """A failure of the command line itself.

    Attributes:
        message: What went wrong.
        hint: What to do next, or None.
    """

    def __init__(self, message: str, hint: str | None = None) -> None:
        """Make the failure from what is told."""
        super().__init__(message)
        self.message = message
        self.hint = hint


class OutputClosed(Exception):
    """Nobody reads stdout any more."""


@dataclass(frozen=True, slots=True)
class Told:
    """A failure in words.

    Attributes:
        message: What went wrong, in one line.
        hint: What to do next, or None.
    """

    message: str
    hint: str | None = None


def told(error: BaseException, *, is_tolerant: bool = True) -> Told:  # noqa: PLR0911 - one for each family
    """Put a failure in words.

    Args:
        error: The failure.
        is_tolerant: Whether the command takes ``--tolerant``, so that a hint can say so.
    """
    match error:
        case Failure():
            return Told(error.message, error.hint)
        case ThinscopeError():
            return Told(str(error), error.hint if is_tolerant else _without_tolerant(error.hint))
        case click.UsageError():
            return _usage(error)
        case click.ClickException():
            return Told(_lower(error.format_message()))
        case OSError():
            return _system(error)
        case MemoryError():
            return Told("out of memory")
        case _:
            kind = type(error).__name__
            hint = "a defect of thinscope: set THINSCOPE_TRACEBACK=1 and report what it shows"
            return Told(f"internal error: {kind}: {error}", hint)


def _without_tolerant(hint: str | None) -> str | None:
    return None if hint is None else hint.partition("; --tolerant ")[0]


def _usage(error: click.UsageError) -> Told:
    command = error.ctx.command_path if error.ctx else "thinscope"
    hint = f"`{command} --help` tells how to ask"
    if isinstance(error, click.NoSuchOption):
        if error.possibilities:
            hint = f'did you mean "{min(error.possibilities)}"?'
        return Told(f"no such option: {error.option_name}", hint)
    if isinstance(error, click.MissingParameter) and error.ctx:
        word = error.ctx.info_name or ""
        if os.path.lexists(word):
            hint = f"`{word}` is a command; the file of that name is written ./{word}"
    return Told(_lower(error.format_message()), hint)


def _system(error: OSError) -> Told:
    reason = _lower(error.strerror or str(error))
    hint = None
    if isinstance(error, PermissionError) and os.geteuid() != 0:
        hint = "metadata devices can be read by root only: try `sudo`"
    if error.filename is None:
        return Told(reason, hint)
    return Told(f"{os.fsdecode(error.filename)}: {reason}", hint)


def _lower(text: str) -> str:
    """Return a library's sentence in the form of ours: lower case, no full stop."""
    return text[:1].lower() + text[1:].removesuffix(".")
