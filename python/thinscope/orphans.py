"""Orphans: devices of the pool that no record knows, and records whose device is gone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from thinscope.names.model import State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thinscope.objects import Claim, Objects

__all__ = ["Confidence", "Orphan", "Sort", "orphans"]


class Sort(StrEnum):
    """What an orphan is."""

    UNRECORDED = "in the pool, on no record"
    UNUSED = "on record, but of no object"
    HALF_REMOVED = "half removed"
    HALF_MADE = "half made"
    ABSENT = "on record, not in the pool"


class Confidence(StrEnum):
    """How sure it is that nobody needs an orphan, or the record of it."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class Orphan:
    """A device without an object, or a record without a device.

    Attributes:
        device: Its id.
        is_in_pool: Whether the pool has it.
        sort: What it is.
        name: What the records call it, or an empty string.
        reason: Why it is taken for an orphan, as a sentence without a full stop.
        confidence: How sure that is.
        where: The record, if there is one.
    """

    device: int
    is_in_pool: bool
    sort: Sort
    name: str
    reason: str
    confidence: Confidence
    where: str | None

    @property
    def may_be_deleted(self) -> bool:
        """Whether there is a device to delete, and more than a guess that nobody needs it."""
        return self.is_in_pool and self.confidence is not Confidence.LOW


_SORTS = {
    State.UNUSED: Sort.UNUSED,
    State.CREATING: Sort.HALF_MADE,
    State.REMOVING: Sort.HALF_REMOVED,
    State.REMOVED: Sort.HALF_REMOVED,
    State.FAULTY: Sort.HALF_REMOVED,
    State.UNCLEAR: Sort.UNUSED,
}


def orphans(objects: Objects, transaction_id: int) -> tuple[Orphan, ...]:
    """Return the orphans: those in the pool first, by ascending id.

    A missing origin alone makes no orphan: a snapshot outlives what it was made from.

    Args:
        objects: The objects of the pool; without any names there is nothing to tell.
        transaction_id: The pool's transaction id.
    """
    found = [*_in_pool(objects, transaction_id), *_absent(objects, transaction_id)]
    return tuple(sorted(found, key=lambda orphan: (not orphan.is_in_pool, orphan.device)))


def _in_pool(objects: Objects, transaction_id: int) -> Iterator[Orphan]:
    stale = {claim.record.device: claim for claim in objects.stale}
    for id_ in objects.ids:
        claim = objects.claims.get(id_)
        if claim is None:
            if not objects.is_complete:
                continue
            yield _unrecorded(objects, id_, stale.get(id_), transaction_id)
            continue
        sort = _SORTS.get(claim.record.state)
        if sort is None:
            continue
        agrees = claim.names.is_of(transaction_id)
        confidence = Confidence.HIGH if agrees else Confidence.MEDIUM
        if sort is Sort.HALF_MADE:  # it may still be made
            confidence = Confidence.MEDIUM if agrees else Confidence.LOW
        elif claim.record.state is State.UNCLEAR:
            confidence = Confidence.LOW
        yield Orphan(
            device=id_,
            is_in_pool=True,
            sort=sort,
            name=claim.record.name,
            reason=claim.record.reason or str(sort),
            confidence=confidence,
            where=claim.record.where,
        )


def _unrecorded(objects: Objects, device: int, stale: Claim | None, transaction_id: int) -> Orphan:
    complete = [names for names in objects.names if names.is_complete]
    of_managers = [names for names in complete if not names.is_unmanaged]
    complete = of_managers or complete
    managers = " or ".join(dict.fromkeys(names.manager for names in complete))
    reason = f"no record of {managers} names it"
    if stale is not None:
        reason += f"; a record of its id is of an older device, {stale.record.name or 'now gone'}"
    confidence = Confidence.HIGH
    if not all(names.is_of(transaction_id) for names in complete):
        reason += "; the records are of another state of the pool"
        confidence = Confidence.LOW
    elif any(names.transaction_id is None for names in complete):
        confidence = Confidence.MEDIUM
    if not of_managers:
        reason += "; no manager says that it names all"
        confidence = Confidence.LOW
    if any(names.unread for names in complete):
        reason += "; some records could not be read"
        confidence = Confidence.LOW
    return Orphan(
        device=device,
        is_in_pool=True,
        sort=Sort.UNRECORDED,
        name="",
        reason=reason,
        confidence=confidence,
        where=None,
    )


def _absent(objects: Objects, transaction_id: int) -> Iterator[Orphan]:
    stale = "the pool has given its id to a device of another transaction"
    lost = [
        *((claim, "the pool has no such device") for claim in objects.absent),
        *((claim, stale) for claim in objects.stale),
        # Two sources may well name the same device; one source should not do so twice.
        *(
            (claim, "another record names the same device")
            for claim in objects.repeated
            if objects.claims[claim.record.device].names is claim.names
        ),
    ]
    for claim, why in lost:
        record, reason = claim.record, why
        if record.state in {State.QUEUED, State.CREATING}:
            continue  # not made yet, or never: Docker keeps such a record after most deletions
        is_absent = why is stale or record.state is State.UNCLEAR
        sort = Sort.ABSENT if is_absent else _SORTS.get(record.state, Sort.ABSENT)
        if record.state is not State.IN_USE and record.reason:
            reason += f"; {record.reason}"
        agrees = claim.names.is_of(transaction_id)
        yield Orphan(
            device=record.device,
            is_in_pool=False,
            sort=sort,
            name=record.name,
            reason=reason if agrees else f"{reason}; the records are of another state of the pool",
            confidence=Confidence.HIGH if agrees else Confidence.LOW,
            where=record.where,
        )
