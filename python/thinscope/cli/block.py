"""``thinscope block SOURCE N``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

import thinscope
from thinscope.block.kinds import KINDS, VALUE_KINDS
from thinscope.cli.answer import write
from thinscope.cli.commands import COMMANDS
from thinscope.cli.failure import Failure
from thinscope.cli.output import Output
from thinscope.cli.progress import ProgressBar
from thinscope.cli.request import FORMAT, MORE_PVS, SOURCE
from thinscope.errors import ThinscopeError
from thinscope.report.block import Block

if TYPE_CHECKING:
    from thinscope.cli.failure import ExitCode
    from thinscope.layout import Kind, ValueKind

__all__ = ["command"]

_NUMBER = re.compile(r"([0-9]{1,20})|0x([0-9a-f]{1,16})", re.IGNORECASE)
_BLOCK_LIMIT = 1 << 64


class _BlockNumber(click.ParamType):  # type: ignore[type-arg] # generic only in new releases of click
    """A number, in decimal or, with ``0x``, hexadecimal digits."""

    name = "N"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        match = _NUMBER.fullmatch(str(value))
        number = _BLOCK_LIMIT
        if match is not None:
            number = int(match[1]) if match[1] else int(match[2], 16)
        if number >= _BLOCK_LIMIT:
            self.fail(f"'{value}' is no number of a block", param, ctx)
        return number


@click.command(
    "block",
    short_help=COMMANDS["block"],
    epilog="""\b
    Examples:
      thinscope block tmeta.bin 0
      thinscope block tmeta.bin 0x5c
      thinscope block tmeta.bin 92 --format json
      thinscope block tmeta.bin 91 --kind bitmap
      thinscope block tmeta.bin 92 --value-kind mappings
    """,
)
@SOURCE
@click.argument("number", metavar="N", type=_BlockNumber())
@click.option(
    "--kind",
    type=click.Choice(KINDS),
    metavar="KIND",
    help=f"Take the block for a {', '.join(KINDS[:-1])} or {KINDS[-1]}. By default what its "
    "checksum says, or else what it looks like.",
)
@click.option(
    "--value-kind",
    type=click.Choice(VALUE_KINDS),
    metavar="KIND",
    help=f"Take the values of a node for {', '.join(VALUE_KINDS[:-1])} or {VALUE_KINDS[-1]}. By "
    "default what its header says; roots and mappings are judged by the values.",
)
@FORMAT
@MORE_PVS
def command(  # noqa: PLR0913, PLR0917 - the options
    source: str,
    number: int,
    more_pvs: tuple[str, ...],
    kind: Kind | None,
    value_kind: ValueKind | None,
    format: str,  # noqa: A002 - the option's name
) -> ExitCode:
    r"""Show block N of any file or device, whatever state it is in.

    A block has 4096 bytes; N is a number from 0, also with 0x. Its checksum tells what the block
    is; where that fits nothing, what it looks like is tried. Fields have the kernel's names and
    offsets in bytes from the start of the block. What is not known is shown as it is.

    A pool may be in use: one block is read at once.

    The exit status is 1 if something does not fit, such as a checksum or the block's own number.
    """
    with ProgressBar() as progress:
        try:
            block = thinscope.read_block(
                source,
                number,
                more_pvs=more_pvs,
                kind=kind,
                value_kind=value_kind,
                progress=progress,
            )
        except ValueError as error:
            if isinstance(error, ThinscopeError) or value_kind is None:
                raise
            hint = "without --value-kind the header tells what the values are"
            raise Failure(str(error), hint) from error
        report = Block.of(block, source)
        return write(report, format, Output(), progress, may_be_stale=block.may_be_stale)
