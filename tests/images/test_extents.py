"""Ranges of sources as one source: what Python can get wrong."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest

import thinscope
from thinscope import errors
from thinscope._core import Extents, identity
from thinscope.source import Identity, named

if TYPE_CHECKING:
    from pathlib import Path

LETTERS = bytes(range(ord("a"), ord("z") + 1))


def test_ranges_of_each_kind_of_source(tmp_path: Path) -> None:
    path = tmp_path / "letters"
    path.write_bytes(LETTERS)
    whole = Extents([LETTERS], "whole")
    sources = [LETTERS, path, io.BytesIO(LETTERS), whole]
    pieces = [(2, [(number, 3 * number)], 0) for number in range(4)]
    made = Extents(sources, "made", [*pieces, (8, [(0, 0), (1, 10)], 2)])
    assert made.read(0, 99) == b"abdeghjkabklcdmn"
    assert made.read(7, 4) == b"kabk"
    assert made.read(16, 1) == made.read(1 << 63, 1) == b""
    assert (made.length, made.name, made.identity, made.may_be_stale) == (16, "made", None, False)
    assert repr(made) == '<Extents "made": 16 bytes>'
    assert named(made) == (made, "made")
    own = Identity.of(path)
    assert Identity.of(Extents([path], "it", identity=own)) == own


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        ([(0, [(0, 0)], 0)], "a piece without bytes"),
        ([(1, [(1, 0)], 0)], "a piece of a source that is not there"),
        ([(5, [(0, 0), (0, 9)], 2)], "a striped piece that is no whole number of stripes"),
        ([(1 << 63, [(0, 0)], 0)] * 2, "pieces beyond 64 bits"),
    ],
)
def test_pieces_that_cannot_be(pieces: list[Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Extents([LETTERS], "it", pieces)


def test_more_than_can_be() -> None:
    with pytest.raises(TypeError, match="several sources, and no pieces of them"):
        Extents([LETTERS, LETTERS], "it")
    with pytest.raises(ValueError, match="too many bytes at once"):
        Extents([LETTERS], "it", [(1 << 40, [(0, 0)], 0)]).read(0, 1 << 40)
    made = Extents([LETTERS], "it")
    for _ in range(31):
        made = Extents([made], "it")
    with pytest.raises(ValueError, match="too many volumes inside one another"):
        Extents([made], "it")


def test_beyond_the_end() -> None:
    made = Extents([LETTERS], "it", [(9, [(0, 20)], 0)])
    with pytest.raises(errors.SourceError, match="of an image that ends at byte 26") as raised:
        made.read(0, 9)
    assert raised.value.source == "it"


def test_identity(walkthrough: bytes) -> None:
    assert identity(walkthrough, "it") is None
    assert identity(b"XFSB".ljust(4096), "it") == ("xfs", "this is an XFS file system")
    with thinscope.open(Extents([walkthrough], "it")) as pool:
        assert pool.source == "it"
        assert pool.recount().nodes
