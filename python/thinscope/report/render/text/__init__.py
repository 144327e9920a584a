"""Reports as text for people: aligned, in 80 columns where the numbers allow it.

Every line makes sense without colour. Nothing but ASCII is added to names, so any terminal and
any encoding can show it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from thinscope.report.block import Block
from thinscope.report.devices import Devices
from thinscope.report.fragmentation import Fragmentation
from thinscope.report.mappings import Mappings
from thinscope.report.overview import Overview
from thinscope.report.render.text import (
    block,
    devices,
    fragmentation,
    mappings,
    overview,
    sectioned,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thinscope.report.render import Page, Report

__all__ = ["render"]


def render(report: Report, page: Page) -> Iterator[str]:
    """Return the report, laid out for the page."""
    match report:
        case Overview():
            return overview.render(report, page)
        case Devices():
            return devices.render(report, page)
        case Mappings():
            return mappings.render(report, page)
        case Fragmentation():
            return fragmentation.render(report, page)
        case Block():
            return block.render(report, page)
        case _:
            return sectioned.render(report, page)
