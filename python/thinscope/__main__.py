"""``python -m thinscope`` is the command ``thinscope``."""

from __future__ import annotations

import sys

from thinscope.cli import main

if __name__ == "__main__":
    sys.exit(main())
