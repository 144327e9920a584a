"""Tables reach polars and DuckDB through the Arrow C stream, with neither pyarrow nor numpy."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import duckdb
import polars
import pytest

import thinscope

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = {
    "device": polars.UInt32,
    "virtual_begin": polars.UInt64,
    "data_begin": polars.UInt64,
    "length": polars.UInt64,
    "time": polars.UInt32,
}


def test_columns_and_rows(churn: bytes) -> None:
    table = thinscope.open(churn).mappings()
    frame = polars.DataFrame(table)
    assert dict(frame.schema) == COLUMNS
    rows = [(run.device, run.virtual_begin, run.data_begin, run.length, run.time) for run in table]
    assert frame.rows() == rows
    assert frame["length"].sum() == 25392


def test_a_table_can_be_read_again(churn: bytes) -> None:
    runs = thinscope.open(churn).mappings()
    joined = duckdb.sql(
        "SELECT sum(a.length) FROM runs a JOIN runs b USING (device, virtual_begin)"
    )
    assert joined.fetchall() == [(25392,)]
    assert polars.DataFrame(runs).equals(polars.DataFrame(runs))


def test_reference_counts(churn: bytes) -> None:
    pool = thinscope.open(churn)
    frame = polars.DataFrame(pool.reference_counts("data"))
    assert frame.columns == ["begin", "length", "count"]
    assert frame["length"].sum() == pool.data_space.total
    assert frame.filter(polars.col("count") > 0)["length"].sum() == pool.data_space.used
    with pytest.raises(ValueError, match="`data` or `metadata`"):
        pool.reference_counts("other")  # type: ignore[arg-type]


def test_schema_capsule(churn: bytes) -> None:
    table = thinscope.open(churn).mappings()
    assert dict(polars.Schema(table)) == COLUMNS


def test_an_empty_device_is_an_empty_table(churn: bytes) -> None:
    device = thinscope.open(churn).devices[16]
    frame = polars.DataFrame(device.mappings(begin=1 << 40))
    assert dict(frame.schema) == COLUMNS
    assert frame.is_empty()


def test_damage_behind_the_stream_is_an_error(churn: bytes) -> None:
    good = thinscope.open(churn)
    broken = bytearray(churn)
    for block in range(1, len(churn) // 4096):
        if block not in (good.superblock.mapping_root, good.superblock.details_root):
            broken[block * 4096 + 9] ^= 0xFF
    with pytest.raises(Exception, match="corrupt metadata: block"):
        polars.DataFrame(thinscope.open(bytes(broken)).mappings())


PROBE = """
import sys, thinscope, polars, duckdb
runs = thinscope.open(sys.argv[1]).mappings()
frame = polars.DataFrame(runs)
total, distinct, last = duckdb.sql(
    "SELECT sum(length), sum(data_begin * length + length * (length - 1) // 2), "
    "max(virtual_begin + length - 1) FROM runs").fetchall()[0]
assert frame["length"].sum() == total
assert "pyarrow" not in sys.modules and "numpy" not in sys.modules
print(total, distinct, last)
"""


def test_ten_million_mappings(ten_million: Path) -> None:
    pool = thinscope.open(ten_million)
    result = subprocess.run(
        [sys.executable, "-c", PROBE, ten_million], capture_output=True, check=True, text=True
    )
    total, sum_of_blocks, last = map(int, result.stdout.split())
    recount = pool.recount()
    assert total == 10_000_000 == sum(recount.mapped_blocks.values())
    assert last == next(iter(pool.devices.values())).highest_block
    # One device never maps a data block twice, and the space map tells which blocks those are.
    used = [run for run in pool.reference_counts("data") if run.count]
    assert recount.reached_blocks == pool.data_space.used == sum(run.length for run in used)
    expected = sum(run.begin * run.length + run.length * (run.length - 1) // 2 for run in used)
    assert sum_of_blocks == expected
