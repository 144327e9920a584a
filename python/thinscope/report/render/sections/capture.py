"""A capture that was written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thinscope.report.printable import printable, shell_line
from thinscope.report.render.sections import Commands, Sentence
from thinscope.report.units import plural, size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thinscope.report.capture import Capture, Reading
    from thinscope.report.render.sections import Section

__all__ = ["sections"]


def sections(report: Capture) -> Iterator[Section]:
    """Yield what was written, what was found in it, and what to do with it."""
    yield from report.findings
    metadata = report.metadata
    yield Sentence(
        f"captured in {printable(report.file)}: {size(report.file_bytes)} for "
        f"{size(metadata.bytes)} of metadata, {size(metadata.zero_bytes)} of it zeros"
    )
    yield Sentence(f"sha256 of the metadata: {metadata.sha256}", is_aside=True)
    if report.read_back is not None:
        yield Sentence(f"read back: {_found(report.read_back)}")
    for names in report.names:
        of = f" of {printable(names.pool)}" if names.pool else ""
        yield Sentence(f"names: {names.manager}{of}, {plural(names.devices, 'device')}")
        if names.unread:
            yield Sentence(f"{plural(len(names.unread), 'record')} not read", is_aside=True)
    if not report.names:
        yield Sentence("no names: --names adds them", is_aside=True)
    for note in report.notes:
        advice = f"; {note.advice}" if note.advice else ""
        yield Sentence(f"note: {note.message}{advice}")
    words = [report.file] if report.read_back is not None else ["block", report.file, "0"]
    yield Commands((shell_line(["thinscope", *words]),))


def _found(found: Reading) -> str:
    data, metadata = found.data, found.metadata
    parts = [f"{plural(found.devices, 'device')} with {plural(found.mapped_blocks, 'mapping')}"]
    if data.used_bytes is not None and metadata.used_bytes is not None:
        parts.append(f"data {size(data.used_bytes)} of {size(data.total_bytes)}")
        parts.append(f"metadata {size(metadata.used_bytes)} of {size(metadata.total_bytes)}")
    parts.append("all counts agree" if found.agrees else "counts disagree")
    return ", ".join(parts)
