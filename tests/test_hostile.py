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
    assert pool.highest_blocks() == highest
    for device in pool.devices.values():
        assert device.highest_block == highest[device.id]
        assert sum(run.length for run in device.mappings()) == mapped[device.id]
        device.lookup(0), device.lookup(5)
    for space in ("data", "metadata"):
        for _ in pool.reference_counts(space):
            pass

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
