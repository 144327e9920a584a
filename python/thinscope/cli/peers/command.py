"""A command that is used, and fails, as a program of thin-provisioning-tools does."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from thinscope.cli.failure import ExitCode, Failure, OutputClosed, told
from thinscope.cli.group import PEERS
from thinscope.cli.peers.words import Misuse, Option, read_words
from thinscope.cli.streams import drop, flush, tell

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["peer_command"]

_VERSION = "1.3.3"
"""The release of thin-provisioning-tools whose ways these commands follow."""

_IO_ENGINES = (None, "sync", "async", "spindle")


class _PeerCommand(click.Command):
    """Reads its words, and tells failures, in the way of the program whose name it has."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args in (["-V"], ["--version"]):
            click.echo(_VERSION)
            ctx.exit()
        try:
            values = read_words(self, args)
        except Misuse as misuse:
            if sys.stderr is not None:
                sys.stderr.write(f"error: {misuse}\n\nFor more information, try '--help'.\n")
                flush(sys.stderr)
            ctx.exit(ExitCode.NO_ANSWER)
        if values is None:
            click.echo(self.get_help(ctx))
            ctx.exit()
        ctx.params.update(values)
        return []

    def invoke(self, ctx: click.Context) -> ExitCode:
        try:
            _check_engine(ctx.params.get("io_engine"))
            super().invoke(ctx)
        except click.exceptions.Exit:
            raise
        except Exception as error:
            if os.environ.get("THINSCOPE_TRACEBACK"):
                raise
            is_closed = isinstance(error, (OutputClosed, BrokenPipeError))
            if is_closed and not ctx.params.get("output"):
                drop(sys.stdout)
                return ExitCode.PEER_FAILED
            flush(sys.stdout)
            if not ctx.params.get("quiet"):
                failure = told(error, is_tolerant=False)
                tell(failure.message, failure.hint)
            return ExitCode.PEER_FAILED
        return ExitCode.ANSWERED


def _check_engine(engine: str | None) -> None:
    if engine not in _IO_ENGINES:
        raise Failure(f"unknown io engine type '{engine}'")


def peer_command(
    name: str, parameters: list[click.Parameter], examples: str
) -> Callable[[Callable[..., None]], click.Command]:
    """Make a function the command of a program; its docstring is the help text."""

    def decorate(function: Callable[..., None]) -> click.Command:
        version = Option(
            ["-V", "--version"],
            is_flag=True,
            help="Print the release of thin-provisioning-tools whose ways this follows.",
        )
        return _PeerCommand(
            name,
            callback=function,
            params=[*parameters, version],
            help=function.__doc__,
            short_help=PEERS[name],
            epilog=f"\b\nExamples:\n{examples}",
            context_settings={"help_option_names": ["-h", "--help"]},
        )

    return decorate
