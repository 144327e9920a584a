"""``thinscope thin_delta``: what two devices, or two trees, have in common, as XML."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

import click

import thinscope
from thinscope.cli.failure import Failure
from thinscope.cli.output import Output
from thinscope.cli.peers.command import peer_command
from thinscope.cli.peers.words import IO_ENGINE, Option, Unsigned
from thinscope.cli.progress import ProgressBar
from thinscope.cli.streams import tell_may_be_stale

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from thinscope import Device, Piece, Pool, Root

__all__ = ["command"]


def _root(number: int, word: str) -> Option:
    return Option(
        [f"--root{number}"],
        metavar="BLOCKNR",
        type=Unsigned(64),
        conflicts_with=(f"thin{number}",),
        is_either=True,
        help=f"Take the tree whose root lies in this block for the {word} side.",
    )


def _thin(number: int, word: str) -> Option:
    return Option(
        [f"--thin{number}", f"--snap{number}"],
        metavar="DEV_ID",
        type=Unsigned(64),
        conflicts_with=(f"root{number}",),
        is_either=True,
        help=f"Take this device for the {word} side.",
    )


_PARAMETERS: list[click.Parameter] = [
    click.Argument(["source"], metavar="INPUT"),
    Option(
        ["-m", "--metadata-snap"],
        is_flag=True,
        help="Read the pool as its held metadata snapshot keeps it.",
    ),
    _root(1, "left"),
    _thin(1, "left"),
    _root(2, "right"),
    _thin(2, "right"),
    Option(["--verbose"], is_flag=True, help="Tell where the blocks lie on the data device."),
    IO_ENGINE,
]


@peer_command(
    "thin_delta",
    _PARAMETERS,
    """\
  thinscope thin_delta --thin1 5 --thin2 6 tmeta.bin
  thinscope thin_delta -m --snap1 5 --snap2 6 /dev/mapper/vg-pool_tmeta
""",
)
def command(  # noqa: PLR0913 - the options of thin_delta
    source: str,
    *,
    metadata_snap: bool,
    root1: int | None,
    root2: int | None,
    thin1: int | None,
    thin2: int | None,
    verbose: bool,
    **_ignored: object,
) -> None:
    """Tell which virtual blocks two devices map to the same data blocks, and which not, as XML.

    INPUT is the metadata of a pool: a metadata device, or a copy of one, also packed. `thinscope
    delta` tells the same with names, and leaves out what is the same.
    """
    for number, given in (("1", (root1, thin1)), ("2", (root2, thin2))):
        if given == (None, None):
            raise Failure(f"--thin{number} or --root{number} not specified")
    output = Output()
    with (
        ProgressBar() as progress,
        thinscope.open(source, metadata_snapshot=metadata_snap, progress=progress) as pool,
    ):
        left, right = _side(pool, thin1, root1), _side(pool, thin2, root2)
        pieces = left.delta(right, same=True)
        told = _verbose(pieces) if verbose else _plain(pieces)
        sides = f"{_named('left', thin1, root1)} {_named('right', thin2, root2)}"
        output.write(_document(pool, sides, told), before=progress.close)
        if pool.may_be_stale:
            tell_may_be_stale()


def _side(pool: Pool, device: int | None, root: int | None) -> Device | Root:
    return pool.root(root or 0) if device is None else pool.device(device)


def _named(side: str, device: int | None, root: int | None) -> str:
    return f'{side}_root="{root}"' if device is None else f'{side}="{device}"'


def _document(pool: Pool, sides: str, told: Iterable[str]) -> Iterator[str]:
    superblock = pool.superblock
    # The snapshot's superblock has no space maps, from which thin_delta takes the number.
    blocks = 0 if pool.is_metadata_snapshot else pool.data_space.total
    flags = ' flags="1"' if superblock.needs_check else ""
    yield (
        f'<superblock uuid="" time="{superblock.time}" '
        f'transaction="{superblock.transaction_id}"{flags} '
        f'data_block_size="{superblock.data_block_sectors}" nr_data_blocks="{blocks}">\n'
    )
    yield f"  <diff {sides}>\n"
    yield from told
    yield "  </diff>\n</superblock>"


@dataclass(slots=True)
class _Range:
    """Pieces of one kind that follow each other."""

    kind: str
    begin: int
    length: int
    left: int | None
    right: int | None

    def goes_on(self, piece: Piece, *, on_data: bool) -> bool:
        """Tell whether a piece follows, where wanted on the data device as well."""
        if (self.kind, self.begin + self.length) != (piece.kind, piece.virtual_begin):
            return False
        sides = (self.left, piece.left_data_begin), (self.right, piece.right_data_begin)
        return not on_data or all(
            one is None or other is None or one + self.length == other for one, other in sides
        )


def _ranges(pieces: Iterable[Piece], *, on_data: bool) -> Iterator[_Range]:
    """Yield ranges that do not end where only the time changes."""
    pending = None
    for piece in pieces:
        if pending is not None and pending.goes_on(piece, on_data=on_data):
            pending.length += piece.length
            continue
        if pending is not None:
            yield pending
        pending = _Range(
            piece.kind,
            piece.virtual_begin,
            piece.length,
            piece.left_data_begin,
            piece.right_data_begin,
        )
    if pending is not None:
        yield pending


def _plain(pieces: Iterable[Piece]) -> Iterator[str]:
    for each in _ranges(pieces, on_data=False):
        yield f'    <{each.kind} begin="{each.begin}" length="{each.length}"/>\n'


def _verbose(pieces: Iterable[Piece]) -> Iterator[str]:
    for kind, ranges in groupby(_ranges(pieces, on_data=True), attrgetter("kind")):
        yield f"    <{kind}>\n"
        for each in ranges:
            if kind == "different":
                data = f'left_data_begin="{each.left}" right_data_begin="{each.right}"'
            else:
                data = f'data_begin="{each.right if each.left is None else each.left}"'
            yield f'      <range begin="{each.begin}" {data} length="{each.length}"/>\n'
        yield f"    </{kind}>\n"
