"""Blocks that cannot be read, and all of them broken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.check.damage_trees import broken_node, reached
from tests.check.telling import CHURN, NODES, RECIPES, Recipe, Told, recipe
from tests.oracle.reader import PER_BITMAP, Role

if TYPE_CHECKING:
    from tests.check.patient import Patient

# ---- blocks that cannot be read ------------------------------------------------------------------


def unreadable(role: Role, *, leaf: bool | None = None) -> None:
    """Note a recipe in which a block cannot be read."""
    bad: set[int] = set()

    def do(patient: Patient) -> list[Told]:
        found = patient.blocks(role, leaf=leaf)
        if role in {Role.TOP_LEVEL, Role.DETAILS}:
            found = reached(patient, role, whole_tree=False)
        block = found[-1]
        bad.clear()
        bad.add(block)
        if role in {Role.DATA_BITMAP, Role.METADATA_BITMAP}:
            space = "data" if role is Role.DATA_BITMAP else "metadata"
            total = len(patient.counts(space))
            begin = next(
                b for b in range(0, total, PER_BITMAP) if patient.entry(space, b)[2] == block
            )
            length = min(PER_BITMAP, total - begin)
            return [Told("unreadable", block, None, length, runs=((begin, length),))]
        told = broken_node(patient, role, block) if role in NODES else [Told("", block)]
        return [Told("unreadable", block, None, hits=each.hits) for each in told]

    recipe(CHURN, f"unreadable-{role.value.replace(' ', '-')}")(do)
    RECIPES[-1] = Recipe(RECIPES[-1].name, CHURN, do, bad)


for _role in Role:
    unreadable(_role, leaf=True if _role is Role.MAPPING else None)


@recipe(CHURN)
def everything_below_the_superblock(patient: Patient) -> list[Told]:
    """All that the superblock points at is broken: each told once."""
    superblock = patient.whole.superblock
    data, metadata = superblock.data_space_map, superblock.metadata_space_map
    for block in patient.roles:
        if block:
            patient.flip(block)
    return [
        Told("metadata-snapshot", superblock.held_root, "csum"),
        Told("node", superblock.mapping_root, "csum"),
        Told("node", superblock.details_root, "csum"),
        Told("index", data.bitmap_root, "csum"),
        Told("overflow", data.ref_count_root, "csum"),
        Told("index", metadata.bitmap_root, "csum"),
        Told("overflow", metadata.ref_count_root, "csum"),
    ]
