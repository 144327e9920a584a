"""Pack files of thin_metadata_pack as a source: real ones, made ones, and broken ones."""

from __future__ import annotations

import io
import random
import struct
import zlib
from pathlib import Path

import pytest

import thinscope
from tests.conftest import CAPTURES, FIXTURES
from tests.oracle import answers
from tests.test_sources import BLOCK, with_checksum
from thinscope import errors

MAGIC = 0xA537A0AA6309EF77
NODE = 121107
WORDS = (BLOCK - 8) // 8


def header(blocks: int, *, version: int = 3, block_bytes: int = BLOCK) -> bytes:
    return struct.pack("<QQQQ", MAGIC, version, block_bytes, blocks)


def frame(*records: bytes) -> bytes:
    packed = zlib.compress(b"".join(records))
    return struct.pack("<Q", len(packed)) + packed


def record(number: int, program: bytes) -> bytes:
    return struct.pack("<Q", number) + program


def literal(block: bytes) -> bytes:
    """Return the program that emits the bytes as they are."""
    return b"\xa2" + struct.pack("<H", len(block)) + block


def pack_of(image: bytes) -> bytes:
    """Pack the blocks of an image that are not zero, those with even numbers last."""
    blocks = [image[at : at + BLOCK] for at in range(0, len(image), BLOCK)]
    live = [number for number, block in enumerate(blocks) if any(block)]
    frames = [
        frame(*(record(number, literal(blocks[number])) for number in live if number % 2 == odd))
        for odd in (1, 0)
    ]
    return header(len(blocks)) + b"".join(frames)


def dump(source: bytes | Path) -> bytes:
    written = io.BytesIO()
    thinscope.open(source).dump(written)
    return written.getvalue()


@pytest.mark.parametrize("name", ["walkthrough-b", "churn-b"])
def test_a_file_of_the_packer_is_the_metadata(name: str) -> None:
    packed = FIXTURES / name / "metadata.pack"
    assert packed.read_bytes()[:8] == struct.pack("<Q", MAGIC)
    assert dump(packed) == dump(answers.image(CAPTURES[name]))


def test_blocks_in_any_order(churn: bytes) -> None:
    assert dump(pack_of(churn)) == dump(churn)


class Encoder:
    """Writes numbers as programs, choosing at random among the ways there are."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311
        self.number = 0

    def program(self, block: bytes) -> bytes:
        """A literal for the first bytes, then the words."""
        numbers = list(struct.unpack(f"<{WORDS}Q", block[8:]))
        return b"\x98" + block[:8] + self.encode(numbers, may_split=True)

    def encode(self, numbers: list[int], *, may_split: bool) -> bytes:
        program = b""
        while numbers:
            takers = [self.set, self.change, self.repeat, self.copy]
            taker = self.random.choice([*takers, self.split] if may_split else takers)
            written, taken = taker(numbers)
            program += written
            numbers = numbers[taken:]
        return program

    def set(self, numbers: list[int]) -> tuple[bytes, int]:
        times = self.same(numbers)
        self.number = numbers[0]
        count = bytes([0x80 | times >> 8, times & 0xFF]) if self.random.random() < 0.5 else b""
        return count + self.operand(0, numbers[0]), times if count else 1

    def change(self, numbers: list[int]) -> tuple[bytes, int]:
        delta = (numbers[0] - self.number) % (1 << 64)
        less = -delta % (1 << 64)
        times, number = 0, self.number
        while times < min(len(numbers), 4095) and numbers[times] == (number + delta) % (1 << 64):
            number = numbers[times]
            times += 1
        forms = [self.operand(2, delta), self.operand(4, less)]
        forms += [bytes([0x10 | delta])] if delta < 16 else []
        forms += [bytes([0x30 | less])] if less < 16 else []
        taken = self.random.choice([1, times])
        count = b"" if taken == 1 else bytes([0x80 | taken >> 8, taken & 0xFF])
        if 1 < taken < 16 and self.random.random() < 0.5:
            count = bytes([0x70 | taken])
        self.number = numbers[taken - 1]
        return count + self.random.choice(forms), taken

    def repeat(self, numbers: list[int]) -> tuple[bytes, int]:
        times = self.same(numbers) if numbers[0] == self.number else 0
        if times < 16 and self.random.random() < 0.5:
            return bytes([0x50 | times]), times
        return bytes([0x60 | times >> 8, times & 0xFF]), times

    def copy(self, numbers: list[int]) -> tuple[bytes, int]:
        taken = self.random.randint(1, min(len(numbers), 40))
        content = struct.pack(f"<{taken}Q", *numbers[:taken])
        return (
            b"\x98" + content if taken == 1 else self.operand(10, len(content)) + content
        ), taken

    def split(self, numbers: list[int]) -> tuple[bytes, int]:
        taken = self.random.randint(0, min(len(numbers), 300))
        halves = self.encode([number >> 24 for number in numbers[:taken]], may_split=False)
        halves += self.encode([number & 0xFFFFFF for number in numbers[:taken]], may_split=False)
        return bytes([0xB0 | taken >> 8, taken & 0xFF]) + halves, taken

    def operand(self, operation: int, number: int) -> bytes:
        width = self.random.choice([width for width in (1, 2, 4, 8) if number < 1 << 8 * width])
        return bytes([operation << 4 | width]) + number.to_bytes(width, "little")

    @staticmethod
    def same(numbers: list[int]) -> int:
        return next((at for at, number in enumerate(numbers) if number != numbers[0]), len(numbers))


@pytest.mark.parametrize("seed", range(40))
def test_every_way_to_write_a_block(seed: int) -> None:
    """Random contents, with runs, ramps and wraps, in all instructions and widths."""
    draw = random.Random(seed)  # noqa: S311
    numbers: list[int] = []
    while len(numbers) < WORDS:
        start = draw.choice([0, draw.getrandbits(7), draw.getrandbits(64), (1 << 64) - 2])
        step = draw.choice([0, 0, 1, 15, -1, 300, 1 << 24, draw.getrandbits(64)])
        length = draw.choice([1, 2, 10, 300])
        numbers += [(start + at * step) % (1 << 64) for at in range(length)]
    block = with_checksum(bytes(8) + struct.pack(f"<{WORDS}Q", *numbers[:WORDS]), NODE)
    packed = header(2) + frame(record(1, Encoder(seed).program(block)))
    assert thinscope.read_block(packed, 1).data == block


SOME = with_checksum(b"\x07" * BLOCK, NODE)
GOOD = frame(record(1, literal(SOME)))


def torn(content: bytes, *, adler: bool) -> bytes:
    """A frame without the end of its stream."""
    packed = zlib.compress(content)[: -4 if adler else -40]
    return struct.pack("<Q", len(packed)) + packed


BROKEN = {
    "version": (header(2, version=4) + GOOD, "the version is 4, expected 3"),
    "block size": (header(2, block_bytes=512) + GOOD, "the block size is 512, expected 4096"),
    "too large": (header((16 << 30) // BLOCK + 1), "it holds more than 16 GiB"),
    "far too large": (header((1 << 52) + 1), "it holds more than 16 GiB"),
    "bytes at the end": (header(2) + GOOD + b"\0\0\0", "it ends too early"),
    "a frame beyond the end": (header(2) + struct.pack("<Q", 1 << 40) + GOOD, "corrupt deflate"),
    "half a frame": (header(2) + GOOD[:-30], "corrupt deflate|incomplete deflate"),
    "an empty frame": (header(2) + bytes(8), "corrupt deflate|incomplete deflate"),
    "no checksum of the stream": (
        header(2) + torn(record(1, literal(SOME)), adler=True),
        "incomplete deflate",
    ),
    "a wrong checksum of the stream": (header(2) + GOOD[:-1] + b"\xff", "corrupt deflate"),
    "bytes behind the stream": (
        header(2) + struct.pack("<Q", len(GOOD)) + GOOD[8:] + b"\0" * 8,
        "a frame holds more than its blocks",
    ),
    "a frame without blocks": (header(2) + frame() + GOOD, "a frame without blocks"),
    "a block beyond the end": (header(1) + GOOD, "block 1 of 1 blocks"),
    "a block twice": (header(2) + GOOD + GOOD, "block 1 comes twice"),
    "a block that fits nothing": (
        header(2) + frame(record(1, literal(b"\x07" * BLOCK))),
        "block 1: its checksum does not hold",
    ),
    "half a record": (
        header(2) + frame(record(1, literal(SOME))[:-1]),
        "block 1: it ends too early",
    ),
    "half a number": (header(2) + frame(b"\1\0\0"), "it ends too early"),
    "an unknown instruction": (header(2) + frame(record(1, b"\xc0")), "unknown instruction 0xc0"),
    "a number of three bytes": (header(2) + frame(record(1, b"\x03abc")), "a number of 3 bytes"),
    "a literal that is too long": (
        header(2) + frame(record(1, b"\xa8" + b"\xff" * 8)),
        "it runs beyond its block",
    ),
    "numbers beyond the block": (header(2) + frame(record(1, b"\x6f\xff")), "beyond its block"),
    "a count before a literal": (
        header(2) + frame(record(1, b"\x72\x91x")),
        "a count before what cannot be repeated",
    ),
    "a split in a split": (
        header(2) + frame(record(1, b"\xb0\x01\xb0\x01")),
        "unknown instruction",
    ),
    "nothing without end": (header(2) + frame(record(1, b"\x50" * (1 << 20))), "it ends too early"),
}


@pytest.mark.parametrize(("packed", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_file_is_told(packed: bytes, message: str) -> None:
    with pytest.raises(errors.SourceError, match=f"cannot unpack: .*({message})"):
        thinscope.open(packed)


def test_every_truncation(walkthrough: bytes) -> None:
    """Whole frames may be missing, and cannot be missed; all else is told."""
    packed = (FIXTURES / "walkthrough-b/metadata.pack").read_bytes()
    assert dump(packed) == dump(walkthrough)
    for length in range(8, len(packed)):
        with pytest.raises((errors.SourceError, errors.NotThinMetadata)):
            thinscope.open(packed[:length])


def test_a_pack_without_its_superblock() -> None:
    """The packer loses blocks at random where their number is odd to it."""
    with pytest.raises(errors.NotThinMetadata) as caught:
        thinscope.open(header(200) + GOOD)
    assert caught.value.identity == "zeros"


def test_many_blocks_in_bounded_memory() -> None:
    """17,000 blocks spill to a file."""
    blocks = 17_000
    packed = header(blocks) + b"".join(
        frame(*(record(at, literal(SOME)) for at in range(start, min(start + 1000, blocks))))
        for start in range(1, blocks, 1000)
    )
    assert len(packed) < 2_000_000
    assert thinscope.read_block(packed, blocks - 1).data == SOME
