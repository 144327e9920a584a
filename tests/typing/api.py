"""Usage that must type-check, and usage that must not. Checked by mypy, not run."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import assert_type

import thinscope
from thinscope import layout


def reads(path: Path, data: bytes) -> None:
    with thinscope.open(path, metadata_snapshot=True, threads=2) as pool:
        assert_type(pool, thinscope.Pool)
        assert_type(pool.superblock.transaction_id, int)
        assert_type(pool.superblock.metadata_snapshot, int | None)
        assert_type(pool.data_space.used, int | None)
        assert_type(pool.devices[5], thinscope.Device)
        assert_type(pool.devices[5].lookup(4096), thinscope.Run | None)
        assert_type(pool.device("5").highest_block, int | None)
        assert_type([run.length for run in pool.mappings()], list[int])
        assert_type([run.count for run in pool.reference_counts("data")], list[int])
        assert_type(pool.recount().mapped_blocks, Mapping[int, int])
        assert_type([owner.device for owner in pool.owners(7, range(9))], list[int])
        delta = pool.devices[5].delta(pool.root(92), same=True)
        assert_type([piece.left_data_begin for piece in delta], list[int | None])
        scattered = pool.fragmentation()
        assert_type(scattered.devices[5], thinscope.DeviceFragmentation)
        assert_type(scattered.devices[5].contiguity, float | None)
        assert_type([reads.pieces for reads in scattered.devices[5].reads], list[int])
        assert_type(scattered.leaves.tenths, list[int])
        assert_type(pool.free_extents(largest=3), thinscope.FreeExtents | None)
        with pool.device("web").open(path, size=7, origin=data, inconsistent=True) as file:
            assert_type(file, io.BufferedReader)
            assert_type(file.read(), bytes)
        exported = pool.device("web").export(path, data, follow_holes=True, overwrite=True)
        assert_type(exported, thinscope.Export)
        assert_type(exported.sha256, str)
        survey = pool.survey(pool.devices[5], data=path)
        assert_type(survey, thinscope.Survey)
        assert_type([run.grade for run in survey], list[str])
        assert_type(survey.zero_blocks, int | None)
    block = thinscope.read_block(path, 7, kind="node", value_kind="mappings")
    assert_type(block, thinscope.Block)
    assert_type([field.value for field in block.fields], list[int | bytes])
    assert_type([entry.key for entry in block.entries], list[int | None])
    assert_type([finding.offset for finding in block.findings], list[int])
    assert_type(layout.kind_of(data), str | None)
    assert_type(layout.build(layout.parse(data)), bytes)
    found = thinscope.doctor(data, names=[path], lvm_conf=path, autoextend_threshold=80)
    assert_type(found, thinscope.Diagnosis)
    assert_type(found.advice, tuple[thinscope.Advice, ...])
    assert_type(found.pool, thinscope.Pool | None)
    captured = thinscope.capture(data, path, names=[path], overwrite=True)
    assert_type(captured, thinscope.Capture)
    assert_type(captured.sha256, str)
    assert_type(captured.unreadable, tuple[tuple[int, int], ...])
    thinscope.capture(data, io.BytesIO())
    thinscope.open(data)
    thinscope.open(io.BytesIO(data), progress=lambda phase, done, total: print(phase, done, total))


def undeletes(path: Path, data: bytes) -> None:
    deleted = thinscope.undelete(data, ["web", 5], data=path, names=[path], threads=2)
    assert_type(deleted, thinscope.Undelete)
    assert_type(deleted.devices[0], thinscope.Undeleted)
    assert_type(deleted.devices[0].survey, thinscope.Survey | None)
    assert_type(deleted.devices[0].device.state_root, int)
    assert_type(deleted.devices[0].why_not, str | None)
    assert_type(deleted.open(deleted.devices[0]), thinscope.Pool)


def must_not() -> None:
    thinscope.opne("x")  # type: ignore[attr-defined]
    thinscope.open("x", True)  # type: ignore[call-arg, arg-type]
    thinscope.open(7)  # type: ignore[arg-type]
    thinscope.open("x").reference_counts("other")  # type: ignore[arg-type]
    thinscope.open("x").owners("7")  # type: ignore[arg-type]
    thinscope.open("x").devices[1].delta(2)  # type: ignore[arg-type]
    thinscope.open("x").free_extents(3)  # type: ignore[call-arg]
    thinscope.doctor("x", ["names"])  # type: ignore[call-arg]
    thinscope.open("x").devices[1].open("y", 7)  # type: ignore[call-arg]
    thinscope.open("x").devices[1].export()  # type: ignore[call-arg]
    thinscope.undelete("x", 5.5)  # type: ignore[arg-type]
    thinscope.undelete("x", 5, "y")  # type: ignore[call-arg]
    thinscope.capture("x")  # type: ignore[call-arg]
    thinscope.capture("x", "y", True)  # type: ignore[call-arg, arg-type]
    thinscope.read_block("x", 7, "node")  # type: ignore[call-arg]
    thinscope.read_block("x", 7, kind="what")  # type: ignore[arg-type]
    thinscope.read_block("x", 7).kind = "node"  # type: ignore[misc]
    thinscope.open("x").superblock.time = 3  # type: ignore[misc]
    thinscope.open("x").devices[1].id = 3  # type: ignore[misc]
