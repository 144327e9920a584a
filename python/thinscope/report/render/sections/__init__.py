"""Reports in sections: the sentences and tables that text and Markdown have in common."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, TypeAlias, cast

from thinscope.report.render import word

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from thinscope.report.capture import Capture
    from thinscope.report.check import Check
    from thinscope.report.doctor import Doctor
    from thinscope.report.export import Export
    from thinscope.report.orphans import Orphans
    from thinscope.report.plan import Plan
    from thinscope.report.pools import Pools
    from thinscope.report.reclaim import Reclaim
    from thinscope.report.remark import Remark
    from thinscope.report.salvage import Salvage
    from thinscope.report.sharing import Sharing
    from thinscope.report.undelete import Undelete

__all__ = [
    "Commands",
    "Item",
    "Labelled",
    "Section",
    "SectionedReport",
    "Sentence",
    "Table",
    "sections",
]

SectionedReport: TypeAlias = (
    "Sharing | Reclaim | Plan | Orphans | Capture | Export | Check | Doctor | Pools | Salvage "
    "| Undelete"
)


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


@dataclass(frozen=True, slots=True)
class Item:
    """One of several things to say.

    Attributes:
        label: What it is.
        text: What is so.
        meaning: What it means, or None.
        commands: Lines for a shell, to be copied.
    """

    label: str
    text: str
    meaning: str | None = None
    commands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Labelled:
    """A remark that is called something else than a finding.

    Attributes:
        label: What it is called.
        remark: The remark.
    """

    label: str
    remark: Remark


Section: TypeAlias = "Sentence | Table | Commands | Item | Remark | Labelled"


class _Sections(Protocol):
    def sections(self, report: SectionedReport) -> Iterator[Section]: ...


def sections(report: SectionedReport) -> Iterator[Section]:
    """Yield what a report has to say below its head, by the module here that has its name."""
    return cast("_Sections", import_module(f"{__name__}.{word(report)}")).sections(report)
