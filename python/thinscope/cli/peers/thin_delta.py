"""``thinscope thin_delta``: what two devices, or two trees, have in common, as XML."""

from __future__ import annotations

from typing import TYPE_CHECKING

import thinscope
from thinscope.cli.failure import Failure
from thinscope.cli.output import Output
from thinscope.cli.peers.command import peer_command
from thinscope.cli.peers.words import IO_ENGINE, Option, Unsigned
from thinscope.cli.progress import ProgressBar
from thinscope.cli.streams import tell_may_be_stale

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from thinscope import Device, Pool, Root

__all__ = ["command"]


def _root(number: int, word: str) -> Option:
    return Option(
        [f"--root{number}"],
        metavar="BLOCKNR",
        convert=Unsigned(64),
        conflicts_with=(f"thin{number}",),
        is_either=True,
        help=f"Take the tree whose root lies in this block for the {word} side.",
    )


def _thin(number: int, word: str) -> Option:
    return Option(
        [f"--thin{number}", f"--snap{number}"],
        metavar="DEV_ID",
        convert=Unsigned(64),
        conflicts_with=(f"root{number}",),
        is_either=True,
        help=f"Take this device for the {word} side.",
    )


_OPTIONS = [
    Option(
        ["-m", "--metadata-snap"],
        help="Read the pool as its held metadata snapshot keeps it.",
    ),
    _root(1, "left"),
    _thin(1, "left"),
    _root(2, "right"),
    _thin(2, "right"),
    Option(["--verbose"], help="Tell where the blocks lie on the data device."),
    IO_ENGINE,
]


@peer_command(
    "thin_delta",
    _OPTIONS,
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
        told = left.delta(right, same=True).lines(detailed=verbose)
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
