"""The mappings of some devices, as a stream: there may be more than memory holds."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Self

from thinscope.report.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from thinscope import Pool, Run

__all__ = ["Mappings", "OriginRow", "RunRow", "RunStream", "Total"]


class RunRow(NamedTuple):
    """Mappings consecutive in virtual block, data block and time.

    Attributes:
        device: Id of the device.
        virtual_begin: First block of the device, in data blocks.
        virtual_begin_bytes: The same in bytes.
        data_begin: First block of the data device, in data blocks.
        data_begin_bytes: The same in bytes.
        length: Number of blocks.
        length_bytes: The same in bytes.
        time: The pool's time when the blocks were allocated.
    """

    device: int
    virtual_begin: int
    virtual_begin_bytes: int
    data_begin: int
    data_begin_bytes: int
    length: int
    length_bytes: int
    time: int


@dataclass(frozen=True, slots=True)
class Total:
    """What a stream of runs added up to.

    Attributes:
        runs: Number of runs.
        mapped_blocks: Blocks in them, in data blocks; shared blocks count once for each device.
        mapped_bytes: The same in bytes.
    """

    runs: int
    mapped_blocks: int
    mapped_bytes: int


class RunStream(Stream[RunRow, Total]):
    """The runs, to be iterated once; afterwards the `total` is known."""

    def __init__(self, runs: Iterable[Run], block_bytes: int) -> None:
        """Take the runs as the pool gives them."""
        self._runs = runs
        self._block_bytes = block_bytes

    def __iter__(self) -> Iterator[RunRow]:
        """Yield the runs, and count."""
        block_bytes, count, blocks = self._block_bytes, 0, 0
        for run in self._runs:
            virtual_begin, data_begin, length = run.virtual_begin, run.data_begin, run.length
            count += 1
            blocks += length
            yield RunRow(
                run.device,
                virtual_begin,
                virtual_begin * block_bytes,
                data_begin,
                data_begin * block_bytes,
                length,
                length * block_bytes,
                run.time,
            )
        self._total = Total(count, blocks, blocks * block_bytes)


@dataclass(frozen=True, slots=True)
class OriginRow:
    """A device that reads another volume where it maps nothing.

    Attributes:
        device: Its id.
        name: What it is called.
        origin: The other volume: the device's external origin.
    """

    device: int
    name: str
    origin: str


@dataclass(frozen=True, slots=True)
class Mappings:
    """The mappings of some devices, or of all.

    Attributes:
        source: What was opened, as it was named.
        is_metadata_snapshot: Whether the pool was read as the metadata snapshot keeps it.
        block_bytes: Bytes in a data block.
        transaction_id: The pool's transaction id.
        time: The pool's time.
        devices: Ids of the devices asked for, ascending; None for all.
        begin: First virtual block asked for.
        end: One behind the last virtual block asked for; None for no limit.
        external_origins: Which of the devices read another volume where they map nothing, instead
            of zeros; None where no manager's records tell.
        runs: The mappings, devices by ascending id, runs by ascending virtual block.
    """

    schema: ClassVar[str] = "thinscope.mappings/1"
    needs_attention: ClassVar[bool] = False

    source: str
    is_metadata_snapshot: bool
    block_bytes: int
    transaction_id: int
    time: int
    devices: tuple[int, ...] | None
    begin: int
    end: int | None
    external_origins: tuple[OriginRow, ...] | None
    runs: RunStream

    @property
    def total(self) -> Total:
        """What all runs add up to; known at the end of the stream."""
        return self.runs.total

    @classmethod
    def of(
        cls,
        pool: Pool,
        source: str,
        *,
        who: Iterable[str] = (),
        begin: int = 0,
        end: int | None = None,
    ) -> Self:
        """Prepare to read the mappings; only the records of the devices are read now.

        Args:
            pool: The pool, which must stay open while the runs are read.
            source: What was opened.
            who: The devices; none means all.
            begin: First virtual block.
            end: One behind the last virtual block, or None for no limit.

        Raises:
            UnknownDevice: The pool has no such device.
        """
        superblock = pool.superblock
        chosen = {device.id: device for device in map(pool.device, who)}
        if chosen:
            devices = (chosen[id_] for id_ in sorted(chosen))
            runs: Iterable[Run] = chain.from_iterable(
                device.mappings(begin, end) for device in devices
            )
        else:
            runs = pool.mappings(begin, end)
        return cls(
            source=source,
            is_metadata_snapshot=pool.is_metadata_snapshot,
            block_bytes=superblock.data_block_bytes,
            transaction_id=superblock.transaction_id,
            time=superblock.time,
            devices=tuple(sorted(chosen)) or None,
            begin=begin,
            end=end,
            external_origins=_external_origins(pool, chosen or pool.devices),
            runs=RunStream(runs, superblock.data_block_bytes),
        )


def _external_origins(pool: Pool, devices: Iterable[int]) -> tuple[OriginRow, ...] | None:
    if not pool.objects.are_named:
        return None
    found = pool.objects.external_origins(sorted(devices))
    if found is None:
        return None
    return tuple(OriginRow(id_, pool.objects.label(id_), origin) for id_, origin in found.items())
