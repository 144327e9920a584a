"""One way of damage for each rule of a check: it is told, with its place and whom it hits, and nothing else is."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

import thinscope
from tests.check.patient import Hit, patient
from tests.check.recipes import RECIPES
from tests.check.telling import Recipe, Told


class Failing(io.BytesIO):
    """A file of which some blocks cannot be read."""

    def __init__(self, data: bytes, bad: set[int]) -> None:
        super().__init__(data)
        self.bad = bad

    def readinto(self, buffer: object) -> int:  # type: ignore[override]
        at = self.tell()
        view = memoryview(buffer)  # type: ignore[arg-type]
        if self.bad & set(range(at // 4096, -(-(at + len(view)) // 4096))):
            raise OSError(5, "Input/output error")
        return super().readinto(view)

    def read(self, size: int | None = -1, /) -> bytes:
        at = self.tell()
        data = super().read(size)
        if self.bad & set(range(at // 4096, -(-(at + len(data)) // 4096))):
            raise OSError(5, "Input/output error")
        return data


def told(finding: thinscope.Finding, expected: Told | None) -> Told:
    """Return a finding in the shape that is compared."""
    hits = (
        Hit(each.device, each.in_metadata_snapshot, each.begin, each.end, each.mapped_blocks)
        for each in finding.affected
    )
    runs = finding.blocks if expected is None or expected.runs else ()
    return Told(
        finding.code,
        finding.block,
        finding.field,
        finding.count,
        finding.severity,
        tuple(hits),
        tuple(runs),
    )


def test_the_recipes_are_told_apart() -> None:
    names = [recipe.name for recipe in RECIPES]
    assert len(set(names)) == len(names)
    assert len(names) >= 90


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_what_is_told(recipe: Recipe, testkit: str) -> None:
    hurt = patient(recipe.pool, testkit)
    expected = list(recipe.do(hurt))
    data = bytes(hurt.data)
    source = Failing(data, recipe.unreadable) if recipe.unreadable else data
    check = thinscope.check(source)
    at = [*expected, *[None] * len(check.findings)]
    found = [told(finding, want) for finding, want in zip(check.findings, at, strict=False)]
    assert found == expected
    assert check.is_clean == (not expected)
    for finding in check.findings:
        # A sentence, a way from the superblock to what it is about, and where that lies.
        assert finding.message
        assert not finding.message.endswith(".")
        if finding.block is not None:
            assert finding.offset is not None
            assert finding.offset // 4096 == finding.block
            blocks = [block for _, block in finding.path]
            assert finding.path == () or blocks[0] == 0
            assert finding.block in {0, *blocks}
        assert finding.expected != finding.found or finding.code == "unreadable"


def test_every_code_is_in_a_recipe() -> None:
    """All that the core can say is said by some recipe."""
    core = Path(__file__).parents[2] / "rust/core/src"
    text = "".join(path.read_text() for path in (core / "check").glob("*.rs"))
    text += (core / "check.rs").read_text()
    told = {code for code in CODES if f'"{code}"' in text}
    assert told == set(CODES)


CODES = (
    "superblock",
    "unsupported",
    "unknown-features",
    "needs-check",
    "time-limit",
    "metadata-snapshot",
    "unreadable",
    "node",
    "device-tree",
    "device-record",
    "mapped-count",
    "device-time",
    "device-transaction",
    "mapping-time",
    "index",
    "bitmap",
    "overflow",
    "overflow-entry",
    "free-count",
    "free-hint",
    "allocated-count",
    "data-leaked",
    "data-missing-count",
    "data-wrong-count",
    "metadata-leaked",
    "metadata-missing-count",
    "metadata-wrong-count",
)
"""All codes of findings."""
