"""All blocks in use, by who holds them: terms that add up to what the space map counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from thinscope._core import Totals

__all__ = ["Accounting"]


@dataclass(frozen=True, slots=True)
class Accounting:
    """Distinct data blocks by who holds them.

    ``one device + several devices + only in the metadata snapshot + leaked - missing count = used``.

    Attributes:
        is_whole: Whether all mappings could be read. If not, those that are lost may hold blocks
            as well: then what one device reaches and what is leaked is at most this.
        one_device_blocks: Blocks that one device reaches, in data blocks.
        one_device_bytes: The same in bytes.
        several_devices_blocks: Blocks that several devices reach.
        several_devices_bytes: The same in bytes.
        reached_blocks: Both: blocks that devices reach.
        reached_bytes: The same in bytes.
        only_metadata_snapshot_blocks: Blocks that the held metadata snapshot alone reaches.
        only_metadata_snapshot_bytes: The same in bytes.
        leaked_blocks: Blocks that are counted as used and reached by nothing. None, as the next
            three, through a metadata snapshot: there the space map has gone on.
        leaked_bytes: The same in bytes.
        missing_count_blocks: Blocks that are reached, but counted as free.
        missing_count_bytes: The same in bytes.
        used_blocks: Blocks in use as the space map counts them.
        used_bytes: The same in bytes.
    """

    is_whole: bool
    one_device_blocks: int
    one_device_bytes: int
    several_devices_blocks: int
    several_devices_bytes: int
    reached_blocks: int
    reached_bytes: int
    only_metadata_snapshot_blocks: int
    only_metadata_snapshot_bytes: int
    leaked_blocks: int | None
    leaked_bytes: int | None
    missing_count_blocks: int | None
    missing_count_bytes: int | None
    used_blocks: int | None
    used_bytes: int | None

    @classmethod
    def of(cls, totals: Totals, block_bytes: int, *, is_whole: bool = True) -> Self:
        """Take over what was counted."""

        def size(blocks: int | None) -> int | None:
            return None if blocks is None else blocks * block_bytes

        return cls(
            is_whole=is_whole,
            one_device_blocks=totals.one_device_blocks,
            one_device_bytes=totals.one_device_blocks * block_bytes,
            several_devices_blocks=totals.several_devices_blocks,
            several_devices_bytes=totals.several_devices_blocks * block_bytes,
            reached_blocks=totals.reached_blocks,
            reached_bytes=totals.reached_blocks * block_bytes,
            only_metadata_snapshot_blocks=totals.only_metadata_snapshot_blocks,
            only_metadata_snapshot_bytes=totals.only_metadata_snapshot_blocks * block_bytes,
            leaked_blocks=totals.leaked_blocks,
            leaked_bytes=size(totals.leaked_blocks),
            missing_count_blocks=totals.missing_count_blocks,
            missing_count_bytes=size(totals.missing_count_blocks),
            used_blocks=totals.used_blocks,
            used_bytes=size(totals.used_blocks),
        )
