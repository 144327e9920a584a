"""The table of all devices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from thinscope.report.render import words
from thinscope.report.render.head import head_facts
from thinscope.report.render.text.screen import Screen
from thinscope.report.units import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thinscope.report.devices import Devices
    from thinscope.report.render import Page

__all__ = ["render"]


def render(report: Devices, page: Page) -> Iterator[str]:
    """Yield the devices by ascending id, and their sum."""
    screen = Screen(page)
    devices = plural(len(report.devices), "device")
    yield screen.header(report, map(Text, [*head_facts(report), devices]))
    if view := words.snapshot_view(report):
        yield screen.sentence(view)
    if not report.devices:
        return
    yield "\n"
    yield from screen.table(words.device_rows(report), words.DEVICE_COLUMNS)
    yield "\n"
    for origin in words.external_origins(report):
        yield screen.sentence(origin)
    if inferred := words.inferred(report):
        yield screen.sentence(inferred, "dim")
    yield screen.sentence(words.clock(report), "dim")
