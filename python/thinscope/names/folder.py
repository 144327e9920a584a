"""A manager's folder of records: what is read of it, and what cannot be."""

from __future__ import annotations

import os
import stat
from os.path import lexists
from typing import TYPE_CHECKING

from thinscope.errors import NamesError
from thinscope.names import files
from thinscope.names.model import Unread

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Folder", "is_file", "is_folder"]

_MOST = 16 << 20
"""Bytes that the record of one thing can have; those in the field have some 100 KiB at most."""

_BROKEN = object()
"""What is said of a record that is no JSON, beside what is told."""


class Folder:
    """A folder that is read as far as it can be.

    Attributes:
        root: The folder.
        gaps: How many records could not be read that may have said what a device is for.
    """

    def __init__(self, root: Path) -> None:
        """Read below a folder, of which nothing is read yet."""
        self.root = root
        self.gaps = 0
        self._unread: dict[Unread, None] = {}
        self._told: set[str] = set()

    @property
    def unread(self) -> tuple[Unread, ...]:
        """What could not be read so far, in the order in which it was met."""
        return tuple(self._unread)

    def has_told(self, where: str) -> bool:
        """Return whether something is wrong with a record."""
        return where in self._told

    def tell(self, where: str, why: str, *, is_gap: bool = True) -> None:
        """Keep in mind what is wrong with a record, and whether it may have said more."""
        self.gaps += is_gap
        self._unread[Unread(where=where, why=why)] = None
        self._told.add(where)

    def entries(self, where: str, *, optional: bool = False) -> list[str]:
        """Return the names in a folder, in order; none of one that cannot be read, which is told.

        An optional folder need not be there.
        """
        path = self.root / where
        try:
            found = [entry.name for entry in files.entries(path)]
        except NamesError as error:
            self.tell(where, error.message)
            return []
        if not found and not optional and not lexists(path):
            self.tell(where, "no such file or directory")
        return found

    def data(self, where: str, limit: int = _MOST, *, optional: bool = False) -> bytes | None:
        """Return a file's bytes, or None, which is told unless an optional file is not there."""
        try:
            return files.read(self.root / where, limit)
        except NamesError as error:
            if not (optional and isinstance(error.__cause__, FileNotFoundError)):
                self.tell(where, error.message)
            return None

    def text(self, where: str, *, optional: bool = False) -> str | None:
        """Return a file's text without the space around it, or None like `data`."""
        data = self.data(where, optional=optional)
        return None if data is None else data.decode(errors="surrogateescape").strip()

    def mapping(
        self, where: str, limit: int = _MOST, *, optional: bool = False
    ) -> dict[str, object] | None:
        """Return a file's JSON object, or None like `data`."""
        data = self.data(where, limit, optional=optional)
        return None if data is None else self.mapping_of(where, data)

    def mapping_of(self, where: str, data: bytes) -> dict[str, object] | None:
        """Return the JSON object that a record is, or None, which is told."""
        found = self._json(where, data)
        if isinstance(found, dict):
            return found
        if found is not _BROKEN:
            self.tell(where, "not a JSON object")
        return None

    def rows(self, where: str) -> list[object]:
        """Return a file's JSON array, empty where it is not there, or cannot be read."""
        data = self.data(where, files.LIMIT, optional=True)
        found = [] if data is None else self._json(where, data)
        if isinstance(found, list):
            return found
        if found is not _BROKEN:
            self.tell(where, "not a JSON array")
        return []

    def _json(self, where: str, data: bytes) -> object:
        try:
            return files.json_of(data, self.root / where)
        except NamesError as error:
            self.tell(where, error.message)
            return _BROKEN


def is_folder(path: Path, asked: Path) -> bool:
    """Return whether there is such a folder.

    Raises:
        NamesError: That cannot be known, of the path that was asked for.
    """
    return stat.S_ISDIR(_mode(path, asked))


def is_file(path: Path, asked: Path) -> bool:
    """Return whether there is such a regular file.

    Raises:
        NamesError: That cannot be known, of the path that was asked for.
    """
    return stat.S_ISREG(_mode(path, asked))


def _mode(path: Path, asked: Path) -> int:
    try:
        return os.stat(path).st_mode  # noqa: PTH116 - Path.stat raises the same
    except PermissionError as error:
        raise NamesError("permission denied", source=str(asked)) from error
    except (OSError, ValueError):
        return 0
