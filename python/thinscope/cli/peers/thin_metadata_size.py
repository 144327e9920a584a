"""``thinscope thin_metadata_size``: how large a metadata device should be."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal

from thinscope.cli.failure import Failure
from thinscope.cli.output import Output
from thinscope.cli.peers.command import peer_command
from thinscope.cli.peers.words import Choice, Option, Unsigned

__all__ = ["command"]

_METADATA_BLOCK_BYTES = 4096
_MAX_METADATA_BLOCKS = 255 * 16_320
_ENTRIES_IN_LEAF = 126
"""A leaf has room for 252 mappings; it is taken to be half full."""

_MIN_BLOCK_BYTES = 64 << 10
_MAX_BLOCK_BYTES = 1 << 30

_UNITS = {
    "b": ("byte", "b", 1),
    "s": ("sector", "s", 512),
    "k": ("kibibyte", "KiB", 1 << 10),
    "m": ("mebibyte", "MiB", 1 << 20),
    "g": ("gibibyte", "GiB", 1 << 30),
    "t": ("tebibyte", "TiB", 1 << 40),
    "p": ("pebibyte", "PiB", 1 << 50),
    "e": ("exbibyte", "EiB", 1 << 60),
    "K": ("kilobyte", "kB", 10**3),
    "M": ("megabyte", "MB", 10**6),
    "G": ("gigabyte", "GB", 10**9),
    "T": ("terabyte", "TB", 10**12),
    "P": ("petabyte", "PB", 10**15),
    "E": ("exabyte", "EB", 10**18),
}
"""Each unit by its letter, with its other names and its bytes."""

_LETTERS = {
    name: letter for letter, (word, short, _) in _UNITS.items() for name in (letter, word, short)
}


_EXACT = Context(prec=60)


def _unit(word: str) -> str:
    """Return the letter of a unit that is given by one of its names."""
    letter = _LETTERS.get(word)
    if letter is None:
        raise ValueError("Invalid unit specifier")
    return letter


def _size(word: str) -> int:
    """Return the bytes of a number with a unit, by default sectors."""
    unit = word.lstrip("0123456789")
    number = Unsigned(64)(word.removesuffix(unit))
    size = number * _UNITS[_unit(unit or "s")][2]
    if size >= 1 << 64:
        raise ValueError("value out of bounds")
    return size


_OPTIONS = [
    Option(
        ["-b", "--block-size"],
        metavar="SIZE[bskmg]",
        convert=_size,
        is_required=True,
        help="Size of a data block; a number alone is in sectors of 512 bytes.",
    ),
    Option(
        ["-s", "--pool-size"],
        metavar="SIZE[bskmgtp]",
        convert=_size,
        is_required=True,
        help="Size of the data device.",
    ),
    Option(
        ["-m", "--max-thins"],
        metavar="NUM",
        convert=Unsigned(64),
        is_required=True,
        help="Most devices and snapshots that there will be.",
    ),
    Option(
        ["-u", "--unit"],
        metavar="UNIT",
        convert=_unit,
        default="s",
        help=f"Tell the size in this unit: {' '.join(_UNITS)}. By default s, sectors.",
    ),
    Option(
        ["-n", "--numeric-only"],
        metavar="OPT",
        convert=Choice("short", "long"),
        if_bare="",
        help="Tell the number alone, or with the unit's letter (short) or name (long).",
    ),
]


@peer_command(
    "thin_metadata_size",
    _OPTIONS,
    """\
  thinscope thin_metadata_size -b 64k -s 1t -m 1000
  thinscope thin_metadata_size -b 64k -s 1t -m 1000 -u m
""",
    arguments=(),
)
def command(
    block_size: int, pool_size: int, max_thins: int, unit: str, numeric_only: str | None
) -> None:
    """Tell how large the metadata device of a pool should be.

    There is a leaf for each 126 data blocks, and a block for each device. Snapshots that part from
    their origins need more.
    """
    if not block_size or block_size % _MIN_BLOCK_BYTES:
        raise Failure("the block size must be a multiple of 64 KiB")
    if block_size > _MAX_BLOCK_BYTES:
        raise Failure("the block size must be at most 1 GiB")
    if pool_size < block_size:
        raise Failure("the pool must not be smaller than a block")
    leaves = -(-(pool_size // block_size) // _ENTRIES_IN_LEAF)
    blocks = min(1 + leaves + max_thins, _MAX_METADATA_BLOCKS)
    word, _, unit_bytes = _UNITS[unit]
    if unit == "t":
        word = "terabyte"  # what thin_metadata_size calls it
    number = _number(blocks * _METADATA_BLOCK_BYTES, unit_bytes)
    suffix = {None: f" {word}s", "": "", "short": unit, "long": f"{word}s"}[numeric_only]
    Output().write([f"{number}{suffix}\n"], before=lambda: None)


def _number(size: int, unit_bytes: int) -> str:
    """Return a size in a unit: with two decimals, or all where it is less than one."""
    if size % unit_bytes == 0:
        return str(size // unit_bytes)
    value = size / unit_bytes
    if value >= 1:
        return f"{value:.2f}"
    # The fewest digits that tell the number; where two ways to write it are as near, the higher.
    digits = Decimal(repr(value))
    return f"{Decimal(value).quantize(digits, ROUND_HALF_UP, _EXACT):f}"
