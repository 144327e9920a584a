"""A capture that was written, and what was found when it was read back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from thinscope.report.accounting import Accounting
from thinscope.report.findings import (
    accounting_findings,
    count_findings,
    remark,
    superblock_findings,
)
from thinscope.report.objects import NamesRow
from thinscope.report.overview import Space
from thinscope.report.units import plural, size

if TYPE_CHECKING:
    from collections.abc import Iterator

    import thinscope
    from thinscope.captured import ReadBack
    from thinscope.report.remark import Remark

__all__ = ["Capture", "CapturedMetadata", "Reading"]

_BLOCK_BYTES = 4096


@dataclass(frozen=True, slots=True)
class CapturedMetadata:
    """The metadata in a capture.

    Attributes:
        source_bytes: Length of the source.
        bytes: Bytes captured: all, but for what lies beyond the last block that the kernel uses.
        blocks: The same in blocks of 4096 bytes.
        zero_blocks: Of those, blocks of zeros.
        zero_bytes: The same in bytes.
        unknown_blocks: Blocks that are neither zeros nor have the checksum of any kind of
            metadata.
        unknown_bytes: The same in bytes.
        unreadable_blocks: Blocks that could not be read, and are zeros in the capture.
        unreadable_bytes: The same in bytes.
        packed_bytes: What all of it takes in the capture.
        sha256: SHA-256 of the bytes captured, in hexadecimal digits.
    """

    source_bytes: int
    bytes: int
    blocks: int
    zero_blocks: int
    zero_bytes: int
    unknown_blocks: int
    unknown_bytes: int
    unreadable_blocks: int
    unreadable_bytes: int
    packed_bytes: int
    sha256: str

    @classmethod
    def of(cls, capture: thinscope.Capture) -> Self:
        """Take over what was copied."""
        return cls(
            source_bytes=capture.source_bytes,
            bytes=capture.metadata_bytes,
            blocks=-(-capture.metadata_bytes // _BLOCK_BYTES),
            zero_blocks=capture.zero_blocks,
            zero_bytes=capture.zero_blocks * _BLOCK_BYTES,
            unknown_blocks=capture.unknown_blocks,
            unknown_bytes=capture.unknown_blocks * _BLOCK_BYTES,
            unreadable_blocks=capture.unreadable_blocks,
            unreadable_bytes=capture.unreadable_blocks * _BLOCK_BYTES,
            packed_bytes=capture.packed_bytes,
            sha256=capture.sha256,
        )


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found when a capture was read back.

    Attributes:
        block_bytes: Bytes in a data block.
        transaction_id: The transaction id of what was read.
        time: The time of what was read.
        flags: Flags of the live superblock.
        needs_check: Whether the kernel asks for a check.
        devices: Number of devices.
        mapped_blocks: What the devices map, summed, in data blocks.
        mapped_bytes: The same in bytes.
        data: Usage of the data device.
        metadata: Usage of the metadata device.
        agrees: Whether what was counted is what the pool has on record.
        accounting: All blocks in use, by who holds them.
    """

    block_bytes: int
    transaction_id: int
    time: int
    flags: int
    needs_check: bool
    devices: int
    mapped_blocks: int
    mapped_bytes: int
    data: Space
    metadata: Space
    agrees: bool
    accounting: Accounting

    @classmethod
    def of(cls, found: ReadBack) -> Self:
        """Take over what was found."""
        block_bytes = found.superblock.data_block_bytes
        return cls(
            block_bytes=block_bytes,
            transaction_id=found.superblock.transaction_id,
            time=found.superblock.time,
            flags=found.live_superblock.flags,
            needs_check=found.live_superblock.needs_check,
            devices=found.devices,
            mapped_blocks=found.mapped_blocks,
            mapped_bytes=found.mapped_blocks * block_bytes,
            data=Space.of(found.data_space),
            metadata=Space.of(found.metadata_space),
            agrees=found.agrees,
            accounting=Accounting.of(found.totals, block_bytes),
        )


@dataclass(frozen=True, slots=True)
class Capture:
    """A capture that was written.

    Attributes:
        source: What was captured, as it was named.
        is_device: Whether the metadata was read from a block device.
        is_metadata_snapshot: Whether the capture is read as the metadata snapshot keeps the pool.
        file: The capture, as it was named.
        file_bytes: Its size.
        metadata: The metadata in it.
        names: The records of managers in it.
        read_back: What was found when it was read back, or None if it could not be read.
        findings: What needs attention.
        notes: What is good to know.
    """

    schema: ClassVar[str] = "thinscope.capture/1"

    source: str
    is_device: bool
    is_metadata_snapshot: bool
    file: str
    file_bytes: int
    metadata: CapturedMetadata
    names: tuple[NamesRow, ...]
    read_back: Reading | None
    findings: tuple[Remark, ...]
    notes: tuple[Remark, ...]

    @property
    def needs_attention(self) -> bool:
        """Whether there are findings."""
        return bool(self.findings)

    @property
    def time(self) -> int:
        """The time of what was read, 0 if it could not be read."""
        return 0 if self.read_back is None else self.read_back.time

    @classmethod
    def of(cls, capture: thinscope.Capture, source: str) -> Self:
        """Tell what was written."""
        reading = capture.read_back
        return cls(
            source=source,
            is_device=capture.is_device,
            is_metadata_snapshot=capture.is_metadata_snapshot,
            file=capture.file,
            file_bytes=capture.file_bytes,
            metadata=CapturedMetadata.of(capture),
            names=tuple(map(NamesRow.of, capture.names)),
            read_back=None if reading is None else Reading.of(reading),
            findings=tuple(_findings(capture)),
            notes=tuple(_notes(capture)),
        )


def _findings(capture: thinscope.Capture) -> Iterator[Remark]:
    if capture.unreadable:
        unreadable = capture.unreadable_blocks
        size_bytes = unreadable * _BLOCK_BYTES
        yield remark(
            "unreadable",
            f"{plural(unreadable, 'block')} ({size(size_bytes)}) could not be read, the first is "
            f"block {capture.unreadable[0][0]}: zeros in the capture",
            "the disk is failing: save what is on it",
            blocks=unreadable,
            bytes=size_bytes,
            first=capture.unreadable[0][0],
        )
    found = capture.read_back
    if found is None:
        yield remark(
            "not-read-back",
            f"captured as it is, but it cannot be read as a pool: {capture.error}",
            "every block is there for whoever looks into it",
        )
        return
    yield from superblock_findings(found.live_superblock)
    yield from accounting_findings(Accounting.of(found.totals, found.superblock.data_block_bytes))
    yield from count_findings(found.disagreeing)


def _notes(capture: thinscope.Capture) -> Iterator[Remark]:
    if unknown := capture.unknown_blocks:
        size_bytes = unknown * _BLOCK_BYTES
        yield remark(
            "unknown-blocks",
            f"{plural(unknown, 'block')} ({size(size_bytes)}) that no checksum fits: damaged, or what "
            "the disk held before the pool was made",
            "look before you send the capture to strangers",
            blocks=unknown,
            bytes=size_bytes,
        )
    if capture.metadata_bytes < capture.source_bytes:
        yield remark(
            "cropped",
            f"the source has {size(capture.source_bytes)}, of which the kernel uses the first "
            f"{size(capture.metadata_bytes)}: only these were captured",
            source_bytes=capture.source_bytes,
            bytes=capture.metadata_bytes,
        )
