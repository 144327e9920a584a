"""A pool that commits at each single read: the answer is of one state, or the change is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import thinscope
from tests.faults.questions import ALL
from tests.faults.sources import Counted, commits, each_read
from tests.oracle.reader import Image
from thinscope.errors import SourceChanged

if TYPE_CHECKING:
    from pathlib import Path

SINGLE = {"block"}
"""What reads one block at once, and has no second state to see."""


@pytest.fixture(scope="module")
def states(earlier: Path, later: Path) -> tuple[bytes, bytes]:
    """Two states of a pool that have no superblock in common, and hardly a node."""
    before, after = earlier.read_bytes(), later.read_bytes()
    assert Image(before).superblock.mapping_root != Image(after).superblock.mapping_root
    return before, after


@pytest.mark.parametrize("name", ALL)
def test_one_state_or_the_other(states: tuple[bytes, bytes], name: str) -> None:
    ask = ALL[name]
    before, after = (ask(Counted(state, -1, commits(b""))) for state in states)
    assert before != after or name in SINGLE
    changes = 0
    for source in each_read(states[0], commits(states[1])):
        try:
            answer = ask(source)
        except SourceChanged as error:
            changes += error.message == "the pool changed while it was read"
        else:
            assert answer in (before, after)
    assert changes or name in {*SINGLE, "open"}


def test_a_table_that_was_begun_before(states: tuple[bytes, bytes]) -> None:
    """Rows that were handed out stay; none of another state follows them."""
    source = Counted(states[0], -1, commits(b""))
    with thinscope.open(source) as pool:
        right = list(map(repr, pool.mappings()))
        runs = iter(pool.mappings())
        seen = [repr(next(runs))]
        commits(states[1])(source, 0)
        with pytest.raises(SourceChanged):
            seen.extend(repr(run) for run in pool.mappings())
        with pytest.raises(SourceChanged):
            pool.recount()
    assert seen[0] in right
    assert set(seen) <= set(right)


def test_a_superblock_that_is_being_written(states: tuple[bytes, bytes]) -> None:
    """Torn at first, whole later: no question takes the torn one for damage of a state that was read."""
    before, after = states
    torn = after[:100] + before[100:4096] + after[4096:]
    for name, ask in ALL.items():
        if name in SINGLE:
            continue
        right = ask(Counted(before, -1, commits(b"")))
        for source in each_read(before, commits(torn)):
            try:
                answer = ask(source)
            except SourceChanged:
                continue
            except thinscope.errors.CorruptMetadata as error:
                torn_at_first = error.block == 0 and source.reads <= 6
                assert torn_at_first, name
                continue
            told_as_damage = name in {"check", "doctor", "salvage", "undelete", "capture"}
            assert answer == right or told_as_damage, name
