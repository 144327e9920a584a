"""A file in memory, for parsers that take a path: no disk has to keep up with the fuzzer."""

from __future__ import annotations

import os
from pathlib import Path


class MemoryFile:
    """A regular file that has a path in this process alone.

    Attributes:
        path: Its path.
    """

    def __init__(self) -> None:
        """Make it, empty; it stays until the process ends."""
        self._file = os.memfd_create("fuzz")
        self.path = Path(f"/proc/self/fd/{self._file}")

    def write(self, data: bytes) -> None:
        """Let it hold these bytes alone."""
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, data, 0)
