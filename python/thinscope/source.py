"""What can be read from, and what messages call it."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

from thinscope._core import Extents

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Identity", "Source", "named"]

Source: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | Extents
"""A path, the bytes themselves, a binary file object that can seek, or extents of such."""


def named(source: Source) -> tuple[str | os.PathLike[str] | bytes | BinaryIO | Extents, str]:
    """Return a source as the core takes it, and what messages call it.

    Raises:
        TypeError: It is none.
    """
    if isinstance(source, (str, os.PathLike)):
        # Messages are Unicode; bytes of a name that are none are shown as escapes.
        return source, os.fsencode(source).decode(errors="backslashreplace")
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source), "<bytes>"
    if isinstance(source, Extents):
        return source, source.name
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
        parts: Of what lies on several files and devices, those.
    """

    is_device: bool
    numbers: tuple[int, ...]
    parts: frozenset[Identity] = frozenset()

    @classmethod
    def of(cls, file: Any) -> Identity | None:  # noqa: ANN401 - anything
        """Return the identity of a path or an open file; None where there is none."""
        if isinstance(file, Extents):
            return file.identity
        try:
            is_path = isinstance(file, (str, os.PathLike))
            found = os.stat(file if is_path else file.fileno())  # noqa: PTH116
        except Exception:  # noqa: BLE001 - file objects without a file raise what they like
            return None
        if stat.S_ISBLK(found.st_mode):
            return cls(is_device=True, numbers=(found.st_rdev,))
        return cls(is_device=False, numbers=(found.st_dev, found.st_ino))

    @classmethod
    def of_all(cls, parts: Iterable[Identity | None]) -> Identity:
        """Return the identity of what lies on several files and devices."""
        known = frozenset(part for part in parts if part)
        return cls(is_device=any(part.is_device for part in known), numbers=(), parts=known)

    def and_what_is_below(self) -> frozenset[Identity]:
        """Return it, and that of the file that a loop device stands for."""
        if self.parts:
            return frozenset().union(*(part.and_what_is_below() for part in self.parts))
        if not self.is_device or not self.numbers:
            return frozenset({self})
        [number] = self.numbers
        folder = f"/sys/dev/block/{os.major(number)}:{os.minor(number)}"
        try:
            with open(f"{folder}/loop/backing_file", "rb") as file:  # noqa: PTH123 - as above
                below = Identity.of(os.fsdecode(file.read().removesuffix(b"\n")))
        except OSError:
            return frozenset({self})
        return frozenset({self, below} if below else {self})
