"""The data device from begin to end, in cells."""

from __future__ import annotations

from dataclasses import dataclass, fields
from operator import attrgetter
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from thinscope import Pool

__all__ = ["Cell", "Picture"]

_CELLS = 512
"""Eight lines of a terminal."""


@dataclass(frozen=True, slots=True)
class Cell:
    """Neighbouring blocks of the data device by who reaches them, in data blocks.

    Attributes:
        free: Free blocks.
        one_device: Blocks that one device reaches.
        several_devices: Blocks that several devices reach.
        only_metadata_snapshot: Blocks that only the metadata snapshot reaches.
        leaked: Blocks counted as used that nobody reaches.
        missing: Of those reached, blocks that are counted as free.
    """

    free: int
    one_device: int
    several_devices: int
    only_metadata_snapshot: int
    leaked: int
    missing: int

    @property
    def shown(self) -> str:
        """What the cell is taken for: damage if there is any, else what holds most of it."""
        if self.missing:
            return "missing"
        if self.leaked:
            return "leaked"
        used = ("one_device", "several_devices", "only_metadata_snapshot", "free")
        return max(used, key=lambda name: attrgetter(name)(self))


@dataclass(frozen=True, slots=True)
class Picture:
    """The data device, in cells of equal size.

    Attributes:
        blocks_per_cell: Data blocks in a cell; the last one may have less.
        bytes_per_cell: The same in bytes.
        cells: The cells, from the first block on.
    """

    blocks_per_cell: int
    bytes_per_cell: int
    cells: tuple[Cell, ...]

    @classmethod
    def of(cls, pool: Pool) -> Self | None:
        """Find out who reaches what; None through a metadata snapshot."""
        cells = pool.picture(_CELLS)
        if cells is None:
            return None
        space = pool.data_space
        blocks_per_cell = -(-space.total // max(len(cells), 1))
        return cls(
            blocks_per_cell=blocks_per_cell,
            bytes_per_cell=blocks_per_cell * space.block_bytes,
            cells=tuple(Cell(*cell) for cell in cells),
        )

    def blocks(self) -> dict[str, int]:
        """Return what all cells add up to, by the names of a cell's counts."""
        names = [field.name for field in fields(Cell)]
        return {name: sum(map(attrgetter(name), self.cells)) for name in names}
