"""What is missing of a report, since the pool was read past its damage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from thinscope.report.units import plural

if TYPE_CHECKING:
    from collections.abc import Collection

    from thinscope import Pool

__all__ = ["GapRow", "Gaps", "LossRow"]


@dataclass(frozen=True, slots=True)
class GapRow:
    """Virtual blocks of a device of which it is not known what they are mapped to, or whether.

    Attributes:
        device: Its id.
        name: What it is called.
        begin: First virtual block, in data blocks.
        begin_bytes: The same in bytes.
        end: One behind the last virtual block, or None: whatever the device has from there on.
        end_bytes: The same in bytes.
        block: The metadata block that is broken, or None.
        reason: What is wrong with it.
    """

    device: int
    name: str
    begin: int
    begin_bytes: int
    end: int | None
    end_bytes: int | None
    block: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class LossRow:
    """A part of one of the two trees that list the devices.

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
        ranges: Of devices that are known, by ascending id and virtual block.
        more_ranges: Ranges beyond those named.
        losses: Of the trees that list the devices.
        metadata_snapshot_is_damaged: Whether something of the held metadata snapshot is missing:
            what only it keeps is not known.
    """

    ranges: tuple[GapRow, ...]
    more_ranges: int
    losses: tuple[LossRow, ...]
    metadata_snapshot_is_damaged: bool

    @property
    def are_any(self) -> bool:
        """Whether anything is missing."""
        return bool(
            self.ranges or self.more_ranges or self.losses or self.metadata_snapshot_is_damaged
        )

    @property
    def summary(self) -> str:
        """How much is missing, in words."""
        devices = len({row.device for row in self.ranges})
        ranges = plural(len(self.ranges) + self.more_ranges, "range")
        told = [f"{ranges} of {plural(devices, 'device')}"] if self.ranges else []
        told += [f"a part of the {row.tree}" for row in self.losses]
        told += ["a part of the held metadata snapshot"] * self.metadata_snapshot_is_damaged
        return ", ".join(dict.fromkeys(told))

    @classmethod
    def of(cls, pool: Pool, only: Collection[int] | None = None) -> Self:
        """Tell what is missing of a pool that was opened as tolerant.

        Args:
            pool: The pool.
            only: Ids of the devices that the answer is about; None for all that there are. Ranges
                beyond those named may be of any device.
        """
        found, block_bytes = pool.gaps, pool.superblock.data_block_bytes
        return cls(
            ranges=tuple(
                GapRow(
                    device=gap.device,
                    name=pool.objects.label_on_record(gap.device),
                    begin=gap.begin,
                    begin_bytes=gap.begin * block_bytes,
                    end=gap.end,
                    end_bytes=None if gap.end is None else gap.end * block_bytes,
                    block=gap.block,
                    reason=gap.reason,
                )
                for gap in found.gaps
                if only is None or gap.device in only
            ),
            more_ranges=found.more,
            losses=tuple(
                LossRow(loss.tree, loss.first_device, loss.last_device, loss.block, loss.reason)
                for loss in found.losses
                if only is None
                or any(loss.first_device <= device <= loss.last_device for device in only)
            ),
            metadata_snapshot_is_damaged=only is None and found.metadata_snapshot_is_damaged,
        )
