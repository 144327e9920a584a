"""Names: what the managers of pools call the devices, read from their own records.

A pool knows its devices by ids alone. Each manager keeps its own table from id to name; here
each has a module with two functions: ``recognises(path)``, which looks at no more than it has
to, and ``read(path)``, which returns one `Names` for each pool that the records are about.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from thinscope.errors import NamesError
from thinscope.names import files
from thinscope.names.model import Names, Object, Record, State, Unread, Upkeep

if TYPE_CHECKING:
    import os

__all__ = ["Names", "Object", "Record", "State", "Unread", "Upkeep", "read", "recognised"]

_MANAGERS = (
    "docker",
    "containers_storage",
    "containerd",
    "lvm",
    "stratis",
    "dmsetup",
    "table",
)
"""The modules, in the order in which they are asked."""


class _Manager(Protocol):
    def recognises(self, path: Path) -> bool: ...
    def read(self, path: Path) -> tuple[Names, ...]: ...


def recognised(path: str | os.PathLike[str]) -> str | None:
    """Return the module of the manager whose records these are, or None."""
    for name in _MANAGERS:
        if _manager(name).recognises(Path(path)):
            return name
    return None


def read(path: str | os.PathLike[str]) -> tuple[Names, ...]:
    """Read the records of whatever manager they are of.

    Args:
        path: A manager's folder, or a file of its records.

    Returns:
        One `Names` for each pool that the records are about.

    Raises:
        NamesError: No manager's records, or they cannot be read.
    """
    name = recognised(path)
    if name is None:
        # What cannot be read at all says so.
        if files.is_folder(Path(path)):
            files.entries(Path(path))
        else:
            files.beginning(Path(path), 1)
        hint = "docs/names.md lists what is known"
        raise NamesError("no records of any manager that is known", source=str(path), hint=hint)
    return _manager(name).read(Path(path))


def _manager(name: str) -> _Manager:
    return cast("_Manager", import_module(f"{__name__}.{name}"))
