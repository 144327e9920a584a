"""Runs pass through; they are never held."""

from __future__ import annotations

import json
import tracemalloc
from itertools import repeat
from typing import NamedTuple

import pytest

from thinscope.report.mappings import Mappings, RunStream
from thinscope.report.render import BATCH, FORMATS, Page, render


class Run(NamedTuple):
    device: int = 1
    virtual_begin: int = 5
    data_begin: int = 7
    length: int = 3
    time: int = 2


def report(runs: int) -> Mappings:
    stream = RunStream(repeat(Run(), runs), 65536)  # type: ignore[arg-type]
    return Mappings(
        source="pool",
        is_metadata_snapshot=False,
        block_bytes=65536,
        transaction_id=0,
        time=2,
        devices=None,
        begin=0,
        end=None,
        external_origins=None,
        runs=stream,
    )


@pytest.mark.parametrize("format_", FORMATS)
def test_memory(format_: str) -> None:
    runs = 100_000
    next(render(report(1), format_, Page()))  # what is loaded is not counted
    tracemalloc.start()
    try:
        size = sum(map(len, render(report(runs), format_, Page())))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size > runs * 15
    assert peak < 1 << 20


@pytest.mark.parametrize("runs", [0, 1, BATCH - 1, BATCH, BATCH + 1, 3 * BATCH])
def test_joints(runs: int) -> None:
    """The batches of the renderers fit together, and so does the sum."""
    printed = {format_: "".join(render(report(runs), format_, Page())) for format_ in FORMATS}
    decoded = json.loads(printed["json"])
    assert len(decoded["runs"]) == decoded["total"]["runs"] == runs
    assert decoded["total"]["mapped_bytes"] == runs * 3 * 65536
    assert printed["csv"].count("\n") == runs + 1
    assert printed["csv"].count("1,5,327680,7,458752,3,196608,2\n") == runs
    assert printed["text"].count(f"{5:15}{7:15}{3:12}{2:10}\n") == runs
    assert printed["markdown"].count("| 1 | 5 | 7 | 3 | 2 |\n") == runs


def test_the_total_waits_for_the_end() -> None:
    stream = report(2).runs
    iterator = iter(stream)
    next(iterator)
    with pytest.raises(RuntimeError, match="at its end"):
        _ = stream.total
    list(iterator)
    assert stream.total.runs == 2
