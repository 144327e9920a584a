"""A progress bar on stderr: only on a terminal, and only for what takes longer than a moment."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

    from rich.progress import Progress, TaskID

__all__ = ["DELAY", "ProgressBar"]

DELAY = 0.5
"""Seconds before a bar is shown."""


class ProgressBar:
    """Shows how far a question has come, and vanishes when it is answered.

    It is called with the phase, steps done, and steps in all (0: not known).
    """

    def __init__(self, *, is_wanted: bool = True) -> None:
        """Start the clock; nothing is shown where it is not wanted."""
        self._begin = time.monotonic()
        self._is_wanted = is_wanted and sys.stderr is not None and sys.stderr.isatty()
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __call__(self, phase: str, done: int, total: int) -> None:
        """Move on, if a bar is wanted by now."""
        if not self._is_wanted or time.monotonic() - self._begin < DELAY:
            return
        if self._bar is None or self._task is None:
            self._bar = _bar()
            self._bar.start()
            self._task = self._bar.add_task(phase, total=None)
        self._bar.update(
            self._task, description=phase, completed=done, total=total or None, refresh=True
        )

    def close(self) -> None:
        """Take the bar away, for good: rows may follow on the same terminal."""
        self._is_wanted = False
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def __enter__(self) -> Self:
        """Return the bar itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Take the bar away."""
        self.close()


def _bar() -> Progress:
    # Imported here: most questions are answered before a bar is shown.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn  # noqa: PLC0415

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        console=Console(stderr=True),
        auto_refresh=False,  # refreshed when called, so no thread of its own
        transient=True,
    )
