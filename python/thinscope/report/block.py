"""One block of the metadata."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Self

from thinscope.report.units import exact_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    import thinscope
    from thinscope.block import Entry, Field, Finding

__all__ = ["Block", "Row"]

_BLOCK_SIZE = 4096
_SECTOR = 512


class Row(NamedTuple):
    """A field, a part of an entry, or what is found where there is neither.

    Attributes:
        offset: Where it lies in the block, in bytes.
        field: Its name: ``csum``, ``keys[3]``, ``values[3].child``, ``counts[0..28]``.
        value: A number, bytes as hexadecimal digits, or what is found in words.
        note: What the value means, or nothing.
        expected: What rules ask for that the value breaks, with "; " between, or nothing.
    """

    offset: int
    field: str
    value: int | str
    note: str
    expected: str


@dataclass(frozen=True, slots=True)
class Block:
    """A block, decoded as far as it can be.

    Attributes:
        source: What was read, as it was named.
        number: Which block it is.
        offset: Where it lies in the source, in bytes.
        source_bytes: Length of the source in bytes, unpacked.
        kind: What it is, or None.
        kind_by: What tells the kind, or None.
        value_kind: What the values of a node are, or None.
        value_kind_by: What tells that, or None.
        fields: The fields in the order of their offsets.
        entries: The entries in use.
        findings: What does not fit.
        data: The bytes, where fields and entries do not tell all of them; else None.
    """

    schema: ClassVar[str] = "thinscope.block/1"

    source: str
    number: int
    offset: int
    source_bytes: int
    kind: str | None
    kind_by: str | None
    value_kind: str | None
    value_kind_by: str | None
    fields: tuple[Field, ...]
    entries: tuple[Entry, ...]
    findings: tuple[Finding, ...]
    data: bytes | None

    @property
    def needs_attention(self) -> bool:
        """Whether something does not fit."""
        return bool(self.findings)

    @classmethod
    def of(cls, block: thinscope.Block, source: str) -> Self:
        """Take over what was decoded."""
        return cls(
            source=source,
            number=block.number,
            offset=block.offset,
            source_bytes=block.source_bytes,
            kind=block.kind,
            kind_by=block.kind_by,
            value_kind=block.value_kind,
            value_kind_by=block.value_kind_by,
            fields=tuple(_with_sizes(block.fields) if block.kind == "superblock" else block.fields),
            entries=block.entries,
            findings=block.findings,
            data=None if block.is_decoded else block.data,
        )

    def rows(self) -> Iterator[Row]:
        """Yield fields and parts of entries one by one, what else does not fit, and other bytes."""
        found: dict[str, Finding] = {}
        expected: dict[str, str] = {}
        for finding in self.findings:
            name = finding.field
            known = f"{expected[name]}; " if name in found else ""
            expected[name] = known + finding.expected
            found.setdefault(name, finding)

        def row(offset: int, name: str, value: int | bytes, note: str = "") -> Row:
            shown = value.hex() if isinstance(value, bytes) else value
            found.pop(name, None)
            return Row(offset, name, shown, note, expected.get(name, ""))

        for field in self.fields:
            yield row(field.offset, field.name, field.value, field.note or "")
        for entry in self.entries:
            number = entry.number
            if self.kind == "bitmap":
                name = f"counts[{number}..{number + entry.length}]"
                yield row(entry.value_offset, name, entry.value["count"])
                continue
            if entry.key is not None and entry.key_offset is not None:
                yield row(entry.key_offset, f"keys[{number}]", entry.key)
            array = "index" if self.kind == "index" else "values"
            for part, value in entry.value.items():
                yield row(entry.part_offsets[part], f"{array}[{number}].{part}", value)
        for finding in found.values():
            yield Row(finding.offset, finding.field, finding.found, "", expected[finding.field])
        if self.data is not None:
            yield row(0, "data", self.data)


def _with_sizes(fields: tuple[Field, ...]) -> Iterator[Field]:
    """Yield the fields of a superblock, those that count something with its size."""
    number = {field.name: int(field.value) for field in fields if isinstance(field.value, int)}
    units = {
        "data_space_map_root.nr_blocks": number["data_block_size"] * _SECTOR,
        "metadata_space_map_root.nr_blocks": _BLOCK_SIZE,
        "data_block_size": _SECTOR,
        "metadata_block_size": _SECTOR,
    }
    for field in fields:
        if field.name in units:
            size = exact_size(number[field.name] * units[field.name])
            note = f"{field.note}: {size}" if field.note else size
            yield replace(field, note=note)
        else:
            yield field
