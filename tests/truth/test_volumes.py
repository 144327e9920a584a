"""Volumes are put together right: holes, external origins that are shorter or longer, ends that were cut off."""

from __future__ import annotations

import hashlib
import io
from types import SimpleNamespace
from typing import Any

import pytest

from tests.truth.origins import ZEROS, Origin, Piece
from tests.truth.volumes import _digest, _Volumes

BLOCK = 4
DATA = b"aaaabbbbccccddddeeee"
ELSEWHERE = b"0123456789"


def run(virtual: int, data: int, length: int) -> SimpleNamespace:
    return SimpleNamespace(virtual_begin=virtual, data_begin=data, length=length)


@pytest.fixture
def volumes() -> Any:
    """1 has holes all around, 2 nothing, 3 maps beyond its end."""
    runs = {1: [run(1, 3, 1), run(3, 0, 2)], 2: [], 3: [run(0, 1, 3), run(9, 4, 1)]}
    devices = {
        id_: SimpleNamespace(mappings=lambda found=found: found) for id_, found in runs.items()
    }
    made: Any = _Volumes.__new__(_Volumes)
    made._pool = SimpleNamespace(
        superblock=SimpleNamespace(data_block_bytes=BLOCK), devices=devices
    )
    made._sizes = {1: 24, 2: 10, 3: 6}
    made.origins = SimpleNamespace(of=lambda _: [ZEROS])
    return made


@pytest.mark.parametrize(
    ("device", "origin", "content"),
    [
        (1, ZEROS, b"....dddd....aaaabbbb...."),
        (2, ZEROS, b".........."),
        (3, ZEROS, b"bbbbcc"),
        (1, (Piece("pv", 0, 10),), b"0123dddd89..aaaabbbb...."),
        (
            1,
            (Piece("pv", 2, 3), Piece(None, 0, 2), Piece("pv", 0, 10)),
            b"234.dddd3456aaaabbbb....",
        ),
        (2, (Piece("pv", 1, 9),), b"123456789."),
        (2, 1, b"....dddd.."),
        (2, 3, b"bbbbcc...."),
        (3, 1, b"bbbbcc"),
    ],
)
def test_content(volumes: Any, device: int, origin: Origin, content: bytes) -> None:
    images = {"data": io.BytesIO(DATA), "pv": io.BytesIO(ELSEWHERE)}
    found = list(volumes.pieces(device, origin))
    expected = hashlib.sha256(content.replace(b".", b"\0")).hexdigest()
    assert _digest(images, found) == expected
    assert sum(piece.length for piece in found) == len(content)
