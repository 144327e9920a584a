"""What is told of comparisons: differences, and the table at the end of a run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.truth import conftest
from tests.truth.docker import human
from tests.truth.lvm import percent
from tests.truth.record import KEY, Record, Row, Silent, differing, told

ROWS: list[Row | Silent] = [
    Row("pool_status", "data blocks", 7, 7),
    Row("pool_status", "held root", None, 9),
    Silent("sha256", "the capture keeps no data"),
]


def test_differences_say_what_ours_theirs() -> None:
    [wrong] = differing(ROWS)
    assert told([wrong]) == "\npool_status: held root: ours None, theirs 9"
    assert told([wrong] * 30).endswith("theirs 9\n...")


def test_the_table_counts_by_capture_and_kind() -> None:
    record = Record()
    record.add("made-6.1", "6.1.0", "kernel", ROWS)
    record.add("made-6.1", "6.1.0", "lvm", ROWS[:1])
    record.add("a-5.10", "5.10.0-32", "kernel", ROWS[:1])
    assert [" ".join(line.split()) for line in record.table()] == [
        "a-5.10 5.10.0-32 1 of 1 equal: kernel 1",
        "made-6.1 6.1.0 2 of 3 equal: kernel 1 of 2, lvm 1",
        "all 3 of 4 equal",
        "nothing to compare with: made-6.1: kernel: sha256: the capture keeps no data",
    ]


def test_the_table_ends_a_run() -> None:
    lines: list[str] = []
    reporter: Any = SimpleNamespace(section=lines.append, write_line=lines.append)
    config: Any = SimpleNamespace(stash=pytest.Stash())
    conftest.pytest_terminal_summary(reporter, config)
    assert lines == []
    record = config.stash.setdefault(KEY, Record())
    record.add("made-6.1", "6.1.0", "kernel", ROWS[:1])
    conftest.pytest_terminal_summary(reporter, config)
    assert lines == [
        "figures compared with what the kernel and the managers said",
        *record.table(),
    ]


def test_sizes_as_docker_prints_them() -> None:
    sizes = [0, 999, 65536, 125_239_296, 13_914_112, 21_474_836_480, 268_435_456]
    shown = ["0B", "999B", "65.54kB", "125.2MB", "13.91MB", "21.47GB", "268.4MB"]
    assert list(map(human, sizes)) == shown


def test_percentages_as_lvm_prints_them() -> None:
    parts = [(0, 7), (7, 7), (1, 1 << 20), ((1 << 20) - 1, 1 << 20), (614, 39232), (0, 0)]
    shown = ["0.00", "100.00", "0.01", "99.99", "1.57", "100.00"]
    assert [percent(*part) for part in parts] == shown
