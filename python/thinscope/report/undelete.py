"""Devices that were deleted, and what became of their blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from thinscope.report.objects import NamesRow

if TYPE_CHECKING:
    import thinscope
    from thinscope.survey import Survey
    from thinscope.undeleting import Undeleted

__all__ = ["GradedRow", "GradesRow", "Undelete", "UndeletedRow"]

_MOST_OWNERS = 100


@dataclass(frozen=True, slots=True)
class GradesRow:
    """What became of the mappings of a deleted device; the five grades add up.

    Attributes:
        same_blocks: Mapped by live devices: the same allocation.
        same_bytes: The same in bytes.
        reused_blocks: Mapped by live devices, or by the held metadata snapshot alone, as another
            allocation: overwritten by others.
        reused_bytes: The same in bytes.
        held_blocks: Mapped by the held metadata snapshot alone: the same allocation.
        held_bytes: The same in bytes.
        free_blocks: Free: what they hold is not proven.
        free_bytes: The same in bytes.
        unreached_blocks: Counted as used, and mapped by nobody.
        unreached_bytes: The same in bytes.
        zero_blocks: Of the free ones, those that are all zeros in the data, or None: not looked at.
        reused_by: Who has those that are used again, by name, the first ones.
    """

    same_blocks: int
    same_bytes: int
    reused_blocks: int
    reused_bytes: int
    held_blocks: int
    held_bytes: int
    free_blocks: int
    free_bytes: int
    unreached_blocks: int
    unreached_bytes: int
    zero_blocks: int | None
    reused_by: tuple[str, ...]

    @classmethod
    def of(cls, survey: Survey, live: thinscope.Pool, *, looked_at_data: bool) -> Self:
        """Add a survey up."""
        block_bytes, blocks = live.superblock.data_block_bytes, survey.blocks
        owners = {id_ for run in survey.runs if run.grade == "reused" for id_ in run.owners}
        return cls(
            same_blocks=blocks["same"],
            same_bytes=blocks["same"] * block_bytes,
            reused_blocks=blocks["reused"],
            reused_bytes=blocks["reused"] * block_bytes,
            held_blocks=blocks["held"],
            held_bytes=blocks["held"] * block_bytes,
            free_blocks=blocks["free"],
            free_bytes=blocks["free"] * block_bytes,
            unreached_blocks=blocks["unreached"],
            unreached_bytes=blocks["unreached"] * block_bytes,
            zero_blocks=survey.zero_blocks if looked_at_data else None,
            reused_by=tuple(live.objects.label(id_) for id_ in sorted(owners)[:_MOST_OWNERS]),
        )


@dataclass(frozen=True, slots=True)
class GradedRow:
    """Mappings that follow each other, and what became of them.

    Attributes:
        virtual_begin: First block of the device, in data blocks.
        data_begin: First block of the data device, in data blocks.
        length: Number of blocks.
        time: The pool's time when they were allocated.
        grade: ``same``, ``reused``, ``held``, ``free`` or ``unreached``.
        owners: Ids of the live devices that map them.
        zero_blocks: Of free ones, those that are all zeros in the data, or None.
    """

    virtual_begin: int
    data_begin: int
    length: int
    time: int
    grade: str
    owners: tuple[int, ...]
    zero_blocks: int | None


@dataclass(frozen=True, slots=True)
class UndeletedRow:
    """A device that was deleted.

    Attributes:
        id: The id that it had.
        name: What it was called, as far as records tell.
        creation_time: The pool's time when it was made.
        transaction_id: The pool's transaction id when it was made.
        state_root: The best state that has it: the metadata block to give to ``--root``.
        is_consistent: Whether that state is consistent.
        is_whole: Whether all its mappings are left.
        mapped_blocks: Mappings that are left, in data blocks.
        mapped_bytes: The same in bytes, or None where the size of a data block is not known.
        recorded_blocks: Mappings on record, in data blocks.
        grades: What became of them, or None where it was not asked, or cannot be told.
        why_not_graded: Why that cannot be told, or None.
        runs: Each of them, where the device was asked for by name; else None.
    """

    id: int
    name: str
    creation_time: int
    transaction_id: int
    state_root: int
    is_consistent: bool
    is_whole: bool
    mapped_blocks: int
    mapped_bytes: int | None
    recorded_blocks: int
    grades: GradesRow | None
    why_not_graded: str | None
    runs: tuple[GradedRow, ...] | None

    @classmethod
    def of(cls, each: Undeleted, found: thinscope.Undelete, *, runs: bool) -> Self:
        """Take over what was found."""
        device, survey, grades = each.device, each.survey, None
        block_bytes = found.salvage.data_block_bytes
        if survey is not None and found.live is not None:
            grades = GradesRow.of(survey, found.live, looked_at_data=found.data is not None)
        return cls(
            id=device.id,
            name=each.name,
            creation_time=device.creation_time,
            transaction_id=device.transaction_id,
            state_root=device.state_root,
            is_consistent=device.is_consistent,
            is_whole=device.is_whole,
            mapped_blocks=device.mapped_blocks,
            mapped_bytes=None if block_bytes is None else device.mapped_blocks * block_bytes,
            recorded_blocks=device.recorded_blocks,
            grades=grades,
            why_not_graded=each.why_not,
            runs=None if survey is None or not runs else tuple(_graded(survey)),
        )


def _graded(survey: Survey) -> list[GradedRow]:
    return [
        GradedRow(
            virtual_begin=run.virtual_begin,
            data_begin=run.data_begin,
            length=run.length,
            time=run.time,
            grade=run.grade,
            owners=tuple(run.owners),
            zero_blocks=run.zero_blocks,
        )
        for run in survey.runs
    ]


@dataclass(frozen=True, slots=True)
class Undelete:
    """Devices that were deleted.

    Attributes:
        source: What was opened, as it was named.
        block_bytes: Bytes in a data block, or None where that is not known.
        states: States that were found.
        names: The records that names are from.
        why_not_live: Why the live pool cannot be read, or None.
        unreadable_blocks: Metadata blocks that could not be read: what they held is not known.
        data: The data that was given, as it was named, or None.
        looked_at_data: Whether free blocks were looked at in data, that was given or is the source's.
        are_all: Whether all states were looked at for devices.
        devices: The devices, by ascending id.
    """

    schema: ClassVar[str] = "thinscope.undelete/1"

    source: str
    block_bytes: int | None
    states: int
    names: tuple[NamesRow, ...]
    why_not_live: str | None
    unreadable_blocks: int
    data: str | None
    looked_at_data: bool
    are_all: bool
    devices: tuple[UndeletedRow, ...]

    @property
    def needs_attention(self) -> bool:
        """Whether blocks could not be read, or the live pool cannot tell what became of some."""
        of_devices = (row.why_not_graded for row in self.devices)
        is_untold = any(why is not None for why in (self.why_not_live, *of_devices))
        return is_untold or self.unreadable_blocks > 0

    @classmethod
    def of(
        cls, found: thinscope.Undelete, source: str, data: str | None = None, *, runs: bool
    ) -> Self:
        """Tell what was found.

        Args:
            found: What was found.
            source: What was opened.
            data: The data that was given, as it was named.
            runs: Whether each mapping is told.
        """
        return cls(
            source=source,
            block_bytes=found.salvage.data_block_bytes,
            states=len(found.salvage.states),
            names=tuple(map(NamesRow.of, found.live.names)) if found.live else (),
            why_not_live=found.why_not_live,
            unreadable_blocks=sum(length for _, length in found.salvage.unreadable),
            data=data,
            looked_at_data=found.live is not None and found.data is not None,
            are_all=found.salvage.are_all_looked_at,
            devices=tuple(UndeletedRow.of(each, found, runs=runs) for each in found.devices),
        )
