"""How Go's standard library writes numbers and times as bytes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from construct import Int8sb, Int8ub, Int16sb, Int32sb, Int64sb, Struct

__all__ = ["TIME", "time", "uvarint", "varint"]

TIME = Struct(
    "version" / Int8ub,
    "seconds" / Int64sb,
    "nanoseconds" / Int32sb,
    "offset" / Int16sb,
)
"""A time as ``MarshalBinary`` writes it: seconds since the year 1, and minutes east of Greenwich."""

_TIME_SIZES = {1: TIME.sizeof(), 2: TIME.sizeof() + 1}
"""Bytes of a time by its version: the second one has seconds of the offset, too."""

_UTC = -1
"""The offset that stands for no place at all."""

_NANOSECONDS = 10**9

_MOST_BITS = 64


def uvarint(data: bytes) -> int:
    """Return the number that the bytes begin with: seven bits in each, the lowest first.

    Raises:
        ValueError: They end within the number, or it has more than 64 bits.
    """
    number = 0
    for index, byte in enumerate(data):
        number |= (byte & 0x7F) << (7 * index)
        if number >> _MOST_BITS:
            break
        if byte < 0x80:  # noqa: PLR2004 - the eighth bit says that more follows
            return number
    raise ValueError("no number of 64 bits")


def varint(data: bytes) -> int:
    """Return the signed number that the bytes begin with: its sign is the lowest bit.

    Raises:
        ValueError: They end within the number, or it has more than 64 bits.
    """
    number = uvarint(data)
    return ~(number >> 1) if number & 1 else number >> 1


def time(data: bytes) -> datetime | None:
    """Return a time that ``MarshalBinary`` wrote, down to microseconds; None for Go's zero time.

    Raises:
        ValueError: It is none, or one that Python has no date for.
    """
    if not data or _TIME_SIZES.get(data[0]) != len(data):
        raise ValueError("no time")
    fields = TIME.parse(data)
    if not 0 <= fields.nanoseconds < _NANOSECONDS:
        raise ValueError("no time")
    if fields.seconds == fields.nanoseconds == 0:
        return None
    try:
        since = timedelta(seconds=fields.seconds, microseconds=fields.nanoseconds // 1000)
        moment = datetime(1, 1, 1, tzinfo=UTC) + since
        if fields.offset == _UTC:
            return moment
        second = Int8sb.parse(data[TIME.sizeof() :]) if len(data) > TIME.sizeof() else 0
        offset = timedelta(minutes=fields.offset, seconds=second)
        return moment.astimezone(timezone(offset) if offset else UTC)
    except (OverflowError, ValueError) as error:
        raise ValueError("a time out of reach") from error
