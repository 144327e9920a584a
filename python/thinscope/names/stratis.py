"""Stratis: a JSON file for each filesystem, ``<uuid>.json``.

They lie in ``filesystems/`` of a small XFS of the pool's own, which stratisd mounts below
``/run/stratisd/ns_mounts`` as ``.mdv-<uuid of the pool>``; a copy of that folder, or of one
file, serves as well. The metadata of the pool itself, as ``stratisd-tools`` prints it, adds the
pool's name if it lies beside them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from thinscope.errors import NamesError
from thinscope.names import files
from thinscope.names.ledger import Ledger, moment, not_a_device, shown, whole
from thinscope.names.model import MAX_DEVICE, SECTOR, Names, Object, Record

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["read", "recognises"]

LIMIT = 1 << 20
"""Bytes that a filesystem's record can have; it has some 300."""

LOOKED_AT = 64
"""Files of a folder that are looked at before it is taken for something else."""

POOL = "POOL"
"""What stands in a command for a pool whose name is not on record."""

_UUID = "[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}"
_FILE = re.compile(rf"{_UUID}\.json")
_MOUNT = re.compile(rf"\.mdv-({_UUID})")
_HEAD = re.compile(rb'(?:\xef\xbb\xbf)?\s*+\{\s*+"')


@dataclass(frozen=True, slots=True)
class _Pool:
    """What is known of the pool.

    Attributes:
        uuid: Its uuid without dashes, or an empty string.
        name: Its name, or an empty string.
        block_bytes: Bytes in a block, or None.
    """

    uuid: str = ""
    name: str = ""
    block_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class _Filesystem:
    """A filesystem's record.

    Attributes:
        where: Its file.
        uuid: Its uuid without dashes.
        name: Its name.
        values: All that is recorded.
    """

    where: str
    uuid: str
    name: str
    values: dict[str, Any]


def recognises(path: Path) -> bool:
    """Whether this is a filesystem's record, or a folder of them."""
    if not files.is_folder(path):
        return _begins(path)
    try:
        inside = _files(path)
    except NamesError:
        return False
    if not inside:  # a pool without filesystems still has the folder
        return bool(_MOUNT.fullmatch(path.name)) and files.is_folder(path / "filesystems")
    return any(_begins(file) for file in inside[:LOOKED_AT])


def read(path: Path) -> tuple[Names, ...]:
    """Read a filesystem's record, or a folder of them.

    Returns:
        One `Names`.

    Raises:
        NamesError: They cannot be read.
    """
    ledger = Ledger()
    is_folder = files.is_folder(path)
    if is_folder:
        pool = _pool(path)
        found = _filesystems(path, ledger)
    else:
        pool = _Pool()
        found = [_filesystem(path, path.name)]
    names = {each.uuid: each.name for each in found}
    for each in found:
        if _added(ledger, pool, each, names) or not is_folder:
            continue
        why = f"its origin {shown(each.values['origin'])} is not on record"
        ledger.refuse(each.where, why)
    objects, records, unread = ledger.finish()
    hint = None
    if pool.uuid:
        device = f"/dev/mapper/stratis-1-private-{pool.uuid}-flex-thinmeta"
        hint = f"the metadata device is {device} while the pool is started"
    return (
        Names(
            manager="stratis",
            source=path,
            pool=pool.name or pool.uuid,
            block_bytes=pool.block_bytes,
            is_complete=is_folder,
            objects=objects,
            records=records,
            unread=unread,
            hint=hint,
        ),
    )


def _begins(path: Path) -> bool:
    head = files.head(path)
    return bool(_HEAD.match(head)) and all(key in head for key in (b'"thin_id"', b'"uuid"'))


def _files(folder: Path) -> list[Path]:
    """Return the files that are named like records, in the folder or in its ``filesystems``."""
    found = files.entries(folder)
    if files.is_folder(folder / "filesystems"):
        found = [*files.entries(folder / "filesystems"), *found]
    return [file for file in found if _FILE.fullmatch(file.name)]


def _filesystems(folder: Path, ledger: Ledger) -> list[_Filesystem]:
    found: dict[str, _Filesystem] = {}
    for file in _files(folder):
        where = str(file.relative_to(folder))
        try:
            record = _filesystem(file, where)
        except NamesError as error:
            ledger.refuse(where, error.message)
        else:
            found.setdefault(record.uuid, record)
    return list(found.values())


def _filesystem(file: Path, where: str) -> _Filesystem:
    parsed = files.json_of(files.read(file, LIMIT), file)
    if not isinstance(parsed, dict):
        raise NamesError("no filesystem's record", source=str(file))
    for key in ("name", "uuid"):
        if not isinstance(parsed.get(key), str):
            raise NamesError(f"no {key}, or none that is text", source=str(file))
    return _Filesystem(where, _plain(parsed["uuid"]), parsed["name"], parsed)


def _pool(folder: Path) -> _Pool:
    """Return what the folder's name tells of the pool, and its own metadata if that is there."""
    mount = _MOUNT.fullmatch(folder.name) or _MOUNT.fullmatch(folder.parent.name)
    uuid = _plain(mount[1]) if mount else ""
    for file in files.entries(folder)[:LOOKED_AT]:
        if file.suffix != ".json" or b'"thinpool_dev"' not in files.head(file):
            continue
        try:
            parsed = files.json_of(files.read(file), file)
        except NamesError:
            continue  # it is an extra
        if isinstance(parsed, dict) and isinstance(parsed.get("name"), str):
            thin = parsed.get("thinpool_dev")
            sectors = whole(thin.get("data_block_size")) if isinstance(thin, dict) else None
            return _Pool(uuid, parsed["name"], sectors * SECTOR if sectors else None)
    return _Pool(uuid)


def _added(ledger: Ledger, pool: _Pool, each: _Filesystem, names: dict[str, str]) -> bool:
    """Take a filesystem; return whether its origin, if it has one, is on record."""
    values = each.values
    device = whole(values.get("thin_id"))
    if device is None or device > MAX_DEVICE:
        ledger.refuse(each.where, not_a_device(values.get("thin_id")))
        return True
    origin = values.get("origin")
    parent = _plain(origin) if isinstance(origin, str) else None
    labels = {}
    if parent is not None and values.get("merge") is True:  # when the pool is next started
        labels["merging into"] = names.get(parent, parent)
    dm_name = f"stratis-1-{pool.uuid}-thin-fs-{each.uuid}"
    made = Object(
        key=f"fs/{each.uuid}",
        kind="filesystem",
        name=each.name,
        aliases=(values["uuid"], *((dm_name,) if pool.uuid else ())),
        parent=f"fs/{parent}" if parent in names else None,
        labels=MappingProxyType(labels),
        created=moment(values.get("created")),
        removal=(_removal(pool.name or POOL, each.name),),
    )
    sectors = whole(values.get("size"))
    record = Record(
        device=device,
        where=each.where,
        object=made.key,
        name=each.name,
        virtual_bytes=whole(sectors * SECTOR) if sectors else None,
    )
    ledger.add(record, made)
    return parent is None or parent in names


def _removal(pool: str, name: str) -> tuple[str, ...]:
    options_end = ("--",) if name.startswith("-") else ()
    return ("stratis", "filesystem", "destroy", *options_end, pool, name)


def _plain(uuid: str) -> str:
    return uuid.lower().replace("-", "")
