"""Stderr, and streams that fail."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TextIO

from thinscope.report.printable import printable

__all__ = ["drop", "flush", "tell", "tell_may_be_stale"]


def tell(message: str, hint: str | None = None) -> None:
    """Tell a person something on stderr, with a hint on a line of its own."""
    text = f"thinscope: {printable(message)}\n"
    if hint:
        text += f"hint: {printable(hint)}\n"
    if sys.stderr is not None:
        with suppress(OSError):
            sys.stderr.write(text)
        flush(sys.stderr)


def tell_may_be_stale() -> None:
    """Tell that what was read may be old."""
    tell(
        "note: the device could not be read around the page cache, "
        "so this may be older than what the kernel wrote"
    )


def flush(stream: TextIO | None) -> None:
    """Write what a stream still holds, or let it go."""
    if stream is None:
        return
    try:
        stream.flush()
    except OSError:
        drop(stream)


def drop(stream: TextIO | None) -> None:
    """Let what a stream still holds go nowhere, so that the interpreter's end is quiet."""
    if stream is None:
        return
    with suppress(OSError):  # a stream that is no file, as in a test
        descriptor = stream.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, descriptor)
        os.close(nowhere)
