"""The content of a device that was written to a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thinscope.report.printable import printable, shell_line
from thinscope.report.render.sections import Commands, Sentence
from thinscope.report.units import plural, size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thinscope.report.export import Export
    from thinscope.report.render.sections import Section

__all__ = ["sections"]


def sections(report: Export) -> Iterator[Section]:
    """Yield what was written, and what to do with it."""
    yield Sentence(
        f"{printable(report.name)}: {size(report.size_bytes)} in {printable(report.file)}, "
        f"{size(report.written_bytes)} of it written, the rest holes"
    )
    yield Sentence(
        f"mapped: {plural(report.mapped_blocks, 'block')} ({size(report.mapped_bytes)}), "
        f"read from {printable(report.data)}"
    )
    if report.origin is not None:
        origin = printable(report.origin)
        yield Sentence(
            f"not mapped: {size(report.origin_bytes)}, read from {origin} and zeros behind"
        )
    yield Sentence(f"sha256 of the content: {report.sha256}", is_aside=True)
    if report.is_read_back:
        yield Sentence("read back and compared")
    for note in report.notes:
        advice = f"; {note.advice}" if note.advice else ""
        yield Sentence(f"note: {printable(note.message + advice)}")
    words = ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", report.file, f"{report.file}.qcow2"]
    yield Commands((shell_line(words),))
