"""Each exception: class, bases, attributes, message, and a way through pickle."""

from __future__ import annotations

import pickle
import struct

import pytest

import thinscope
from tests.oracle.reader import checksum
from thinscope import errors

BLOCK = 4096
SUPERBLOCK = 160774


def patched(image: bytes, offset: int, form: str, value: int, *, salt: int = SUPERBLOCK) -> bytes:
    """The image with one field set and its block's checksum made right again."""
    start = offset // BLOCK * BLOCK
    block = bytearray(image[start : start + BLOCK])
    struct.pack_into(form, block, offset - start, value)
    struct.pack_into("<I", block, 0, checksum(bytes(block), salt))
    return image[:start] + bytes(block) + image[start + BLOCK :]


BASES = {
    errors.SourceError: (errors.ThinscopeError, OSError),
    errors.SourceInUse: (errors.SourceError,),
    errors.SourceChanged: (errors.SourceError,),
    errors.NoMetadataSnapshot: (errors.ThinscopeError,),
    errors.NotThinMetadata: (errors.ThinscopeError, ValueError),
    errors.UnsupportedMetadata: (errors.ThinscopeError,),
    errors.CorruptMetadata: (errors.ThinscopeError,),
    errors.UnknownDevice: (errors.ThinscopeError, LookupError),
    errors.UnknownRoot: (errors.ThinscopeError, LookupError),
}


@pytest.mark.parametrize("kind", BASES)
def test_bases_and_pickle(kind: type[errors.ThinscopeError]) -> None:
    assert all(issubclass(kind, base) for base in BASES[kind])
    error = kind("it broke", source="a.bin", hint="mend it")
    for name in kind._fields[3:]:
        setattr(error, name, 7)
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(copy) is kind
    assert str(copy) == "a.bin: it broke"
    assert [getattr(copy, name) for name in kind._fields] == [
        getattr(error, name) for name in kind._fields
    ]
    assert set(errors.__all__) >= {kind.__name__}


def test_corrupt_says_where_and_what(walkthrough: bytes) -> None:
    image = patched(walkthrough, 32, "<Q", 27022011)
    with pytest.raises(errors.CorruptMetadata) as caught:
        thinscope.open(image)
    error = caught.value
    assert str(error) == (
        "<bytes>: corrupt metadata: block 0 (offset 0x20), superblock: "
        "magic is 27022011, expected 27022010"
    )
    assert (error.block, error.offset, error.structure) == (0, 32, "superblock")
    assert (error.field, error.expected, error.found) == ("magic", "27022010", "27022011")
    assert pickle.loads(pickle.dumps(error)).offset == 32  # noqa: S301 - our own bytes


def test_corrupt_node(walkthrough: bytes) -> None:
    root = thinscope.open(walkthrough).superblock.mapping_root
    broken = bytearray(walkthrough)
    broken[root * BLOCK + 100] ^= 1
    pool = thinscope.open(bytes(broken))
    assert pool.superblock.time == 2
    with pytest.raises(errors.CorruptMetadata, match="top-level tree node: csum is 0x") as caught:
        _ = pool.devices
    assert (caught.value.block, caught.value.offset) == (root, root * BLOCK)


@pytest.mark.parametrize(("offset", "field"), [(40, "version"), (360, "incompat_flags")])
def test_unsupported(offset: int, field: str, walkthrough: bytes) -> None:
    with pytest.raises(errors.UnsupportedMetadata, match=f"{field} is 9, expected") as caught:
        thinscope.open(patched(walkthrough, offset, "<I", 9))
    assert (caught.value.field, caught.value.found) == (field, "9")


def test_features_that_a_reader_may_ignore_are_told(walkthrough: bytes) -> None:
    image = patched(patched(walkthrough, 352, "<I", 4), 356, "<I", 8)
    superblock = thinscope.open(image).superblock
    assert (superblock.compat_flags, superblock.compat_ro_flags) == (4, 8)


def test_unknown_device(walkthrough: bytes) -> None:
    pool = thinscope.open(walkthrough)
    assert pool.device("1") is pool.device(1) is pool.devices[1]
    for who in (9, "9", "web-1", "²", ""):
        with pytest.raises(errors.UnknownDevice) as caught:
            pool.device(who)
        assert caught.value.who == who
    with pytest.raises(KeyError):
        _ = pool.devices[9]


def test_core_raises_unknown_device(walkthrough: bytes) -> None:
    core = thinscope.open(walkthrough)._core
    for question in (lambda: core.lookup(9, 0), lambda: list(core.mappings(9))):
        with pytest.raises(errors.UnknownDevice, match="no device 9 in the pool"):
            question()


def test_no_metadata_snapshot(walkthrough: bytes) -> None:
    with pytest.raises(errors.NoMetadataSnapshot, match="holds no metadata snapshot") as caught:
        thinscope.open(walkthrough, metadata_snapshot=True)
    assert "reserve_metadata_snap" in (caught.value.hint or "")


def test_threads_must_be_at_least_one(walkthrough: bytes) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        thinscope.open(walkthrough, threads=0)


@pytest.mark.parametrize(("space", "offset"), [("data", 72), ("metadata", 200)])
def test_an_offset_is_that_of_the_field(space, offset: int, walkthrough: bytes) -> None:
    allocated = struct.unpack_from("<Q", walkthrough, offset)[0]
    pool = thinscope.open(patched(walkthrough, offset, "<Q", allocated + 1))
    with pytest.raises(errors.CorruptMetadata, match="nr_allocated is") as caught:
        list(pool.reference_counts(space))
    assert (caught.value.block, caught.value.offset) == (0, offset)
