"""``thinscope thin_rmap``: which devices map blocks of the data device."""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

import click

import thinscope
from thinscope.cli.output import Output
from thinscope.cli.peers.command import peer_command
from thinscope.cli.peers.words import IO_ENGINE, Option, Unsigned
from thinscope.cli.progress import ProgressBar
from thinscope.cli.streams import tell_may_be_stale

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from thinscope import Owner

__all__ = ["command"]

_ENDS = 2


class _Region(click.ParamType):  # type: ignore[type-arg] # generic only in new releases of click
    """``BEGIN..END``, half-open."""

    name = "BLOCK_RANGE"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> range:
        words = str(value).split("..")
        ends = [Unsigned(64).convert(word, param, ctx) for word in words[:_ENDS]]
        if len(words) != _ENDS:
            self.fail("badly formed region", param, ctx)
        begin, end = ends
        if end <= begin:
            self.fail("end <= begin", param, ctx)
        return range(begin, end)


_PARAMETERS: list[click.Parameter] = [
    click.Argument(["source"], metavar="INPUT"),
    Option(
        ["--region"],
        metavar="BLOCK_RANGE",
        type=_Region(),
        multiple=True,
        required=True,
        help="Tell of these blocks of the data device, BEGIN..END, of which END is no more one. "
        "Can be given several times.",
    ),
    IO_ENGINE,
]


@peer_command(
    "thin_rmap",
    _PARAMETERS,
    """\
  thinscope thin_rmap --region 0..1000 tmeta.bin
  thinscope thin_rmap --region 7..8 --region 90..100 tmeta.bin
""",
)
def command(source: str, *, region: tuple[range, ...], **_ignored: object) -> None:
    """Tell which devices map blocks of the data device: all that share them.

    INPUT is the metadata of a pool: a metadata device, or a copy of one, also packed. `thinscope
    owners` tells the same with names.
    """
    output = Output()
    with ProgressBar() as progress, thinscope.open(source, progress=progress) as pool:
        owners = pool.owners(*region, times=False, metadata_snapshot=False)
        output.write(_lines(owners), before=progress.close)
        if pool.may_be_stale:
            tell_may_be_stale()


def _lines(owners: Iterable[Owner]) -> Iterator[str]:
    """Yield a line for each row, by where it begins and ends."""
    by_end = attrgetter("length", "device", "virtual_begin")
    for begin, rows in groupby(owners, attrgetter("data_begin")):
        for row in sorted(rows, key=by_end):
            data, thin = (begin, row.virtual_begin)
            yield (
                f"data {data}..{data + row.length} -> "
                f"thin({row.device}) {thin}..{thin + row.length}\n"
            )
