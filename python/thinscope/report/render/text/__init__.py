"""Reports as text for people: aligned, in 80 columns where the numbers allow it.

Every line makes sense without colour. Nothing but ASCII is added to names, so any terminal and
any encoding can show it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from thinscope.report.render import word

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thinscope.report.gaps import Gaps
    from thinscope.report.render import Page, Report

__all__ = ["render"]

_OF_THEIR_OWN = frozenset(
    {"block", "delta", "devices", "fragmentation", "mappings", "overview", "owners"}
)
"""Reports that a module here lays out; the others are laid out by their sections."""


class _Layout(Protocol):
    def render(self, report: Report, page: Page) -> Iterator[str]: ...


def render(report: Report, page: Page, gaps: Gaps | None = None) -> Iterator[str]:
    """Return the report, laid out for the page, with what is missing of it below."""
    name = word(report) if word(report) in _OF_THEIR_OWN else "sectioned"
    yield from cast("_Layout", import_module(f"{__name__}.{name}")).render(report, page)
    if gaps is not None:
        from thinscope.report.render.sections.gaps import sections  # noqa: PLC0415 - seldom
        from thinscope.report.render.text import sectioned  # noqa: PLC0415 - as above

        yield from sectioned.below(sections(gaps), page)
