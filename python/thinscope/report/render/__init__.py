"""Reports as text, JSON, CSV or Markdown.

A renderer is a module with a function ``render(report, page)`` that returns an iterator of
strings, whole lines of them. It computes nothing and prints nothing. The modules are imported
by name when needed: JSON takes no layout library.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, TypeAlias, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thinscope.report.block import Block
    from thinscope.report.delta import Delta
    from thinscope.report.devices import Devices
    from thinscope.report.fragmentation import Fragmentation
    from thinscope.report.gaps import Gaps
    from thinscope.report.mappings import Mappings
    from thinscope.report.overview import Overview
    from thinscope.report.owners import Owners
    from thinscope.report.render.sections import SectionedReport

    Streamed: TypeAlias = Mappings | Owners | Delta
    PoolReport: TypeAlias = Overview | Devices | Streamed | Fragmentation | SectionedReport
    Report: TypeAlias = PoolReport | Block

__all__ = ["BATCH", "FORMATS", "Page", "render", "word"]

FORMATS = ("text", "json", "csv", "markdown")

BATCH = 512
"""Rows of a stream in one string: joining saves most of the cost of writing."""


@dataclass(frozen=True, slots=True)
class Page:
    """What text is laid out for.

    Attributes:
        width: Columns to wrap sentences at; tables take what their numbers need.
        colour: Whether colour is seen.
        rows: Most rows of a table that can be cut, or None for all.
    """

    width: int = 80
    colour: bool = False
    rows: int | None = None


class _Renderer(Protocol):
    def render(self, report: Report, page: Page, gaps: Gaps | None) -> Iterator[str]: ...


def render(report: Report, format_: str, page: Page, gaps: Gaps | None = None) -> Iterator[str]:
    """Return the report in one of the `FORMATS`, with what is missing of it."""
    renderer = cast("_Renderer", import_module(f"{__name__}.{format_}"))
    return renderer.render(report, page, gaps)


def word(report: Report) -> str:
    """Return the word of a report: that of its module, by which its renderers are found."""
    return type(report).__module__.rpartition(".")[2]
