"""What a person is told when there is no answer."""

from __future__ import annotations

import enum
import os

from thinscope.errors import ThinscopeError

__all__ = ["ExitCode", "Failure", "OutputClosed", "lower", "told"]


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


def told(error: BaseException, *, is_tolerant: bool = True) -> Failure:
    """Put a failure in words.

    Args:
        error: The failure.
        is_tolerant: Whether the command takes ``--tolerant``, so that a hint can say so.
    """
    match error:
        case Failure():
            return error
        case ThinscopeError():
            return Failure(str(error), error.hint if is_tolerant else _without_tolerant(error.hint))
        case OSError():
            return _system(error)
        case MemoryError():
            return Failure("out of memory")
        case _:
            kind = type(error).__name__
            hint = "a defect of thinscope: set THINSCOPE_TRACEBACK=1 and report what it shows"
            return Failure(f"internal error: {kind}: {error}", hint)


def _without_tolerant(hint: str | None) -> str | None:
    return None if hint is None else hint.partition("; --tolerant ")[0]


def _system(error: OSError) -> Failure:
    reason = lower(error.strerror or str(error))
    hint = None
    if isinstance(error, PermissionError) and os.geteuid() != 0:
        hint = "metadata devices can be read by root only: try `sudo`"
    if error.filename is None:
        return Failure(reason, hint)
    return Failure(f"{os.fsdecode(error.filename)}: {reason}", hint)


def lower(text: str) -> str:
    """Return a library's sentence in the form of ours: lower case, no full stop."""
    return text[:1].lower() + text[1:].removesuffix(".")
