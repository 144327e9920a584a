"""LVM's settings: when a pool is to be extended by itself, from ``lvm.conf`` and a profile."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from thinscope.errors import NamesError
from thinscope.formats import lvm_text
from thinscope.names import files
from thinscope.names.ledger import shown, whole

if TYPE_CHECKING:
    from thinscope.formats.lvm_text import Section
    from thinscope.names.model import Upkeep

__all__ = ["NEVER", "PERCENT", "Settings", "own_folder", "read"]

NEVER = 100
"""The threshold that stands for never; what LVM takes where nothing is set."""

PERCENT = 20
"""How much is added, in per cent, where nothing is set."""

_MOST = 1 << 20
"""Per cent that can be meant."""

_THRESHOLD = "thin_pool_autoextend_threshold"
_PERCENT = "thin_pool_autoextend_percent"


@dataclass(frozen=True, slots=True)
class Settings:
    """When a pool is to be extended by itself.

    Attributes:
        threshold: The percentage in use from which on it is extended, or None where no file was
            read that says so.
        percent: The percentage of its size that is added, likewise.
        where: The file that says so, or what else does.
    """

    threshold: int | None
    percent: int | None
    where: str

    def put_into(self, upkeep: Upkeep) -> Upkeep:
        """Return what records tell of a pool, with these settings."""
        if self.threshold is None:
            return upkeep
        return replace(upkeep, threshold=self.threshold, percent=self.percent, settings=self.where)


def own_folder(path: Path) -> Path | None:
    """Return LVM's own folder, ``/etc/lvm`` or a copy, if a backup lies in it or it is given."""
    inside = {"backup", "archive"}
    candidates = [path, path.parent] if path.name in inside else [path, path.parent.parent]
    for folder in candidates:
        is_own = folder == path or path.name in inside or path.parent.name in inside
        if is_own and (files.head(folder / "lvm.conf", 1) or files.is_folder(folder / "profile")):
            return folder
    return None


def read(path: Path, profile: str = "") -> Settings:
    """Read the settings of a pool.

    Args:
        path: ``lvm.conf``, a profile, or a folder: ``/etc/lvm`` with both, or one that holds
            profiles.
        profile: The name of the pool's profile, or an empty string. What it does not say,
            ``lvm.conf`` does; what that does not, LVM has a default for.

    Raises:
        NamesError: A file cannot be read, breaks the grammar, or says what cannot be; or the folder
            has none of them.
    """
    if not files.is_folder(path):
        return _settings([path])
    name = f"{profile}.profile"
    is_name = bool(profile) and Path(name).name == name
    profiles = [path / "profile" / name, path / name] if is_name else []
    found = [next((file for file in profiles if _is_there(file)), None), path / "lvm.conf"]
    there = [file for file in found if file is not None and _is_there(file)]
    if is_name and not any(file.name == name for file in there):
        message = f"no {name} in it, which is the pool's profile"
        raise NamesError(message, source=str(path))
    if not there:
        raise NamesError("neither lvm.conf nor the pool's profile in it", source=str(path))
    return _settings(there)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _settings(paths: list[Path]) -> Settings:
    """Return what files say, each before those that follow."""
    threshold = percent = None
    where = str(paths[-1])
    for path in paths:
        parsed = lvm_text.parse(files.read(path, lvm_text.LIMIT), str(path))
        told = _told(parsed, _THRESHOLD, path)
        if threshold is None and told is not None:
            threshold, where = told, str(path)
        if percent is None:
            percent = _told(parsed, _PERCENT, path)
    return Settings(
        NEVER if threshold is None else threshold, PERCENT if percent is None else percent, where
    )


def _told(parsed: Section, name: str, path: Path) -> int | None:
    """Return a setting: ``activation { name = 70 }``, or ``activation/name = 70``."""
    section = parsed.get("activation")
    value = parsed.get(f"activation/{name}")
    if isinstance(section, dict) and name in section:
        value = section[name]
    if value is None:
        return None
    number = None if isinstance(value, str) else whole(value)
    if number is None or number > _MOST or (name == _THRESHOLD and number > NEVER):
        raise NamesError(f"{shown(value)} is no percentage", source=str(path), where=name)
    return number
