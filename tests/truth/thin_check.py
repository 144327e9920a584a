"""What thin_check of thin-provisioning-tools 0.9 found: nothing, where thinscope finds nothing.

It does not look at the counts of data blocks, so leaked and missing ones are left out here. Its
METADATA_FREE_BLOCKS tells nothing of what is free. docs/concepts.md says more of both.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.truth.record import Row
from thinscope.errors import ThinscopeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.truth.case import Case

_FIGURE = re.compile(r"(TRANSACTION_ID|METADATA_FREE_BLOCKS)=(\d+)")
_PROGRESS = re.compile(
    r"examining (superblock|devices tree|mapping tree)|checking space map counts"
)


def rows(case: Case) -> Iterator[Row]:
    """Its verdict and its figures beside ours."""
    lines = case.text("thin_check").splitlines()
    figures = {match[1]: match[2] for match in map(_FIGURE.fullmatch, lines) if match}
    complaints = [
        line.strip()
        for line in lines
        if line.strip() and not _FIGURE.fullmatch(line) and not _PROGRESS.fullmatch(line)
    ]
    ours = findings(case)
    yield Row(
        "thin_check", f"healthy ({', '.join([*ours, *complaints])})", not ours, not complaints
    )
    if "TRANSACTION_ID" in figures:
        transaction = case.pool().superblock.transaction_id
        yield Row("thin_check", "transaction", transaction, int(figures["TRANSACTION_ID"]))
    if "METADATA_FREE_BLOCKS" in figures:
        others = case.pool().metadata_space.total - 1
        free = int(figures["METADATA_FREE_BLOCKS"])
        yield Row("thin_check", "metadata blocks beside the superblock", others, free)


def findings(case: Case) -> list[str]:
    """What thinscope finds wrong with blocks, and with the figures that devices have on record."""
    try:
        pool = case.pool()
        counted = pool.recount().mapped_blocks
        _ = case.sharing, pool.fragmentation()
    except ThinscopeError as error:
        return [error.message]
    return [
        f"device {device.id} records {device.mapped_blocks}, has {counted[device.id]}"
        for device in pool.devices.values()
        if device.mapped_blocks != counted[device.id]
    ]
