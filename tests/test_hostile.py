"""Hostile metadata by recipe: the expected error, no panic, no hang, bounded memory.

The recipes, several hundred, are those of `testkit recipes`: extremes in every header field of
every structure with repaired checksums, loops, shared children, wrong trees, absurd sizes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

# Runs in a process of its own, so that its memory can be limited.
WORKER = """
import io, json, re, resource, sys, time
import thinscope
from thinscope import errors
from thinscope.report.overview import Overview

LIMIT = 512 << 20
resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))

def dumped(pool):
    # Mappings of each device by the dump, with what is shared put in its places.
    text = io.BytesIO()
    pool.dump(text)
    sizes, inside = {}, None
    for line in text.getvalue().decode().splitlines():
        found = dict(re.findall(r'([a-z_]+)="([0-9]+)"', line))
        if "<def " in line or "<device " in line:
            inside = "def " + found["name"] if "<def " in line else int(found["dev_id"])
            sizes[inside] = 0
        elif "<ref " in line:
            sizes[inside] += sizes["def " + found["name"]]
        elif "_mapping " in line:
            sizes[inside] += int(found.get("length", 1))
    return {device: size for device, size in sizes.items() if isinstance(device, int)}

def ask(pool):
    try:
        sizes = dumped(pool)
    except errors.CorruptMetadata:
        sizes = None
    mapped = dict.fromkeys(pool.devices, 0)
    highest = dict.fromkeys(pool.devices)
    for run in pool.mappings():
        mapped[run.device] += run.length
        highest[run.device] = run.virtual_begin + run.length - 1
    assert pool.recount(exclusive=True).mapped_blocks == mapped == sizes
    found = pool.fragmentation().devices
    assert {device: each.mapped_blocks for device, each in found.items()} == mapped
    pool.free_extents(largest=3)
    assert pool.highest_blocks() == highest
    held = dict.fromkeys(pool.devices, 0)
    for owner in pool.owners():
        if not owner.only_metadata_snapshot:
            held[owner.device] += owner.length
    assert held == mapped
    ids = list(pool.devices)
    for left, right in zip(ids[:4], ids[1:5]):
        sides = pool.devices[left], pool.devices[right]
        compared = list(sides[0].delta(sides[1], same=True))
        for side, id_ in enumerate((left, right)):
            begins = "left_data_begin", "right_data_begin"
            there = [piece for piece in compared if getattr(piece, begins[side]) is not None]
            assert sum(piece.length for piece in there) == mapped[id_]
        differ = [piece for piece in compared if piece.kind != "same"]
        assert list(sides[0].delta(sides[1])) == differ
    for device in pool.devices.values():
        assert device.highest_block == highest[device.id]
        assert sum(run.length for run in device.mappings()) == mapped[device.id]
        device.lookup(0), device.lookup(5)
    counted = {"data": 0, "metadata": 0}
    for space in counted:
        for run in pool.reference_counts(space):
            counted[space] += run.length * (run.count > 0)
    ask_sharing(pool, mapped, counted["data"])

def ask_sharing(pool, mapped, counted):
    sharing = pool.sharing()
    core, totals, ids = sharing._core, sharing.totals, list(pool.devices)
    assert sharing.mappings == mapped
    several, alone = totals.several_devices_blocks, totals.only_metadata_snapshot_blocks
    if pool.is_metadata_snapshot:
        assert totals.leaked_blocks is totals.missing_count_blocks is totals.used_blocks is None
        assert core.leaked() is core.missing() is core.picture(60) is None
    else:
        reached = totals.one_device_blocks + several + alone
        used = reached + totals.leaked_blocks - totals.missing_count_blocks
        assert used == totals.used_blocks == counted == pool.data_space.used
        assert sum(length for _, length in core.leaked()) == totals.leaked_blocks
        assert sum(length for _, length in core.missing()) == totals.missing_count_blocks
        for cells in (60, 1 << 63):
            sums = list(map(sum, zip(*core.picture(cells), strict=True)))
            assert sum(sums[:5]) == pool.data_space.total
            assert sums[1:4] == [totals.one_device_blocks, several, alone]
            assert sums[4:] == [totals.leaked_blocks, totals.missing_count_blocks]
    devices = sharing.devices
    (every,) = sharing.usage_of([ids])
    assert every.mapped_blocks == every.exclusive_blocks == totals.reached_blocks
    assert sum(usage.fair_share for usage in devices.values()) == totals.reached_blocks
    found = core.reclaim([[id_] for id_ in ids], ids)
    assert found.mapped_blocks == totals.reached_blocks == every.mapped_blocks
    assert found.freed_blocks == every.reclaimable_blocks
    assert found.freed_blocks + found.kept_by_metadata_snapshot_blocks == found.mapped_blocks
    assert found.freed_metadata_blocks + found.kept_metadata_blocks == totals.nodes
    assert found.alone_blocks == [usage.reclaimable_blocks for usage in devices.values()]
    partners = dict.fromkeys(ids, 0)
    for pair in sharing.matrix():
        assert pair.device_a < pair.device_b
        assert pair.blocks <= devices[pair.device_a].shared_blocks
        assert pair.blocks <= devices[pair.device_b].shared_blocks
        partners[pair.device_a] += pair.blocks
        partners[pair.device_b] += pair.blocks
    assert all(sum(sharing.shared_with(id_).values()) == partners[id_] for id_ in ids[:20])
    assert sum(group.blocks for group in sharing.groups(1 << 62)) == several
    plan = core.plan([([id_], [], False, True) for id_ in ids], found.freed_blocks)
    assert plan.is_reached and plan.freed_blocks == plan.most_blocks == found.freed_blocks
    overview = Overview.of(pool, "hostile")
    assert overview.devices.mapped_blocks == sum(usage.mapped_blocks for usage in devices.values())

def outcome(path):
    try:
        with thinscope.open(path, threads=2) as pool:
            ask(pool)
            if pool.superblock.metadata_snapshot is not None:
                ask(thinscope.open(path, threads=2, metadata_snapshot=True))
    except errors.CorruptMetadata:
        return "corrupt"
    except errors.UnsupportedMetadata:
        return "unsupported"
    except errors.NotThinMetadata:
        return "not-thin"
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    return "opens"

for line in sys.stdin:
    start = time.monotonic()
    found = outcome(line.rstrip())
    print(json.dumps([found, time.monotonic() - start]), flush=True)
"""


@pytest.fixture(scope="module")
def recipes(testkit: str) -> list[list[str]]:
    listed = subprocess.run([testkit, "recipes"], check=True, capture_output=True, text=True)
    return [line.split("\t") for line in listed.stdout.splitlines()]


def test_every_recipe(testkit: str, recipes: list[list[str]], tmp_path: Path) -> None:
    path = tmp_path / "hostile.bin"
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert worker.stdin is not None
    assert worker.stdout is not None
    wrong, slow = [], []
    for name, expected, what in recipes:
        subprocess.run([testkit, "hostile", name, "-o", path], check=True, capture_output=True)
        worker.stdin.write(f"{path}\n")
        worker.stdin.flush()
        answer = worker.stdout.readline()
        assert answer, f"the reader died of {name}: {what}"
        found, seconds = json.loads(answer)
        if found != expected:
            wrong.append(f"{name}: {found}, expected {expected} ({what})")
        if seconds > 5:
            slow.append(f"{name}: {seconds:.1f} s")
    worker.stdin.close()
    worker.stdout.close()
    assert worker.wait() == 0
    assert not wrong, "\n".join(wrong)
    assert not slow, "\n".join(slow)


def test_there_are_recipes_of_every_kind(recipes: list[list[str]]) -> None:
    kinds = Counter(expected for _, expected, _ in recipes)
    assert kinds["corrupt"] > 300
    assert kinds["opens"] > 20
    assert {"unsupported", "not-thin"} <= set(kinds)
