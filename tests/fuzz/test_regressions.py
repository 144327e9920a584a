"""The targets of fuzzing, replayed without a fuzzer: all seeds, and every input that once failed."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TARGETS = ["bbolt", "dmtable", "lvm_label", "lvm_text", "partitions"]
KEPT = sorted(HERE.glob("regressions/*/*"))


@pytest.mark.parametrize("name", TARGETS)
def test_seeds(name: str) -> None:
    target = importlib.import_module(f"tests.fuzz.{name}")
    seeds = list(target.seeds())
    assert len(seeds) > 4
    damaged = [seed for seed in seeds if target.repaired(seed) != seed]
    assert len(damaged) <= 1, "the checksums of seeds are right, but for one to begin with"
    for seed in seeds:
        assert len(seed) <= target.MOST
        target.trial(seed)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("path", KEPT, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_what_once_failed(path: Path) -> None:
    assert path.parent.name in TARGETS
    importlib.import_module(f"tests.fuzz.{path.parent.name}").trial(path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_mutations(name: str) -> None:
    """A few steps of each target's own mutations: what a fuzzer does without its guidance."""
    target = importlib.import_module(f"tests.fuzz.{name}")
    seeds = list(target.seeds())
    for number in range(60):
        data = seeds[number % len(seeds)]
        for step in range(1 + number % 4):
            chosen = number * 0x9E3779B1 + step * 0x85EBCA6B & 0xFFFF_FFFF
            data = target.repaired(target.mutated(data, chosen) or data)[: target.MOST]
            if not data:
                break
        target.trial(data)
