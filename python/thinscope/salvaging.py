"""What can be saved of a damaged pool, and what older commits of it left behind."""

from __future__ import annotations

from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

from thinscope import _core
from thinscope._core import DeletedDevice, SalvagedState, SalvagedTree
from thinscope.source import named

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

    from thinscope._core import Superblock
    from thinscope.locate import Located
    from thinscope.pool import Pool, Progress
    from thinscope.source import Source

__all__ = ["Salvage", "checked_block_sectors", "salvage"]

_SECTOR = 512
_BLOCK_SECTORS = range(128, 2_097_152 + 1, 128)


def salvage(  # noqa: PLR0913 - keywords
    source: Source,
    *,
    names: Iterable[str | os.PathLike[str]] = (),
    more_pvs: Iterable[Source] = (),
    data_block_sectors: int | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Salvage:
    """Read every block of a pool's metadata, and find the states that are left in them.

    Works where no pool can be opened: without superblock, without the list of devices or their
    records. Also finds older commits, with devices that were deleted since.

    Args:
        source: As `thinscope.open` takes it.
        names: As `thinscope.open` takes them. Records of removed volumes are of use here.
        more_pvs: As `thinscope.open` takes them.
        data_block_sectors: Sectors of 512 bytes in a data block, where no superblock tells.
        threads: As `thinscope.open` takes them, for the pools that are opened.
        progress: As `thinscope.open` takes it.

    Raises:
        OSError: The source cannot be opened.
        SourceError: A read failed for another reason than a bad medium; `SourceInUse` where
            another program holds the source, `SourceChanged` where the pool committed meanwhile.
        NotThinMetadata: No block of the source is of a pool.
        NamesError: A manager's records cannot be read.
        ValueError: There are no blocks of this size.
    """
    # Imported here: most questions need no names.
    from thinscope.locate import locate  # noqa: PLC0415

    checked_block_sectors(data_block_sectors)
    located = locate(source, tuple(names), progress, more_pvs=tuple(more_pvs))
    opened, name = named(located.metadata)
    core = _core.Salvage(opened, name, threads=threads, progress=progress)
    return Salvage(core, name, opened, located, data_block_sectors)


def checked_block_sectors(sectors: int | None) -> None:
    """Refuse what is no size of data blocks.

    Raises:
        ValueError: It is none.
    """
    if sectors is not None and sectors not in _BLOCK_SECTORS:
        message = "a data block has from 64 KiB to 1 GiB, in steps of 64 KiB"
        raise ValueError(f"{message}, not {sectors} sectors")


class Salvage:
    """What was found in the blocks of a pool's metadata; made with `thinscope.salvage`.

    Attributes:
        source: The source as messages name it.
        states: The states, best first: the live one, the held metadata snapshot, those that are
            consistent, those that are plausible; newer before older, as far as that can be told.
        trees: Whole mapping trees that no list of devices names, larger ones first.
        blocks: Metadata blocks by what they are, in blocks of 4 KiB; ``total`` are all.
        unreadable: Runs of blocks that could not be read: the first, and how many.
    """

    def __init__(
        self,
        core: _core.Salvage,
        source: str,
        opened: object = None,
        located: Located | None = None,
        data_block_sectors: int | None = None,
    ) -> None:
        """Wrap what was found; use `thinscope.salvage`."""
        self._core = core
        self._opened = opened
        self._located = located
        self._data_block_sectors = data_block_sectors or core.data_block_sectors
        self.source = source
        self.states: tuple[SalvagedState, ...] = tuple(core.states)
        self.trees: tuple[SalvagedTree, ...] = tuple(core.trees)
        self.blocks: Mapping[str, int] = MappingProxyType(core.blocks)
        self.unreadable: tuple[tuple[int, int], ...] = tuple(core.unreadable)

    @property
    def superblock(self) -> Superblock | None:
        """The superblock in block 0, or None where it is damaged."""
        return self._core.live_superblock

    @property
    def data_block_bytes(self) -> int | None:
        """Bytes in a data block, or None where neither a superblock nor the caller tells."""
        sectors = self._data_block_sectors
        return None if sectors is None else sectors * _SECTOR

    @property
    def may_be_stale(self) -> bool:
        """Whether what was read may be older than what the kernel wrote, see `Pool.may_be_stale`."""
        return self._core.may_be_stale

    @property
    def live(self) -> SalvagedState | None:
        """The state of the live superblock, or None where nothing is left of it."""
        return next((state for state in self.states if state.is_live), None)

    @property
    def best(self) -> SalvagedState | None:
        """The state to go on with, or None.

        The live one if all its trees are there; else the newest that is consistent; else the
        newest of which all trees are there.
        """
        at = self._core.best
        return None if at is None else self.states[at]

    @property
    def to_restore(self) -> SalvagedState | None:
        """The state to restore a pool to, or None.

        The live one with what is left of it, as long as its list of devices is: in older states
        blocks may have been given to others since. Else the `best`. Open it as tolerant.
        """
        live = self.live
        is_listed = live is not None and None not in (self.superblock, live.mapping_root)
        return live if is_listed else self.best

    @cached_property
    def _deleted(self) -> tuple[tuple[DeletedDevice, ...], bool]:
        found, is_all = self._core.deleted()
        return tuple(found), is_all

    @property
    def deleted(self) -> tuple[DeletedDevice, ...]:
        """Devices that states have and the live one has not, each with the best state that has it.

        By ascending id. If the live state is lost, they are compared with the best one.
        """
        return self._deleted[0]

    @property
    def are_all_looked_at(self) -> bool:
        """Whether all states were looked at for `deleted`: with very many, that would take long."""
        return self._deleted[1]

    def state(self, root: int) -> SalvagedState | None:
        """Return the state that a metadata block stands for, or None."""
        at = self._core.state_of(root)
        return None if at is None else self.states[at]

    def roots(self, state: SalvagedState) -> dict[int, int]:
        """Return the root of each device's tree, in metadata blocks, by id."""
        return {record.id: root for record, root in self._core.devices(state.number - 1)}

    def made(self, state: SalvagedState) -> set[tuple[int, int, int]]:
        """Return what tells a state's devices from others: id, creation time, transaction id."""
        return {
            (record.id, record.creation_time, record.transaction_id)
            for record, _ in self._core.devices(state.number - 1)
        }

    def open(
        self,
        candidate: SalvagedState | SalvagedTree | DeletedDevice | int,
        *,
        tolerant: bool = False,
    ) -> Pool:
        """Open a state, or a tree, as a pool, which answers every question but those on spaces.

        Args:
            candidate: A state; a tree, which makes a pool of one device with the id 0; a deleted
                device, of which the state is opened; or a metadata block that is the root of one.
            tolerant: As `thinscope.open` takes it.

        Raises:
            UnknownRoot: The block is the root of nothing.
            ThinscopeError: The size of a data block is not known.
        """
        from thinscope.pool import Pool  # noqa: PLC0415 - `thinscope.pool` opens with this module

        match candidate:
            case int():
                root = candidate
            case DeletedDevice():
                root = candidate.state_root
            case _:
                root = candidate.root
        core = self._core.open(
            max(root, 0), data_block_sectors=self._data_block_sectors, tolerant=tolerant
        )
        return Pool(core, self.source, self._opened, self._located)

    def __repr__(self) -> str:
        """Show the source, and what was found."""
        return f"<Salvage {self.source!r}: {len(self.states)} states, {len(self.trees)} trees>"
