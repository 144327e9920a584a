"""The device mapper itself: the output of ``dmsetup table``, whichever manager made the devices.

It lists active devices only, by the names of their nodes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from thinscope.errors import NamesError
from thinscope.formats import dmtable
from thinscope.formats.dmtable import Line, Thin, ThinPool
from thinscope.names import files
from thinscope.names.fields import operand
from thinscope.names.ledger import Ledger, not_a_device, whole
from thinscope.names.lvm_pool import from_dm_name
from thinscope.names.model import MAX_DEVICE, SECTOR, Names, Object, Record, Unread, Upkeep

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["read", "recognises"]

LIMIT = 32 << 20
"""Bytes that a table can have: some 400,000 devices."""

MOST_LINES = 500_000
"""Lines that a table can have; each takes some 400 bytes in memory, however short it is."""

MOST_TOLD = 20
"""Lines that could not be read of which each pool tells; it may be the line of one of its devices."""

LVM = "-tpool"
"""How LVM's pools end; the volume over it is called the same without."""

MANAGED = ("docker-", "container-", "stratis-1-")
"""How pools begin whose managers keep records of their own: Docker, Podman, Stratis."""


def recognises(path: Path) -> bool:
    """Whether this is what ``dmsetup table`` prints."""
    return dmtable.begins(files.head(path))


def read(path: Path) -> tuple[Names, ...]:
    """Read a table.

    Returns:
        One `Names` for each pool, of the devices that were active.

    Raises:
        NamesError: It cannot be read, or no thin pool or thin device is in it.
    """
    data = files.read(path, LIMIT)
    if data.count(b"\n") > MOST_LINES:
        message = f"more than {MOST_LINES} lines, which no such table has"
        raise NamesError(message, source=str(path))
    table = dmtable.parse(data)
    pools: dict[str, Line] = {}
    thins: dict[str, list[Line]] = {}
    for line in table.lines:
        if isinstance(line.target, ThinPool):
            pools.setdefault(line.name, line)
        elif isinstance(line.target, Thin):
            thins.setdefault(line.target.pool, []).append(line)
    if not pools and not thins:
        _refuse(path, table)
    named = _named(thins, pools, table.lines)
    broken = _broken(table)
    found = [
        _names(path, device, pools.get(named[device]), thins[device], broken) for device in thins
    ]
    used = set(named.values())
    found += [
        _names(path, name, line, [], broken) for name, line in pools.items() if name not in used
    ]
    return tuple(found)


def _refuse(path: Path, table: dmtable.Table) -> None:
    hint = "`dmsetup table` tells which thin device is which; status or ls does not"
    for number, why in table.broken.items():
        raise NamesError(why, source=str(path), where=f"line {number}", hint=hint)
    raise NamesError("no thin pool and no thin device in it", source=str(path), hint=hint)


def _named(
    thins: dict[str, list[Line]], pools: dict[str, Line], lines: list[Line]
) -> dict[str, str]:
    """Return the pools' names by the devices that thin devices are on; none where it is not told.

    A table does not say which number a pool has, unless it is a path, the pool is the only one, or
    LVM put a volume of the pool's name over it.
    """
    over = {
        line.words[0]: line.name + LVM
        for line in lines
        if line.kind == "linear" and line.words and line.name + LVM in pools
    }
    named = {}
    for device in thins:
        name = device.removeprefix("/dev/mapper/")
        if name not in pools:
            name = over.get(device, "")
        if not name and len(pools) == len(thins) == 1:
            (name,) = pools
        named[device] = name
    return named


def _broken(table: dmtable.Table) -> list[Unread]:
    """Return the lines that could not be read, the last of many together."""
    told = list(table.broken.items())
    found = [Unread(where=f"line {number}", why=why) for number, why in told[:MOST_TOLD]]
    if more := told[MOST_TOLD:]:
        where = f"lines {more[0][0]} to {more[-1][0]}"
        found.append(Unread(where=where, why=f"{len(more)} more that cannot be read"))
    return found


def _names(
    path: Path, device: str, pool: Line | None, thins: list[Line], broken: list[Unread]
) -> Names:
    ledger = Ledger()
    ledger.unread += broken
    pool_name = pool.name if pool else device
    for line in thins:
        _add(ledger, line, pool_name)
    objects, records, unread = ledger.finish()
    block_bytes = hint = None
    upkeep = Upkeep()
    if pool is not None and isinstance(pool.target, ThinPool):
        block_bytes = pool.target.block_sectors * SECTOR
        hint = f"the metadata device is {_path(pool.target.metadata)}"
        upkeep = Upkeep(
            metadata_device=_path(pool.target.metadata),
            is_full_an_error="error_if_no_space" in pool.target.features,
            low_water_blocks=pool.target.low_water_blocks,
        )
    return Names(
        manager="dmsetup",
        source=path,
        pool=dmtable.plain_name(pool_name),
        dm_pool=pool.name if pool else "",
        block_bytes=block_bytes,
        is_complete=False,
        objects=objects,
        records=records,
        unread=unread,
        hint=hint,
        upkeep=upkeep,
    )


def _add(ledger: Ledger, line: Line, pool: str) -> None:
    target = line.target
    where = f"line {line.number}"
    if not isinstance(target, Thin):
        return
    device = whole(target.device)
    if device is None or device > MAX_DEVICE:
        ledger.refuse(where, not_a_device(target.device))
        return
    name = dmtable.plain_name(line.name)
    volume = _volume(name) if pool.endswith(LVM) else None
    key = f"dm/{line.name}"
    made = Object(
        key=key,
        kind="volume",
        name=name,
        aliases=(*((volume,) if volume else ()), f"/dev/mapper/{line.name}"),
        removal=_removal(line.name, volume, pool, device),
    )
    record = Record(
        device=device,
        where=where,
        object=key,
        name=name,
        virtual_bytes=whole(line.sectors * SECTOR),
        external_origin=target.external_origin,
    )
    ledger.add(record, made)


def _volume(name: str) -> str | None:
    """Return LVM's name for a device: its group and volume, without a layer in between."""
    match from_dm_name(name):
        case (group, volume) | (group, volume, "real"):
            return f"{group}/{volume}"
        case _:
            return None


def _removal(name: str, volume: str | None, pool: str, device: int) -> tuple[tuple[str, ...], ...]:
    if volume is not None:
        return (("lvremove", volume),)
    if pool.startswith(MANAGED) or name.startswith(f"{pool}-snap-"):  # the latter is containerd's
        return ()  # what dmsetup deletes, those managers would still take for there
    major, _, minor = pool.partition(":")
    on = ("-j", major, "-m", minor) if major.isdecimal() and minor.isdecimal() else (pool,)
    message = ("dmsetup", "message", *on, "0", f"delete {device}")
    return (("dmsetup", "remove", *operand(name)), message)


def _path(device: str) -> str:
    return device if device.startswith("/") else f"/dev/block/{device}"
