"""What the package says of sharing, in the shapes of the model."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

from tests.sharing import model

if TYPE_CHECKING:
    from thinscope import _core

Answer = TypeVar("Answer", bound=tuple[Any, ...])


class Core:
    """The compiled core's answers, all their fields by name."""

    def __init__(self, sharing: _core.Sharing) -> None:
        """Ask this one."""
        self.sharing = sharing

    def devices(self) -> list[model.Device]:
        """Every device."""
        return [shaped(model.Device, device) for device in self.sharing.devices()]

    def totals(self) -> model.Totals:
        """The pool."""
        return shaped(model.Totals, self.sharing.totals())

    def usage(self, sets: list[list[int]]) -> list[model.Usage]:
        """Sets of devices."""
        return [shaped(model.Usage, usage) for usage in self.sharing.usage(sets)]

    def reclaim(self, groups: list[list[int]], also: list[int]) -> model.Reclaimed:
        """Deleting sets of devices."""
        return shaped(model.Reclaimed, self.sharing.reclaim(groups, also))

    def matrix(self) -> list[model.Pair]:
        """Every two devices that share."""
        return [shaped(model.Pair, pair) for pair in self.sharing.matrix()]

    def groups(self, limit: int) -> list[model.Group]:
        """The largest groups of devices that share."""
        return [shaped(model.Group, group) for group in self.sharing.groups(limit)]

    def picture(self, cells: int) -> list[model.Cell] | None:
        """The data device cut into cells."""
        found = self.sharing.picture(cells)
        return None if found is None else [model.Cell(*cell) for cell in found]

    def leaked(self) -> list[int] | None:
        """Blocks that nothing reaches."""
        return blocks(self.sharing.leaked())

    def missing(self) -> list[int] | None:
        """Blocks without a count."""
        return blocks(self.sharing.missing())


def shaped(shape: type[Answer], answer: object) -> Answer:
    """Return an answer of the core with every public attribute, none left out."""
    names = {name for name in dir(answer) if not name.startswith("_")}
    fields: tuple[str, ...] = shape._fields  # type: ignore[attr-defined]
    assert names == set(fields), f"{shape.__name__} has other figures: {names ^ set(fields)}"
    return shape(*(getattr(answer, name) for name in fields))


def blocks(runs: list[tuple[int, int]] | None) -> list[int] | None:
    """Return the blocks of runs, which are ascending and as long as can be."""
    if runs is None:
        return None
    for (begin, length), (behind, _) in pairwise(runs):
        assert begin + length < behind, f"{begin} + {length} touches {behind}"
    assert all(length > 0 for _, length in runs)
    return [block for begin, length in runs for block in range(begin, begin + length)]
