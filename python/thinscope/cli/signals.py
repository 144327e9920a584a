"""Signals that end a command: it gives up what it is at, and leaves nothing half done."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

__all__ = ["Ended", "ended_by_signals"]

_ENDING = (signal.SIGTERM, signal.SIGHUP)


class Ended(KeyboardInterrupt):
    """A signal asked to end, other than that of Ctrl-C.

    Attributes:
        exit_code: What a shell says of a process that such a signal ended.
    """

    def __init__(self, number: int) -> None:
        """Make it from the number of the signal."""
        super().__init__()
        self.exit_code = 128 + number


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Raise `Ended` where the process would just end, so that files that are not whole go.

    Signals that are ignored, as below ``nohup``, or have a handler, stay as they are.
    """
    is_ours = threading.current_thread() is threading.main_thread()
    taken = [each for each in _ENDING if is_ours and signal.getsignal(each) is signal.SIG_DFL]
    for number in taken:
        signal.signal(number, _end)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


def _end(number: int, frame: FrameType | None) -> None:
    del frame
    raise Ended(number)
