"""A block, field by field."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from thinscope.report.render import block_words
from thinscope.report.render.text.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thinscope.report.block import Block
    from thinscope.report.render import Page

__all__ = ["render"]


def render(report: Block, page: Page) -> Iterator[str]:
    """Yield what the block is, what does not fit, its fields and entries, or its bytes."""
    screen = Screen(page)
    *facts, verdict = block_words.facts(report)
    style = "bold red" if report.findings else "green"
    yield screen.header(report, [*map(Text, facts), Text(verdict, style)])
    if report.findings:
        yield "\n"
    for finding in block_words.findings(report):
        yield screen.sentence(finding, label="finding:", label_style="bold red")
    for sentence in block_words.sentences(report):
        yield "\n" + screen.sentence(sentence, "dim")
    for columns, rows in block_words.tables(report):
        words = (0, 3) if columns == block_words.FIELD_COLUMNS else (0,)
        yield "\n"
        yield from screen.table(rows, columns, words)
    if report.data is not None:
        yield "\n"
        yield from block_words.hex_lines(report.data)
