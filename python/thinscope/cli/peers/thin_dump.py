"""``thinscope thin_dump``: the pool as XML, or as text for people."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import Literal

import thinscope
from thinscope.cli.failure import Failure
from thinscope.cli.peers.command import peer_command
from thinscope.cli.peers.words import HIDDEN, Choice, Option, Unsigned
from thinscope.cli.progress import ProgressBar
from thinscope.cli.streams import tell, tell_may_be_stale
from thinscope.errors import ThinscopeError

__all__ = ["command"]

_ANY_BLOCK = -1
"""What ``-m`` means without a number."""

_OPTIONS = [
    Option(
        ["-f", "--format"],
        metavar="TYPE",
        convert=Choice("xml", "human_readable"),
        default="xml",
        help="Write xml, which thin_restore reads, or human_readable. By default xml.",
    ),
    Option(
        ["-r", "--repair"],
        conflicts_with=("metadata_snap",),
        help="Read every block, and write the best state that is left: see `thinscope salvage`.",
    ),
    Option(
        ["-m", "--metadata-snap"],
        metavar="BLOCKNR",
        convert=Unsigned(64),
        if_bare=_ANY_BLOCK,
        conflicts_with=("repair",),
        help="Read the pool as its held metadata snapshot keeps it, which lies in that block.",
    ),
    Option(
        ["--dev-id"],
        metavar="THIN_ID",
        convert=Unsigned(64),
        is_multiple=True,
        help="Write only this device. Can be given several times.",
    ),
    Option(["--skip-mappings"], help="Write all devices without their mappings."),
    Option(["-o", "--output"], metavar="FILE", help="Write to a file, not to stdout."),
    Option(["-q", "--quiet"], help="Say nothing of what goes wrong."),
    Option(
        ["--data-block-size"],
        metavar="SECTORS",
        convert=Unsigned(32),
        help="Write this size of a data block, in sectors of 512 bytes.",
    ),
    Option(
        ["--nr-data-blocks"],
        metavar="NUM",
        convert=Unsigned(64),
        help="Write this number of data blocks, if the pool has less.",
    ),
    Option(
        ["--transaction-id"],
        metavar="NUM",
        convert=Unsigned(64),
        help="Write this transaction id, if the pool's is lower.",
    ),
    *HIDDEN,
]


@peer_command(
    "thin_dump",
    _OPTIONS,
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
    if output is None and sys.stdout is None:
        raise Failure("stdout is closed")
    is_shown = output is None and sys.stdout.isatty()
    with ProgressBar(is_wanted=not (quiet or is_shown)) as progress, ExitStack() as stack:
        if repair:
            pool = stack.enter_context(_repaired(source, data_block_size, progress, quiet=quiet))
        else:
            pool = stack.enter_context(
                thinscope.open(
                    source, metadata_snapshot=metadata_snap is not None, progress=progress
                )
            )
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


def _repaired(
    source: str, data_block_size: int | None, progress: ProgressBar, *, quiet: bool
) -> thinscope.Pool:
    """Open the state that is left of a damaged pool.

    Raises:
        Failure: There is none.
    """
    try:
        found = thinscope.salvage(source, data_block_sectors=data_block_size, progress=progress)
    except ValueError as error:
        if isinstance(error, ThinscopeError):
            raise
        raise Failure(str(error), "in sectors, from 128 to 2097152 in steps of 128") from error
    if found.data_block_bytes is None:
        hint = "give it in sectors: --data-block-size 128 is 64 KiB"
        raise Failure("the data block size is lost with the superblock", hint)
    state = found.to_restore
    if state is None:
        hint = "`thinscope salvage` lists what is left; --root of other commands reads single trees"
        raise Failure("no state is left of which all trees are there", hint)
    if state.is_whole:
        pool = found.open(state)
        if not (quiet or state.is_live):
            tell(f"note: the live state is damaged: that of root {state.root} is written")
    else:
        from thinscope.report.gaps import Gaps  # noqa: PLC0415 - most pools are whole

        pool = found.open(state, tolerant=True)
        gaps = Gaps.of(pool)
        if gaps.are_any and not quiet:
            tell(
                f"note: left out, since it is broken: {gaps.summary}",
                "`thinscope check` tells which devices are hit",
            )
    return pool
