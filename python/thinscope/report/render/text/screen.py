"""Lines and tables laid out with rich, as strings."""

from __future__ import annotations

from io import StringIO
from itertools import islice
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from thinscope.report.printable import printable
from thinscope.report.render import BATCH, words

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Sequence

    from rich.console import RenderableType

    from thinscope.report.remark import Remark
    from thinscope.report.render import Page, Report
    from thinscope.report.render.sections import Item

__all__ = ["Screen"]

_GAP = "   "

_LABELS = {"attention:": "bold red", "note:": "bold cyan"}


_STYLES = {
    "finding": "bold red",
    "damage": "bold red",
    "warning": "bold yellow",
    "note": "bold cyan",
}
"""How a remark's label is shown, by the label."""


class Screen:
    """Turns what rich can show into strings for one page."""

    def __init__(self, page: Page) -> None:
        """Lay out for the page's width, with or without colour."""
        self._page = page

    def _console(self, width: int) -> Console:
        # All that rich would look up in the environment is said here: the caller has decided.
        return Console(
            file=StringIO(),
            width=width,
            height=1,
            color_system="standard" if self._page.colour else None,
            force_terminal=self._page.colour,
            no_color=not self._page.colour,
            markup=False,
            emoji=False,
            highlight=False,
            legacy_windows=False,
            _environ={},
        )

    def _show(self, renderable: RenderableType, width: int) -> str:
        console = self._console(width)
        with console.capture() as capture:
            console.print(renderable, soft_wrap=False)
        lines = capture.get().splitlines()
        return "".join(f"{line.rstrip()}\n" for line in lines)

    def sentence(
        self, text: str, style: str = "", *, label: str = "", label_style: str = ""
    ) -> str:
        """Return a sentence, wrapped to the page; further lines begin below the first word."""
        if not label:
            return self._show(Text(text, style), self._page.width)
        grid = Table.grid()
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        grid.add_row(Text(f"{label} ", label_style), Text(text, style))
        return self._show(grid, self._page.width)

    def line(self, text: Text) -> str:
        """Return a line as it is, whatever the width."""
        return self._show(text, text.cell_len or 1)

    def header(self, report: Report, facts: Iterable[Text]) -> str:
        """Return the source and facts about it on one line; a long name has a line of its own.

        The name is never cut or wrapped: it can be copied.
        """
        name, rest = words.source(report), Text(_GAP).join(facts)
        if cell_len(name) + len(_GAP) + rest.cell_len <= self._page.width:
            line = Text.assemble((name, "bold"), _GAP, rest)
            return self._show(line, self._page.width)
        named = self._show(Text(name, "bold", no_wrap=True), cell_len(name) or 1)
        return named + self._show(rest, self._page.width)

    def table(
        self, rows: Iterable[Sequence[str]], columns: Sequence[str], words: Container[int] = (0,)
    ) -> Iterator[str]:
        """Yield a table: columns of words, which is the first one, to the left, numbers right.

        It is as wide as its cells: a number that is cut is a wrong number.
        """
        cells = list(rows)
        widths = [max(map(cell_len, column)) for column in zip(columns, *cells, strict=True)]
        is_left = [number in words for number in range(len(columns))]
        yield self.line(Text(_laid_out(columns, widths, is_left), "dim"))
        # Rich would take milliseconds for each of what may be many thousand rows.
        lines = (f"{_laid_out(row, widths, is_left)}\n" for row in cells)
        while batch := "".join(islice(lines, BATCH)):
            yield batch

    def item(self, item: Item) -> Iterator[str]:
        """Yield one of several things to say; commands have lines of their own, never wrapped."""
        style = _LABELS.get(item.label, "bold")
        yield self.sentence(item.text, label=item.label, label_style=style)
        indent = " " * len(item.label)
        if item.meaning:
            yield self.sentence(item.meaning, "dim", label=indent)
        yield from (f"{indent} $ {line}\n" for line in item.commands)

    def remark(self, kind: str, remark: Remark) -> str:
        """Return a finding or a note, with its advice below."""
        style = _STYLES[kind]
        shown = self.sentence(printable(remark.message), label=f"{kind}:", label_style=style)
        if remark.advice:
            indent = " " * len(f"{kind}:")
            shown += self.sentence(printable(remark.advice), "dim", label=indent)
        return shown


def _laid_out(cells: Sequence[str], widths: Sequence[int], is_left: Sequence[bool]) -> str:
    """Return a row of a table."""
    shown = []
    for cell, width, to_the_left in zip(cells, widths, is_left, strict=True):
        room = " " * (width - cell_len(cell))
        shown.append(cell + room if to_the_left else room + cell)
    return _GAP.join(shown).rstrip()
