"""The command line: ``thinscope`` and ``python -m thinscope``.

Data goes to stdout, everything else to stderr. What a command has to say is in
`thinscope.report`; here it is asked for, written, and what goes wrong is told.
"""

from __future__ import annotations

from thinscope.cli.run import main

__all__ = ["main"]
