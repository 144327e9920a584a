"""A pool cut off anywhere: right answers or typed errors, and nothing invented."""

from __future__ import annotations

import contextlib
import functools
from itertools import product
from typing import TYPE_CHECKING

import pytest

import thinscope
from tests.check.patient import image
from tests.check.recovery import Mappings, found
from tests.oracle.reader import BLOCK, Image
from tests.sharing import pools
from thinscope import errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HISTORY = """\
create 1
write 1 0..9
snapshot 1 2
write 2 3..5
hold
discard 1 0..2
write 1 30..34
create 3
"""


@pytest.fixture(scope="module", params=["history", "walkthrough-b"])
def whole(request: pytest.FixtureRequest, testkit: str) -> bytes:
    """A small pool."""
    if request.param == "history":
        return pools.build(testkit, "history --data-blocks 60 --capacity 4 --scatter 3", HISTORY)
    return image(request.param, testkit)


def answers(pool: thinscope.Pool) -> dict[str, object]:
    """Whatever can be asked and has an answer; errors are about what is not there."""

    def pairs() -> Iterator[tuple[thinscope.Device, thinscope.Device]]:
        return product(pool.devices.values(), repeat=2)

    questions: dict[str, Callable[[], object]] = {
        "devices": lambda: repr(list(pool.devices.values())),
        "mappings": functools.partial(found, pool),
        "recount": lambda: pool.recount(exclusive=True),
        "sharing": lambda: pool.sharing().totals,
        "owners": lambda: repr(list(pool.owners())),
        "free": pool.free_extents,
        "highest": pool.highest_blocks,
        "delta": lambda: repr([list(one.delta(other)) for one, other in pairs()]),
    }
    found_answers: dict[str, object] = {}
    for name, ask in questions.items():
        with contextlib.suppress(errors.CorruptMetadata, errors.SourceError):
            found_answers[name] = ask()
    return found_answers


def cuts(whole: bytes) -> list[int]:
    """Every block's end, as far as blocks are in use and once behind, and bytes about some of them."""
    used = (max(Image(whole).read_all()) + 2) * BLOCK
    ends = [*range(0, used, BLOCK), len(whole) - BLOCK, len(whole)]
    odd = [at + by for at in (0, *ends[1:-1:7]) for by in (1, 63, 64, 511, 2048, 4095)]
    return sorted({*ends, *odd})


def test_cut_anywhere(whole: bytes) -> None:
    every = {
        held: answers(thinscope.open(whole, threads=1, metadata_snapshot=held))
        for held in ([False, True] if Image(whole).held_superblock else [False])
    }
    mapped: list[Mappings] = []
    for size in cuts(whole):
        data = whole[:size]
        _check(data, len(whole))
        for held, right in every.items():
            try:
                pool = thinscope.open(data, threads=1, metadata_snapshot=held)
            except errors.ThinscopeError:
                pass
            else:
                assert answers(pool).items() <= right.items(), size
            try:
                pool = thinscope.open(data, threads=1, metadata_snapshot=held, tolerant=True)
            except errors.ThinscopeError:
                assert size < BLOCK or held, size
                continue
            left = found(pool)
            assert all(left[device].items() <= right["mappings"][device].items() for device in left)
            assert left == right["mappings"] or pool.gaps
            mapped.append(left)
    assert len({repr(each) for each in mapped}) > 3


def _check(data: bytes, size: int) -> None:
    try:
        check = thinscope.check(data, threads=1)
    except errors.NotThinMetadata:
        assert len(data) < BLOCK
    else:
        codes = {finding.code for finding in check.findings}
        assert "superblock" in codes if len(data) < size else not codes
