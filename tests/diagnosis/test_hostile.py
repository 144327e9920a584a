"""Hostile metadata: an answer or an error that says what it is, never anything else."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import thinscope
from thinscope.errors import NotThinMetadata, UnsupportedMetadata

if TYPE_CHECKING:
    from pathlib import Path

EVERY = 4
"""One recipe in so many is looked at."""


IN_THE_VIEW = "snapshot-data-block-size-other"
"""It shows to who reads through the metadata snapshot."""


def test_recipes(testkit: str, tmp_path: Path) -> None:
    listed = subprocess.run([testkit, "recipes"], check=True, capture_output=True, text=True)
    path = tmp_path / "hostile.bin"
    verdicts = set()
    for line in listed.stdout.splitlines()[::EVERY]:
        name, verdict, _ = line.split("\t")
        verdicts.add(verdict)
        subprocess.run([testkit, "hostile", name, "-o", path], check=True)
        try:
            found = thinscope.doctor(path)
        except (NotThinMetadata, UnsupportedMetadata):
            assert verdict in {"not-thin", "unsupported"}, name
            continue
        if verdict == "corrupt" and name != IN_THE_VIEW:
            assert found.needs_attention, name
            assert found.next_step is not None
            assert found.avoid
    assert verdicts == {"opens", "corrupt", "unsupported", "not-thin"}
