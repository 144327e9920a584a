"""What the commands tell: one file per command, data without any layout.

A report is a frozen dataclass that builds itself from an open pool. Its fields are the JSON of
the command, under the same names (``docs/json.md``), so all that is counted or judged happens
here; `thinscope.report.render` only lays out.
"""

from __future__ import annotations
