"""containerd's devmapper snapshotter: names from its databases.

Its folder holds ``<pool>.db``, with the devices, and ``metadata.db``, with the snapshots. What
clients call them stands in containerd's own ``meta.db``. Each of the three can be a copy, all in one
folder. A snapshot's device is named ``<pool>-snap-<the snapshot's id>``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from thinscope.errors import NamesError
from thinscope.names.containerd import databases, objects
from thinscope.names.containerd.databases import recognises
from thinscope.names.containerd.records import is_expected, records
from thinscope.names.model import Names, Unread

if TYPE_CHECKING:
    from pathlib import Path

    from thinscope.names.containerd.databases import Folder
    from thinscope.names.containerd.objects import Found
    from thinscope.names.containerd.tables import Pool, Snapshots

__all__ = ["read", "recognises"]

MANAGER = "containerd"

_INFIX = "-snap-"

_HINT = "its metadata device is what the thin-pool {0} was made of: `dmsetup table {0}` names it"

_OTHER_PARENT = "made from another device than its snapshot: the copies are not of one time"
_OTHER_POOL = (
    "most of its snapshots are not those of the pool's devices: only their names are known"
)
_OTHER_HOST = "none of its snapshots is of this pool: containers, images and labels are not known"


def read(path: Path) -> tuple[Names, ...]:
    """Read the databases.

    Args:
        path: containerd's root, its devmapper snapshotter's folder, a folder with copies of the
            databases, or a pool's database, beside which the others may lie.

    Returns:
        One `Names` for each pool's database.

    Raises:
        NamesError: There is no pool's database, or none that can be read.
    """
    found: list[Names] = []
    wrong: list[NamesError] = []
    for folder in databases.folders(path):
        for file in sorted(folder.pools):
            pool = folder.pools[file]
            where = databases.beside(file, path)
            if isinstance(pool, NamesError):
                wrong.append(pool)
                place = ": ".join(filter(None, (where, pool.where)))
                unread = (Unread(where=place, why=pool.message),)
                found.append(Names(manager=MANAGER, source=path, pool=file.stem, unread=unread))
            else:
                found.append(_names(path, file.stem, where, pool, folder))
    if len(wrong) < len(found):
        return tuple(found)
    if wrong:
        raise wrong[0]
    hint = "give the devmapper snapshotter's folder, or one with <pool>.db, metadata.db and meta.db"
    raise NamesError("no <pool>.db of containerd's", source=str(path), hint=hint)


def _names(source: Path, stem: str, where: str, pool: Pool, folder: Folder) -> Names:
    name = _pool_name(pool, stem)
    unread = [*pool.unread, *folder.unread]
    devices, wrong = _devices(pool, name, folder.snapshots)
    unread += (Unread(where=f"{where}: devices/{each}", why=_OTHER_PARENT) for each in wrong)
    snapshots = folder.snapshots
    if len(wrong) > len(devices) - len(wrong):
        snapshots = None
        unread.append(Unread(where=folder.where[0], why=_OTHER_POOL))
    if snapshots is None:
        found = objects.by_device(filter(is_expected, pool.devices.values()), where)
    else:
        found = _by_snapshot(devices, snapshots, folder)
    is_all = snapshots is not None and not snapshots.unread
    listed, also = records(pool, found.owners, where, has_snapshots=is_all)
    return Names(
        manager=MANAGER,
        source=source,
        pool=name,
        dm_pool=name,
        objects=tuple(found.objects),
        records=listed,
        unread=(*unread, *found.unread, *also),
        hint=_HINT.format(name),
    )


def _pool_name(pool: Pool, stem: str) -> str:
    """Return what containerd calls the pool: a copy of its database can have another name."""
    names = {name.rpartition(_INFIX)[0] for name in pool.devices if _INFIX in name}
    return names.pop() if len(names) == 1 else stem


def _devices(
    pool: Pool, name: str, snapshots: Snapshots | None
) -> tuple[dict[str, str], list[str]]:
    """Return names of devices by the keys of their snapshots, and those made from another parent.

    A snapshot's id is not used again, nor does its parent change: another parent tells that the
    two databases do not belong together.
    """
    known = snapshots.by_key if snapshots else {}
    names = {key: f"{name}{_INFIX}{snapshot.number}" for key, snapshot in known.items()}
    devices = {key: device for key, device in names.items() if device in pool.devices}
    above = {key: known[key].parent for key in devices}
    wrong = [
        device
        for key, device in devices.items()
        if (not above[key] or above[key] in names)
        and pool.devices[device].parent_name != names.get(above[key], "")
    ]
    return devices, wrong


def _by_snapshot(devices: dict[str, str], snapshots: Snapshots, folder: Folder) -> Found:
    clients, unread = folder.clients, []
    if folder.is_only:
        place, why = f"{folder.where[0]}: snapshots", "no record of its device can be read"
        missing = sorted(snapshots.by_key.keys() - devices)
        unread += [Unread(where=f"{place}/{key}", why=why) for key in missing]
    if clients is not None:
        place, why = (
            f"{folder.where[1]}: snapshots",
            f"no record of it can be read in {folder.where[0]}",
        )
        missing = sorted(clients.references.keys() - snapshots.by_key.keys())
        if snapshots.by_key and not clients.references.keys() & snapshots.by_key.keys():
            clients = None
            unread.append(Unread(where=folder.where[1], why=_OTHER_HOST))
        else:
            unread += [Unread(where=f"{place}/{key}", why=why) for key in missing]
    try:
        found = objects.by_snapshot(devices, snapshots, clients, folder.where)
    except NamesError as error:
        unread.append(Unread(where=folder.where[1], why=error.message))
        found = objects.by_snapshot(devices, snapshots, None, folder.where)
    found.unread += unread
    return found
