"""``thinscope thin_dump``: the pool as XML, or as text for people."""

from __future__ import annotations

import sys
from typing import Literal

import click

import thinscope
from thinscope.cli.failure import Failure
from thinscope.cli.peers.command import peer_command
from thinscope.cli.peers.words import HIDDEN, Option, Unsigned
from thinscope.cli.progress import ProgressBar
from thinscope.cli.streams import tell_may_be_stale

__all__ = ["command"]

_ANY_BLOCK = -1
"""What ``-m`` means without a number."""

_PARAMETERS: list[click.Parameter] = [
    click.Argument(["source"], metavar="INPUT"),
    Option(
        ["-f", "--format"],
        metavar="TYPE",
        type=click.Choice(["xml", "human_readable"]),
        default="xml",
        help="Write xml, which thin_restore reads, or human_readable. By default xml.",
    ),
    Option(
        ["-r", "--repair"],
        is_flag=True,
        conflicts_with="metadata_snap",
        help="Not there yet: damaged metadata cannot be repaired on the way.",
    ),
    Option(
        ["-m", "--metadata-snap"],
        metavar="BLOCKNR",
        type=Unsigned(64),
        if_bare=_ANY_BLOCK,
        conflicts_with="repair",
        help="Read the pool as its held metadata snapshot keeps it, which lies in that block.",
    ),
    Option(
        ["--dev-id"],
        metavar="THIN_ID",
        type=Unsigned(64),
        multiple=True,
        help="Write only this device. Can be given several times.",
    ),
    Option(["--skip-mappings"], is_flag=True, help="Write all devices without their mappings."),
    Option(["-o", "--output"], metavar="FILE", type=str, help="Write to a file, not to stdout."),
    Option(["-q", "--quiet"], is_flag=True, help="Say nothing of what goes wrong."),
    Option(
        ["--data-block-size"],
        metavar="SECTORS",
        type=Unsigned(32),
        help="Write this size of a data block, in sectors of 512 bytes.",
    ),
    Option(
        ["--nr-data-blocks"],
        metavar="NUM",
        type=Unsigned(64),
        help="Write this number of data blocks, if the pool has less.",
    ),
    Option(
        ["--transaction-id"],
        metavar="NUM",
        type=Unsigned(64),
        help="Write this transaction id, if the pool's is lower.",
    ),
    *HIDDEN,
]


@peer_command(
    "thin_dump",
    _PARAMETERS,
    """\
  thinscope thin_dump tmeta.bin > tmeta.xml
  thinscope thin_dump tmeta.bin --dev-id 5 --format human_readable
  thinscope thin_dump /dev/mapper/vg-pool_tmeta -m -o tmeta.xml
""",
)
def command(  # noqa: PLR0913 - the options of thin_dump
    source: str,
    *,
    format: Literal["xml", "human_readable"],  # noqa: A002
    repair: bool,
    metadata_snap: int | None,
    dev_id: tuple[int, ...],
    skip_mappings: bool,
    output: str | None,
    quiet: bool,
    data_block_size: int | None,
    nr_data_blocks: int | None,
    transaction_id: int | None,
    **_ignored: object,
) -> None:
    """Write the metadata of a pool as XML, or as text for people.

    What devices share is written once. INPUT is the metadata of a pool: a metadata device, or a
    copy of one, also packed.
    """
    if repair:
        hint = "without it thin_dump stops at damage; `thinscope SOURCE` tells what is damaged"
        raise Failure("--repair is not there yet", hint)
    if output is None and sys.stdout is None:
        raise Failure("stdout is closed")
    is_shown = output is None and sys.stdout.isatty()
    with (
        ProgressBar(is_wanted=not (quiet or is_shown)) as progress,
        thinscope.open(
            source, metadata_snapshot=metadata_snap is not None, progress=progress
        ) as pool,
    ):
        if metadata_snap not in (None, _ANY_BLOCK, pool.superblock.block):
            held = f"the held metadata snapshot lies in block {pool.superblock.block}"
            raise Failure(f"{held}, not in block {metadata_snap}")
        if metadata_snap is None:
            header = {
                "transaction_id": max(pool.superblock.transaction_id, transaction_id or 0),
                "data_blocks": max(pool.data_space.total, nr_data_blocks or 0),
                "data_block_sectors": data_block_size,
            }
        else:
            # The snapshot's superblock has no space maps, from which thin_dump takes the number.
            header = {"data_blocks": 0}
        pool.dump(
            sys.stdout.buffer if output is None else output,
            format=format,
            devices=None if skip_mappings or not dev_id else dev_id,
            mappings=not skip_mappings,
            **header,
        )
        if pool.may_be_stale and not quiet:
            tell_may_be_stale()
