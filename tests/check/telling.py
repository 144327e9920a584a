"""Damage by recipe: what recipes are, and what they share."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.check.patient import Hit, Patient
from tests.oracle.reader import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

WALK, CHURN, DOCKER, LVM = "walkthrough-b", "churn-b", "docker-b", "lvm-b"
FULL = "full-b/full"
NODES = (
    Role.TOP_LEVEL,
    Role.DETAILS,
    Role.MAPPING,
    Role.DATA_INDEX,
    Role.DATA_OVERFLOW,
    Role.METADATA_OVERFLOW,
)


@dataclass(frozen=True)
class Told:
    """A finding as far as it is compared."""

    code: str
    block: int | None = 0
    field: str | None = None
    count: int = 1
    severity: str = "damage"
    hits: tuple[Hit, ...] = ()
    runs: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Recipe:
    """A way to damage a pool."""

    name: str
    pool: str
    do: Callable[[Patient], Sequence[Told]]
    """Damages the pool; returns what is to be told, in the order of the check."""
    unreadable: set[int] = field(default_factory=set)


RECIPES: list[Recipe] = []


def recipe(pool: str, name: str | None = None) -> Callable[..., Callable[..., Sequence[Told]]]:
    """Note a recipe for a pool."""

    def note(do: Callable[[Patient], Sequence[Told]]) -> Callable[[Patient], Sequence[Told]]:
        RECIPES.append(Recipe(name or do.__name__.replace("_", "-"), pool, do))
        return do

    return note


def warning(code: str, *, runs: tuple[tuple[int, int], ...] = (), **more: object) -> Told:
    """A finding of a count, or of the superblock, after which nothing is lost."""
    about = Told(code, severity="warning", runs=runs)
    return Told(**{**about.__dict__, **more})  # type: ignore[arg-type]


def hits(patient: Patient, *blocks: int, counted: bool = True) -> tuple[Hit, ...]:
    """Return what is lost with nodes; how much, of devices that lose one range alone."""
    found = [hit for block in blocks for hit in patient.hits(block)]
    found.sort(key=lambda hit: (hit.in_metadata_snapshot, hit.device, hit.begin))
    return single(found, counted=counted)


def single(found: Sequence[Hit], *, counted: bool = True) -> tuple[Hit, ...]:
    """Leave out how much is lost where a device loses several ranges."""
    ranges = Counter((hit.device, hit.in_metadata_snapshot) for hit in found)
    return tuple(
        hit
        if counted and ranges[hit.device, hit.in_metadata_snapshot] == 1
        else hit._replace(mapped_blocks=None)
        for hit in found
    )


def whole(device: int, mapped: int | None = None, *, held: bool = False) -> Hit:
    """All of a device."""
    return Hit(device, held, 0, None, mapped)


def used(patient: Patient, space: str, count: int) -> int:
    """Return a block that a space map counts so many times: one from the middle."""
    found = [block for block, of in enumerate(patient.counts(space)) if of == count]
    return found[len(found) // 2]


def record_field(patient: Patient, device: int, offset: int, kind: str, value: int) -> int:
    """Change a field of a device's record; returns the block of its leaf."""
    leaf, at = where(patient, Role.DETAILS, device)
    patient.put(leaf, patient.value(leaf, at) + offset, kind, value)
    return leaf


def where(patient: Patient, role: Role, key: int) -> tuple[int, int]:
    """Return the live leaf that has a key, and its position there."""
    superblock = patient.whole.superblock
    roots = {Role.DETAILS: superblock.details_root, Role.TOP_LEVEL: superblock.mapping_root}
    roots[Role.DATA_OVERFLOW] = superblock.data_space_map.ref_count_root
    roots[Role.METADATA_OVERFLOW] = superblock.metadata_space_map.ref_count_root
    block = roots[role]
    while (node := patient.node(block)).internal:
        (block,) = node.values[max(at for at, first in enumerate(node.keys) if first <= key)]
    return block, node.keys.index(key)
