"""Stdout: how wide it is, whether it shows colour, and what happens when it fails."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING

from thinscope.cli.failure import Failure, OutputClosed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from thinscope.report.render import Page

__all__ = ["Output"]

_HELD = 1 << 16
"""Characters that are gathered before anything is written. A report that ends earlier, or a
stream that fails earlier, has shown nothing."""


class Output:
    """Where a report is written.

    Attributes:
        has_begun: Whether anything was written: then the report cannot be asked for again.
    """

    def __init__(self, rows: int | None = None) -> None:
        """Take the stdout of this moment; tables that can be cut get so many rows, or all."""
        self._rows = rows
        self.has_begun = False
        self._held: list[str] = []
        self._held_size = 0
        if sys.stdout is None:
            raise Failure("stdout is closed")
        self._stream = sys.stdout
        if isinstance(self._stream, TextIOWrapper):
            # A name that the terminal's encoding has no letters for is escaped, not an error.
            self._stream.reconfigure(errors="backslashreplace")

    @property
    def is_terminal(self) -> bool:
        """Whether a person looks at it."""
        return self._stream.isatty()

    @property
    def page(self) -> Page:
        """What text is laid out for: the terminal, or 80 columns without colour."""
        from thinscope.report.render import Page  # noqa: PLC0415 - not of use for plain lines

        if not self.is_terminal:
            return Page(rows=self._rows)
        import shutil  # noqa: PLC0415 - for terminals alone

        width = shutil.get_terminal_size().columns
        is_plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
        return Page(width=width, colour=not is_plain, rows=self._rows)

    def write(self, texts: Iterable[str], before: Callable[[], None]) -> None:
        """Write a report.

        Args:
            texts: The report, which may still have to be read from the pool.
            before: Called when the first of it is about to be written.

        Raises:
            OutputClosed: Nobody reads any more.
            Failure: It cannot be written, as on a full disk.
        """
        self._held.clear()
        self._held_size = 0
        for text in texts:
            self._held.append(text)
            self._held_size += len(text)
            if self._held_size >= _HELD:
                before()
                self._flush()
        before()
        self._flush()

    def _flush(self) -> None:
        text = "".join(self._held)
        self._held.clear()
        self._held_size = 0
        self.has_begun = self.has_begun or bool(text)
        try:
            self._stream.write(text)
            self._stream.flush()
        except BrokenPipeError as error:
            raise OutputClosed from error
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise Failure(f"cannot write the report: {reason}") from error
