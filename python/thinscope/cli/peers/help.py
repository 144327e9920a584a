"""The help of a command that stands for a program, laid out as that of our own."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import click

from thinscope.cli.commands import PEERS
from thinscope.cli.group import group

if TYPE_CHECKING:
    from thinscope.cli.peers.command import PeerCommand
    from thinscope.cli.peers.words import Option

__all__ = ["text"]


class _Told(click.Option):
    """An option as help tells it: a value that may be lacking stands behind ``=``."""

    def __init__(self, option: Option) -> None:
        super().__init__(
            [*option.words, option.name],
            metavar=option.metavar,
            is_flag=option.is_flag,
            help=option.help,
            hidden=option.is_hidden,
            required=option.is_required,
        )
        self._may_be_bare = option.if_bare is not None

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        record = super().get_help_record(ctx)
        if record is None or not self._may_be_bare:
            return record
        return record[0].replace(f" {self.metavar}", f"[={self.metavar}]"), record[1]


def text(command: PeerCommand) -> str:
    """Return what ``--help`` prints."""
    arguments = [click.Argument([each.name], metavar=each.metavar) for each in command.arguments]
    told = click.Command(
        command.name,
        params=[*arguments, *map(_Told, command.options)],
        help=inspect.getdoc(command.function),
        short_help=PEERS[command.name],
        epilog=f"\b\nExamples:\n{command.examples}",
        context_settings=group.context_settings,
    )
    above = click.Context(group, info_name="thinscope")
    return told.get_help(told.make_context(command.name, [], above, resilient_parsing=True))
