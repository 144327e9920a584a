"""What can be read from, and what messages call it."""

from __future__ import annotations

import os
from typing import BinaryIO, TypeAlias

__all__ = ["Source", "named"]

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
