"""Numbers as people read them."""

from __future__ import annotations

import pytest

from thinscope.report.units import count, exact_size, mean_size, percent, plural, quotient, size

KIB, MIB, GIB, EIB = 1 << 10, 1 << 20, 1 << 30, 1 << 60


@pytest.mark.parametrize(
    ("size_bytes", "shown"),
    [
        (0, "0 B"),
        (1, "1 B"),
        (1023, "1023 B"),
        (KIB, "1.0 KiB"),
        (536 * KIB, "536 KiB"),
        (15_833_498, "15.1 MiB"),
        (99 * MIB + 996_147, "99.9 MiB"),
        (99 * MIB + 996_148, "100 MiB"),
        (100 * MIB + 524_287, "100 MiB"),
        (100 * MIB + 524_288, "101 MiB"),
        (1023 * MIB + 524_287, "1023 MiB"),
        (GIB - 524_288, "1.0 GiB"),
        (GIB - 1, "1.0 GiB"),
        (20 * GIB, "20.0 GiB"),
        (EIB, "1.0 EiB"),
        (1 << 80, "1048576 EiB"),
    ],
)
def test_size(size_bytes: int, shown: str) -> None:
    assert size(size_bytes) == shown


@pytest.mark.parametrize(
    ("size_bytes", "shown"),
    [
        (0, "0 B"),
        (512, "512 B"),
        (64 * KIB, "64 KiB"),
        (1088 * KIB, "1088 KiB"),
        (4 * MIB, "4 MiB"),
        (GIB, "1 GiB"),
        (1 << 80, "1048576 EiB"),
    ],
)
def test_exact_size(size_bytes: int, shown: str) -> None:
    assert exact_size(size_bytes) == shown


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [
        (0, 0, "0 %"),
        (0, 7, "0 %"),
        (7, 7, "100 %"),
        (1, 1_000_000, "< 0.1 %"),
        (1, 2000, "0.1 %"),
        (7, 1000, "0.7 %"),
        (999_999, 1_000_000, "> 99.9 %"),
        (9994, 10_000, "99.9 %"),
        (3, 2, "150.0 %"),
    ],
)
def test_percent(part: int, whole: int, shown: str) -> None:
    assert percent(part, whole) == shown


@pytest.mark.parametrize(
    ("dividend", "divisor", "shown"),
    [
        (0, 7, "0"),
        (7, 7, "1.00"),
        (1, 1000, "< 0.01"),
        (5, 1000, "0.01"),
        (1, 3, "0.33"),
        (9999, 100, "99.99"),
        (99_995, 1000, "100"),
        (1_234_567, 1, "1,234,567"),
    ],
)
def test_quotient(dividend: int, divisor: int, shown: str) -> None:
    assert quotient(dividend, divisor) == shown


def test_means() -> None:
    assert mean_size(3 * KIB, 2) == "1.5 KiB"
    assert mean_size(1, 3) == "0 B"


def test_counts() -> None:
    assert count(1234567) == "1,234,567"
    assert plural(1, "device") == "1 device"
    assert plural(0, "device") == "0 devices"
    assert plural(1234, "device") == "1,234 devices"
