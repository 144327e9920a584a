"""Reports in sections, one below the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from rich.text import Text

from thinscope.report.remark import Remark
from thinscope.report.render import words
from thinscope.report.render.sections import Commands, Sentence, Table, sections
from thinscope.report.render.text.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thinscope.report.render import Page
    from thinscope.report.render.sections import Section, SectionedReport

__all__ = ["render"]


def render(report: SectionedReport, page: Page) -> Iterator[str]:
    """Yield the head, and each section with an empty line before a table."""
    screen = Screen(page)
    yield screen.header(report, map(Text, words.facts(report)))
    if view := words.snapshot_view(report):
        yield screen.sentence(view)
    before: Section | None = None
    for section in sections(report):
        if not (isinstance(section, Sentence) and _goes_on(before, section)):
            yield "\n"
        match section:
            case Sentence():
                yield screen.sentence(section.text, "dim" if section.is_aside else "")
            case Table():
                yield from screen.table(section.rows, section.columns, section.words)
            case Commands():
                yield from (f"{line}\n" for line in section.lines)
            case Remark():
                yield screen.remark("finding", section)
            case _:
                assert_never(section)
        before = section


def _goes_on(before: Section | None, sentence: Sentence) -> bool:
    """Whether a sentence follows without an empty line: it says more of the one before it."""
    return isinstance(before, Sentence) and (sentence.is_aside or not before.is_aside)
