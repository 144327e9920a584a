"""Nothing is told of what is whole, and every live block is looked at."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

import thinscope
from tests.check.patient import MANY, TALL, patient
from tests.conftest import CAPTURES, FIXTURES
from tests.oracle import answers
from tests.oracle.reader import BLOCK, Role
from tests.sharing import pools

if TYPE_CHECKING:
    from pathlib import Path

KNOWN = {
    "full-b/needs-check": ["needs-check"],
    "needs-check-6.1/failed": ["needs-check"],
    "metadata-full-6.1": ["data-leaked"],
}
"""What captures have that is wrong; of all others nothing is."""


@pytest.mark.parametrize("entry", answers.manifest(), ids=lambda entry: entry["name"])
def test_captures(entry: dict[str, Any]) -> None:
    check = thinscope.check(FIXTURES / entry["metadata"])
    assert [finding.code for finding in check.findings] == KNOWN.get(entry["name"], [])
    assert all(finding.severity == "warning" for finding in check.findings)
    # Devices and figures are those of the kernel.
    kernel = answers.truth(entry)
    assert check.transaction_id == kernel.pool.transaction_id
    assert set(kernel.devices) <= set(check.devices)
    assert check.has_metadata_snapshot == (kernel.pool.held_root is not None)
    if kernel.pool.held_root is not None:
        assert thinscope.check(FIXTURES / entry["metadata"], metadata_snapshot=True).is_clean


def test_the_one_leaked_block() -> None:
    path = FIXTURES / CAPTURES["metadata-full-6.1"]["metadata"]
    [leaked] = thinscope.check(path).findings
    assert (leaked.count, leaked.blocks, leaked.expected, leaked.found) == (
        1,
        ((4929, 1),),
        "0",
        "1",
    )


@pytest.mark.parametrize("name", pools.GENERATED)
def test_generated(name: str, testkit: str) -> None:
    """What testkit leaks or forgets is told to the block; of the others nothing is."""
    data = pools.build(testkit, pools.GENERATED[name])
    check = thinscope.check(data)
    with thinscope.open(data) as pool:
        core = pool.sharing()._core
        expected = {"data-leaked": core.leaked(), "data-missing-count": core.missing()}
    told = {finding.code: list(finding.blocks) for finding in check.findings}
    wrong = told.pop("data-wrong-count", None)
    assert told == {code: runs for code, runs in expected.items() if runs}
    assert wrong is None or "missing" in name
    counts = {finding.code: finding.count for finding in check.findings}
    assert all(sum(n for _, n in runs or ()) == counts.get(c, 0) for c, runs in expected.items())


def test_a_larger_file(walkthrough: bytes) -> None:
    assert thinscope.check(walkthrough + bytes(BLOCK * 100)).is_clean
    assert thinscope.check(walkthrough + b"x" * 1000).is_clean


@pytest.mark.parametrize("pool", ["walkthrough-b", "churn-b", TALL, MANY])
def test_every_live_block_is_looked_at_and_no_other(pool: str, testkit: str) -> None:
    """What is free may be anything; of each block in use a changed byte is told, in its place.

    In use are the blocks that the metadata space map counts: read by the second reader.
    """
    whole = patient(pool, testkit)
    counted = {block for block, count in enumerate(whole.counts("metadata")) if count}
    assert counted == set(whole.roles)
    drawn = random.Random(7)  # noqa: S311 - bytes that mean nothing
    noise = bytearray(drawn.randbytes(len(whole.data)))
    for block in counted:
        noise[block * BLOCK : (block + 1) * BLOCK] = whole.data[block * BLOCK : (block + 1) * BLOCK]
    assert thinscope.check(bytes(noise)).is_clean
    sample = counted if len(counted) < 300 else drawn.sample(sorted(counted), 300)
    for block in sample:
        at = block * BLOCK + drawn.randrange(BLOCK)
        noise[at] ^= 1 << drawn.randrange(8)
        check = thinscope.check(bytes(noise))
        noise[block * BLOCK : (block + 1) * BLOCK] = whole.data[block * BLOCK : (block + 1) * BLOCK]
        assert {(finding.block, finding.field) for finding in check.findings} == {(block, "csum")}
    assert thinscope.check(bytes(noise)).is_clean


def test_flipped_bits_are_told(walkthrough: bytes, testkit: str, tmp_path: Path) -> None:
    """Some hundred bits of all kinds of blocks; all bits of all blocks, the core's own tests flip."""
    whole = patient("walkthrough-b", testkit)
    drawn = random.Random(3)  # noqa: S311 - a sample
    path = tmp_path / "pool.bin"
    flipped = 0
    for block, role in whole.roles.items():
        for bit in [0, 31, 32, 64, 127, 128, BLOCK * 8 - 1, *drawn.sample(range(BLOCK * 8), 20)]:
            data = bytearray(walkthrough)
            data[block * BLOCK + bit // 8] ^= 1 << bit % 8
            path.write_bytes(data)
            check = thinscope.check(path)
            assert [finding.field for finding in check.findings][:1] == ["csum"]
            assert {finding.block for finding in check.findings} == {block}
            # Other rules of the superblock are checked all the same.
            assert len(check.findings) == 1 or block == 0
            assert check.findings[0].severity == "damage"
            hits = check.findings[0].affected
            assert bool(hits) == (role in {Role.MAPPING, Role.TOP_LEVEL})
            flipped += 1
    assert flipped == 27 * 22
