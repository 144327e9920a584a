"""What commands that print reports are told: one place for the options they share."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec

import click

from thinscope.report.render import FORMATS

if TYPE_CHECKING:
    from collections.abc import Callable

    from thinscope.cli.failure import ExitCode

__all__ = ["FORMAT", "MAX_THREADS", "SOURCE", "Request", "reporting"]

MAX_THREADS = 256
"""More than any pool can keep busy; a slip of the finger must not start a million."""

_Own = ParamSpec("_Own")


@dataclass(frozen=True, slots=True)
class Request:
    """What to read, how, and how to show it.

    Attributes:
        source: What to open, as it was written.
        format: One of the formats.
        names: Where to take names from.
        metadata_snapshot: Whether to read the pool as the held metadata snapshot keeps it.
        threads: Threads to use, or None for the default.
    """

    source: str
    format: str
    names: tuple[str, ...]
    metadata_snapshot: bool
    threads: int | None


def reporting(
    function: Callable[Concatenate[Request, _Own], ExitCode],
) -> Callable[..., ExitCode]:
    """Give a command its SOURCE and the options that all reports of pools share, as a `Request`."""

    @wraps(function)
    def command(*args: _Own.args, **parameters: _Own.kwargs) -> ExitCode:
        shared = {field.name: parameters.pop(field.name) for field in fields(Request)}
        return function(Request(**shared), *args, **parameters)  # type: ignore[arg-type]

    decorated: Callable[..., ExitCode] = command
    for decorate in reversed(_PARAMETERS):
        decorated = decorate(decorated)
    return decorated


SOURCE = click.argument("source", metavar="SOURCE")
FORMAT = click.option(
    "--format",
    "format",
    type=click.Choice(FORMATS),
    default=FORMATS[0],
    metavar="FORMAT",
    help=f"Print {', '.join(FORMATS[:-1])} or {FORMATS[-1]}. By default {FORMATS[0]}.",
)

_PARAMETERS = (
    SOURCE,
    FORMAT,
    click.option(
        "--names",
        multiple=True,
        metavar="PATH",
        help="Take names from a manager's folder or records, such as /var/lib/docker or "
        "/etc/lvm/backup/VG. Can be given several times.",
    ),
    click.option(
        "--metadata-snapshot",
        is_flag=True,
        help="Read the pool as its held metadata snapshot keeps it: the way to read a pool "
        "that is in use.",
    ),
    click.option(
        "--threads",
        type=click.IntRange(1, MAX_THREADS),
        metavar="N",
        help="Threads to read with. By default one for each processor, at most 8.",
    ),
)
