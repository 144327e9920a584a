"""``thinscope plan SOURCE --free SIZE``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from thinscope.cli.answer import answer
from thinscope.cli.commands import COMMANDS
from thinscope.cli.request import SIZE, opening
from thinscope.report.plan import Plan

if TYPE_CHECKING:
    from thinscope.cli.failure import ExitCode
    from thinscope.cli.request import Request

__all__ = ["command"]


@click.command(
    "plan",
    short_help=COMMANDS["plan"],
    epilog="""\b
    Examples:
      thinscope plan /var/lib/docker --free 10GiB
      thinscope plan /var/lib/docker --free 10GiB --keep 'db*' --commands
      thinscope plan tmeta.bin --free 2T --oldest-first --only '*snap*'
    """,
)
@opening
@click.option("--free", type=SIZE, required=True, help="How much to give back, such as 10GiB.")
@click.option(
    "--keep",
    multiple=True,
    metavar="WHO",
    help="What stays, with all that it uses. Can be given several times.",
)
@click.option(
    "--only",
    multiple=True,
    metavar="WHO",
    help="The only objects that may go. Can be given several times.",
)
@click.option("--oldest-first", is_flag=True, help="Take objects in the order of their making.")
@click.option(
    "--min-each",
    type=SIZE,
    default=0,
    help="Leave out steps that give back less than this.",
)
@click.option("--commands", is_flag=True, help="Print the manager's commands, for review.")
def command(  # noqa: PLR0913 - options
    request: Request,
    free: int,
    keep: tuple[str, ...],
    only: tuple[str, ...],
    min_each: int,
    *,
    oldest_first: bool,
    commands: bool,
) -> ExitCode:
    """Find few objects whose deletion gives back at least so much. Nothing is deleted.

    Each step tells what it gives back after those before it. WHO is as for `thinscope reclaim`.
    Sizes are bytes or have a unit: KiB, MiB, GiB, TiB, also written K, M, G, T.

    The same pool and the same options give the same plan. It is near the smallest; docs/concepts.md
    says how near. The exit status is 1 if the size cannot be reached.
    """
    build = partial(
        Plan.of,
        free=free,
        keep=keep,
        only=only,
        oldest_first=oldest_first,
        min_each=min_each,
        with_commands=commands,
    )
    return answer(request, build)
