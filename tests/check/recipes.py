"""All recipes: what is done to a pool, and all that a check has to say of it."""

from __future__ import annotations

from tests.check import damage_reading, damage_space_maps, damage_superblock, damage_trees
from tests.check.telling import RECIPES

__all__ = ["RECIPES"]

assert damage_superblock, damage_trees
assert damage_space_maps, damage_reading
