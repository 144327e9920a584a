"""The command line: ``thinscope`` and ``python -m thinscope``.

Data goes to stdout, everything else to stderr. What a command has to say is in
`thinscope.report`; here it is asked for, written, and what goes wrong is told.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main", "process"]

_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code; nothing is raised.

    Args:
        arguments: The words after the command's name; those of the process by default.
    """
    try:
        # Imported here: a signal can come while modules are read.
        from thinscope.cli import run  # noqa: PLC0415
    except KeyboardInterrupt:
        return _INTERRUPTED
    return run.main(arguments)


def process() -> NoReturn:
    """Run the command as all that its process does."""
    try:
        code = main()
        # All is said and written; what is left takes a moment.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    except KeyboardInterrupt:  # between the two
        code = _INTERRUPTED
    # Without the interpreter's own end, which takes all modules apart: a tenth of a short command.
    # And one that was interrupted while it read a module would end itself with the signal.
    os._exit(code)
