"""Reports in sections: the sentences and tables that text and Markdown have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, assert_never

from thinscope.report.capture import Capture
from thinscope.report.orphans import Orphans
from thinscope.report.plan import Plan
from thinscope.report.reclaim import Reclaim
from thinscope.report.sharing import Sharing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from thinscope.report.remark import Remark

__all__ = ["Commands", "Section", "SectionedReport", "Sentence", "Table", "sections"]

SectionedReport: TypeAlias = Sharing | Reclaim | Plan | Orphans | Capture


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of its own.

    Attributes:
        text: The sentence.
        is_aside: Whether it only explains.
    """

    text: str
    is_aside: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table.

    Attributes:
        columns: The heads.
        rows: The cells.
        words: Which columns hold words; the others hold numbers.
    """

    columns: Sequence[str]
    rows: Iterable[Sequence[str]]
    words: tuple[int, ...] = (0,)


@dataclass(frozen=True, slots=True)
class Commands:
    """Lines for a shell, to be copied.

    Attributes:
        lines: The lines.
    """

    lines: tuple[str, ...]


Section: TypeAlias = "Sentence | Table | Commands | Remark"


def sections(report: SectionedReport) -> Iterator[Section]:
    """Yield what a report has to say below its head."""
    # Imported here: each report takes its own.
    from thinscope.report.render.sections import (  # noqa: PLC0415
        capture,
        orphans,
        plan,
        reclaim,
        sharing,
    )

    match report:
        case Sharing():
            return sharing.sections(report)
        case Reclaim():
            return reclaim.sections(report)
        case Plan():
            return plan.sections(report)
        case Orphans():
            return orphans.sections(report)
        case Capture():
            return capture.sections(report)
        case _:
            assert_never(report)
