"""What a block, and the values of a node, can be decoded as.

Written out here, so that a command knows its choices without loading construct.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from thinscope.layout import Kind, ValueKind

__all__ = ["KINDS", "VALUE_KINDS"]

KINDS: tuple[Kind, ...] = ("superblock", "node", "bitmap", "index")
"""All of `thinscope.layout.Kind`."""

VALUE_KINDS: tuple[ValueKind, ...] = (
    *("children", "roots", "mappings", "details", "index-entries", "counts", "bytes"),
)
"""All of `thinscope.layout.ValueKind`."""
