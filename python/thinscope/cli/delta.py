"""``thinscope delta SOURCE``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

import thinscope
from thinscope.cli.answer import answer
from thinscope.cli.commands import COMMANDS
from thinscope.cli.request import reporting
from thinscope.report.delta import Delta

if TYPE_CHECKING:
    from thinscope import Device, Pool, Root
    from thinscope.cli.failure import ExitCode
    from thinscope.cli.request import Request

__all__ = ["command"]

_SIDES = 2


@click.command(
    "delta",
    short_help=COMMANDS["delta"],
    epilog="""\b
    Examples:
      thinscope delta tmeta.bin 5 6
      thinscope delta tmeta.bin db db-snap --names /etc/lvm/backup/vg --format csv
      thinscope delta monday.tar db --other tuesday.tar
      thinscope delta tmeta.bin --root 92 --root 107 --same
    """,
)
@reporting
@click.argument("devices", nargs=-1, metavar="[DEVICE]...")
@click.option(
    "--root",
    "roots",
    type=click.IntRange(min=0),
    multiple=True,
    metavar="BLOCK",
    help="The mapping tree whose root lies in this block of the metadata, in place of a device "
    "that is not given. Can be given twice.",
)
@click.option(
    "--other",
    metavar="SOURCE",
    help="Take the right side from another pool or capture; without a second DEVICE, the device "
    "that has the same id there.",
)
@click.option(
    "--other-metadata-snapshot",
    is_flag=True,
    help="Read the other one as its held metadata snapshot keeps it; by itself: of SOURCE.",
)
@click.option("--same", is_flag=True, help="Tell what is the same as well.")
def command(  # noqa: PLR0913 - options
    request: Request,
    devices: tuple[str, ...],
    roots: tuple[int, ...],
    other: str | None,
    *,
    other_metadata_snapshot: bool,
    same: bool,
) -> ExitCode:
    """Tell which virtual blocks two devices map to the same data blocks, and which not.

    The first DEVICE is the left side, the second one the right: names or ids. Pieces come by
    virtual block; none goes on where either side breaks off on the data device. Only nodes of the
    trees that differ are read, so a device and its snapshot take as long as the change is large.

    Two states, which are two captures, or a pool and its metadata snapshot, are compared by
    allocation: what was written in place meanwhile to blocks that no snapshot had is not told. The
    exit status is 0 whatever differs.
    """
    if other is None and other_metadata_snapshot:
        other = request.source
    given = len(devices) + len(roots)
    if given > _SIDES or not given or (given < _SIDES and (other is None or roots)):
        raise click.UsageError("two sides are compared: give two of DEVICE and --root")
    build = partial(
        _build,
        devices=devices,
        roots=roots,
        other=other,
        other_metadata_snapshot=other_metadata_snapshot,
        threads=request.threads,
        same=same,
    )
    return answer(request, build)


def _build(  # noqa: PLR0913 - options
    pool: Pool,
    source: str,
    *,
    devices: tuple[str, ...],
    roots: tuple[int, ...],
    other: str | None,
    other_metadata_snapshot: bool,
    threads: int | None,
    same: bool,
) -> Delta:
    """Open the other pool, if there is one, and prepare to compare."""
    others = pool
    if other is not None:
        others = thinscope.open(other, metadata_snapshot=other_metadata_snapshot, threads=threads)
    waiting = list(roots)
    left = _side(pool, devices[:1], waiting)
    if len(devices) + len(roots) < _SIDES:
        right: Device | Root = others.device(pool.device(devices[0]).id)
    else:
        right = _side(others, devices[1:], waiting)
    return Delta.of(
        pool, source, left, right, other=others, other_source=other or source, same=same
    )


def _side(pool: Pool, words: tuple[str, ...], roots: list[int]) -> Device | Root:
    return pool.device(words[0]) if words else pool.root(roots.pop(0))
