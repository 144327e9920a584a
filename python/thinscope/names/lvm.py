"""LVM: the text of a volume group, as backups hold it, or what ``lvs`` prints as JSON.

A folder of backups (``/etc/lvm/backup``, ``/etc/lvm/archive``, or ``/etc/lvm`` with both) can
hold many versions of many volume groups: the one with the highest sequence number is taken.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from thinscope.errors import NamesError
from thinscope.formats import lvm_text
from thinscope.names import files, lvm_groups, lvm_report, lvm_settings
from thinscope.names.ledger import moment, shown
from thinscope.names.lvm_pool import names_of
from thinscope.names.model import Names, Unread

if TYPE_CHECKING:
    from pathlib import Path

    from thinscope.formats.lvm_text import Glance, Section
    from thinscope.names.lvm_pool import Pool

__all__ = ["of_section", "read", "recognises"]

LOOKED_AT = 64
"""Files of a folder that are looked at before it is taken for something else."""

GLANCED_AT = 1 << 14
"""Bytes at the beginning of a text that tell which version of which volume group it is."""


@dataclass(frozen=True, slots=True)
class _Version:
    """A file that holds a version of a volume group's metadata."""

    path: Path
    told: Glance

    @property
    def age(self) -> tuple[int, int]:
        """The higher, the newer: the sequence number, then the time."""
        return self.told.seqno, self.told.written


def recognises(path: Path) -> bool:
    """Whether these are records of LVM: a text, a report, or a folder of texts."""
    if files.is_folder(path):
        try:
            inside = _files(path)
        except NamesError:
            return False
        return any(_is_text(file) for file in inside[:LOOKED_AT])
    head = files.head(path)
    return lvm_text.begins(head) or lvm_report.begins(head)


def read(path: Path) -> tuple[Names, ...]:
    """Read a text, a report, or a folder of texts.

    Returns:
        One `Names` for each thin pool.

    Raises:
        NamesError: They cannot be read, or there is no thin pool in them.
    """
    if files.is_folder(path):
        found = _folder(path)
    elif lvm_report.begins(files.head(path)):
        data = files.read(path)
        found = [names_of(pool, path) for pool in lvm_report.pools(data, path)]
    else:
        found = [*of_section(_parsed(path), path)]
    if not found:
        raise NamesError("no thin pool in it", source=str(path))
    return tuple(_with_settings(names, path) for names in found)


def _with_settings(names: Names, path: Path) -> Names:
    """Take the settings of LVM's own folder, if the records lie in it."""
    folder = lvm_settings.own_folder(path)
    if folder is None:
        return names
    try:
        found = lvm_settings.read(folder, names.upkeep.profile)
    except NamesError as error:
        # No record is missing for it: that must not make orphans less sure.
        return replace(names, upkeep=replace(names.upkeep, settings_unread=str(error)))
    return replace(names, upkeep=found.put_into(names.upkeep))


def of_section(parsed: Section, source: Path) -> tuple[Names, ...]:
    """Return what a text says of each thin pool in it.

    Args:
        parsed: The text, read by `thinscope.formats.lvm_text`.
        source: Where it was read.
    """
    version = _version(parsed)
    return tuple(names_of(pool, source, version) for pool in lvm_groups.pools(parsed))


def _folder(folder: Path) -> list[Names]:
    groups, unread = _versions(folder)
    taken: list[tuple[list[Pool], str, list[Unread]]] = []
    for versions in groups:
        broken: list[Unread] = []
        for version in versions:
            file = str(version.path.relative_to(folder))
            try:
                parsed = _parsed(version.path)
            except NamesError as error:
                where = ": ".join(filter(None, [file, error.where]))
                broken.append(Unread(where=where, why=error.message))
                continue
            said = _version(parsed)
            if len(versions) > 1:
                which = "the highest that can be read" if broken else "the highest"
                said += f", from {file}, {which} of {len(versions)} versions"
            taken.append((lvm_groups.pools(parsed, file), said, broken))
            break
        else:
            unread += broken
    found = [
        names_of(pool, folder, said, [*unread, *broken])
        for pools, said, broken in taken
        for pool in pools
    ]
    if not found and unread:
        raise NamesError(unread[0].why, source=str(folder), where=unread[0].where)
    return found


def _versions(folder: Path) -> tuple[list[list[_Version]], list[Unread]]:
    """Return the versions of each volume group, the newest first, and files that are no text."""
    by_id: dict[str, list[_Version]] = {}
    unread = []
    for path in _files(folder):
        head = files.head(path, GLANCED_AT)
        told = lvm_text.glance(head)
        if told is not None:
            by_id.setdefault(told.id, []).append(_Version(path, told))
        elif lvm_text.begins(head):
            why = "no volume group in it, as far as its beginning tells"
            unread.append(Unread(where=str(path.relative_to(folder)), why=why))
    # A group keeps its id when it is renamed; one that was made anew under an old name begins again.
    by_name: dict[str, list[_Version]] = {}
    for versions in by_id.values():
        versions.sort(key=lambda version: version.age, reverse=True)
        name = versions[0].told.name
        there = by_name.get(name)
        if there is None or there[0].told.written < versions[0].told.written:
            by_name[name] = versions
    return [by_name[name] for name in sorted(by_name)], unread


def _files(folder: Path) -> list[Path]:
    """Return the files of the folder, and of the two of ``/etc/lvm`` if it has them."""
    inside = [folder / name for name in ("backup", "archive")]
    return [
        *(file for part in inside if files.is_folder(part) for file in files.entries(part)),
        *files.entries(folder),
    ]


def _is_text(path: Path) -> bool:
    return lvm_text.begins(files.head(path))


def _parsed(path: Path) -> Section:
    data = files.read(path, lvm_text.LIMIT)
    parsed = lvm_text.parse(data, str(path))
    if not any(isinstance(value, dict) for value in parsed.values()):
        raise NamesError("no volume group in it", source=str(path))
    return parsed


def _version(parsed: Section) -> str:
    """Return which version of a volume group's metadata a text is, in words."""
    group = next(value for value in parsed.values() if isinstance(value, dict))
    words = [f"seqno {shown(group['seqno'])}"] if "seqno" in group else []
    written = moment(parsed.get("creation_time"))
    if written is not None:
        words.append(f"written {written:%Y-%m-%d %H:%M:%S} UTC")
    if "*before*" in str(parsed.get("description")):  # archives: what comes after it is not in it
        words.append("before a command that may have changed it")
    return ", ".join(words)
