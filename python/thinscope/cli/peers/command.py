"""A command that is used, and fails, as a program of thin-provisioning-tools does."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from thinscope.cli.failure import ExitCode, Failure, OutputClosed, told
from thinscope.cli.peers.failures import their_sentence
from thinscope.cli.peers.words import Argument, Misuse, Option, read_words
from thinscope.cli.streams import drop, flush, tell

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["PeerCommand", "peer_command"]

_VERSION = "1.3.3"
"""The release of thin-provisioning-tools whose ways these commands follow."""

_VERSION_OPTION = Option(
    ["-V", "--version"],
    help="Print the release of thin-provisioning-tools whose ways this follows.",
)

_IO_ENGINES = (None, "sync", "async", "spindle")


class PeerCommand:
    """A command that stands for a program.

    Attributes:
        name: The program's name.
        arguments: The words that it needs.
        options: Those that it may be given.
        function: What it does, with a parameter for each of them; its docstring is the help text.
        examples: What help shows it doing.
    """

    def __init__(
        self,
        name: str,
        arguments: Sequence[Argument],
        options: Sequence[Option],
        function: Callable[..., None],
        examples: str,
    ) -> None:
        """Make the command."""
        self.name = name
        self.arguments = arguments
        self.options = (*options, _VERSION_OPTION)
        self.function = function
        self.examples = examples

    def run(self, words: list[str]) -> ExitCode:
        """Do what the words ask for, and return what the process ends with."""
        if words in (["-V"], ["--version"]):
            _say(_VERSION)
            return ExitCode.ANSWERED
        try:
            values = read_words(self, words)
        except Misuse as misuse:
            if sys.stderr is not None:
                sys.stderr.write(f"error: {misuse}\n\nFor more information, try '--help'.\n")
                flush(sys.stderr)
            return ExitCode.NO_ANSWER
        if values is None:
            # Imported here: click takes longer than all else of a short command.
            from thinscope.cli.peers.help import text  # noqa: PLC0415

            _say(text(self))
            return ExitCode.ANSWERED
        return self._answer(values)

    def _answer(self, values: dict[str, Any]) -> ExitCode:
        try:
            _check_engine(values.get("io_engine"))
            self.function(**values)
        except Exception as error:
            if os.environ.get("THINSCOPE_TRACEBACK"):
                raise
            if isinstance(error, (OutputClosed, BrokenPipeError)):
                drop(sys.stdout)
                return ExitCode.PEER_FAILED
            flush(sys.stdout)
            if not values.get("quiet"):
                failure = told(error, is_tolerant=False)
                sentence = their_sentence(error, values.get("source", ""))
                tell(sentence or failure.message, failure.hint)
            return ExitCode.PEER_FAILED
        return ExitCode.ANSWERED


def _say(text: str) -> None:
    # Where stdout is closed, `thinscope --help` ends with 0, too, as theirs.
    if sys.stdout is not None:
        sys.stdout.write(f"{text}\n")


def _check_engine(engine: str | None) -> None:
    if engine not in _IO_ENGINES:
        raise Failure(f"unknown io engine type '{engine}'")


def peer_command(
    name: str,
    options: Sequence[Option],
    examples: str,
    arguments: Sequence[Argument] = (Argument("source", "INPUT"),),
) -> Callable[[Callable[..., None]], PeerCommand]:
    """Make a function the command of a program; its docstring is the help text."""

    def decorate(function: Callable[..., None]) -> PeerCommand:
        return PeerCommand(name, arguments, options, function, examples)

    return decorate
