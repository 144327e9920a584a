"""Reading a manager's files: regular ones only, and no more of them than can be meant."""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING

from thinscope.errors import NamesError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["HEAD", "LIMIT", "beginning", "entries", "head", "is_folder", "json_of", "read"]

HEAD = 1 << 16
"""Bytes at the beginning of a file that tell what it is."""

LIMIT = 256 << 20
"""Bytes that a record file can have; the largest in the field are databases of some 10 MiB."""

MOST_ENTRIES = 1 << 20
"""Names that a folder of records can have."""


def read(path: Path, limit: int = LIMIT) -> bytes:
    """Return all bytes of a regular file; a FIFO or a device is not waited for.

    Raises:
        NamesError: It cannot be read, is no regular file, or is larger than the limit.
    """
    data = beginning(path, limit + 1)
    if len(data) > limit:
        raise NamesError(f"larger than {limit} bytes, which no such file is", source=str(path))
    return data


def beginning(path: Path, size: int) -> bytes:
    """Return the first bytes of a regular file; a FIFO or a device is not waited for.

    Raises:
        NamesError: It cannot be read, or is no regular file.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(file, "rb") as opened:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise NamesError("not a regular file", source=str(path))
            # A file such as /proc/kmsg has nothing to say without waiting.
            return opened.read(size) or b""
    except OSError as error:
        raise NamesError((error.strerror or str(error)).lower(), source=str(path)) from error


def head(path: Path, size: int = HEAD) -> bytes:
    """Return the first bytes of a regular file; none where there is none that can be read."""
    try:
        return beginning(path, size)
    except (NamesError, ValueError):  # a path may hold a zero byte
        return b""


def is_folder(path: Path) -> bool:
    """Whether there is a folder that can be got at."""
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def entries(folder: Path) -> list[Path]:
    """Return what a folder holds, by name; nothing where there is no such folder.

    Raises:
        NamesError: It cannot be read, or holds more than any manager writes.
    """
    found: list[Path] = []
    try:
        with os.scandir(folder) as scanned:
            for entry in scanned:
                found.append(folder / entry.name)
                if len(found) > MOST_ENTRIES:
                    message = f"more than {MOST_ENTRIES} entries, which no such folder has"
                    raise NamesError(message, source=str(folder))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise NamesError((error.strerror or str(error)).lower(), source=str(folder)) from error
    return sorted(found)


def json_of(data: bytes, path: Path) -> object:
    """Return what JSON says.

    Raises:
        NamesError: It is no JSON, no UTF-8, or nested too deep.
    """
    try:
        parsed: object = json.loads(data)
    except RecursionError as error:
        raise NamesError("nested too deep", source=str(path)) from error
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise NamesError(f"not JSON: {reason[:1].lower()}{reason[1:]}", source=str(path)) from error
    return parsed
