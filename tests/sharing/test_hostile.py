"""Sharing in pools that break no rule of trees, but others: what is told is what sets come to all the same."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.oracle.reader import Damaged, Image
from tests.sharing.pools import Case

SETS = 5


def opens(testkit: str) -> list[str]:
    """The recipes of hostile pools that every pass gets through."""
    listed = subprocess.run([testkit, "recipes"], check=True, capture_output=True, text=True)
    recipes = (line.split("\t") for line in listed.stdout.splitlines())
    return [name for name, expected, _ in recipes if expected == "opens"]


def test_pools_that_open(testkit: str, tmp_path: Path) -> None:
    path = tmp_path / "hostile.bin"
    compared = 0
    for recipe in opens(testkit):
        subprocess.run([testkit, "hostile", recipe, "-o", path], check=True, capture_output=True)
        try:
            second = Image(path.read_bytes())
            second.read_all()
        except Damaged:
            continue  # a rule that is the second reader's own
        for metadata_snapshot in [False, True] if second.snapshot else [False]:
            case = Case(recipe, second, metadata_snapshot)
            assert case.core.totals() == case.model.totals(), recipe
            assert case.core.devices() == case.model.devices(), recipe
            assert case.core.leaked() == case.model.leaked(), recipe
            assert case.core.missing() == case.model.missing(), recipe
            for groups, also in case.groups(SETS, "hostile"):
                found = case.core.reclaim(groups, also)
                assert found == case.model.reclaim(groups, also), f"{recipe}: {groups}, {also}"
            compared += 1
    assert compared > 150
