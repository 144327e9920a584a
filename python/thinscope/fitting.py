"""Which records are of a pool, where they are about several or may be about another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thinscope.errors import NamesError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from thinscope.names import Names
    from thinscope.pool import Device

__all__ = ["fitting"]


def fitting(
    found: Sequence[Names], devices: Mapping[int, Device], block_bytes: int, pool: str | None
) -> Names:
    """Return, of the records of several pools, those that are of this pool.

    Args:
        found: The records, one for each pool that they are about.
        devices: The devices of the pool.
        block_bytes: Bytes in a data block of the pool.
        pool: What the manager calls the pool, if that was asked for.

    Raises:
        NamesError: None fits, or several do.
    """
    if not found:
        raise NamesError("no records of a thin pool")
    source = str(found[0].source)
    known = ", ".join(sorted(names.pool for names in found))
    if pool is not None:
        asked = [names for names in found if pool in (names.pool, names.pool.rpartition("/")[2])]
        if len(asked) == 1:
            _check_blocks(asked[0], block_bytes)
            return asked[0]
        raise NamesError(f"no records of a pool `{pool}`, but of {known}", source=source)
    if len(found) == 1:
        _check_blocks(found[0], block_bytes)
        return found[0]
    sized = [names for names in found if names.block_bytes in (None, block_bytes)]
    scores = {id(names): _score(names, devices) for names in sized}
    best = max(scores.values(), default=-1)
    fit = [names for names in sized if scores[id(names)] == best]
    if best >= 0 and len(fit) == 1:
        return fit[0]
    hint = f"name the pool: `--names {source}#POOL`"
    raise NamesError(f"it cannot be told which pool this is of: {known}", source=source, hint=hint)


def _check_blocks(names: Names, block_bytes: int) -> None:
    """Refuse records of a pool with other blocks: a pool keeps the size that it was made with."""
    if names.block_bytes in (None, block_bytes):
        return
    pool = f" {names.pool}" if names.pool else ""
    message = (
        f"records of another pool:{pool} has blocks of {names.block_bytes} bytes, "
        f"this one of {block_bytes}"
    )
    raise NamesError(message, source=str(names.source))


def _score(names: Names, devices: Mapping[int, Device]) -> int:
    """Count the records that agree with the pool; -1 where one contradicts it."""
    agreeing = 0
    for record in names.records:
        device = devices.get(record.device)
        if device is None:
            continue
        if device.is_recorded and record.transaction_id not in (None, device.transaction_id):
            return -1
        agreeing += 1
    return agreeing
