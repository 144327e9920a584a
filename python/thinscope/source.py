"""What can be read from, and what messages call it."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import BinaryIO, TypeAlias

__all__ = ["Identity", "Source", "named"]

Source: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO
"""A path, the bytes themselves, or a binary file object that can seek."""


def named(source: Source) -> tuple[str | os.PathLike[str] | bytes | BinaryIO, str]:
    """Return a source as the core takes it, and what messages call it.

    Raises:
        TypeError: It is none.
    """
    if isinstance(source, (str, os.PathLike)):
        # Messages are Unicode; bytes of a name that are none are shown as escapes.
        return source, os.fsencode(source).decode(errors="backslashreplace")
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source), "<bytes>"
    if callable(getattr(source, "read", None)) and callable(getattr(source, "seek", None)):
        called = getattr(source, "name", None)
        return source, called if isinstance(called, str) else "<file object>"
    kind = type(source).__name__
    raise TypeError(f"a source is a path, bytes or a binary file object, not {kind}")


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells whether two names stand for the same file or device.

    Attributes:
        is_device: Whether it is a block device.
        numbers: The device's number, or the file's inode with that of its file system.
    """

    is_device: bool
    numbers: tuple[int, ...]

    @classmethod
    def of(cls, file: object) -> Identity | None:
        """Return the identity of a path or an open file; None where there is none."""
        try:
            if isinstance(file, (str, os.PathLike)):
                found = os.stat(file)  # noqa: PTH116 - pathlib costs at every start
            elif callable(fileno := getattr(file, "fileno", None)):
                found = os.fstat(fileno())
            else:
                return None
        except OSError:
            return None
        if stat.S_ISBLK(found.st_mode):
            return cls(is_device=True, numbers=(found.st_rdev,))
        return cls(is_device=False, numbers=(found.st_dev, found.st_ino))
