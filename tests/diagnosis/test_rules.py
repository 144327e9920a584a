"""Each rule of a doctor, at its thresholds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.oracle import answers
from thinscope.diagnosis import damage, growth, headroom, limits, state, transactions
from thinscope.diagnosis.advice import Advice, Severity, Topic, advice
from thinscope.diagnosis.place import Place
from thinscope.diagnosis.steps import avoid, next_step
from thinscope.names.model import Names, Unread, Upkeep

BLOCK = 64 << 10
EXTENT = 4 << 20
LVM = Place(
    "tmeta.bin",
    names=("/etc/lvm",),
    managers=("lvm",),
    volume="v-g/pool",
    dm_pool="v--g-pool-tpool",
    upkeep=Upkeep(metadata_device="/dev/mapper/v--g-pool_tmeta", is_full_an_error=False),
)
BARE = Place("tmeta.bin")


def space(total: int, used: int | None, reserve: int = 0, block_bytes: int = BLOCK) -> Any:
    """Usage of a device, as the core tells it."""
    return SimpleNamespace(
        block_bytes=block_bytes,
        total=total,
        total_bytes=total * block_bytes,
        used=used,
        used_bytes=None if used is None else used * block_bytes,
        free=None if used is None else total - used,
        kernel_used=None if used is None else min(total, used + reserve),
    )


def metadata(total: int, used: int) -> Any:
    """Usage of a metadata device, with the kernel's reserve."""
    reserve = answers.kernel_metadata_used(used, total) - used
    return space(total, used, reserve, 4096)


def only(found: object) -> Advice:
    [each] = cast("list[Advice]", list(cast("Any", found)))
    return each


def words(one: Advice) -> tuple[str, str]:
    return str(one.severity), one.code


@pytest.mark.parametrize(
    ("used", "code", "severity"),
    [
        (0, "data-room", "fine"),
        (899, "data-room", "fine"),
        (900, "data-nearly-full", "attention"),
        (999, "data-nearly-full", "attention"),
        (1000, "data-full", "attention"),
    ],
)
def test_data(used: int, code: str, severity: str) -> None:
    found = only(headroom.data_full(space(1000, used), LVM))
    assert words(found) == (severity, code)
    assert found.numbers == {"used": used, "kernel_used": used, "total": 1000}
    wait = "wait, 60 s unless no_space_timeout says otherwise"
    assert severity == "fine" or (found.meaning and wait in found.meaning)


def test_what_makes_room_for_data() -> None:
    """A fifth of what there is, if the volume group has so much; else what deletion could give."""
    full = space(1000, 1000)  # 62.5 MiB: a fifth is 12.5 MiB, 4 extents
    for free, expected in [(9, "+4"), (4, "+4"), (3, "+3")]:
        place = replace(LVM, upkeep=Upkeep(extent_bytes=EXTENT, free_extents=free))
        found = only(headroom.data_full(full, place))
        assert found.commands == (("lvextend", "-l", expected, "v-g/pool"),)
    place = replace(LVM, upkeep=Upkeep(extent_bytes=EXTENT, free_extents=0))
    found = only(headroom.data_full(full, place))
    assert found.commands == (
        ("thinscope", "plan", "tmeta.bin", "--free", "13MiB", "--names", "/etc/lvm"),
    )
    assert found == only(headroom.data_full(full, replace(LVM, upkeep=Upkeep())))


def test_what_happens_at_full() -> None:
    assert headroom.when_full(is_error=True) == (
        "writes that need a new block fail at once (error_if_no_space)"
    )
    assert "(queue_if_no_space); or they fail at once" in headroom.when_full(None)
    assert "error_if_no_space" not in headroom.when_full(is_error=False)


def test_docker_refuses_below_a_tenth() -> None:
    place = Place("s", managers=("docker",))
    found = only(headroom.data_full(space(10, 9), place))
    assert found.meaning is not None
    assert "below 10 % free (dm.min_free_space) no container" in found.meaning


@pytest.mark.parametrize(
    ("used", "code"),
    [
        (3276, "metadata-room"),
        (3277, "metadata-room"),
        (3278, "metadata-nearly-full"),  # 3,278 + 409 of 4,096
        (3686, "metadata-nearly-full"),
        (3687, "metadata-full"),
    ],
)
def test_metadata(used: int, code: str) -> None:
    found = only(headroom.metadata_full(metadata(4096, used), LVM))
    assert found.code == code
    assert found.numbers == {"used": used, "kernel_used": used + 409, "total": 4096}
    assert "1.6 MiB that the kernel keeps in reserve" in found.message


def test_what_makes_room_for_metadata() -> None:
    upkeep = Upkeep(extent_bytes=EXTENT, free_extents=99)
    place = replace(LVM, upkeep=upkeep)
    [nearly] = headroom.metadata_full(metadata(4096, 3300), place)
    extend = ("lvextend", "--poolmetadatasize", "+16384k", "v-g/pool")
    assert nearly.commands == (extend,)
    [full] = headroom.metadata_full(metadata(4096, 4000), place)
    repair = (("lvchange", "-an", "v-g/pool"), ("lvconvert", "--repair", "v-g/pool"))
    assert full.commands == (*repair, extend)
    [bare] = headroom.metadata_full(metadata(4096, 4000), BARE)
    assert bare.commands == (("thinscope", "check", "tmeta.bin"),)
    [bare] = headroom.metadata_full(metadata(4096, 3300), BARE)
    assert bare.commands == (("thinscope", "fragmentation", "tmeta.bin"),)
    [nearly] = headroom.metadata_full(metadata(4096, 3300), LVM)
    assert nearly.commands == (("vgs", "-o+vg_free,vg_free_count", "v-g"),)


@pytest.mark.parametrize(
    ("data", "meta", "mark", "codes"),
    [
        (space(100, 80), metadata(4096, 3072), 20, ["data-low-water"]),
        (space(100, 79), metadata(4096, 3073), 20, ["metadata-low-water"]),
        (space(100, 80), metadata(512, 384), None, []),
        (space(100, 0), metadata(512, 385), 0, ["metadata-low-water"]),
        (space(100, 95), metadata(512, 500), 20, []),  # told as nearly full
        (space(100, None), metadata(512, 9), 20, []),
    ],
)
def test_low_water(data: Any, meta: Any, mark: int | None, codes: list[str]) -> None:
    assert [each.code for each in headroom.low_water(data, meta, mark)] == codes


@dataclass
class Nodes:
    nodes: int
    entries: int


def forecast(data: Any, meta: Any, leaves: Nodes, nodes: int) -> list[Advice]:
    found = cast("Any", SimpleNamespace(leaves=leaves, nodes=nodes))
    return list(headroom.forecast(data, meta, found, LVM))


def test_forecast() -> None:
    half = metadata(4096, 1687)  # 2,000 blocks left
    found = only(forecast(space(10**6, 0), half, Nodes(20, 4000), 25))
    assert words(found) == ("note", "metadata-short")
    assert found.numbers == {"room": 2000 * 160, "worst": 2000, "data_free": 10**6}
    found = only(forecast(space(10**6, 680_000), half, Nodes(20, 4000), 25))
    assert words(found) == ("fine", "metadata-forecast")
    # Less than a tenth of the data device, and less than is free: that is little.
    for density, severity in [(1250, "note"), (1249, "attention")]:
        found = only(forecast(space(10**6, 0), half, Nodes(20, density), 25))
        assert words(found) == (severity, "metadata-short")
    # Few leaves tell nothing: the kernel's 48 bytes a mapping.
    found = only(forecast(space(10**7, 0), half, Nodes(15, 15), 16))
    assert found.numbers["room"] == 2000 * 4096 // 48
    assert words(found) == ("note", "metadata-short")
    assert forecast(space(100, 0), metadata(512, 500), Nodes(20, 20), 20) == []


@pytest.mark.parametrize(
    ("virtual", "expected"),
    [
        (100 * BLOCK, ("fine", "promised")),
        (100 * BLOCK + 512, ("note", "over-provisioned")),
    ],
)
def test_promised(virtual: int, expected: tuple[str, str]) -> None:
    assert words(only(headroom.promised(virtual, space(100, 1), LVM))) == expected
    assert list(headroom.promised(None, space(100, 1), LVM)) == []


def extended(used: int, threshold: int | None, free: int | None, percent: int = 20) -> Advice:
    """What is said of growth with so many of 1,000 blocks (62.5 MiB) in use."""
    upkeep = Upkeep(
        extent_bytes=EXTENT,
        free_extents=free,
        threshold=threshold,
        percent=percent,
        settings="lvm.conf",
    )
    place = replace(LVM, upkeep=upkeep)
    return only(growth.extension(space(1000, used), metadata(4096, 20), place))


@pytest.mark.parametrize(
    ("used", "threshold", "free", "expected"),
    [
        (700, 70, 9, ("fine", "autoextend")),  # when it is exceeded, not when it is reached
        (701, 70, 9, ("attention", "autoextend-due")),
        (701, 70, None, ("attention", "autoextend-due")),
        (701, 70, 0, ("attention", "autoextend-impossible")),
        (700, 70, 4, ("fine", "autoextend")),
        (700, 70, 3, ("note", "autoextend-short")),
        (700, 70, 0, ("note", "autoextend-short")),
        (700, 70, None, ("fine", "autoextend")),
        (999, 100, 9, ("note", "autoextend-off")),
        (500, 10, 9, ("fine", "autoextend")),  # LVM takes 50
        (501, 10, 9, ("attention", "autoextend-due")),
        (1, None, 9, ("note", "autoextend-not-known")),
    ],
)
def test_growth(used: int, threshold: int, free: int | None, expected: tuple[str, str]) -> None:
    found = extended(used, threshold, free)
    assert words(found) == expected
    if found.code in {"autoextend", "autoextend-short"}:
        assert found.numbers["blocks"] == max(50, threshold) * 10 - used + 1
        assert found.numbers.get("extents") == (None if free is None else 4)
    has_extents = "due" in found.code and free
    assert (("lvextend", "--use-policies", "v-g/pool") in found.commands) == bool(has_extents)


def test_no_growth_without_percent() -> None:
    assert extended(999, 70, 9, percent=0).code == "autoextend-off"


def test_metadata_makes_it_grow_as_well() -> None:
    upkeep = Upkeep(extent_bytes=EXTENT, free_extents=1, threshold=70, percent=20)
    place = replace(LVM, upkeep=upkeep)
    found = only(growth.extension(space(1000, 1), metadata(4096, 2459), place))  # 70.02 %
    assert words(found) == ("attention", "autoextend-due")
    assert found.message.startswith("metadata is 70.0 % in use")
    found = only(growth.extension(space(1000, 1), metadata(4096, 2458), place))
    assert found.code == "autoextend-short"


def test_growth_is_nothing_of_other_managers() -> None:
    assert list(growth.extension(space(10, 1), metadata(4096, 2), BARE)) == []


@pytest.mark.parametrize(
    ("upkeep", "why"),
    [
        (Upkeep(), "lvm.conf says so, which was not read"),
        (Upkeep(profile="roomy"), "profile roomy says so, which was not read"),
        (Upkeep(settings_unread="x: torn"), "its settings cannot be read: x: torn"),
    ],
)
def test_why_growth_is_not_known(upkeep: Upkeep, why: str) -> None:
    found = only(growth.extension(space(10, 1), metadata(4096, 2), replace(LVM, upkeep=upkeep)))
    assert found.message.endswith(why)


def of_transactions(manager: str, expected: int | None, pool: int, **more: Any) -> list[Advice]:
    names = Names(manager=manager, source=Path("x"), transaction_id=expected, **more)
    return list(transactions.transaction(names, pool, LVM))


@pytest.mark.parametrize(
    ("expected", "pool", "is_pending", "said"),
    [
        (5, 5, False, ("fine", "transaction")),
        (5, 5, True, ("note", "messages-waiting")),
        (5, 4, True, ("note", "messages-waiting")),
        (5, 4, False, ("attention", "transaction-mismatch")),
        (4, 5, True, ("attention", "transaction-mismatch")),
        (5, 3, True, ("attention", "transaction-mismatch")),
        (0, 7, True, ("attention", "transaction-mismatch")),
    ],
)
def test_transaction_of_lvm(
    expected: int, pool: int, said: tuple[str, str], *, is_pending: bool
) -> None:
    found = only(of_transactions("lvm", expected, pool, is_pending=is_pending))
    assert words(found) == said
    assert found.numbers == {"recorded": expected, "pool": pool}
    if found.code == "transaction-mismatch":
        newer = "text" if expected > pool else "pool"
        assert f"the {newer} is newer by {abs(expected - pool)} transaction" in found.message
        assert f"transaction_id in it to {pool}," in str(found.meaning)
        assert found.commands[0] == ("vgcfgrestore", "--list", "v-g")
        assert found.commands[-1] == ("vgcfgrestore", "--force", "-f", "v-g.vg", "v-g")


@pytest.mark.parametrize(
    ("expected", "pool", "said"),
    [
        (42, 42, ("fine", "transaction")),
        (43, 42, ("note", "transaction-open")),
        (44, 42, ("note", "records-of-another-time")),
        (41, 42, ("note", "records-of-another-time")),
    ],
)
def test_transaction_of_docker(expected: int, pool: int, said: tuple[str, str]) -> None:
    for manager in ("docker", "containers-storage"):
        assert words(only(of_transactions(manager, expected, pool))) == said
    assert of_transactions("docker", None, pool) == []
    assert of_transactions("containerd", None, pool) == []


def test_transaction_of_a_pool_that_lvm_does_not_fill() -> None:
    upkeep = Upkeep(metadata_device="/dev/mapper/v--g-pool_tmeta")
    found = only(of_transactions("lvm", None, 42, upkeep=upkeep))
    assert words(found) == ("fine", "transaction-of-another")


NEARLY = 15_099_494
"""The first whole number from 90 % of 24 bits on."""


def test_clock() -> None:
    assert list(limits.clock(NEARLY - 1)) == []
    found = only(limits.clock(NEARLY))
    assert words(found) == ("attention", "time")
    assert found.numbers == {"time": NEARLY, "limit": 16_777_215}


def test_ids() -> None:
    assert list(limits.ids([], LVM)) == list(limits.ids([NEARLY - 1], LVM)) == []
    assert words(only(limits.ids([1, NEARLY], LVM))) == ("note", "device-id")
    assert words(only(limits.ids([16_777_215], LVM))) == ("attention", "device-id")
    assert words(only(limits.ids([16_777_215], BARE))) == ("note", "device-id")


def test_counters() -> None:
    assert list(limits.counters(1 << 63)) == []
    assert words(only(limits.counters((1 << 64) - 1))) == ("note", "transaction-id")


def test_sizes() -> None:
    most = 4_161_600
    small = space(100, 1)
    assert list(limits.sizes(small, metadata(most - 1, 1))) == []
    for used, severity in [(most // 2 - 4097, "note"), (most // 2 - 4096, "attention")]:
        found = only(limits.sizes(small, metadata(most, used)))
        assert words(found) == (severity, "metadata-at-its-largest")
        assert "15.9 GiB" in found.message
    found = only(limits.sizes(space(1 << 40, 1), metadata(4096, 1)))
    assert words(found) == ("note", "data-at-its-largest")


def held(only_blocks: int | None, *, is_needed: bool = False, block: int | None = 9) -> Advice:
    live = cast("Any", SimpleNamespace(metadata_snapshot=block))
    totals: Any = (
        None if only_blocks is None else SimpleNamespace(only_metadata_snapshot_blocks=only_blocks)
    )
    return only(
        state.held_metadata_snapshot(live, totals, space(1000, 1), LVM, is_needed=is_needed)
    )


def test_metadata_snapshot() -> None:
    assert words(held(0, block=None)) == ("fine", "no-metadata-snapshot")
    assert words(held(0, is_needed=True)) == ("note", "metadata-snapshot")
    assert words(held(99)) == ("note", "metadata-snapshot")
    assert words(held(100)) == ("attention", "metadata-snapshot")
    assert words(held(1, is_needed=True)) == ("attention", "metadata-snapshot")
    assert words(held(None)) == ("note", "metadata-snapshot")
    found = held(5)
    assert found.numbers == {"block": 9, "blocks": 5, "bytes": 5 * BLOCK}
    release = ("dmsetup", "message", "v--g-pool-tpool", "0", "release_metadata_snap")
    assert found.commands == (release,)


def test_what_nothing_has() -> None:
    def totals(missing: int, leaked: int | None) -> Any:
        used = None if leaked is None else 9
        return SimpleNamespace(missing_count_blocks=missing, leaked_blocks=leaked, used_blocks=used)

    assert words(only(state.leaks(totals(0, 0), BLOCK, LVM))) == ("fine", "no-leaks")
    missing, leaked = state.leaks(totals(2, 3), BLOCK, LVM)
    assert words(missing) == ("attention", "missing-count")
    assert words(leaked) == ("attention", "leaked")
    assert list(state.leaks(totals(0, None), BLOCK, LVM)) == []


def test_flags() -> None:
    live = cast("Any", SimpleNamespace(needs_check=True, flags=1, compat_ro_flags=6))
    assert words(only(state.unknown_features(live))) == ("attention", "unknown-features")
    of_lvm, bare = only(state.needs_check(live, LVM)), only(state.needs_check(live, BARE))
    assert of_lvm.commands == (("lvchange", "-an", "v-g/pool"), ("lvchange", "-ay", "v-g/pool"))
    assert bare.commands[0] == ("thin_check", "METADATA_DEVICE")
    device = replace(BARE, source="/dev/dm-3", is_copy=False)
    assert only(state.needs_check(live, device)).commands[0] == ("thin_check", "/dev/dm-3")


def test_records_that_could_not_be_read() -> None:
    names = Names(manager="lvm", source=Path("x"), unread=(Unread(where="a", why="torn"),))
    assert words(only(state.unread(names))) == ("note", "names-not-read")
    assert list(state.orphans((), BARE)) == []


@dataclass
class Hit:
    device: int
    name: str
    mapped_blocks: int | None = None
    in_metadata_snapshot: bool = False


@dataclass
class Found:
    code: str
    severity: str = "damage"
    message: str = "block 7 is torn"
    block: int | None = 7
    affected: tuple[Hit, ...] = ()
    hint: str | None = None
    more_affected: int = 0


@dataclass
class Checked:
    findings: tuple[Found, ...] = ()


def checked(*findings: Found, told: frozenset[str] = frozenset()) -> list[Advice]:
    return list(damage.found(Checked(findings), told, LVM))


def test_damage_by_name() -> None:
    hits = (Hit(3, "vg/db", 250), Hit(3, "vg/db", 2), Hit(4, "vg/web"), Hit(5, "vg/a", 1))
    warned, damaged = Found("under-full", "warning", block=None), Found("node", affected=hits)
    first, second = checked(warned, damaged)
    assert words(first) == ("attention", "node")
    assert first.meaning == "hits vg/db (252 mappings), vg/web, vg/a (1 mapping)"
    assert first.numbers == {"block": 7}
    assert first.commands == (
        ("thinscope", "salvage", "tmeta.bin", "--names", "/etc/lvm"),
        ("lvchange", "-an", "v-g/pool"),
        ("lvconvert", "--repair", "v-g/pool"),
    )
    assert words(second) == ("note", "under-full")
    assert (second.meaning, second.commands) == (None, ())


def test_many_that_are_hit() -> None:
    hits = tuple(Hit(at, f"v{at}") for at in range(9))
    [one] = checked(Found("node", affected=hits, hint="look there"))
    assert one.meaning == "hits v0, v1, v2, v3, 5 more; look there"
    kept = (Hit(1, "v1", 5), Hit(1, "v1", 7, in_metadata_snapshot=True))
    [one] = checked(Found("node", affected=kept, more_affected=2))
    assert one.meaning == (
        "hits v1 (5 mappings), v1 in the metadata snapshot (7 mappings), and 2 ranges more"
    )


def test_many_findings() -> None:
    found = checked(*(Found(f"f{at}") for at in range(30)))
    assert len(found) == 21
    assert words(found[-1]) == ("attention", "more-findings")
    assert found[-1].numbers == {"findings": 10}


def test_nothing_is_told_twice() -> None:
    told = frozenset({"leaked", "missing-count", "time", "needs-check", "metadata-snapshot"})
    same = ("data-leaked", "data-missing-count", "time-limit", "needs-check")
    assert checked(*map(Found, same), told=told) == []
    # What has the name of a note is no note.
    others = ("metadata-leaked", "metadata-snapshot", "mapped-count")
    assert len(checked(*map(Found, others), told=told)) == 3
    assert words(only(checked())) == ("fine", "checked")


def test_counts_that_disagree() -> None:
    assert list(damage.counts([], LVM)) == []
    found = only(damage.counts([(3, 1, 2), (4, 5, 6), (7, 8, 9)], LVM))
    assert words(found) == ("attention", "mapped-count")
    assert found.message.endswith("its record says 2; so for 2 devices more")


def say(code: str, topic: Topic, *commands: tuple[str, ...], **numbers: int) -> Advice:
    return advice(Severity.ATTENTION, topic, code, "so", "thus", *commands, **numbers)


def test_a_copy_comes_first() -> None:
    original = replace(LVM, source="/dev/mapper/v--g-pool_tmeta", is_copy=False)
    full = say("data-full", Topic.FULL, ("lvextend",))
    for dangerous in [
        say("node", Topic.DAMAGE, ("x",)),
        say("needs-check", Topic.NEEDS_CHECK, ("x",)),
        say("transaction-mismatch", Topic.TRANSACTION, ("x",)),
        say("metadata-full", Topic.FULL, ("x",)),
    ]:
        told = [dangerous, full]
        step = next_step(told, original)
        assert step is not None
        words_ = ("capture", original.source, "-o", "pool.tar", "--names", "/etc/lvm")
        assert step.command == ("thinscope", *words_)
        step = next_step(told, LVM)
        assert step is not None
        assert step.command == ("x",)
        assert any("before there is a copy" in each for each in avoid(told, LVM))
    step = next_step([full], original)
    assert step is not None
    assert step.command == ("lvextend",)


def test_a_metadata_snapshot_goes_first_where_room_is_needed() -> None:
    full = say("data-full", Topic.FULL, ("lvextend",))
    release = say("metadata-snapshot", Topic.METADATA_SNAPSHOT, ("release",), blocks=9)
    step = next_step([full, release], LVM)
    assert step is not None
    assert step.command == ("release",)
    nothing = say("metadata-snapshot", Topic.METADATA_SNAPSHOT, ("release",), blocks=0)
    step = next_step([full, nothing], LVM)
    assert step is not None
    assert step.command == ("lvextend",)


def test_nothing_to_do() -> None:
    fine = advice(Severity.FINE, Topic.FULL, "data-room", "so", None, ("x",))
    assert next_step([fine], LVM) is None
    assert list(avoid([fine], LVM)) == []
    note = advice(Severity.NOTE, Topic.ORPHANS, "orphans", "so", "thus", ("x",))
    step = next_step([note, fine], LVM)
    assert step is not None
    assert (step.command, step.why) == (("x",), "so")


def test_what_not_to_do() -> None:
    def said(*topics: Topic) -> str:
        return "\n".join(avoid([say(f"c{topic}", topic) for topic in topics], LVM))

    assert "_meta0" in said(Topic.DAMAGE)
    assert "thin_repair or thin_check on the data device" in said(Topic.NEEDS_CHECK)
    assert "two hosts" in said(Topic.TRANSACTION)
    assert "vgcfgrestore" in said(Topic.TRANSACTION)
    assert not said(Topic.LEAKS, Topic.GROWTH)
    full = say("data-full", Topic.FULL)
    assert any("fsck" in each for each in avoid([full], LVM))
    assert not any("its own commands" in each for each in avoid([full], BARE))
    assert any("its own commands" in each for each in avoid([full], LVM))
