"""A pool looked over, on one page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from thinscope.diagnosis import Severity
from thinscope.report.objects import NamesRow
from thinscope.report.overview import Space
from thinscope.report.printable import shell_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from thinscope.diagnosis import Advice, Diagnosis, Step

__all__ = ["AdviceRow", "Doctor", "NextStep"]


@dataclass(frozen=True, slots=True)
class AdviceRow:
    """One thing that was looked at.

    Attributes:
        code: What it is, in a word that does not change from release to release.
        severity: ``attention``, ``note`` or ``fine``.
        message: What is so, as a sentence without a full stop.
        meaning: What it means, likewise, or None.
        commands: What to type, one after the other, each as a line for a shell.
        numbers: The figures that the message rounds or spells out.
    """

    code: str
    severity: str
    message: str
    meaning: str | None
    commands: tuple[str, ...]
    numbers: Mapping[str, int]

    @classmethod
    def of(cls, advice: Advice) -> Self:
        """Take over what was said."""
        return cls(
            code=advice.code,
            severity=str(advice.severity),
            message=advice.message,
            meaning=advice.meaning,
            commands=tuple(map(shell_line, advice.commands)),
            numbers=advice.numbers,
        )


@dataclass(frozen=True, slots=True)
class NextStep:
    """What to do next.

    Attributes:
        command: What to type, as a line for a shell.
        why: What it is for.
    """

    command: str
    why: str

    @classmethod
    def of(cls, step: Step) -> Self:
        """Take over what was said."""
        return cls(shell_line(step.command), step.why)


@dataclass(frozen=True, slots=True)
class Doctor:
    """What there is to say of a pool, the most urgent first.

    Attributes:
        source: What was opened, as it was named.
        is_open: Whether it could be opened as a pool.
        is_metadata_snapshot: Whether the pool was read as the metadata snapshot keeps it.
        block_bytes: Bytes in a data block; None, as all up to `metadata`, where there is no pool.
        transaction_id: The transaction id of what was read.
        time: The time of what was read.
        data: Usage of the data device.
        metadata: Usage of the metadata device.
        names: The records that names were taken from.
        advice: Everything that was looked at.
        next_step: The one thing to do next, or None where nothing is to be done.
        avoid: What not to do.
    """

    schema: ClassVar[str] = "thinscope.doctor/1"

    source: str
    is_open: bool
    is_metadata_snapshot: bool
    block_bytes: int | None
    transaction_id: int | None
    time: int | None
    data: Space | None
    metadata: Space | None
    names: tuple[NamesRow, ...]
    advice: tuple[AdviceRow, ...]
    next_step: NextStep | None
    avoid: tuple[str, ...]

    @property
    def needs_attention(self) -> bool:
        """Whether anything should be seen to."""
        return any(row.severity == Severity.ATTENTION for row in self.advice)

    def of_severity(self, severity: str) -> tuple[AdviceRow, ...]:
        """Return the advice that matters so much."""
        return tuple(row for row in self.advice if row.severity == severity)

    @classmethod
    def of(cls, diagnosis: Diagnosis, source: str) -> Self:
        """Put on a page what was said."""
        pool, step = diagnosis.pool, diagnosis.next_step
        superblock = pool.superblock if pool else None
        return cls(
            source=source,
            is_open=pool is not None,
            is_metadata_snapshot=pool is not None and pool.is_metadata_snapshot,
            block_bytes=superblock.data_block_bytes if superblock else None,
            transaction_id=superblock.transaction_id if superblock else None,
            time=superblock.time if superblock else None,
            data=Space.of(pool.data_space) if pool else None,
            metadata=Space.of(pool.metadata_space) if pool else None,
            names=tuple(map(NamesRow.of, diagnosis.names)),
            advice=tuple(map(AdviceRow.of, diagnosis.advice)),
            next_step=NextStep.of(step) if step else None,
            avoid=diagnosis.avoid,
        )
