"""Reports in sections, one below the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from rich.text import Text

from thinscope.report.remark import Remark
from thinscope.report.render import words
from thinscope.report.render.head import head_facts
from thinscope.report.render.sections import Commands, Item, Labelled, Sentence, Table, sections
from thinscope.report.render.text.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from thinscope.report.render import Page
    from thinscope.report.render.sections import Section, SectionedReport

__all__ = ["below", "render"]


def render(report: SectionedReport, page: Page) -> Iterator[str]:
    """Yield the head, and each section with an empty line before a table."""
    screen = Screen(page)
    yield screen.header(report, map(Text, head_facts(report)))
    if view := words.snapshot_view(report):
        yield screen.sentence(view)
    yield from below(sections(report), page)


def below(found: Iterable[Section], page: Page) -> Iterator[str]:
    """Yield sections that stand below something."""
    screen = Screen(page)
    before: Section | None = None
    for section in found:
        if not _goes_on(before, section):
            yield "\n"
        match section:
            case Sentence():
                yield screen.sentence(section.text, "dim" if section.is_aside else "")
            case Table():
                yield from screen.table(section.rows, section.columns, section.words)
            case Commands():
                yield from (f"{line}\n" for line in section.lines)
            case Item():
                yield from screen.item(section)
            case Remark():
                yield screen.remark("finding", section)
            case Labelled():
                yield screen.remark(section.label, section.remark)
            case _:
                assert_never(section)
        before = section


def _goes_on(before: Section | None, section: Section) -> bool:
    """Whether a section follows without an empty line: it says more of the one before it."""
    match before, section:
        case Sentence(), Sentence():
            return section.is_aside or not before.is_aside
        case Item(), Item():
            return before.label == section.label and not (before.commands or before.meaning)
        case _:
            return False
