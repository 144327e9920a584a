"""Plans of what to delete can be carried out, and free what they say; the measure is what deletion frees.

A plan is judged, not compared: which one is best is hard to say, and a matter of taste.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.sharing.pools import told

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.sharing.model import Model
    from tests.sharing.pools import Case
    from thinscope import _core

PLANS = 6


class Object(NamedTuple):
    """Something that can be deleted whole, as the core takes it."""

    devices: list[int]
    uses: list[int]
    is_collected: bool = False
    is_candidate: bool = True


@dataclass
class World:
    """Objects, some of them gone."""

    model: Model
    objects: Sequence[Object]

    def users(self, at: int) -> set[int]:
        """Who stands on an object."""
        return {user for user, other in enumerate(self.objects) if at in other.uses}

    def possible(self) -> set[int]:
        """All that can go, somehow."""
        gone: set[int] = set()
        while more := {
            at
            for at, one in enumerate(self.objects)
            if at not in gone
            and one.is_candidate
            and self.users(at) <= gone
            and (self.users(at) or not one.is_collected)
        }:
            gone |= more
        return gone

    def collected(self, gone: set[int]) -> set[int]:
        """What goes by itself when some objects are gone."""
        found: set[int] = set()
        while more := {
            at
            for at, one in enumerate(self.objects)
            if one.is_collected
            and one.is_candidate
            and at not in gone | found
            and self.users(at)
            and self.users(at) <= gone | found
        }:
            found |= more
        return found

    def freed(self, gone: Iterable[int]) -> int:
        """The blocks that come free with some objects."""
        devices = {device for at in gone for device in self.objects[at].devices}
        return self.model.alone(devices)

    def carry_out(self, plan: _core.Plan) -> set[int]:
        """Delete what a plan says, step by step; see that it can be done, and what it frees."""
        gone: set[int] = set()
        before = 0
        for step in plan.steps:
            went_by_itself: list[int] = []
            assert step.objects
            for at in step.objects:
                one = self.objects[at]
                assert one.is_candidate
                assert not one.is_collected
                assert at not in gone
                assert self.users(at) <= gone, f"{at} is in use by {self.users(at) - gone}"
                gone.add(at)
                more = self.collected(gone)
                went_by_itself += more
                gone |= more
            assert sorted(step.collected) == sorted(went_by_itself)
            place = {at: n for n, at in enumerate(step.collected)}
            for at in step.collected:
                assert all(place.get(user, -1) < place[at] for user in self.users(at))
            freed = self.freed(gone)
            assert (step.total_blocks, step.gain_blocks) == (freed, freed - before)
            before = freed
        assert plan.freed_blocks == before
        return gone

    def needless(self, plan: _core.Plan, target: int) -> list[int]:
        """What a plan need not delete: it could stay, with all that it stands on."""
        deleted = [at for step in plan.steps for at in step.objects]
        enough = min(plan.freed_blocks, target)
        found = []
        for at in deleted:
            stay = {at}
            while more := {used for one in stay for used in self.objects[one].uses} - stay:
                stay |= more
            gone = set(deleted) - stay
            gone |= self.collected(gone)
            if self.freed(gone) >= enough:
                found.append(at)
        return found


def drawn_objects(ids: list[int], drawn: random.Random) -> list[Object]:
    """Return objects of a few devices each, some of them standing on later ones; some devices in none."""
    ids = drawn.sample(ids, len(ids) - len(ids) // 8)
    parts = []
    while ids:
        size = drawn.choice([1, 1, 2, 3])
        parts.append(ids[:size])
        ids = ids[size:]
    objects = []
    for at, devices in enumerate(parts):
        later = range(at + 1, len(parts))
        uses = drawn.sample(later, min(len(later), drawn.choice([0, 0, 1, 2])))
        objects.append(Object(devices, uses, drawn.random() < 0.2, drawn.random() < 0.9))
    # In another order, so that nobody relies on users standing before what they use.
    order = drawn.sample(range(len(objects)), len(objects))
    place = {at: n for n, at in enumerate(order)}
    return [objects[at]._replace(uses=[place[used] for used in objects[at].uses]) for at in order]


def test_plans(case: Case) -> None:
    sharing, model = case.core.sharing, case.model
    drawn = case.drawn("plans")
    mapped = sum(map(len, model.live.data.values()))
    for _ in range(PLANS if mapped < 50_000 else 2):
        objects = drawn_objects(case.ids, drawn)
        world = World(model, objects)
        possible = world.possible()
        most = world.freed(possible)
        for target in (0, 1, most // 2, most, most + 1):
            told = f"{case.name}: {objects}, {target}"
            plan = sharing.plan([tuple(one) for one in objects], target)
            assert plan.most_blocks == most, told
            assert plan.is_reached == (plan.freed_blocks >= target), told
            # Whatever can be reached is reached.
            assert plan.freed_blocks >= min(target, most), told
            gone = world.carry_out(plan)
            assert gone <= possible, told
            assert not world.needless(plan, target), told


def test_plans_with_conditions(case: Case) -> None:
    sharing, model = case.core.sharing, case.model
    drawn = case.drawn("conditions")
    mapped = sum(map(len, model.live.data.values()))
    for _ in range(PLANS if mapped < 50_000 else 2):
        objects = drawn_objects(case.ids, drawn)
        world = World(model, objects)
        most = world.freed(world.possible())
        target = drawn.randint(0, most + 1)
        min_each = drawn.choice([0, 1, 5, 50])
        in_order = drawn.random() < 0.7
        told = f"{case.name}: {objects}, {target}, {min_each}, {in_order}"
        asked = [tuple(one) for one in objects]
        plan = sharing.plan(asked, target, min_each_blocks=min_each, in_order=in_order)
        assert plan == sharing.plan(asked, target, min_each_blocks=min_each, in_order=in_order)
        assert plan.most_blocks == most, told
        assert plan.is_reached == (plan.freed_blocks >= target), told
        # What is enough may be less than a step has to be worth.
        least = min(min_each, target)
        assert all(step.gain_blocks >= least for step in plan.steps), told
        world.carry_out(plan)
        if in_order and min_each == 0:
            assert plan.freed_blocks >= min(target, most), told


@pytest.mark.parametrize("seed", range(6))
def test_plans_are_not_much_longer_than_the_shortest(testkit: str, seed: int) -> None:
    """On pools so small that all plans can be gone through: one object more at most, and that seldom."""
    drawn = random.Random(seed)  # noqa: S311
    lines = [f"create {device}" for device in range(8)]
    for device in range(8):
        lines += [f"map {device} {at}..{at + 1} {drawn.randrange(18)}" for at in range(6)]
    case = told(testkit, "\n".join(lines))
    objects = [Object([device], []) for device in range(8)]
    world = World(case.model, objects)
    longer = 0
    for target in range(1, world.freed(range(8)) + 1):
        shortest = next(
            size
            for size in range(1, 9)
            if any(world.freed(gone) >= target for gone in combinations(range(8), size))
        )
        plan = case.core.sharing.plan([tuple(one) for one in objects], target)
        length = sum(len(step.objects) for step in plan.steps)
        assert shortest <= length <= shortest + 1, target
        longer += length > shortest
    assert longer <= 3
