"""Damage to both space maps, and counts that are wrong."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tests.check.damage_trees import shared_leaf
from tests.check.patient import TALL
from tests.check.telling import CHURN, DOCKER, FULL, WALK, Told, hits, recipe, used, warning
from tests.oracle.reader import PER_BITMAP, Role

if TYPE_CHECKING:
    from tests.check.patient import Patient

# ---- space maps ----------------------------------------------------------------------------------


@recipe(CHURN)
def data_bitmap_checksum(patient: Patient) -> list[Told]:
    _, _, bitmap = patient.entry("data", 0)
    patient.flip(bitmap)
    total = min(PER_BITMAP, patient.whole.superblock.data_space_map.nr_blocks)
    return [Told("bitmap", bitmap, "csum", total, runs=((0, total),))]


@recipe(WALK)
def metadata_bitmap_number(patient: Patient) -> list[Told]:
    _, _, bitmap = patient.entry("metadata", 0)
    patient.put(bitmap, 8, "Q", 1)
    return [Told("bitmap", bitmap, "blocknr", 4096, runs=((0, 4096),))]


@recipe(TALL)
def one_of_several_data_bitmaps(patient: Patient) -> list[Told]:
    _, _, bitmap = patient.entry("data", 4 * PER_BITMAP)
    patient.flip(bitmap)
    total = 70_000 - 4 * PER_BITMAP
    return [Told("bitmap", bitmap, "csum", total, runs=((4 * PER_BITMAP, total),))]


@recipe(FULL)
def bits_behind_the_end(patient: Patient) -> list[Told]:
    """The sum of the index entry counts them as well, as the kernel's does, so that it fits here."""
    index, at, bitmap = patient.entry("data", 0)
    patient.put(bitmap, 16 + 8192 // 4, "B", 2)
    patient.put(index, at + 8, "I", PER_BITMAP - 8193)
    return [Told("bitmap", bitmap, "counts")]


@recipe(WALK)
def index_block_checksum(patient: Patient) -> list[Told]:
    index = patient.whole.superblock.metadata_space_map.bitmap_root
    patient.flip(index)
    return [Told("index", index, "csum")]


@recipe(WALK)
def index_block_number(patient: Patient) -> list[Told]:
    index = patient.whole.superblock.metadata_space_map.bitmap_root
    patient.put(index, 8, "Q", 7)
    return [Told("index", index, "blocknr")]


@recipe(WALK)
def index_entry_of_no_bitmap(patient: Patient) -> list[Told]:
    index, at, _ = patient.entry("metadata", 0)
    patient.put(index, at, "Q", 0)
    return [Told("index", index, "bitmaps")]


@recipe(TALL)
def index_entry_beyond_the_end(patient: Patient) -> list[Told]:
    index, at, _ = patient.entry("data", PER_BITMAP)
    patient.put(index, at, "Q", patient.whole.nr_blocks)
    return [Told("index", index, "bitmap")]


@recipe(TALL)
def two_index_entries_of_one_bitmap(patient: Patient) -> list[Told]:
    _, _, first = patient.entry("data", 0)
    index, at, _ = patient.entry("data", PER_BITMAP)
    patient.put(index, at, "Q", first)
    return [
        Told("index", index, "bitmap"),
        Told("metadata-wrong-count", None, "count", runs=((first, 1),)),
    ]


@recipe(DOCKER)
def free_count(patient: Patient) -> list[Told]:
    index, at, _ = patient.entry("data", 0)
    patient.put(index, at + 8, "I", patient.get(index, at + 8, "I") - 1)
    return [Told("free-count", index, "nr_free")]


@recipe(DOCKER)
def free_hint(patient: Patient) -> list[Told]:
    index, at, _ = patient.entry("metadata", 0)
    first = patient.counts("metadata").index(0)
    assert patient.get(index, at + 12, "I") == first
    patient.put(index, at + 12, "I", first + 1)
    return [Told("free-hint", index, "none_free_before")]


@recipe(DOCKER)
def a_cautious_free_hint(patient: Patient) -> list[Told]:
    """Nothing is wrong: no block below it is free."""
    index, at, _ = patient.entry("metadata", 0)
    patient.put(index, at + 12, "I", 0)
    return []


@recipe(DOCKER)
def data_allocated(patient: Patient) -> list[Told]:
    patient.superblock("data_allocated", patient.whole.superblock.data_space_map.nr_allocated + 1)
    return [Told("allocated-count", 0, "nr_allocated")]


@recipe(DOCKER)
def metadata_allocated(patient: Patient) -> list[Told]:
    allocated = patient.whole.superblock.metadata_space_map.nr_allocated
    patient.superblock("metadata_allocated", allocated - 1)
    return [Told("allocated-count", 0, "nr_allocated")]


def overflow_leaf(patient: Patient, role: Role) -> tuple[int, int]:
    """Return the last leaf of an overflow tree, and how many entries it has."""
    leaf = max(patient.blocks(role, leaf=True), key=lambda block: patient.node(block).keys or [0])
    return leaf, len(patient.node(leaf).keys)


@recipe(DOCKER)
def overflow_entry_missing(patient: Patient) -> list[Told]:
    leaf, entries = overflow_leaf(patient, Role.DATA_OVERFLOW)
    patient.put(leaf, 16, "I", entries - 1)
    _, _, bitmap = patient.entry("data", patient.node(leaf).keys[-1])
    return [Told("overflow-entry", bitmap, "count above two")]


@recipe(DOCKER)
def overflow_entry_stray(patient: Patient) -> list[Told]:
    """An entry for the last block of the device, which is free."""
    leaf, entries = overflow_leaf(patient, Role.DATA_OVERFLOW)
    last = patient.whole.superblock.data_space_map.nr_blocks - 1
    patient.put(leaf, patient.key(entries), "Q", last)
    patient.put(leaf, patient.value(leaf, entries), "I", 3)
    patient.put(leaf, 16, "I", entries + 1)
    return [Told("overflow-entry", leaf, "key")]


@recipe(DOCKER)
def overflow_entry_too_low(patient: Patient) -> list[Told]:
    leaf, _ = overflow_leaf(patient, Role.METADATA_OVERFLOW)
    patient.put(leaf, patient.value(leaf, 0), "I", 2)
    return [Told("overflow-entry", leaf, "count")]


@recipe(DOCKER)
def overflow_count_too_high(patient: Patient) -> list[Told]:
    leaf, _ = overflow_leaf(patient, Role.METADATA_OVERFLOW)
    patient.put(leaf, patient.value(leaf, 0), "I", 77)
    block = patient.node(leaf).keys[0]
    return [Told("metadata-wrong-count", None, "count", runs=((block, 1),))]


@recipe(DOCKER)
def overflow_count_too_low(patient: Patient) -> list[Told]:
    leaf, _ = overflow_leaf(patient, Role.DATA_OVERFLOW)
    at, count = next((at, n) for at, (n,) in enumerate(patient.node(leaf).values) if n > 3)
    patient.put(leaf, patient.value(leaf, at), "I", count - 1)
    block = patient.node(leaf).keys[at]
    return [Told("data-wrong-count", None, "count", runs=((block, 1),))]


def count_recipe(space: str, before: int, after: int, code: str, severity: str = "damage") -> None:
    """Note a recipe that makes a space map count a block otherwise, with right sums."""

    def do(patient: Patient) -> list[Told]:
        block = used(patient, space, before)
        patient.set_count(space, block, after)
        return [Told(f"{space}-{code}", None, "count", severity=severity, runs=((block, 1),))]

    recipe(CHURN, f"{space}-counted-{after}-for-{before}")(do)


for _space in ("data", "metadata"):
    count_recipe(_space, 0, 1, "leaked", "warning")
    count_recipe(_space, 1, 0, "missing-count")
    count_recipe(_space, 1, 2, "wrong-count")
    count_recipe(_space, 2, 1, "wrong-count")


@recipe(WALK)
def many_leaked(patient: Patient) -> list[Told]:
    free = [block for block, count in enumerate(patient.counts("data")) if not count][-7:]
    for block in free:
        patient.set_count("data", block, 2)
    return [warning("data-leaked", block=None, field="count", count=7, runs=((free[0], 7),))]


@recipe(CHURN)
def held_root_forgotten(patient: Patient) -> list[Told]:
    """The superblock has lost the metadata snapshot: what it alone had is leaked, and nothing else is wrong."""
    snapshot, live = patient.whole.snapshot, patient.whole.live
    assert snapshot
    patient.superblock("held_root", 0)
    leaves = {
        held: {
            b
            for b, role in t.roles.items()
            if role is Role.MAPPING and not patient.node(b).internal
        }
        for held, t in patient.sides
    }
    count = {
        held: Counter(v >> 24 for b in leaves[held] for (v,) in patient.node(b).values)
        for held in (False, True)
    }
    reached = Counter(v >> 24 for b in leaves[False] for (v,) in patient.node(b).values)
    data = patient.whole.walked_data_counts()
    leaked = [block for block in data if not reached[block]]
    too_many = [block for block in data if 0 < reached[block] < data[block]]
    gone = [block for block in snapshot.roles if block not in live.roles]
    assert count[True]
    pointers = Counter(child for b in gone for (child,) in children(patient, b))
    pointers.update((snapshot.superblock.mapping_root, snapshot.superblock.details_root))
    shared = [block for block in pointers if block in live.roles]
    found = []
    found += [Told("data-wrong-count", None, "count", len(too_many))] if too_many else []
    found += [Told("data-leaked", None, "count", len(leaked), "warning")] if leaked else []
    found += [Told("metadata-wrong-count", None, "count", len(shared))] if shared else []
    found += [Told("metadata-leaked", None, "count", len(gone), "warning")]
    return found


def children(patient: Patient, block: int) -> list[tuple[int, ...]]:
    """Return the pointers of a node to other nodes."""
    role = patient.roles[block]
    if role is Role.SUPERBLOCK:
        return []
    node = patient.node(block)
    return node.values if node.internal or role is Role.TOP_LEVEL else []


@recipe(CHURN)
def a_lost_leaf_and_a_missing_count(patient: Patient) -> list[Told]:
    """Where a node is lost nothing is called leaked, but what is reached and not counted is told."""
    leaf = shared_leaf(patient)
    lost = {value >> 24 for (value,) in patient.node(leaf).values}
    free, owned = (
        used(patient, "data", 0),
        next(
            block
            for block, count in enumerate(patient.counts("data"))
            if count == 1 and block not in lost
        ),
    )
    patient.flip(leaf)
    patient.set_count("data", free, 1)
    patient.set_count("data", owned, 0)
    return [
        Told("node", leaf, "csum", hits=hits(patient, leaf)),
        Told("data-missing-count", None, "count", runs=((owned, 1),)),
    ]
