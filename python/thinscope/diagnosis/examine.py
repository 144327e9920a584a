"""All that a doctor looks at, one rule after the other."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, TypeVar

from thinscope.diagnosis import (
    damage,
    growth,
    headroom,
    limits,
    state,
    transactions,
)
from thinscope.errors import CorruptMetadata, SourceError, UnsupportedMetadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from thinscope import Pool
    from thinscope.diagnosis.advice import Advice
    from thinscope.diagnosis.damage import Check
    from thinscope.diagnosis.place import Place
    from thinscope.names import Names

__all__ = ["examine", "records"]

_Found = TypeVar("_Found")


class _Reading:
    """Asks a pool that may be damaged, and keeps the first damage that it met."""

    def __init__(self) -> None:
        self.damage: CorruptMetadata | UnsupportedMetadata | SourceError | None = None

    def ask(self, question: Callable[[], _Found]) -> _Found | None:
        """Return the answer, or None where damage prevents it."""
        try:
            return question()
        except (CorruptMetadata, UnsupportedMetadata) as error:  # of a metadata snapshot's copy
            self.damage = self.damage or error
            return None
        except SourceError as error:
            if not _is_unreadable(error):
                raise
            self.damage = self.damage or error
            return None


def _is_unreadable(error: SourceError) -> bool:
    """Whether it is about a block: not about all of a pool that is in use, or changes."""
    return type(error) is SourceError and error.block is not None


def records(pool: Pool) -> tuple[Names, ...]:
    """Return what managers have on record of a pool, though its devices may not be readable."""
    try:
        return tuple(pool.names)
    except (CorruptMetadata, SourceError) as error:
        if isinstance(error, SourceError) and not _is_unreadable(error):
            raise
        found = [each.found for each in pool.wanted]
        return tuple(each[0] for each in found if len(each) == 1)


def examine(pool: Pool, names: Sequence[Names], place: Place, check: Check | None) -> list[Advice]:
    """Look at everything.

    Args:
        pool: The pool.
        names: What managers have on record of it.
        place: What it is called.
        check: What a check found, or None where there was none.

    Returns:
        What there is to say, the most urgent first.
    """
    told = [*_superblock(pool, names, place), *_trees(pool, place, check)]
    if check is not None:
        told += damage.found(check, {each.code for each in told}, place)
    return sorted(told, key=lambda each: each.urgency)


def _superblock(pool: Pool, names: Sequence[Names], place: Place) -> Iterator[Advice]:
    """Yield what can be told as long as the superblock can be read."""
    live, data, metadata = pool.live_superblock, pool.data_space, pool.metadata_space
    yield from state.needs_check(live, place)
    yield from state.unknown_features(live)
    yield from headroom.data_full(data, place)
    yield from headroom.metadata_full(metadata, place)
    yield from headroom.low_water(data, metadata, place.upkeep.low_water_blocks)
    yield from growth.extension(data, metadata, place)
    yield from limits.clock(live.time)
    yield from limits.counters(live.transaction_id)
    yield from limits.sizes(data, metadata)
    # A held metadata snapshot is older, and so is the transaction id of its superblock.
    yield from chain.from_iterable(
        transactions.transaction(each, live.transaction_id, place) for each in names
    )
    yield from chain.from_iterable(map(state.unread, names))


def _trees(pool: Pool, place: Place, check: Check | None) -> Iterator[Advice]:
    """Yield what needs the trees, as far as they can be read."""
    reading = _Reading()
    devices = reading.ask(lambda: pool.devices)
    sharing = reading.ask(pool.sharing)
    fragmentation = reading.ask(pool.fragmentation)
    data, metadata = pool.data_space, pool.metadata_space
    totals = sharing.totals if sharing and not pool.is_metadata_snapshot else None
    yield from state.held_metadata_snapshot(
        pool.live_superblock, totals, data, place, is_needed=headroom.is_nearly_full(data)
    )
    if fragmentation is not None:
        yield from headroom.forecast(data, metadata, fragmentation, place)
    if totals is not None:  # through a metadata snapshot it is not known what is in use
        yield from state.leaks(totals, data.block_bytes, place)
    if devices is not None:
        yield from limits.ids(devices, place)
        yield from headroom.promised(_virtual_bytes(pool), data, place)
        if place.managers:
            yield from state.orphans(pool.orphans(), place)
        if sharing is not None:
            yield from damage.counts(sharing.disagreeing(devices.values()), place)
    met = reading.damage
    if met is not None and not (check and check.findings):
        block = None if isinstance(met, UnsupportedMetadata) else met.block
        yield damage.unreadable(met.message, block, place)


def _virtual_bytes(pool: Pool) -> int | None:
    sizes = [pool.objects.virtual_bytes(id_) for id_ in pool.devices]
    known = [size for size in sizes if size is not None]
    return sum(known) if known and len(known) == len(sizes) else None
