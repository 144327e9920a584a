"""Damaged pools: the recipes of tests/check on captures, and some on generated pools that the peer accepts.

The peer's thin_check is asked about them, nothing else.
"""

from __future__ import annotations

import functools
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from . import asked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LEFT_OUT = frozenset({"data-blocks-beyond"})
"""The peer asks for memory by the number that is wrong: what happens is the machine's affair."""

_BUILT = {
    "leaked": "one-device --mappings 9000 --leaked 30",
    "missing": "one-device --mappings 9000 --missing 30",
    "leaked-and-missing": "shared-data --devices 3 --mappings 900 --leaked 5 --missing 4",
    "leaked-needs-check": "one-device --mappings 900 --leaked 3 --needs-check",
    "leaked-held": "one-device --mappings 900 --leaked 3 --metadata-snapshot",
}
"""Arguments of ``testkit build``: the data space map is wrong."""

_TALL = "snapshots-shared --mappings 9000 --devices 3 --changed 5 --run 20 --areas 5"
"""A pool whose mapping trees have two levels, in nodes that the peer accepts."""


class Patient(Protocol):
    """What is used here of `tests.check.patient.Patient`."""

    @property
    def edges(self) -> list[Any]: ...
    def flip(self, block: int) -> None: ...
    def put(self, block: int, offset: int, kind: str, *values: int) -> None: ...
    def get(self, block: int, offset: int, kind: str) -> int: ...
    def key(self, at: int) -> int: ...
    def value(self, block: int, at: int) -> int: ...


class _Hurt(NamedTuple):
    """A damaged pool."""

    pool: str
    """A capture, or arguments of ``testkit build``."""
    how: str
    do: Callable[[Patient], object]


def _flip_leaf(patient: Patient) -> None:
    patient.flip(_leaf(patient))


def _flip_inner_node(patient: Patient) -> None:
    patient.flip(_inner(patient))


def _equal_keys(patient: Patient) -> None:
    leaf = _leaf(patient)
    patient.put(leaf, patient.key(1), "Q", patient.get(leaf, patient.key(0), "Q"))


def _keys_descend(patient: Patient) -> None:
    leaf = _leaf(patient)
    patient.put(leaf, patient.key(2), "Q", patient.get(leaf, patient.key(0), "Q"))


def _child_in_anothers_place(patient: Patient) -> None:
    node = _inner(patient)
    patient.put(node, patient.value(node, 2), "Q", patient.get(node, patient.value(node, 1), "Q"))


def _odd_capacity(patient: Patient) -> None:
    patient.put(_leaf(patient), 20, "I", 251)


def _leaf(patient: Patient) -> int:
    """The last leaf that a live device alone has."""
    return int(patient.edges[-1].block)


def _inner(patient: Patient) -> int:
    return next(int(edge.block) for edge in reversed(patient.edges) if edge.parent is None)


_OWN = (
    _flip_leaf,
    _flip_inner_node,
    _equal_keys,
    _keys_descend,
    _child_in_anothers_place,
    _odd_capacity,
)


@functools.cache
def _pools() -> dict[str, _Hurt]:
    # Imported here: they take what tests share, which takes this.
    captures = import_module("tests.check.patient").CAPTURES
    recipes = import_module("tests.check.recipes").RECIPES
    found = {
        recipe.name: _Hurt(recipe.pool, f"recipe {recipe.name} on {recipe.pool}", recipe.do)
        for recipe in recipes
        if recipe.pool in captures
        and not recipe.name.startswith("unreadable-")
        and recipe.name not in _LEFT_OUT
    }
    for name, arguments in _BUILT.items():
        found[name] = _Hurt(arguments, f"testkit build {arguments}", lambda _: None)
    for do in _OWN:
        name = do.__name__.strip("_").replace("_", "-")
        found[name] = _Hurt(_TALL, f"{name} in testkit build {_TALL}", do)
    return {f"hurt-{name}": hurt for name, hurt in sorted(found.items())}


def names() -> tuple[str, ...]:
    """The names of all of them."""
    return tuple(_pools())


def how_made(name: str) -> str:
    """What the table says of a pool's origin."""
    return _pools()[name].how


def image(name: str, testkit: str) -> bytes:
    """The metadata of one."""
    hurt = _pools()[name]
    pool = import_module("tests.check.patient").patient(hurt.pool, testkit)
    hurt.do(pool)
    return bytes(pool.data)


def commands(name: str) -> Iterator[tuple[str, ...]]:
    """All commands on one."""
    is_held = _pools()[name].pool == "churn-b" or "--metadata-snapshot" in _pools()[name].pool
    words = asked.CHECKS if is_held else asked.CHECKS[:-1]
    yield from (("thin_check", *each, asked.POOL) for each in words)
    if is_held:
        yield from (("thin_check", *each, asked.POOL) for each in asked.HELD_CHECKS)
