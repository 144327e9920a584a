"""``python -m thinscope`` is the command ``thinscope``."""

from __future__ import annotations

from thinscope.cli import process

if __name__ == "__main__":
    process()
