"""Damage in every live block of a captured pool: told, and never a panic, hang or wrong answer."""

from __future__ import annotations

import random
import struct
from typing import TYPE_CHECKING

import pytest

import thinscope
from tests.oracle.reader import (
    BITMAP_SALT,
    BLOCK,
    INDEX_SALT,
    NODE_SALT,
    SUPERBLOCK_SALT,
    Image,
    Role,
    checksum,
)
from thinscope import errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SALTS = {
    Role.SUPERBLOCK: SUPERBLOCK_SALT,
    Role.METADATA_INDEX: INDEX_SALT,
    Role.DATA_BITMAP: BITMAP_SALT,
    Role.METADATA_BITMAP: BITMAP_SALT,
}


class Patient:
    """A captured pool in a file, of which one block at a time is damaged."""

    def __init__(self, image: bytes, path: Path) -> None:
        self.image = image
        self.path = path
        self.roles = Image(image).read_all()
        path.write_bytes(image)

    def block(self, number: int) -> bytearray:
        return bytearray(self.image[number * BLOCK :][:BLOCK])

    def answers(self, number: int, block: bytes) -> list[object]:
        """Everything that can be asked of the pool with this block in place of its own."""
        self.write(number, block)
        try:
            with thinscope.open(self.path, threads=1) as pool:
                return [
                    pool.superblock,
                    list(pool.devices.values()),
                    pool.recount(),
                    pool.fragmentation(),
                    pool.free_extents(largest=2),
                    [(device.highest_block, device.lookup(9)) for device in pool.devices.values()],
                    [repr(run) for run in pool.mappings()],
                    [repr(owner) for owner in pool.owners()],
                    [repr(piece) for piece in pool.devices[0].delta(pool.devices[1], same=True)],
                    [repr(run) for run in pool.reference_counts("data")],
                    [repr(run) for run in pool.reference_counts("metadata")],
                ]
        finally:
            self.write(number, bytes(self.block(number)))

    def write(self, number: int, block: bytes) -> None:
        with self.path.open("r+b") as file:
            file.seek(number * BLOCK)
            file.write(block)


@pytest.fixture(scope="module")
def patient(walkthrough: bytes, tmp_path_factory: pytest.TempPathFactory) -> Patient:
    return Patient(walkthrough, tmp_path_factory.mktemp("damage") / "pool.bin")


def test_any_flipped_bit_is_told_and_located(patient: Patient) -> None:
    """Without a repaired checksum no single bit of a live block can change unnoticed."""
    rng = random.Random(1)  # noqa: S311 - a sample
    for number in patient.roles:
        for bit in rng.sample(range(BLOCK * 8), 24):
            block = patient.block(number)
            block[bit // 8] ^= 1 << bit % 8
            with pytest.raises(errors.CorruptMetadata) as caught:
                patient.answers(number, bytes(block))
            assert caught.value.block == number
            assert caught.value.field == "csum"


def extremes(block: bytes) -> Iterator[tuple[int, bytes]]:
    """The block with one 32-bit word at a time set to an extreme."""
    offsets = [*range(4, 80, 4), *range(192, 224, 4), *range(320, 364, 4), 2048, 2052, 4088, 4092]
    for offset in offsets:
        for value in (0, 1, 0x7FFFFFFF, 0xFFFFFFFF):
            changed = bytearray(block)
            struct.pack_into("<I", changed, offset, value)
            if changed != block:
                yield offset, bytes(changed)


def test_extreme_words_with_a_repaired_checksum(patient: Patient) -> None:
    """A typed error, or an answer; nothing else, and never an answer that breaks a limit."""
    told = answered = 0
    for number, role in patient.roles.items():
        for _, block in extremes(bytes(patient.block(number))):
            right = struct.pack("<I", checksum(block, SALTS.get(role, NODE_SALT))) + block[4:]
            try:
                patient.answers(number, right)
                answered += 1
            except (errors.CorruptMetadata, errors.UnsupportedMetadata, errors.NotThinMetadata):
                told += 1
    # Most words are flags, numbers, pointers or keys; the rest is padding and unused room.
    assert told > 900
    assert answered > 100


def test_a_pool_is_whole_again_after_the_damage(patient: Patient) -> None:
    assert patient.path.read_bytes() == patient.image
