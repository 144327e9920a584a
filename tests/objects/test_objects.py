"""Devices joined with records."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.objects import made
from tests.objects.made import NAMES, device, devices, objects, record
from thinscope.errors import NamesError
from thinscope.fitting import fitting
from thinscope.names import Names, Object, State
from thinscope.objects import Objects
from thinscope.orphans import Confidence, Orphan, Sort, orphans


def test_labels() -> None:
    pool = objects()
    assert [pool.label(id_) for id_ in range(1, 10)] == [
        "base base",
        "image basis:1 (layer aaa)",
        "image basis:1 (layer bbb)",
        "image shop:1 (layer ccc)",
        "image jobs:1 (layer ddd)",
        "container web-1 (init)",
        "container web-1",
        "container web-2 (init)",
        "container web-2",
    ]


def test_parents() -> None:
    pool = objects()
    parents = [pool.parent(id_) for id_ in range(1, 10)]
    assert parents == [None, 1, 2, 3, 3, 4, 6, 4, 8]


def test_parents_in_a_ring() -> None:
    ring = tuple(
        Object(key=key, kind="volume", name=key, parent=other, uses=(other,))
        for key, other in (("a", "b"), ("b", "a"))
    )
    names = Names(
        manager="lvm", source=Path("vg"), objects=ring, records=(record(1, "a"), record(2, "b"))
    )
    pool = Objects(devices(1, 2), [names])
    assert pool.parent(1) == 2
    assert pool.parent(2) == 1
    assert pool.label(1) == "volume a"


def test_a_record_of_another_transaction_is_not_believed() -> None:
    pool = Objects(devices(1, 2) | {7: device(7, 25)}, [NAMES])
    assert pool.label(7) == "device 7"
    assert [claim.record.device for claim in pool.stale] == [7]
    assert 7 not in {claim.record.device for claim in pool.absent}


def test_a_device_on_record_twice() -> None:
    names = replace(NAMES, records=(*NAMES.records, record(7, "c2")))
    pool = Objects(devices(*range(1, 10)), [names])
    assert pool.label(7) == "container web-1"
    assert [claim.record.object for claim in pool.repeated] == ["c2"]


def test_names_of_two_managers() -> None:
    lvm = Names(
        manager="lvm",
        source=Path("vg"),
        objects=(Object(key="c1", kind="volume", name="vg/root"),),
        records=(replace(record(12, "c1"), transaction_id=None),),
    )
    pool = Objects(devices(7, 12), [NAMES, lvm])
    assert pool.label(12) == "volume vg/root"
    assert pool.label(7) == "container web-1"
    assert pool.devices(pool.of(12)) == (12,)


def told(*ids: int, names: Names = NAMES, transaction_id: int = 30) -> list[Orphan]:
    return list(orphans(Objects(devices(*ids), [names]), transaction_id))


def test_no_orphans() -> None:
    assert told(*range(1, 10)) == []


def test_on_no_record() -> None:
    [orphan] = told(*range(1, 11))
    assert (orphan.device, orphan.is_in_pool, orphan.sort) == (10, True, Sort.UNRECORDED)
    assert orphan.reason == "no record of docker names it"
    assert orphan.confidence is Confidence.HIGH


def test_records_of_another_state_are_less_sure() -> None:
    found = told(*range(1, 11), transaction_id=31)
    assert [orphan.confidence for orphan in found] == [Confidence.LOW]
    assert "another state" in found[0].reason
    [orphan] = told(*range(1, 11), names=replace(NAMES, transaction_id=None))
    assert orphan.confidence is Confidence.MEDIUM


def test_not_in_the_pool() -> None:
    [orphan] = told(*range(1, 9))
    assert (orphan.device, orphan.is_in_pool, orphan.sort) == (9, False, Sort.ABSENT)
    assert orphan.reason == "the pool has no such device"
    assert orphan.where == "metadata/9"


def test_an_id_that_was_given_again() -> None:
    pool = Objects(devices(*range(1, 9)) | {9: device(9, 28)}, [NAMES])
    unrecorded, stale = orphans(pool, 30)
    assert (unrecorded.device, unrecorded.sort) == (9, Sort.UNRECORDED)
    assert "a record of its id is of an older device, hash9" in unrecorded.reason
    assert (stale.device, stale.is_in_pool, stale.sort) == (9, False, Sort.ABSENT)
    assert "another transaction" in stale.reason


@pytest.mark.parametrize(
    ("state", "sort", "confidence"),
    [
        (State.UNUSED, Sort.UNUSED, Confidence.HIGH),
        (State.REMOVING, Sort.HALF_REMOVED, Confidence.HIGH),
        (State.REMOVED, Sort.HALF_REMOVED, Confidence.HIGH),
        (State.FAULTY, Sort.HALF_REMOVED, Confidence.HIGH),
        (State.UNCLEAR, Sort.UNUSED, Confidence.LOW),
        (State.CREATING, Sort.HALF_MADE, Confidence.MEDIUM),
    ],
)
def test_states(state: State, sort: Sort, confidence: Confidence) -> None:
    more = record(10, None, state=state, reason="for a reason")
    [orphan] = told(*range(1, 11), names=replace(NAMES, records=(*NAMES.records, more)))
    assert (orphan.sort, orphan.confidence) == (sort, confidence)
    assert orphan.reason == "for a reason"
    gone = told(*range(1, 10), names=replace(NAMES, records=(*NAMES.records, more)))
    # What was about to be made and is not there is no wonder: Docker keeps such a record.
    assert [orphan.is_in_pool for orphan in gone] == [False] * (state is not State.CREATING)


def test_records_that_name_some_devices_only() -> None:
    """Active devices, as dmsetup lists them: another device is no wonder."""
    assert told(*range(1, 12), names=replace(NAMES, is_complete=False)) == []


def lvm(pool: str, *ids: int, transactions: tuple[int, ...] | None = None) -> Names:
    stamps = transactions or tuple(id_ - 1 for id_ in ids)
    records = tuple(
        replace(record(id_, None), transaction_id=stamp)
        for id_, stamp in zip(ids, stamps, strict=True)
    )
    return Names(manager="lvm", source=Path("vg"), pool=pool, block_bytes=1 << 16, records=records)


def test_of_several_pools_the_one_that_fits() -> None:
    right, wrong = lvm("vg/a", 1, 2, 3), lvm("vg/b", 1, 2, transactions=(7, 8))
    other = replace(lvm("vg/c", 1, 2, 3, 4), block_bytes=1 << 19)
    found = [wrong, right, other]
    assert fitting(found, devices(1, 2, 3, 4), 1 << 16, None) is right
    assert fitting(found, devices(1, 2, 3, 4), 1 << 19, "vg/c") is other
    assert fitting(found, devices(1, 2, 3, 4), 1 << 19, "c") is other
    assert fitting([wrong], devices(9), 1 << 16, None) is wrong


@pytest.mark.parametrize("pool", [None, "a"])
def test_records_of_a_pool_with_other_blocks(pool: str | None) -> None:
    """Also where they are asked for by name: a pool never changes the size of its blocks."""
    with pytest.raises(NamesError, match="vg/a has blocks of 65536 bytes, this one of 131072"):
        fitting([lvm("vg/a", 1)], devices(1), 1 << 17, pool)


def test_of_several_pools_two_fit() -> None:
    with pytest.raises(
        NamesError, match="cannot be told which pool this is of: vg/a, vg/b"
    ) as raised:
        fitting([lvm("vg/a", 1), lvm("vg/b", 1)], devices(1), 1 << 16, None)
    assert raised.value.hint == "name the pool: `--names vg#POOL`"


def test_no_such_pool() -> None:
    with pytest.raises(NamesError, match="no records of a pool `x`, but of vg/a"):
        fitting([lvm("vg/a", 1)], devices(1), 1 << 16, "x")


def test_no_pool_at_all() -> None:
    with pytest.raises(NamesError, match="no records of a thin pool"):
        fitting([], devices(1), 1 << 16, None)


def test_the_same_key_of_two_sources_is_two_objects() -> None:
    pool = Objects(devices(1), [made.NAMES, made.NAMES])
    keys = [object_.key for object_ in pool.all]
    one_device = 1  # which makes its two objects one
    assert len(keys) == len(set(keys)) == 2 * len(made.NAMES.objects) - one_device


def table(*rows: tuple[int, str], transaction_id: int | None = None) -> Names:
    """A table of names, which no manager stands behind."""
    keys = dict.fromkeys(name for _, name in rows)
    return Names(
        manager="table",
        source=Path("names.csv"),
        is_unmanaged=True,
        objects=tuple(
            Object(key=key, kind="volume", name=key, labels={"owner": "ada"}) for key in keys
        ),
        records=tuple(
            replace(record(id_, name), transaction_id=transaction_id) for id_, name in rows
        ),
    )


def test_what_no_manager_has_the_device_mapper_deletes() -> None:
    pool = Objects(devices(1, 2, 3), [table((1, "db"), (2, "db"), (3, "web"))])
    assert pool.of(1).removal == (
        ("dmsetup", "message", "POOL", "0", "delete 1"),
        ("dmsetup", "message", "POOL", "0", "delete 2"),
    )


def test_a_device_that_a_stale_record_names_is_not_deleted() -> None:
    """The object has it on record, but its id is another device's now."""
    names = table((1, "db"), (2, "db"), transaction_id=0)
    pool = Objects(devices(1, 2), [names])
    assert [claim.record.device for claim in pool.stale] == [2]
    assert pool.of(1).removal == (("dmsetup", "message", "POOL", "0", "delete 1"),)


@pytest.mark.parametrize("is_table_first", [False, True])
def test_a_table_adds_words_to_what_a_manager_has(*, is_table_first: bool) -> None:
    extra = table((7, "shop front"), (11, "scratch"))
    both = [extra, NAMES] if is_table_first else [NAMES, extra]
    pool = Objects(devices(*range(1, 10), 11), both)
    front = pool.of(7)
    assert pool.label(7) == "container web-1"
    assert front.removal == made.WEB_1.removal
    assert pool.by_name["shop front"] == (front,)
    assert front.labels["owner"] == "ada"
    assert pool.label(11) == "volume scratch"
    assert len(pool.all) == len(NAMES.objects) + 1
    # A device that two sources name is no orphan, and neither is its record.
    assert orphans(pool, 30) == ()


def test_a_table_may_leave_devices_out() -> None:
    """Somebody wrote it: what it does not name is not there to be deleted."""
    [orphan] = told(7, 8, names=table((7, "db")))
    assert (orphan.device, orphan.confidence) == (8, Confidence.LOW)
    assert not orphan.may_be_deleted
    # Beside a manager's records, those decide.
    pool = Objects(devices(*range(1, 11)), [NAMES, table((7, "db"))])
    [orphan] = orphans(pool, 30)
    assert (orphan.device, orphan.confidence) == (10, Confidence.HIGH)
    assert orphan.reason == "no record of docker names it"


def test_what_uses_an_object_by_its_other_record_uses_it() -> None:
    origin, clone = (
        Object(key=key, kind="volume", name=key, uses=uses)
        for key, uses in (("origin", ()), ("clone", ("origin",)))
    )
    records = (replace(record(7, "origin"), transaction_id=None), record(12, "clone"))
    other = Names(
        manager="dmsetup",
        source=Path("table"),
        is_complete=False,
        objects=(origin, clone),
        records=records,
    )
    pool = Objects(devices(*range(1, 10), 12), [NAMES, other])
    assert [user.name for user in pool.users(pool.of(7))] == ["clone"]
    assert pool.used(pool.of(12)) == (pool.of(7),)
