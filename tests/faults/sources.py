"""File objects to which something happens while they are read."""

from __future__ import annotations

import errno
import io
import itertools
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator

__all__ = ["BLOCK", "Counted", "commits", "each_read", "fails", "unreadable"]

BLOCK = 4096


class Counted(io.BytesIO):
    """Counts its reads, and calls a function at one of them, from 1; at all of them where that is 0."""

    def __init__(self, data: bytes, at: int, fault: Callable[[Counted, int], None]) -> None:
        super().__init__(data)
        self._at, self._fault = at, fault
        self._lock = threading.Lock()
        self.reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        with self._lock:
            self.reads += 1
            is_it = self._at in (0, self.reads)
        if is_it:
            self._fault(self, size or 0)
        return super().read(size)


def fails(*_: object) -> None:
    raise OSError(errno.EIO, "Input/output error")


def commits(state: bytes) -> Callable[[Counted, int], None]:
    """Every block is of another state from now on."""

    def fault(source: Counted, _: int) -> None:
        position = source.tell()
        source.seek(0)
        source.write(state)
        source.truncate()
        source.seek(position)

    return fault


def unreadable(data: bytes, blocks: Container[int]) -> Counted:
    """A file of which some blocks cannot be read."""

    def fault(source: Counted, size: int) -> None:
        at = source.tell()
        touched = range(at // BLOCK, -(-(at + size) // BLOCK))
        if any(block in blocks for block in touched):
            fails()

    return Counted(data, 0, fault)


def each_read(data: bytes, fault: Callable[[Counted, int], None]) -> Iterator[Counted]:
    """Yield a file for each read that a question makes, until one has asked for less."""
    for at in itertools.count(1):
        source = Counted(data, at, fault)
        yield source
        if source.reads < at:
            return
