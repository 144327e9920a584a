"""Reports as text for people: aligned, in 80 columns where the numbers allow it.

Every line makes sense without colour. Nothing but ASCII is added to names, so any terminal and
any encoding can show it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from thinscope.report.block import Block
from thinscope.report.delta import Delta
from thinscope.report.devices import Devices
from thinscope.report.fragmentation import Fragmentation
from thinscope.report.mappings import Mappings
from thinscope.report.overview import Overview
from thinscope.report.owners import Owners
from thinscope.report.render.sections.gaps import sections as gap_sections
from thinscope.report.render.text import (
    block,
    delta,
    devices,
    fragmentation,
    mappings,
    overview,
    owners,
    sectioned,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thinscope.report.gaps import Gaps
    from thinscope.report.render import Page, Report, Streamed

__all__ = ["render"]


def render(report: Report, page: Page, gaps: Gaps | None = None) -> Iterator[str]:
    """Return the report, laid out for the page, with what is missing of it below."""
    yield from _report(report, page)
    if gaps is not None:
        yield from sectioned.below(gap_sections(gaps), page)


def _report(report: Report, page: Page) -> Iterator[str]:
    match report:
        case Overview():
            return overview.render(report, page)
        case Devices():
            return devices.render(report, page)
        case Mappings() | Owners() | Delta():
            return _streamed(report, page)
        case Fragmentation():
            return fragmentation.render(report, page)
        case Block():
            return block.render(report, page)
        case _:
            return sectioned.render(report, page)


def _streamed(report: Streamed, page: Page) -> Iterator[str]:
    match report:
        case Mappings():
            return mappings.render(report, page)
        case Owners():
            return owners.render(report, page)
        case Delta():
            return delta.render(report, page)
        case _:
            assert_never(report)
