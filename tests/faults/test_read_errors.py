"""A read that fails, at each single read of a pool: an error that says where, or the right answer."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

import thinscope
from tests.faults.questions import AROUND, STRICT
from tests.faults.sources import BLOCK, Counted, each_read, fails, unreadable
from tests.oracle.reader import Image
from thinscope.errors import SourceChanged, SourceError

if TYPE_CHECKING:
    from pathlib import Path

    from thinscope import Pool

EIO = 5


@pytest.fixture(scope="module")
def pool(earlier: Path) -> bytes:
    return earlier.read_bytes()


@pytest.fixture(scope="module")
def live(pool: bytes) -> list[int]:
    """Every block that something leads to, found by the second reader."""
    image = Image(pool)
    blocks = set(image.read_all())
    assert 0 in blocks
    assert len(blocks) > 100
    return sorted(blocks)


def says_where(error: SourceError) -> bool:
    """Whether an error is typed, says which block cannot be read and why, and has what was raised."""
    assert type(error) is SourceError
    assert error.block is not None
    assert error.offset == error.block * BLOCK
    assert f"cannot read block {error.block} (offset {error.offset:#x}): " in error.message
    assert "\n" not in str(error)
    assert error.errno == EIO
    assert isinstance(error.__cause__, OSError)
    return True


@pytest.mark.parametrize("name", STRICT)
def test_one_state_or_an_error(pool: bytes, name: str) -> None:
    ask = STRICT[name]
    right = None
    errors = 0
    for source in each_read(pool, fails):
        try:
            answer = ask(source)
        except SourceError as error:
            errors += says_where(error)
            continue
        right = right or answer
        assert answer == right
    assert errors
    assert right == ask(unreadable(pool, ()))


@pytest.mark.parametrize("name", ["check", "doctor", "undelete", "capture"])
def test_what_goes_on_says_so(pool: bytes, name: str) -> None:
    """A question that goes around what cannot be read has the right answer, or names the block."""
    ask = AROUND[name]
    right = ask(unreadable(pool, ()))
    others = 0
    for source in each_read(pool, fails):
        try:
            answer = ask(source)
        except SourceChanged:  # block 0 could not be read first, and then could be
            continue
        except SourceError as error:
            says_where(error)
            continue
        if answer != right:
            others += 1
            if name == "undelete":
                report = json.loads(answer)
                assert report["unreadable_blocks"] or "cannot read block" in report["why_not_live"]
            else:
                assert "cannot read block" in answer or "((" in answer
        if answer != right and name == "check":
            report = json.loads(answer)
            assert {finding["code"] for finding in report["findings"]} == {"unreadable"}
    assert others or name == "capture"


def test_salvage_says_so(pool: bytes) -> None:
    """What a scan reads twice may be readable once: what is called whole or consistent is so."""
    whole = thinscope.salvage(pool)
    roots = {state.root: state for state in whole.states}
    others = 0
    for source in each_read(pool, fails):
        try:
            found = thinscope.salvage(source)
        except SourceChanged:
            continue
        except SourceError as error:
            says_where(error)
            continue
        if found.states == whole.states:
            continue
        others += 1
        for state in found.states:
            if state.is_whole and state.root in roots:
                known = roots[state.root]
                assert (state.devices, state.mapped_blocks) == (known.devices, known.mapped_blocks)
    assert others


def mapped(pool: Pool) -> set[tuple[int, int, int]]:
    return {
        (run.device, run.virtual_begin + at, run.data_begin + at)
        for run in pool.mappings()
        for at in range(run.length)
    }


def check_tolerant(source: Any, right: set[tuple[int, int, int]]) -> thinscope.Gaps:
    """Check that no mapping is invented, and that what is missing lies in gaps that are told."""
    with thinscope.open(source, tolerant=True) as pool:
        found, gaps = mapped(pool), pool.gaps
        assert found <= right
        lost = {(gap.first_device, gap.last_device) for gap in gaps.losses}
        for device, block, _ in right - found:
            assert any(
                gap.device == device and gap.begin <= block < (gap.end or 1 << 64)
                for gap in gaps.gaps
            ) or any(first <= device <= last for first, last in lost)
        return gaps


def test_tolerant_reading_never_invents(pool: bytes) -> None:
    right = mapped(thinscope.open(pool))
    with_gaps = 0
    for source in each_read(pool, fails):
        try:
            with_gaps += bool(check_tolerant(source, right))
        except SourceError as error:
            assert says_where(error) and error.block == 0  # noqa: PT017, PT018 - one of two ends
    assert with_gaps


def test_each_unreadable_block_is_told(pool: bytes, live: list[int]) -> None:
    """Not one read, but every read of a block: as a bad sector."""
    right = mapped(thinscope.open(pool))
    for block in live:
        findings = thinscope.check(unreadable(pool, {block})).findings
        assert block in {finding.block for finding in findings if finding.code == "unreadable"}
        assert "metadata-leaked" not in {finding.code for finding in findings}
        assert thinscope.salvage(unreadable(pool, {block})).unreadable == ((block, 1),)
        if block:
            check_tolerant(unreadable(pool, {block}), right)


@pytest.mark.parametrize("name", AROUND)
def test_every_tenth_unreadable_block(pool: bytes, live: list[int], name: str) -> None:
    right = AROUND[name](unreadable(pool, ()))
    for block in live[::10]:
        answer = AROUND[name](unreadable(pool, {block}))
        if name in {"check", "doctor"}:
            assert f"cannot read block {block} " in answer
        elif name == "salvage":
            assert json.loads(answer)["blocks"]["unreadable"] == 1
        elif name == "capture":
            assert f"(({block}, 1),)" in answer
        if name != "undelete":
            assert answer != right


def test_a_superblock_that_cannot_be_read_hides_no_state(pool: bytes) -> None:
    """Of a file object as of a device."""
    whole, found = thinscope.salvage(pool), thinscope.salvage(unreadable(pool, {0}))
    left = {state.root for state in whole.states if not state.is_live}
    assert left <= {state.root for state in found.states}
    assert found.superblock is None
    undeleted = thinscope.undelete(unreadable(pool, {0}))
    assert undeleted.live is None
    assert "cannot read block 0" in (undeleted.why_not_live or "")
    diagnosis = thinscope.doctor(unreadable(pool, {0}))
    assert diagnosis.pool is None
    assert diagnosis.next_step is not None
    assert "cannot read block 0" in diagnosis.advice[0].message


def test_other_errors_are_no_bad_sectors(pool: bytes) -> None:
    """Of a device that is gone every read fails: nothing is told as if it had been looked at."""

    def is_gone(*_: object) -> None:
        raise OSError(6, "No such device or address")

    for ask in (thinscope.salvage, thinscope.undelete, partial(thinscope.capture, file="nowhere")):
        with pytest.raises(SourceError) as caught:
            ask(Counted(pool, 0, is_gone))
        assert (caught.value.errno, caught.value.block) == (6, 0)
