"""What commands that print reports are told: one place for the options they share."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec

import click

from thinscope.cli.failure import Failure
from thinscope.report.render import FORMATS

if TYPE_CHECKING:
    from collections.abc import Callable

    from thinscope.cli.failure import ExitCode

__all__ = [
    "DATA_BLOCK_SIZE",
    "FORMAT",
    "MAX_THREADS",
    "MORE_PVS",
    "ROOT",
    "SIZE",
    "SOURCE",
    "Request",
    "opening",
    "reporting",
]

MAX_THREADS = 256
"""More than any pool can keep busy; a slip of the finger must not start a million."""

_MAX_BLOCK = (1 << 32) - 1
_SECTOR = 512
_BLOCK_BYTES = range(64 << 10, (1 << 30) + 1, 64 << 10)

_Own = ParamSpec("_Own")


@dataclass(frozen=True, slots=True)
class Request:
    """What to read, how, and how to show it.

    Attributes:
        source: What to open, as it was written.
        format: One of the formats.
        names: Where to take names from.
        more_pvs: More physical volumes that belong to the source.
        metadata_snapshot: Whether to read the pool as the held metadata snapshot keeps it.
        threads: Threads to use, or None for the default.
        tolerant: Whether to go on around what is broken.
        root: The metadata block of the state to read, or None for that of the superblock.
        data_block_size: Bytes in a data block, where no superblock tells, or None.
    """

    source: str
    format: str
    names: tuple[str, ...]
    more_pvs: tuple[str, ...]
    metadata_snapshot: bool
    threads: int | None
    tolerant: bool = False
    root: int | None = None
    data_block_size: int | None = None

    @property
    def data_block_sectors(self) -> int | None:
        """The size of a data block in sectors, or None."""
        return None if self.data_block_size is None else self.data_block_size // _SECTOR

    def check_root(self) -> None:
        """Refuse options that say nothing together.

        Raises:
            Failure: They do.
        """
        if self.root is not None and self.metadata_snapshot:
            raise Failure("--root and --metadata-snapshot name two states", "give one of the two")
        if self.root is None and self.data_block_size is not None:
            raise Failure("--data-block-size goes with --root", "`thinscope salvage` lists roots")


def reporting(
    function: Callable[Concatenate[Request, _Own], ExitCode],
) -> Callable[..., ExitCode]:
    """Give a command its SOURCE and the options that all reports share, as a `Request`."""

    @wraps(function)
    def command(*args: _Own.args, **parameters: _Own.kwargs) -> ExitCode:
        names = [field.name for field in fields(Request) if field.name in parameters]
        shared = {name: parameters.pop(name) for name in names}
        return function(Request(**shared), *args, **parameters)  # type: ignore[arg-type]

    decorated: Callable[..., ExitCode] = command
    for decorate in reversed(_PARAMETERS):
        decorated = decorate(decorated)
    return decorated


def opening(
    function: Callable[Concatenate[Request, _Own], ExitCode],
) -> Callable[..., ExitCode]:
    """The same for commands that open a pool, with the options that say what is opened."""
    return _TOLERANT(ROOT(DATA_BLOCK_SIZE(reporting(function))))


class _Size(click.ParamType):  # type: ignore[type-arg] # generic only in new releases of click
    """Bytes, or a size such as ``10GiB``."""

    name = "SIZE"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        # Imported here: most commands take no size.
        from thinscope.planning import bytes_of  # noqa: PLC0415

        try:
            return bytes_of(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class _BlockSize(_Size):
    """The size of data blocks: bytes, or as ``64KiB``."""

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        size = super().convert(value, param, ctx)
        if size not in _BLOCK_BYTES:
            self.fail(f"'{value}' is no size from 64KiB to 1GiB in steps of 64KiB", param, ctx)
        return size


SIZE = _Size()
SOURCE = click.argument("source", metavar="SOURCE")
FORMAT = click.option(
    "--format",
    "format",
    type=click.Choice(FORMATS),
    default=FORMATS[0],
    metavar="FORMAT",
    help=f"Print {', '.join(FORMATS[:-1])} or {FORMATS[-1]}. By default {FORMATS[0]}.",
)
MORE_PVS = click.option(
    "--pv",
    "more_pvs",
    multiple=True,
    metavar="PATH",
    help="Where SOURCE is an LVM physical volume or a disk image: another one that belongs to "
    "it. Can be given several times.",
)

ROOT = click.option(
    "--root",
    type=click.IntRange(1, _MAX_BLOCK),
    metavar="N",
    help="Read the state, or the single device, whose root is metadata block N, as "
    '"thinscope salvage" lists them.',
)
DATA_BLOCK_SIZE = click.option(
    "--data-block-size",
    type=_BlockSize(),
    metavar="SIZE",
    help="Size of a data block, such as 64KiB, where no superblock tells. With --root.",
)
_TOLERANT = click.option(
    "--tolerant",
    is_flag=True,
    help="Go on around what is broken, and tell what is missing.",
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
    MORE_PVS,
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
