"""Small pools that are told step by step, and answers that were worked out by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.sharing.model import Device, Model, Reclaimed, Totals, Usage
from tests.sharing.pools import told

if TYPE_CHECKING:
    from tests.sharing.core import Core


@pytest.fixture(params=["core", "model"])
def ask(request: pytest.FixtureRequest, testkit: str) -> Any:
    """Ask the core, and the model that it is measured by."""

    def sharing(history: str) -> Core | Model:
        case = told(testkit, history)
        return case.core if request.param == "core" else case.model

    return sharing


def test_an_empty_pool(ask: Any) -> None:
    sharing = ask("")
    assert sharing.devices() == []
    assert sharing.totals() == Totals(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    assert sharing.reclaim([], []) == Reclaimed(0, 0, 0, 0, [], [], 0, 0)
    assert (sharing.leaked(), sharing.missing()) == ([], [])


def test_a_pool_of_leaks(ask: Any) -> None:
    sharing = ask("leak 3..5\nleak 7..8")
    assert sharing.totals() == Totals(0, 0, 0, 3, 0, 3, 0, 0, 0, 0, 0)
    assert (sharing.leaked(), sharing.missing()) == ([3, 4, 7], [])


def test_devices_without_mappings(ask: Any) -> None:
    sharing = ask("create 0\ncreate 16777215\ncreate 5\nwrite 5 0..1\nsnapshot 0 9")
    nothing = {device: Device(device, 0, 0, 0, 0, []) for device in (0, 9, 16777215)}
    assert sharing.devices() == [
        *(nothing[0], Device(5, 1, 1, 1, 0, [(1, 1)])),
        *(nothing[9], nothing[16777215]),
    ]
    # The snapshot has the origin's empty leaf.
    assert sharing.totals().nodes == 3
    assert sharing.reclaim([[0]], []) == Reclaimed(0, 0, 0, 0, [], [0], 0, 0)
    assert sharing.reclaim([[0], [9]], []) == Reclaimed(0, 0, 0, 0, [], [0, 0], 1, 0)
    assert sharing.reclaim([[16777215]], [5]) == Reclaimed(1, 1, 0, 0, [], [0], 2, 0)


def test_a_block_mapped_twice_counts_once(ask: Any) -> None:
    sharing = ask("create 1\nmap 1 0..3 5\nmap 1 9..12 5\nmap 1 20..21 6\ncreate 2\nmap 2 0..1 7")
    assert sharing.devices() == [
        Device(1, 7, 3, 2, 1, [(1, 2), (2, 1)]),
        Device(2, 1, 1, 0, 1, [(2, 1)]),
    ]
    assert sharing.totals() == Totals(2, 1, 0, 0, 0, 3, 0, 3, 2, 2, 0)
    assert sharing.reclaim([[1]], []) == Reclaimed(3, 2, 0, 1, [(2, 1)], [2], 1, 0)


def test_the_metadata_snapshot_alone(ask: Any) -> None:
    sharing = ask("create 1\nwrite 1 0..4\nhold\ndelete 1\ncreate 2\nforget 1..2")
    assert sharing.totals() == Totals(0, 0, 4, 0, 1, 3, 4, 0, 1, 1, 1)
    assert sharing.reclaim([[2]], []) == Reclaimed(0, 0, 0, 0, [], [0], 1, 0)
    assert sharing.missing() == [1]


def test_sets(ask: Any) -> None:
    """Overlapping, empty, with a device named twice: usage is of each set by itself."""
    sharing = ask("create 1\nwrite 1 0..4\nsnapshot 1 2\nhold\nwrite 2 3..6")
    assert sharing.usage([[], [1], [2, 2], [1, 2]]) == [
        Usage(0, 0, 0, []),
        Usage(4, 1, 0, [(1, 1), (2, 3)]),
        Usage(6, 3, 3, [(1, 3), (2, 3)]),
        Usage(7, 7, 3, [(1, 4), (2, 6)]),
    ]
