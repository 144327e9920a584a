"""Who holds blocks of the data device, as a stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Self

from thinscope.errors import CorruptMetadata, ThinscopeError
from thinscope.report.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from thinscope import CountRun, Owner, Pool

__all__ = ["AskedRow", "OwnerRow", "OwnerStream", "Owners", "OwnersTotal", "UnheldRow"]


class OwnerRow(NamedTuple):
    """Blocks of the data device that a device holds.

    Attributes:
        data_begin: First block of the data device, in data blocks.
        data_begin_bytes: The same in bytes.
        length: Number of blocks.
        length_bytes: The same in bytes.
        device: Id of the device.
        name: What it is called.
        virtual_begin: First block of the device, in data blocks.
        virtual_begin_bytes: The same in bytes.
        time: The pool's time when the blocks were allocated.
        only_metadata_snapshot: Whether only the held metadata snapshot has the mappings.
    """

    data_begin: int
    data_begin_bytes: int
    length: int
    length_bytes: int
    device: int
    name: str
    virtual_begin: int
    virtual_begin_bytes: int
    time: int
    only_metadata_snapshot: bool


@dataclass(frozen=True, slots=True)
class AskedRow:
    """Blocks that were asked about.

    Attributes:
        begin: First block of the data device, in data blocks.
        end: One behind the last.
    """

    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class UnheldRow:
    """Blocks that were asked about and that nobody holds.

    Attributes:
        begin: First block of the data device, in data blocks.
        length: Number of blocks.
        state: ``free``, ``leaked`` (counted as used all the same), or ``unknown``: through a
            metadata snapshot; of a salvaged state; where the data space map is broken; or counted as used where
            mappings are lost, which may hold it.
    """

    begin: int
    length: int
    state: str


@dataclass(frozen=True, slots=True)
class OwnersTotal:
    """What a stream of owners added up to.

    Attributes:
        owners: Number of rows.
        devices: Number of devices that hold some.
        has_metadata_snapshot: Whether only the held metadata snapshot has some.
        held_blocks: Of the blocks asked about, those that somebody holds, each once.
        held_bytes: The same in bytes.
        free_blocks: Those that nobody holds and that are counted as free; None through a metadata
            snapshot, of a salvaged state, or where the data space map is broken.
        free_bytes: The same in bytes.
        leaked_blocks: Those that nobody holds and that are counted as used; None likewise, and
            where mappings are lost.
        leaked_bytes: The same in bytes.
        unknown_blocks: Those that nobody is known to hold, and that are neither free nor leaked
            for all that is known.
        unknown_bytes: The same in bytes.
    """

    owners: int
    devices: int
    has_metadata_snapshot: bool
    held_blocks: int
    held_bytes: int
    free_blocks: int | None
    free_bytes: int | None
    leaked_blocks: int | None
    leaked_bytes: int | None
    unknown_blocks: int
    unknown_bytes: int


class OwnerStream(Stream[OwnerRow, OwnersTotal]):
    """The rows, to be iterated once; afterwards it is known what nobody holds."""

    def __init__(  # noqa: PLR0913 - what rows and gaps are told of
        self,
        owners: Iterable[Owner],
        name: Callable[[int], str],
        block_bytes: int,
        asked: Sequence[AskedRow],
        counts: _Counts,
        *,
        lists_unheld: bool,
    ) -> None:
        """Take the rows as the pool gives them, and what the space map counts."""
        self._owners = owners
        self._name = name
        self._block_bytes = block_bytes
        self._asked = _joined(asked)
        self._counts = counts
        self._lists_unheld = lists_unheld
        self._unheld: list[UnheldRow] = []
        self._blocks = {"free": 0, "leaked": 0, "unknown": 0}

    def __iter__(self) -> Iterator[OwnerRow]:
        """Yield the rows, and look at what lies between them."""
        block_bytes, names = self._block_bytes, dict[int, str]()
        devices: set[int] = set()
        count, held, has_snapshot = 0, 0, False
        asked = iter(self._asked)
        within = next(asked, None)
        at = within.begin if within else 0  # what lies before is done
        for owner in self._owners:
            begin, end = owner.data_begin, owner.data_begin + owner.length
            count += 1
            if owner.only_metadata_snapshot:
                has_snapshot = True
            else:
                devices.add(owner.device)
            # A row is cut where what was asked for ends, so it lies within one of the ranges.
            while within and begin >= within.end:
                self._nobody(at, within.end)
                within = next(asked, None)
                at = within.begin if within else at
            if begin > at:
                self._nobody(at, begin)
            held += max(end - max(at, begin), 0)
            at = max(at, end)
            name = names.get(owner.device)
            if name is None:
                name = names[owner.device] = self._name(owner.device)
            yield OwnerRow(
                begin,
                begin * block_bytes,
                owner.length,
                owner.length * block_bytes,
                owner.device,
                name,
                owner.virtual_begin,
                owner.virtual_begin * block_bytes,
                owner.time,
                owner.only_metadata_snapshot,
            )
        while within:
            self._nobody(at, within.end)
            within = next(asked, None)
            at = within.begin if within else at
        blocks, counts = self._blocks, self._counts
        free = blocks["free"] if counts.are_known else None
        leaked = blocks["leaked"] if counts.are_known and counts.is_whole else None
        self._total = OwnersTotal(
            owners=count,
            devices=len(devices),
            has_metadata_snapshot=has_snapshot,
            held_blocks=held,
            held_bytes=held * block_bytes,
            free_blocks=free,
            free_bytes=None if free is None else free * block_bytes,
            leaked_blocks=leaked,
            leaked_bytes=None if leaked is None else leaked * block_bytes,
            unknown_blocks=blocks["unknown"],
            unknown_bytes=blocks["unknown"] * block_bytes,
        )

    def _nobody(self, begin: int, end: int) -> None:
        """Take down what is known of blocks that nobody holds."""
        if begin >= end:
            return
        for first, behind, state in self._counts.between(begin, end):
            self._blocks[state] += behind - first
            if self._lists_unheld:
                self._unheld.append(UnheldRow(first, behind - first, state))

    @property
    def unheld(self) -> tuple[UnheldRow, ...]:
        """What nobody holds of the blocks that were asked for; known at the end."""
        return tuple(self._unheld)


class _Counts:
    """What becomes of blocks that nobody holds, by the counts of the space map, gone through once.

    Attributes:
        are_known: Whether the counts can be read, for all that was asked so far.
    """

    def __init__(self, pool: Pool) -> None:
        # They are of the live pool alone.
        self.are_known = not (pool.is_metadata_snapshot or pool.is_salvaged)
        self._pool = pool
        self._counts: Iterator[CountRun] | None = None
        self._run: CountRun | None = None

    @property
    def is_whole(self) -> bool:
        """Whether no mapping is lost; known when the owners were read, which comes first."""
        return self._pool.is_whole

    def between(self, begin: int, end: int) -> Iterator[tuple[int, int, str]]:
        """Yield begin, end and state of what lies between two blocks, which ascend."""
        state, first, if_counted = None, begin, "leaked" if self.is_whole else "unknown"
        while begin < end:
            run = self._at(begin)
            if run is None:
                found, behind = "unknown", end
            else:
                found = if_counted if run.count else "free"
                behind = min(end, run.begin + run.length)
            if state is not None and found != state:
                yield first, begin, state
                first = begin
            state, begin = found, behind
        if state is not None:
            yield first, end, state

    def _at(self, block: int) -> CountRun | None:
        """Return the run of blocks with one count in which a block lies, if that is known."""
        if not self.are_known:
            return None
        try:
            if self._counts is None:
                self._counts = iter(self._pool.reference_counts("data"))
            while self._run is None or self._run.begin + self._run.length <= block:
                self._run = next(self._counts)
        except CorruptMetadata:
            if not self._pool.is_tolerant:
                raise
            self.are_known = False
            return None
        return self._run


@dataclass(frozen=True, slots=True)
class Owners:
    """Who holds blocks of the data device.

    Attributes:
        source: What was opened, as it was named.
        is_metadata_snapshot: Whether the pool was read as the metadata snapshot keeps it.
        block_bytes: Bytes in a data block.
        transaction_id: The pool's transaction id.
        time: The pool's time.
        data_blocks: Blocks of the data device.
        asked: The blocks that were asked about; None for all.
        owners: Who holds them, by first data block, then by device.
    """

    schema: ClassVar[str] = "thinscope.owners/1"
    needs_attention: ClassVar[bool] = False

    source: str
    is_metadata_snapshot: bool
    block_bytes: int
    transaction_id: int
    time: int
    data_blocks: int
    asked: tuple[AskedRow, ...] | None
    owners: OwnerStream

    @property
    def total(self) -> OwnersTotal:
        """What all rows add up to; known at the end of the stream."""
        return self.owners.total

    @property
    def unheld(self) -> tuple[UnheldRow, ...]:
        """What nobody holds of the blocks asked for; known at the end of the stream."""
        return self.owners.unheld

    @classmethod
    def of(
        cls,
        pool: Pool,
        source: str,
        *,
        blocks: Sequence[tuple[int, int | None]] = (),
        places: Sequence[tuple[int, int | None]] = (),
    ) -> Self:
        """Prepare to read who holds blocks.

        Args:
            pool: The pool, which must stay open while the rows are read.
            source: What was opened.
            blocks: Ranges of blocks of the data device; without an end, up to its end.
            places: The same in bytes: the blocks that they touch. Nothing at all: all blocks.

        Raises:
            ThinscopeError: The data device ends before.
        """
        superblock, total = pool.superblock, pool.data_space.total
        block_bytes = superblock.data_block_bytes
        ranges = [
            *blocks,
            *(
                (begin // block_bytes, None if end is None else -(-end // block_bytes))
                for begin, end in places
            ),
        ]
        asked = tuple(_within(begin, end, total, source) for begin, end in ranges)
        table = pool.owners(*(range(each.begin, each.end) for each in asked))
        return cls(
            source=source,
            is_metadata_snapshot=pool.is_metadata_snapshot,
            block_bytes=block_bytes,
            transaction_id=superblock.transaction_id,
            time=superblock.time,
            data_blocks=total,
            asked=asked or None,
            owners=OwnerStream(
                table,
                _namer(pool),
                block_bytes,
                asked or (AskedRow(0, total),),
                _Counts(pool),
                lists_unheld=bool(asked),
            ),
        )


def _within(begin: int, end: int | None, total: int, source: str) -> AskedRow:
    behind = total if end is None else end
    if begin >= total or behind > total:
        last = begin if end is None else end - 1
        raise ThinscopeError(
            f"data block {max(begin, last)} lies beyond the data device, which has {total} blocks",
            source=source,
            hint="blocks are those of the pool's data device, from 0 on; `thinscope SOURCE` "
            "tells their size",
        )
    return AskedRow(begin, behind)


def _joined(asked: Iterable[AskedRow]) -> list[AskedRow]:
    """Return the ranges by where they begin, those that meet as one."""
    joined: list[AskedRow] = []
    for each in sorted(asked, key=lambda row: (row.begin, row.end)):
        if joined and each.begin <= joined[-1].end:
            joined[-1] = AskedRow(joined[-1].begin, max(joined[-1].end, each.end))
        else:
            joined.append(each)
    return joined


def _namer(pool: Pool) -> Callable[[int], str]:
    """Return what tells the name of a device, also of one that only a metadata snapshot has."""

    def name(id_: int) -> str:
        return pool.objects.label(id_) if id_ in pool.devices else f"device {id_}"

    return name
