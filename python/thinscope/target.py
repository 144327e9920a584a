"""Where something is written to: a path or a binary file object, but never the source."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from thinscope.errors import ThinscopeError
from thinscope.source import Identity

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Target"]

_STDOUT = 1
_MODE = 0o666
"""Of a new file, less what the process masks."""


class Target:
    """Gives the core something to write to, and a path its new file when all is written.

    A context manager: it yields a path to a file that exists, a file object, or None for stdout.
    When the block is left with an error, a path has what it had before.
    """

    def __init__(
        self, target: str | os.PathLike[str] | BinaryIO, *, not_to_be: Identity | None
    ) -> None:
        """Take what the caller named.

        Args:
            target: A path or a binary file object.
            not_to_be: The source.
        """
        self._target = target
        self._source = not_to_be
        self._opened: BinaryIO | None = None
        self._new: Path | None = None
        self._final = Path()

    def __enter__(self) -> str | BinaryIO | None:
        """Open it, or make a new file beside it.

        Raises:
            OSError: It cannot be opened, or is the source.
        """
        if self._source is not None and Identity.of(self._target) == self._source:
            name = self._target if isinstance(self._target, (str, os.PathLike)) else None
            message = "it is the source, which is never written to"
            raise OSError(None, message, None if name is None else os.fspath(name))
        if not isinstance(self._target, (str, os.PathLike)):
            return self._open_object(self._target)
        path = Path(self._target)
        if path.exists() and not path.is_file():
            self._opened = path.open("wb", buffering=0)
            return self._opened
        self._final = path.resolve()
        new = self._final.with_name(f".thinscope-{os.urandom(8).hex()}")
        try:
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
        except OSError as error:
            self._name(error)
            raise
        self._new = new
        with os.fdopen(descriptor, "wb"):
            if self._final.exists():
                os.fchmod(descriptor, stat.S_IMODE(self._final.stat().st_mode))
        return os.fspath(new)

    def _open_object(self, target: BinaryIO) -> BinaryIO | None:
        """Return the object, or None where it is stdout: that is written to straight."""
        if target is getattr(sys.stdout, "buffer", None):
            with suppress(OSError):  # a stdout that is no file, as in a test
                if target.fileno() == _STDOUT:
                    target.flush()
                    return None
        return target

    def _name(self, error: OSError) -> None:
        """Say what the caller called it, not the new file beside it."""
        if isinstance(self._target, (str, os.PathLike)):
            error.filename = os.fspath(self._target)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Put the new file in its place, or take it away."""
        if isinstance(error, OSError) and not isinstance(error, ThinscopeError):
            self._name(error)
        if self._opened is not None:
            self._opened.close()
        if self._new is None:
            return
        try:
            if error is None:
                self._new.replace(self._final)
        finally:
            self._new.unlink(missing_ok=True)
