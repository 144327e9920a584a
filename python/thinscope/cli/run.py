"""The command's whole life: from the arguments to the exit code, whatever happens."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from thinscope.cli.commands import PEERS
from thinscope.cli.failure import ExitCode, OutputClosed, told
from thinscope.cli.signals import Ended, ended_by_signals
from thinscope.cli.streams import drop, flush, tell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thinscope.cli.peers.command import PeerCommand

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code; nothing is raised.

    Args:
        arguments: The words after the command's name; those of the process by default.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with ended_by_signals():
            code = _run(words)
            if sys.stdout is not None:
                sys.stdout.flush()
    except (OutputClosed, BrokenPipeError):
        drop(sys.stdout)
        return ExitCode.ANSWERED
    except KeyboardInterrupt as interrupt:
        drop(sys.stdout)
        return interrupt.exit_code if isinstance(interrupt, Ended) else ExitCode.INTERRUPTED
    except BaseException as error:  # a panic of the core is no Exception
        if os.environ.get("THINSCOPE_TRACEBACK"):
            raise
        flush(sys.stdout)
        failure = told(error, is_tolerant=_is_tolerant(words))
        tell(failure.message, failure.hint)
        return ExitCode.NO_ANSWER
    return code


def _run(words: list[str]) -> int:
    if words and words[0] in PEERS:
        command: PeerCommand = import_module(f"thinscope.cli.peers.{words[0]}").command
        return command.run(words[1:])
    # Imported here: click takes as long as all of a short command of thin-provisioning-tools.
    from thinscope.cli import group  # noqa: PLC0415

    return group.run(words)


def _is_tolerant(words: list[str]) -> bool:
    from thinscope.cli import group  # noqa: PLC0415 - as above

    return not words or group.is_tolerant(words[0])
