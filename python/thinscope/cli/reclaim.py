"""``thinscope reclaim SOURCE WHO...``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from thinscope.cli.answer import answer
from thinscope.cli.commands import COMMANDS
from thinscope.cli.failure import Failure
from thinscope.cli.request import opening
from thinscope.report.reclaim import Reclaim

if TYPE_CHECKING:
    from thinscope.cli.failure import ExitCode
    from thinscope.cli.request import Request

__all__ = ["command"]


@click.command(
    "reclaim",
    short_help=COMMANDS["reclaim"],
    epilog="""\b
    Examples:
      thinscope reclaim /var/lib/docker web-1 web-2
      thinscope reclaim /var/lib/docker 'container:web-*' env=test
      thinscope reclaim tmeta.bin 5 7 9 --format json
      thinscope reclaim /var/lib/docker --orphans
    """,
)
@opening
@click.argument("who", nargs=-1, metavar="WHO...")
@click.option(
    "--orphans",
    is_flag=True,
    help="Also the devices that `thinscope orphans` finds with high or medium confidence.",
)
def command(request: Request, who: tuple[str, ...], *, orphans: bool) -> ExitCode:
    """Tell what deleting WHO would give back. Nothing is deleted.

    What comes free together is more than the sum of what each frees alone, where the objects share
    blocks with each other; what others hold stays in use, and they are named.

    \b
    WHO is any number of
      NAME          of an object, or its id, its tag, its pod; or its beginning
      ID            of a device: the object that it belongs to
      'PATTERN*'    all objects with such a name
      KEY=VALUE     all objects with that label
      KIND:NAME     of this kind only: container:web, device:5

    The exit status is 1 if the manager would refuse, such as an image with containers.
    """  # noqa: D301 - click's mark for lines that stay
    if not who and not orphans:
        raise Failure("say what would be deleted", "`thinscope reclaim --help` tells how")
    return answer(request, partial(Reclaim.of, words=who, orphans=orphans))
