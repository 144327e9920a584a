"""The content of a device that was written to a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from thinscope.report.findings import remark
from thinscope.report.units import plural, size

if TYPE_CHECKING:
    from collections.abc import Iterator

    import thinscope
    from thinscope import Pool
    from thinscope.report.remark import Remark

__all__ = ["Export"]


@dataclass(frozen=True, slots=True)
class Export:
    """The content of a device that was written to a file.

    Attributes:
        source: What was opened, as it was named.
        is_metadata_snapshot: Whether the pool was read as the metadata snapshot keeps it.
        block_bytes: Bytes in a data block.
        transaction_id: The pool's transaction id.
        time: The pool's time.
        device: Id of the device.
        name: What it is called.
        data: What its content was read from, as it was named.
        origin: What was read where it maps nothing, as it was named, or None for zeros.
        file: The file, as it was named.
        size_bytes: Length of the device, and of the file.
        size_from: Where that is from: ``argument``, ``names`` or ``mappings``.
        mapped_blocks: Blocks that the device maps before its end, in data blocks.
        mapped_bytes: Bytes in them, up to the end.
        origin_bytes: Bytes that were read from the external origin.
        written_bytes: Bytes that the file holds.
        hole_bytes: Bytes of the file that are in holes.
        follows_holes: Whether the holes are where the device maps nothing, and only there.
        is_read_back: Whether the file was read back and compared.
        sha256: SHA-256 of the content, holes included, in hexadecimal digits.
        notes: What is good to know.
    """

    schema: ClassVar[str] = "thinscope.export/1"
    needs_attention: ClassVar[bool] = False

    source: str
    is_metadata_snapshot: bool
    block_bytes: int
    transaction_id: int
    time: int
    device: int
    name: str
    data: str
    origin: str | None
    file: str
    size_bytes: int
    size_from: str
    mapped_blocks: int
    mapped_bytes: int
    origin_bytes: int
    written_bytes: int
    hole_bytes: int
    follows_holes: bool
    is_read_back: bool
    sha256: str
    notes: tuple[Remark, ...]

    @classmethod
    def of(cls, pool: Pool, export: thinscope.Export, source: str, *, inconsistent: bool) -> Self:
        """Tell what was written.

        Args:
            pool: The pool.
            export: What was written.
            source: What was opened.
            inconsistent: Whether content of no point in time was asked for.
        """
        superblock = pool.superblock
        return cls(
            source=source,
            is_metadata_snapshot=pool.is_metadata_snapshot,
            block_bytes=superblock.data_block_bytes,
            transaction_id=superblock.transaction_id,
            time=superblock.time,
            device=export.device,
            name=pool.objects.label(export.device),
            data=export.data,
            origin=export.origin,
            file=export.file,
            size_bytes=export.size,
            size_from=export.size_from,
            mapped_blocks=export.mapped_blocks,
            mapped_bytes=export.mapped_bytes,
            origin_bytes=export.origin_bytes,
            written_bytes=export.written_bytes,
            hole_bytes=export.size - export.written_bytes,
            follows_holes=export.follows_holes,
            is_read_back=export.is_read_back,
            sha256=export.sha256,
            notes=tuple(_notes(pool, export, inconsistent=inconsistent)),
        )


def _notes(pool: Pool, export: thinscope.Export, *, inconsistent: bool) -> Iterator[Remark]:
    if inconsistent:
        yield remark(
            "inconsistent",
            "the content may be of no point in time",
            "blocks that were written over meanwhile are newer than the others",
        )
    if export.size_from == "mappings":
        yield remark(
            "size-not-on-record",
            "the size of the device is not on record: the file ends with its highest mapped block",
            "--names or --size tell its size",
            bytes=export.size,
        )
    if export.beyond_blocks:
        beyond_bytes = export.beyond_blocks * pool.superblock.data_block_bytes
        yield remark(
            "beyond-the-end",
            f"{plural(export.beyond_blocks, 'block')} ({size(beyond_bytes)}) mapped behind the end "
            "of the device: left out",
            "the device was larger before, or --size is less than its size",
            blocks=export.beyond_blocks,
            bytes=beyond_bytes,
        )
    if export.origin is None and pool.objects.external_origins([export.device]) is None:
        yield remark(
            "origin-not-known",
            "where nothing is mapped there are zeros: whether the device has an external origin, only "
            "a manager's records tell",
        )
    if not export.is_sparse:
        yield remark("no-holes", "written in place, without holes")
