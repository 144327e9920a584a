"""What is missing of a pool that is read past its damage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from thinscope import _core

__all__ = ["MOST_GAPS", "Gap", "Gaps", "Loss"]

MOST_GAPS = 100_000
"""Gaps that are named; the others are counted."""

_NO_END = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Gap:
    """Virtual blocks of a device of which it is not known what they are mapped to, or whether.

    Attributes:
        device: Its id.
        begin: First virtual block, in data blocks.
        end: One behind the last virtual block, or None: whatever the device has from there on.
        block: The metadata block that is broken, or None.
        reason: What is wrong with it.
    """

    device: int
    begin: int
    end: int | None
    block: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Loss:
    """A part of one of the two trees that list the devices.

    Without the top-level tree, devices are missing as a whole. Without the details tree they are
    there, but with blocks that were counted, and times that are the latest of their mappings.

    Attributes:
        tree: ``top-level tree`` or ``details tree``.
        first_device: Lowest device id that was to be found there.
        last_device: Highest.
        block: The metadata block that is broken, or None.
        reason: What is wrong with it.
    """

    tree: str
    first_device: int
    last_device: int
    block: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Gaps:
    """What is missing of a pool.

    Attributes:
        gaps: Of devices that are known, by ascending id and virtual block.
        more: Gaps beyond those named.
        losses: Of the trees that list the devices.
        metadata_snapshot_is_damaged: Whether something of the held metadata snapshot is missing:
            what only it keeps is not known, and deleting may free less than is told.
    """

    gaps: tuple[Gap, ...]
    more: int
    losses: tuple[Loss, ...]
    metadata_snapshot_is_damaged: bool

    def __bool__(self) -> bool:
        """Return whether anything is missing."""
        return bool(self.gaps or self.more or self.losses or self.metadata_snapshot_is_damaged)

    @classmethod
    def of(cls, core: _core.Pool) -> Gaps:
        """Read all mappings, and tell what is missing."""
        gaps, more, losses, held_is_damaged = core.gaps(MOST_GAPS)
        return cls(
            gaps=tuple(
                Gap(device, first, end(last), block, reason)
                for device, first, last, block, reason in gaps
            ),
            more=more,
            losses=tuple(
                Loss(tree, first, min(last, (1 << 24) - 1), block, reason)
                for tree, first, last, block, reason in losses
            ),
            metadata_snapshot_is_damaged=held_is_damaged,
        )


def end(last: int) -> int | None:
    """Return one behind the last block, or None where there is no last one."""
    return None if last == _NO_END else last + 1
