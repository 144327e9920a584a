"""``thinscope thin_rmap``: which devices map blocks of the data device."""

from __future__ import annotations

import thinscope
from thinscope.cli.output import Output
from thinscope.cli.peers.command import peer_command
from thinscope.cli.peers.words import IO_ENGINE, Option, Unsigned
from thinscope.cli.progress import ProgressBar
from thinscope.cli.streams import tell_may_be_stale

__all__ = ["command"]

_ENDS = 2


def _region(word: str) -> range:
    """Return the blocks of ``BEGIN..END``, which is half-open."""
    words = word.split("..")
    ends = [Unsigned(64)(each) for each in words[:_ENDS]]
    if len(words) != _ENDS:
        raise ValueError("badly formed region")
    begin, end = ends
    if end <= begin:
        raise ValueError("end <= begin")
    return range(begin, end)


_OPTIONS = [
    Option(
        ["--region"],
        metavar="BLOCK_RANGE",
        convert=_region,
        is_multiple=True,
        is_required=True,
        help="Tell of these blocks of the data device, BEGIN..END, of which END is no more one. "
        "Can be given several times.",
    ),
    IO_ENGINE,
]


@peer_command(
    "thin_rmap",
    _OPTIONS,
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
        output.write(owners.lines(), before=progress.close)
        if pool.may_be_stale:
            tell_may_be_stale()
