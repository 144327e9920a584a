"""What ``dmsetup table`` prints: a line for each target of each device, with the device's name.

Only thin devices and thin pools are read further. Fields go by their position; what an older
kernel did not have may be absent at the end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["Line", "Table", "Thin", "ThinPool", "begins", "parse", "plain_name"]

_LINE = re.compile(r"(?P<name>\S+?):\s+(?P<begin>\d{1,20})\s+(?P<length>\d{1,20})\s+(?P<rest>\S.*)")
_EMPTY = re.compile(r"\S+:")
"""A device without a table."""

_KIND = re.compile(r"[a-z][\w-]*(?:\s|\Z)")
_DEVICE = re.compile(r"\d+:\d+|/.+")
_MANGLED = re.compile(r"\\x([0-9a-fA-F]{2})")


@dataclass(frozen=True, slots=True)
class Thin:
    """A thin device's target.

    Attributes:
        pool: The pool's device, as ``major:minor`` or as a path.
        device: Its id in the pool, as it stands there.
        external_origin: The device that is read where it maps nothing, or None.
    """

    pool: str
    device: str
    external_origin: str | None


@dataclass(frozen=True, slots=True)
class ThinPool:
    """A pool's target.

    Attributes:
        metadata: Its metadata device, as ``major:minor`` or as a path.
        data: Its data device.
        block_sectors: Sectors in a data block.
        low_water_blocks: Free data blocks at which the kernel sends an event, or None.
        features: What else it was told, such as ``error_if_no_space``.
    """

    metadata: str
    data: str
    block_sectors: int
    low_water_blocks: int | None = None
    features: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a table.

    Attributes:
        number: Its number, from 1.
        name: The name of the device, as it is printed.
        sectors: How long the target is.
        kind: The kernel's name for the target, such as ``thin``.
        words: What follows.
        target: The fields, if it is a thin device or a pool.
    """

    number: int
    name: str
    sectors: int
    kind: str
    words: tuple[str, ...]
    target: Thin | ThinPool | None


class Table(NamedTuple):
    """All lines that could be read, and why others could not, by their numbers."""

    lines: list[Line]
    broken: dict[int, str]


def begins(head: bytes) -> bool:
    """Whether this is the beginning of a table."""
    for line in head.decode("ascii", "replace").split("\n"):
        stripped = line.strip()
        if stripped and not _EMPTY.fullmatch(stripped):
            found = _LINE.fullmatch(stripped)
            return found is not None and bool(_KIND.match(found["rest"]))
    return False


def plain_name(name: str) -> str:
    r"""Return a device's name without the escapes of what udev does not allow: ``\x20``."""
    return _MANGLED.sub(lambda found: chr(int(found[1], 16)), name)


def parse(data: bytes) -> Table:
    """Return the lines of a table."""
    table = Table([], {})
    for number, text in enumerate(data.decode("utf-8", "surrogateescape").split("\n"), 1):
        stripped = text.strip()
        if not stripped or _EMPTY.fullmatch(stripped):
            continue
        found = _LINE.fullmatch(stripped)
        if found is None:
            table.broken[number] = "not of the form `name: begin length target ...`"
            continue
        kind, *words = found["rest"].split()
        target: Thin | ThinPool | str | None = None
        if kind == "thin":
            target = _thin(words)
        elif kind == "thin-pool":
            target = _thin_pool(words)
        if isinstance(target, str):
            table.broken[number] = target
        else:
            sectors = int(found["length"])
            line = Line(number, found["name"], sectors, kind, tuple(words), target)
            table.lines.append(line)
    return table


def _thin(words: list[str]) -> Thin | str:
    match words:
        case [pool, device, *rest] if _DEVICE.fullmatch(pool):
            return Thin(pool, device, rest[0] if rest else None)
        case _:
            return "no pool device and device id after `thin`"


def _thin_pool(words: list[str]) -> ThinPool | str:
    match words:
        case [metadata, data, block, *rest] if _DEVICE.fullmatch(metadata) and re.fullmatch(
            "[0-9]{1,9}", block
        ):
            mark = int(rest[0]) if rest and re.fullmatch("[0-9]{1,19}", rest[0]) else None
            return ThinPool(metadata, data, int(block), mark, tuple(rest[2:]))
        case _:
            return "no metadata device, data device and block size after `thin-pool`"
