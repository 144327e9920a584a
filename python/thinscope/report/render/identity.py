"""The terms of an accounting besides what devices reach, line by line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thinscope.report.units import count, size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thinscope.report.accounting import Accounting

__all__ = ["identity_rows", "row"]


def identity_rows(accounting: Accounting) -> Iterator[tuple[str, str, str]]:
    """Yield the terms besides what devices reach, and what they all add up to."""
    if blocks := accounting.only_metadata_snapshot_blocks:
        yield row("metadata snapshot only", blocks, accounting.only_metadata_snapshot_bytes)
    if leaked := accounting.leaked_blocks:
        what = "leaked or in flight" if accounting.is_whole else "not reached, or lost"
        yield row(what, leaked, accounting.leaked_bytes or 0)
    if missing := accounting.missing_count_blocks:
        size_bytes = accounting.missing_count_bytes or 0
        yield "counted as free", f"-{count(missing)}", f"-{size(size_bytes)}"
    if accounting.used_blocks is not None:
        yield row("in use", accounting.used_blocks, accounting.used_bytes or 0)


def row(what: str, blocks: int, size_bytes: int) -> tuple[str, str, str]:
    """Return the cells of one term."""
    return what, count(blocks), size(size_bytes)
