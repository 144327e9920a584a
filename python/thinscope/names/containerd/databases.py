"""Finding and loading containerd's databases."""

from __future__ import annotations

import os.path
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from thinscope.errors import NamesError
from thinscope.formats import bbolt
from thinscope.names import files
from thinscope.names.containerd import tables
from thinscope.names.model import Unread

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from thinscope.names.containerd.tables import Clients, Pool, Snapshots

__all__ = ["Folder", "beside", "folders", "recognises"]

_SNAPSHOTTER_FOLDER = f"io.containerd.snapshotter.v1.{tables.SNAPSHOTTER}"
_CLIENTS_FOLDER = "io.containerd.metadata.v1.bolt"
_SNAPSHOTS, _CLIENTS = "metadata.db", "meta.db"

_AGAIN = "the copy may be torn: copy it while containerd is stopped, or again"

_HEAD = (64 << 10) + 32
"""Bytes that tell a database."""

_METAS = 128 << 10
"""Bytes that both meta pages lie in, with pages of up to 64 KiB. Each commit changes one of them."""

_TRIES = 3

_Table = TypeVar("_Table", "Pool", "Snapshots", "Clients")


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder with the databases of pools, and what else is known of them.

    Attributes:
        pools: What the databases of pools say, or what is wrong with them.
        snapshots: What ``metadata.db`` says, if it can be read.
        clients: What ``meta.db`` says, if it can be read.
        where: What these two are called.
        unread: What of these two could not be read.
        is_only: Whether the folder has one pool's database alone.
    """

    pools: dict[Path, Pool | NamesError]
    snapshots: Snapshots | None
    clients: Clients | None
    where: tuple[str, str]
    unread: tuple[Unread, ...]
    is_only: bool


def recognises(path: Path) -> bool:
    """Say whether these are containerd's records, whole or damaged."""
    if not _is_folder(path):
        return _is_database(path)
    if _is_folder(path / _SNAPSHOTTER_FOLDER) or _is_folder(path / _CLIENTS_FOLDER):
        return True
    try:
        return any(_is_database(each) for each in files.entries(path) if each.suffix == ".db")
    except NamesError:
        return False


def folders(path: Path) -> list[Folder]:
    """Load all that belongs to a path.

    Raises:
        NamesError: A folder cannot be read.
    """
    if not _is_folder(path):
        try:
            is_only = len(_pools(path.parent)) <= 1
        except NamesError:
            is_only = False
        return [_load(path.parent, [path], path, is_only=is_only)]
    here = _pools(path)
    if here:
        return [_load(path, here, path, is_only=len(here) == 1)]
    # The snapshotter's folder lies in the root, under this name or one of the configuration.
    below = ((each, _pools(each)) for each in files.entries(path) if _is_folder(each))
    found = ((folder, pools) for folder, pools in below if pools)
    return [_load(folder, pools, path, is_only=len(pools) == 1) for folder, pools in found]


def beside(path: Path, source: Path) -> str:
    """Return what a file is called, seen from the source or the folder that it lies in."""
    return os.path.relpath(path, source if _is_folder(source) else source.parent)


def _is_folder(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112 - that of a Path can raise


def _is_database(path: Path) -> bool:
    try:
        return bbolt.is_database(files.beginning(path, _HEAD))
    except NamesError:
        return False


def _pools(folder: Path) -> list[Path]:
    """Return what can be databases of pools."""
    found = (each for each in files.entries(folder) if each.suffix == ".db")
    return [each for each in found if each.name not in (_SNAPSHOTS, _CLIENTS)]


def _load(folder: Path, paths: list[Path], source: Path, *, is_only: bool) -> Folder:
    pools: dict[Path, Pool | NamesError] = {}
    for path in paths:
        try:
            database = _database(path)
            pool = tables.pool(database, path, beside(path, source))
        except NamesError as error:
            pools[path] = error
        else:
            if pool is not None:
                pools[path] = pool
    unread: list[Unread] = []

    def other(
        path: Path, reader: Callable[[bbolt.Database, str], _Table | None], lost: str
    ) -> _Table | None:
        where = beside(path, source)
        try:
            table = reader(_database(path), where)
        except NamesError as error:
            place = ": ".join(filter(None, (where, error.where)))
            unread.append(Unread(where=place, why=f"{error.message}: {lost}"))
            return None
        if table is None:
            unread.append(Unread(where=where, why=f"a database of another program: {lost}"))
        else:
            unread.extend(table.unread)
        return table

    at_snapshots = folder / _SNAPSHOTS
    at_clients = folder / _CLIENTS
    if not at_clients.exists():
        at_clients = folder.parent / _CLIENTS_FOLDER / _CLIENTS
    snapshots = other(at_snapshots, tables.snapshots, "only the names of devices are known")
    clients = other(at_clients, tables.clients, "containers, images and labels are not known")
    where = beside(at_snapshots, source), beside(at_clients, source)
    return Folder(pools, snapshots, clients, where, tuple(unread), is_only)


def _database(path: Path) -> bbolt.Database:
    """Load a database as one commit left it, though others come meanwhile.

    bbolt writes to pages only that the last commit does not use, and then to a meta page.
    """
    for _ in range(_TRIES):
        data = files.read(path)
        if files.beginning(path, _METAS)[:_METAS] == data[:_METAS]:
            return bbolt.Database(data, str(path), hint=_AGAIN)
    message = "containerd wrote to it while it was read, each time"
    raise NamesError(message, source=str(path), hint=_AGAIN)
