"""Hostile metadata through salvage: no panic, no hang, bounded memory, nothing invented."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

# Runs in a process of its own, so that its memory can be limited.
WORKER = """
import json, resource, sys, time
import thinscope
from thinscope import errors
from thinscope.report.salvage import Salvage

LIMIT = 512 << 20
resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))
MOST = 12

def ask(path):
    found = thinscope.salvage(path, threads=2, data_block_sectors=128)
    blocks = dict(found.blocks)
    assert blocks.pop("total") == sum(blocks.values())
    assert [state.number for state in found.states] == list(range(1, len(found.states) + 1))
    for state in found.states:
        assert bool(state.misfits) != state.is_consistent
    for candidate in (*found.states[:MOST], *found.trees[:MOST], *found.deleted[:MOST]):
        with found.open(candidate) as pool:
            try:
                mapped = sum(run.length for run in pool.mappings())
            except errors.CorruptMetadata:
                # Whatever is called whole can be read.
                assert not getattr(candidate, "is_whole", True), candidate
                continue
            if hasattr(candidate, "levels") or getattr(candidate, "is_consistent", False):
                assert mapped == candidate.mapped_blocks or hasattr(candidate, "state"), candidate
    best = found.best
    Salvage.of(found, "hostile", most=5)
    return "found" if best else "nothing"

def outcome(path):
    try:
        return ask(path)
    except errors.NotThinMetadata:
        return "not-thin"
    except BaseException as error:
        return f"{type(error).__name__}: {error}"

for line in sys.stdin:
    start = time.monotonic()
    found = outcome(line.rstrip())
    print(json.dumps([found, time.monotonic() - start]), flush=True)
"""

KNOWN = {"found", "nothing", "not-thin"}


def test_every_recipe(testkit: str, tmp_path: Path) -> None:
    """Those of `testkit recipes`."""
    listed = subprocess.run([testkit, "recipes"], check=True, capture_output=True, text=True)
    recipes = [line.split("\t") for line in listed.stdout.splitlines()]
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
        if found not in KNOWN or (expected == "opens" and found == "not-thin"):
            wrong.append(f"{name}: {found} ({what})")
        if seconds > 5:
            slow.append(f"{name}: {seconds:.1f} s")
    worker.stdin.close()
    worker.stdout.close()
    assert worker.wait() == 0
    assert not wrong, "\n".join(wrong)
    assert not slow, "\n".join(slow)


@pytest.mark.parametrize("shape", [["churn"], ["snapshots-shared"], ["tangle"], ["two-depths"]])
def test_generated_pools(testkit: str, tmp_path: Path, shape: list[str]) -> None:
    """Healthy ones: the live state is consistent, and has what the pool has."""
    import thinscope  # noqa: PLC0415 - the worker has its own

    path = tmp_path / "pool.bin"
    subprocess.run([testkit, "build", *shape, "-o", path], check=True, capture_output=True)
    found = thinscope.salvage(path)
    assert found.live is not None
    assert found.live.is_consistent
    with thinscope.open(path) as own, found.open(found.live) as pool:
        assert pool.recount() == own.recount()
        assert list(pool.devices) == list(own.devices)
