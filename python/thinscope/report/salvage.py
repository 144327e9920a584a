"""What is left of a pool: states, trees, devices that were deleted."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, ClassVar, Self

from thinscope.report.objects import NamesRow
from thinscope.report.printable import printable
from thinscope.report.remark import Remark
from thinscope.report.units import plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from thinscope._core import DeletedDevice, Misfit, SalvagedState, SalvagedTree
    from thinscope.pool import Pool
    from thinscope.salvaging import Salvage as Found

__all__ = ["BlockRow", "DeletedRow", "MisfitRow", "Salvage", "StateRow", "TreeRow"]

_KEPT = 64
"""States that are kept open at a time, to name their devices."""


@dataclass(frozen=True, slots=True)
class BlockRow:
    """Metadata blocks of 4 KiB by what they are; all but `total` add up to it.

    Attributes:
        total: All blocks.
        zero: Blocks of zeros.
        superblock: Superblocks in their places, copies of metadata snapshots too.
        top_level: Nodes of lists of devices.
        details: Nodes of lists of records.
        mapping: Nodes of mapping trees.
        data_index: Nodes of the data space map's index.
        overflow: Nodes of trees of large reference counts.
        lost: Internal nodes whose first children lead to no leaf.
        bitmap: Bitmaps of both space maps.
        index: Index blocks of the metadata space map.
        misplaced: Blocks with a right checksum that belong elsewhere.
        broken: Blocks with a right checksum that break a rule.
        unknown: Blocks without a right checksum.
        unreadable: Blocks that could not be read.
    """

    total: int
    zero: int
    superblock: int
    top_level: int
    details: int
    mapping: int
    data_index: int
    overflow: int
    lost: int
    bitmap: int
    index: int
    misplaced: int
    broken: int
    unknown: int
    unreadable: int


@dataclass(frozen=True, slots=True)
class MisfitRow:
    """Something that does not fit in a state.

    Attributes:
        kind: What it is, in a word.
        message: The same in words.
        devices: Devices that it is about; 0: not told one by one.
        device: The id of the first of them, or None.
        expected: Of that device, what was expected: mappings, a time, or data blocks; or None.
        found: What was found, or None.
    """

    kind: str
    message: str
    devices: int
    device: int | None
    expected: int | None
    found: int | None

    @classmethod
    def of(cls, misfit: Misfit) -> Self:
        """Take over what was found."""
        return cls(
            kind=misfit.kind,
            message=misfit.message,
            devices=misfit.devices,
            device=misfit.device,
            expected=misfit.expected,
            found=misfit.found,
        )


@dataclass(frozen=True, slots=True)
class StateRow:
    """A state.

    Attributes:
        number: From 1, best first.
        root: The metadata block to give to ``--root``.
        mapping_root: Root of the list of devices, or None where that is lost.
        details_root: Root of the records, or None where they are lost.
        superblock: The block of the superblock that names the roots, or None.
        is_live: Whether it is the state of the live superblock.
        is_metadata_snapshot: Whether it is that of the held metadata snapshot.
        verdict: ``consistent`` or ``plausible``.
        is_whole: Whether every device's tree is there.
        misfits: What does not fit.
        devices: Devices.
        broken_devices: Of those, devices whose trees have lost nodes, or are not found.
        mapped_blocks: Mappings of all devices, in data blocks.
        mapped_bytes: The same in bytes, or None where the size of a data block is not known.
        time: Its time.
        transaction_id: Its transaction id; without a superblock, one more than the highest on
            record.
        other_details: Roots of other records that would do as well.
        only_there: Devices that the live state, or the best one, has not, by name.
        lacking: Devices of that state that it has not.
    """

    number: int
    root: int
    mapping_root: int | None
    details_root: int | None
    superblock: int | None
    is_live: bool
    is_metadata_snapshot: bool
    verdict: str
    is_whole: bool
    misfits: tuple[MisfitRow, ...]
    devices: int
    broken_devices: int
    mapped_blocks: int
    mapped_bytes: int | None
    time: int
    transaction_id: int
    other_details: int
    only_there: tuple[str, ...]
    lacking: int

    @classmethod
    def of(
        cls,
        state: SalvagedState,
        block_bytes: int | None,
        only_there: tuple[str, ...],
        lacking: int,
    ) -> Self:
        """Take over a state."""
        return cls(
            number=state.number,
            root=state.root,
            mapping_root=state.mapping_root,
            details_root=state.details_root,
            superblock=state.superblock,
            is_live=state.is_live,
            is_metadata_snapshot=state.is_metadata_snapshot,
            verdict="consistent" if state.is_consistent else "plausible",
            is_whole=state.is_whole,
            misfits=tuple(map(MisfitRow.of, state.misfits)),
            devices=state.devices,
            broken_devices=state.broken_devices,
            mapped_blocks=state.mapped_blocks,
            mapped_bytes=_bytes(state.mapped_blocks, block_bytes),
            time=state.time,
            transaction_id=state.transaction_id,
            other_details=state.other_details,
            only_there=only_there,
            lacking=lacking,
        )

    @classmethod
    def column_names(cls) -> tuple[str, ...]:
        """Return the names of the fields."""
        return tuple(field.name for field in fields(cls))

    def cells(self) -> tuple[object, ...]:
        """Return the fields, each in one cell."""
        return tuple(_cell(getattr(self, name)) for name in self.column_names())


def _cell(value: object) -> object:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return printable(value)
        case tuple():
            texts = (each.message if isinstance(each, MisfitRow) else each for each in value)
            return "; ".join(map(printable, texts))
        case _:
            return value


@dataclass(frozen=True, slots=True)
class TreeRow:
    """A whole mapping tree that no list of devices names.

    Attributes:
        root: The metadata block to give to ``--root``.
        mapped_blocks: Its mappings, in data blocks.
        mapped_bytes: The same in bytes, or None where the size of a data block is not known.
        first_block: The lowest virtual block that it maps.
        last_block: The highest.
        time: The time of its youngest mapping.
        levels: Levels of nodes.
    """

    root: int
    mapped_blocks: int
    mapped_bytes: int | None
    first_block: int
    last_block: int
    time: int
    levels: int

    @classmethod
    def of(cls, tree: SalvagedTree, block_bytes: int | None) -> Self:
        """Take over a tree."""
        return cls(
            root=tree.root,
            mapped_blocks=tree.mapped_blocks,
            mapped_bytes=_bytes(tree.mapped_blocks, block_bytes),
            first_block=tree.first_block,
            last_block=tree.last_block,
            time=tree.time,
            levels=tree.levels,
        )


@dataclass(frozen=True, slots=True)
class DeletedRow:
    """A device that other states have and the live one has not.

    Attributes:
        id: Its id.
        name: What it was called, as far as records tell.
        creation_time: The pool's time when it was made.
        transaction_id: The pool's transaction id when it was made.
        state_root: The best state that has it: the metadata block to give to ``--root``.
        root: Root of its tree there.
        mapped_blocks: Its mappings that are left, in data blocks.
        mapped_bytes: The same in bytes, or None where the size of a data block is not known.
        recorded_blocks: Its mappings on record, in data blocks.
        is_whole: Whether all are left.
        is_consistent: Whether the state is consistent.
    """

    id: int
    name: str
    creation_time: int
    transaction_id: int
    state_root: int
    root: int
    mapped_blocks: int
    mapped_bytes: int | None
    recorded_blocks: int
    is_whole: bool
    is_consistent: bool

    @classmethod
    def of(cls, device: DeletedDevice, name: str, block_bytes: int | None) -> Self:
        """Take over what was found."""
        return cls(
            id=device.id,
            name=name,
            creation_time=device.creation_time,
            transaction_id=device.transaction_id,
            state_root=device.state_root,
            root=device.root,
            mapped_blocks=device.mapped_blocks,
            mapped_bytes=_bytes(device.mapped_blocks, block_bytes),
            recorded_blocks=device.recorded_blocks,
            is_whole=device.is_whole,
            is_consistent=device.is_consistent,
        )


def _bytes(blocks: int, block_bytes: int | None) -> int | None:
    return None if block_bytes is None else blocks * block_bytes


@dataclass(frozen=True, slots=True)
class Salvage:
    """What is left of a pool.

    Attributes:
        source: What was read, as it was named.
        block_bytes: Bytes in a data block, or None where no superblock tells.
        blocks: Metadata blocks by what they are.
        unreadable: Runs of blocks that could not be read: the first, and how many.
        names: The records that names are from.
        findings: What is wrong with the live state.
        states_found: States.
        consistent_states: Of those, consistent ones.
        states: The states, best first; the first of them, unless all were asked for.
        trees_found: Trees that no list of devices names.
        trees: Those trees, larger ones first; the first of them, likewise.
        deleted: Devices that other states have and the live one has not, by ascending id.
        deleted_of_all_states: Whether all states were looked at for them.
    """

    schema: ClassVar[str] = "thinscope.salvage/1"

    source: str
    block_bytes: int | None
    blocks: BlockRow
    unreadable: tuple[tuple[int, int], ...]
    names: tuple[NamesRow, ...]
    findings: tuple[Remark, ...]
    states_found: int
    consistent_states: int
    states: tuple[StateRow, ...]
    trees_found: int
    trees: tuple[TreeRow, ...]
    deleted: tuple[DeletedRow, ...]
    deleted_of_all_states: bool

    @property
    def needs_attention(self) -> bool:
        """Whether something is wrong with the live state."""
        return bool(self.findings)

    @classmethod
    def of(cls, found: Found, source: str, *, most: int | None) -> Self:
        """Tell what was found.

        Args:
            found: What was found.
            source: What it was called.
            most: Most states and trees that are told, or None for all.
        """
        block_bytes, naming = found.data_block_bytes, _Naming(found)
        reference = found.live or found.best
        made = found.made(reference) if reference else set()

        def row(state: SalvagedState) -> StateRow:
            own = found.made(state)
            only = (naming.of(state, id_) for id_, *_ in sorted(own - made))
            return StateRow.of(state, block_bytes, tuple(only), len(made - own))

        return cls(
            source=source,
            block_bytes=block_bytes,
            blocks=BlockRow(**found.blocks),
            unreadable=found.unreadable,
            names=naming.rows(reference),
            findings=tuple(_findings(found)),
            states_found=len(found.states),
            consistent_states=sum(state.is_consistent for state in found.states),
            states=tuple(map(row, found.states[:most])),
            trees_found=len(found.trees),
            trees=tuple(TreeRow.of(tree, block_bytes) for tree in found.trees[:most]),
            deleted=tuple(naming.deleted(found.deleted, block_bytes)),
            deleted_of_all_states=found.are_all_looked_at,
        )


class _Naming:
    """What devices of states are called."""

    def __init__(self, found: Found) -> None:
        self._found = found
        self._pools: dict[int, Pool] = {}

    def _pool(self, root: int) -> Pool | None:
        if self._found.data_block_bytes is None:
            return None
        if root not in self._pools:
            if len(self._pools) >= _KEPT:
                self._pools.clear()
            self._pools[root] = self._found.open(root)
        return self._pools[root]

    def label(self, root: int, device: int) -> str:
        """Return what a device of a state is called."""
        pool = self._pool(root)
        return f"device {device}" if pool is None else pool.objects.label(device)

    def of(self, state: SalvagedState, device: int) -> str:
        """Return the same with its id."""
        label = self.label(state.root, device)
        return label if label == f"device {device}" else f"{device}: {label}"

    def rows(self, state: SalvagedState | None) -> tuple[NamesRow, ...]:
        """Return where names are from."""
        pool = None if state is None else self._pool(state.root)
        return () if pool is None else tuple(map(NamesRow.of, pool.names))

    def deleted(
        self, devices: Iterable[DeletedDevice], block_bytes: int | None
    ) -> Iterator[DeletedRow]:
        """Yield the deleted devices by name."""
        for device in devices:
            yield DeletedRow.of(device, self.label(device.state_root, device.id), block_bytes)


def _findings(found: Found) -> Iterator[Remark]:
    live, best = found.live, found.best
    advice = None
    if found.superblock and live and live.mapping_root is not None:
        way = "`thinscope check` says more" if live.is_whole else "`--tolerant` reads what is left"
        advice = f"{way} of it"
    if best is not None and not best.is_live:
        size = "" if found.data_block_bytes else " --data-block-size SIZE"
        root = f"`--root {best.root}{size}` reads the best state that is left, with every command"
        advice = f"{advice}; {root}" if advice else root
    if found.superblock is None:
        yield Remark("superblock-lost", "the superblock is damaged", advice)
    elif live is None:
        yield Remark("live-lost", "nothing is left of what the superblock names", advice)
    elif not live.is_consistent:
        told = "; ".join(misfit.message for misfit in live.misfits)
        yield Remark("live-damaged", f"the live state is damaged: {told}", advice)
    if found.unreadable:
        count = sum(length for _, length in found.unreadable)
        told = f"{plural(count, 'block')} could not be read"
        yield Remark("unreadable", told, numbers={"blocks": count})
