"""Numbers as people read them. The only place that rounds.

All arithmetic is on integers, and what is shown never claims a limit that is not reached:
``100 %`` is full and ``0 %`` is empty, anything near is ``> 99.9 %`` or ``< 0.1 %``.
"""

from __future__ import annotations

__all__ = ["count", "exact_size", "mean_size", "percent", "plural", "quotient", "size"]

_STEP = 1024
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")

_DECIMALS_BELOW = 100
"""From here on a size has three digits before the point, and is shown without decimals."""


def size(size_bytes: int) -> str:
    """Return bytes in the largest unit that keeps a digit before the point: ``15.1 MiB``."""
    if size_bytes < _STEP:
        return f"{size_bytes} {_UNITS[0]}"
    divisor = 1
    for unit in _UNITS[1:]:
        divisor *= _STEP
        tenths = _divide(size_bytes * 10, divisor)
        if tenths < _DECIMALS_BELOW * 10:
            return f"{tenths // 10}.{tenths % 10} {unit}"
        whole = _divide(size_bytes, divisor)
        if whole < _STEP or unit == _UNITS[-1]:
            break
    return f"{whole} {unit}"


def exact_size(size_bytes: int) -> str:
    """Return bytes in the largest unit that needs no rounding: ``64 KiB``, ``1088 KiB``."""
    power = 0
    while size_bytes and size_bytes % _STEP == 0 and power + 1 < len(_UNITS):
        size_bytes //= _STEP
        power += 1
    return f"{size_bytes} {_UNITS[power]}"


def mean_size(size_bytes: int, number: int) -> str:
    """Return the mean of so many sizes that add up to some bytes."""
    return size(_divide(size_bytes, number))


def quotient(dividend: int, divisor: int) -> str:
    """Return a ratio with two decimals, from a hundred on without any: ``1.03``."""
    if dividend == 0:
        return "0"
    hundredths = _divide(dividend * 100, divisor)
    if hundredths == 0:
        return "< 0.01"
    if hundredths >= _DECIMALS_BELOW * 100:
        return count(_divide(dividend, divisor))
    return f"{hundredths // 100}.{hundredths % 100:02}"


def percent(part: int, whole: int) -> str:
    """Return a share as ``0.7 %``; of nothing it is nothing."""
    if part == 0 or whole == 0:
        return "0 %"
    if part == whole:
        return "100 %"
    tenths = _divide(part * 1000, whole)
    if tenths == 0:
        return "< 0.1 %"
    if part < whole and tenths >= 1000:  # noqa: PLR2004 - 100 % in tenths
        return "> 99.9 %"
    return f"{tenths // 10}.{tenths % 10} %"


def count(number: int) -> str:
    """Return a number with its thousands apart: ``65,536``."""
    return f"{number:,}"


def plural(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 device``, ``1,234 devices``."""
    return f"{count(number)} {noun}" if number == 1 else f"{count(number)} {noun}s"


def _divide(dividend: int, divisor: int) -> int:
    """Divide, rounding half up."""
    return (2 * dividend + divisor) // (2 * divisor)
