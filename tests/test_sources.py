"""Sources: what can be read, and how each thing that cannot be is told."""

from __future__ import annotations

import gzip
import io
import mmap
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard

import thinscope
from tests.conftest import capture_path
from tests.oracle.reader import Image, Role, checksum
from thinscope import errors

BLOCK = 4096


def with_checksum(block: bytes, salt: int) -> bytes:
    """The block with the checksum that its kind must carry."""
    return struct.pack("<I", checksum(block, salt)) + block[4:]


def choose_checksum(block: bytes, wanted: int, mask: int) -> bytes:
    """The block with its last 64 bits, free in a superblock, so that the checksum is as wanted.

    A CRC is linear: each bit adds its own share, and the right ones are found by elimination.
    """

    def with_last(last: int) -> bytes:
        return block[:-8] + struct.pack("<Q", last)

    base = checksum(with_last(0), 160774)
    rows: dict[int, tuple[int, int]] = {}  # by highest bit: share, and the bits that make it

    def reduce(share: int, bits: int) -> tuple[int, int]:
        for high in sorted(rows, reverse=True):
            if share >> high & 1:
                share, bits = share ^ rows[high][0], bits ^ rows[high][1]
        return share, bits

    for bit in range(64):
        share, bits = reduce((checksum(with_last(1 << bit), 160774) ^ base) & mask, 1 << bit)
        if share:
            rows[share.bit_length() - 1] = share, bits
    rest, bits = reduce((base ^ wanted) & mask, 0)
    assert rest == 0
    return with_checksum(with_last(bits), 160774)


def total(pool: thinscope.Pool) -> int:
    return sum(run.length for run in pool.mappings())


class TestForms:
    """The same pool through each form of source."""

    def test_all_forms(self, churn: bytes, tmp_path: Path) -> None:
        plain = tmp_path / "plain.bin"
        plain.write_bytes(churn)
        packed = tmp_path / "packed.gz"
        packed.write_bytes(gzip.compress(churn, 1))
        expected = total(thinscope.open(churn))
        assert expected == 25392
        with plain.open("rb") as file:
            sources = [
                plain,
                str(plain),
                packed,
                packed.read_bytes(),
                capture_path("churn-b"),
                bytearray(churn),
                memoryview(churn),
                io.BytesIO(churn),
                io.BytesIO(gzip.compress(churn, 1)),
                file,
            ]
            assert [total(thinscope.open(source)) for source in sources] == [expected] * 10
            assert not file.closed

    def test_joined_gzip_members_and_zstd_frames(self, walkthrough: bytes) -> None:
        half = len(walkthrough) // 2
        parts = walkthrough[:half], walkthrough[half:]
        assert total(thinscope.open(b"".join(map(gzip.compress, parts)))) == 1749
        assert total(thinscope.open(b"".join(map(zstandard.compress, parts)))) == 1749

    def test_a_larger_file_is_normal(self, walkthrough: bytes) -> None:
        assert total(thinscope.open(walkthrough + b"\xff" * 12345)) == 1749

    def test_a_mapped_file(self, churn: bytes, tmp_path: Path) -> None:
        path = tmp_path / "mapped.bin"
        path.write_bytes(churn)
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
            assert total(thinscope.open(mapped)) == 25392

    def test_a_checksum_that_looks_like_gzip(self, walkthrough: bytes) -> None:
        """The first bytes of a superblock are its checksum, which can be anything."""
        block = choose_checksum(walkthrough[:BLOCK], wanted=0x088B1F, mask=0xFFFFFF)
        image = block + walkthrough[BLOCK:]
        assert image[:3] == b"\x1f\x8b\x08"
        assert total(thinscope.open(image)) == 1749

    def test_what_is_no_source(self) -> None:
        with pytest.raises(TypeError, match="a source is a path, bytes or a binary file object"):
            thinscope.open(7)  # type: ignore[arg-type]

    def test_a_pool_is_closed_and_its_tables_live_on(self, walkthrough: bytes) -> None:
        with thinscope.open(walkthrough) as pool:
            table = pool.mappings()
        with pytest.raises(ValueError, match="closed"):
            _ = pool.superblock
        assert sum(run.length for run in table) == 1749


@pytest.mark.parametrize("fileno", [None, NotImplementedError, AttributeError])
def test_file_objects_without_a_file(fileno: type[Exception] | None, walkthrough: bytes) -> None:
    """As members of a tar archive are: what asking for the descriptor raises is their affair."""

    class Member(io.BytesIO):
        def fileno(self) -> int:
            if fileno is None:
                return None  # type: ignore[return-value]
            raise fileno

    assert total(thinscope.open(Member(walkthrough))) == 1749


class TestCompressed:
    def test_gibibytes_of_zeros_in_bounded_memory(self, walkthrough: bytes) -> None:
        zeros = zstandard.compress(bytes(64 << 20)) * 64
        packed = zstandard.compress(walkthrough) + zeros
        assert len(packed) < 200_000
        probe = """
import resource, sys, thinscope
resource.setrlimit(resource.RLIMIT_AS, (700 << 20,) * 2)
pool = thinscope.open(sys.stdin.buffer.read())
print(sum(run.length for run in pool.mappings()))
"""
        result = subprocess.run(
            [sys.executable, "-c", probe], input=packed, capture_output=True, check=True
        )
        assert result.stdout == b"1749\n"

    def test_many_blocks_spill_to_a_file(self, walkthrough: bytes) -> None:
        """More than 64 MiB that are not zero."""
        noise = (b"\x5a" * (1 << 20)) * 80
        pool = thinscope.open(zstandard.compress(walkthrough + noise))
        assert total(pool) == 1749

    @pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress])
    def test_a_torn_archive(self, compress, walkthrough: bytes) -> None:
        packed = compress(walkthrough)
        for length in (6, len(packed) // 2, len(packed) - 3):
            with pytest.raises(errors.SourceError, match="cannot unpack"):
                thinscope.open(packed[:length])

    def test_an_archive_that_is_too_large(self, walkthrough: bytes) -> None:
        huge = zstandard.compress(bytes(1 << 30)) * 17
        with pytest.raises(errors.SourceError, match="more than 16 GiB"):
            thinscope.open(zstandard.compress(walkthrough) + huge)

    def test_an_archive_of_something_else(self) -> None:
        with pytest.raises(errors.NotThinMetadata) as caught:
            thinscope.open(gzip.compress(b"<superblock uuid=''>" + bytes(5000)))
        assert caught.value.identity == "thin-dump-xml"


def at(offset: int, mark: bytes) -> bytes:
    return (bytes(offset) + mark).ljust(3 * BLOCK, b"\0")


WRONG_FILES = {
    "empty": b"",
    "too-small": b"\x01" * 4095,
    "zeros": bytes(3 * BLOCK),
    "thin-dump-xml": b'<superblock uuid="" time="0">'.ljust(BLOCK, b"\n"),
    "xml": b'<?xml version="1.0"?>'.ljust(BLOCK, b"\n"),
    "lvm-physical-volume": at(512, b"LABELONE"),
    "ext4": at(1080, b"\x53\xef"),
    "xfs": at(0, b"XFSB"),
    "luks": at(0, b"LUKS\xba\xbe"),
    "qcow2": at(0, b"QFI\xfb"),
    "partitioned-disk": at(510, b"\x55\xaa"),
    "cache-metadata": with_checksum(b"\x07" * BLOCK, 9031977),
    "era-metadata": with_checksum(b"\x07" * BLOCK, 146538381),
    "unknown": b"\x07" * (3 * BLOCK),
}


class TestWrongFiles:
    @pytest.mark.parametrize(("identity", "content"), WRONG_FILES.items(), ids=WRONG_FILES.keys())
    def test_is_named_for_what_it_is(self, identity: str, content: bytes, tmp_path: Path) -> None:
        path = tmp_path / "source"
        path.write_bytes(content)
        for source in (path, content):
            with pytest.raises(errors.NotThinMetadata) as caught:
                thinscope.open(source)
            assert caught.value.identity == identity
            assert caught.value.message.startswith("not thin metadata: th")

    def test_a_real_data_device(self) -> None:
        with pytest.raises(errors.NotThinMetadata) as caught:
            thinscope.open(capture_path("lvm-b").parent / "data.zst")
        assert caught.value.identity == "unknown"

    def test_a_missing_file_is_pythons_own(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError) as caught:
            thinscope.open(tmp_path / "absent")
        assert caught.value.filename == str(tmp_path / "absent")

    def test_a_folder_and_a_pipe(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        for path in (tmp_path, tmp_path / "pipe", Path("/dev/null")):
            with pytest.raises(errors.NotThinMetadata) as caught:
                thinscope.open(path)
            assert caught.value.identity == "not-a-file"


class TestTruncated:
    def test_every_length(self, walkthrough: bytes) -> None:
        """At each block border and in mid-block: a typed error, never less than the truth."""
        lengths = [*range(0, 40 * BLOCK, BLOCK), *range(1, 40 * BLOCK, 1021), len(walkthrough) - 1]
        for length in lengths:
            with pytest.raises((errors.NotThinMetadata, errors.CorruptMetadata)) as caught:
                thinscope.open(walkthrough[:length])
            if length >= BLOCK:
                assert isinstance(caught.value, errors.CorruptMetadata)
                assert caught.value.field == "metadata space map's nr_blocks"
                assert "truncated" in (caught.value.hint or "")

    def test_a_file_that_shrinks_while_it_is_read(self, churn: bytes, tmp_path: Path) -> None:
        path = tmp_path / "shrinks.bin"
        path.write_bytes(churn)
        pool = thinscope.open(path)
        os.truncate(path, 40 * BLOCK)
        with pytest.raises(errors.SourceError) as caught:
            pool.recount()
        assert caught.value.block is not None
        assert caught.value.block >= 40
        assert caught.value.offset == caught.value.block * BLOCK


class Faulty(io.BytesIO):
    """Raises, or reads short, where a read touches one block."""

    bad_block: int | None = None
    how = "raise"

    def read(self, size: int | None = -1) -> bytes:
        start, end = self.tell(), self.tell() + (size or 0)
        if self.bad_block is not None and start <= self.bad_block * BLOCK < end:
            if self.how == "raise":
                raise OSError(5, "Input/output error")
            return super().read(self.bad_block * BLOCK - start)
        return super().read(size)


class TestFailingReads:
    @pytest.mark.parametrize("how", ["raise", "short"])
    def test_the_block_is_named(self, how: str, churn: bytes) -> None:
        source = Faulty(churn)
        source.how = how
        good = thinscope.open(churn)
        live = {good.superblock.mapping_root, good.superblock.details_root}
        for block in live:
            source.bad_block = None
            pool = thinscope.open(source)
            source.bad_block = block
            with pytest.raises(errors.SourceError) as caught:
                pool.recount()
            assert (caught.value.block, caught.value.offset) == (block, block * BLOCK)
            if how == "raise":
                assert isinstance(caught.value.__cause__, OSError)
                assert "Input/output error" in caught.value.message
            else:
                assert "short read" in caught.value.message

    def test_each_single_block_of_a_small_pool(self, walkthrough: bytes) -> None:
        """A failing live block is an error that names it; any other block does not matter."""
        roles = Image(walkthrough).read_all()
        needed = {Role.SUPERBLOCK, Role.TOP_LEVEL, Role.DETAILS, Role.MAPPING}
        for block in range(1, max(roles) + 20):
            source = Faulty(walkthrough)
            pool = thinscope.open(source)
            source.bad_block = block
            if roles.get(block) in needed:
                with pytest.raises(errors.SourceError) as caught:
                    pool.recount()
                assert caught.value.block == block
            else:
                assert pool.recount().reached_blocks == 620

    @pytest.mark.parametrize(
        ("answer", "message"),
        [
            (
                lambda size: "x" * size,
                r"read\(\) gave str, not bytes: open the file in binary mode",
            ),
            (lambda size: None, r"read\(\) gave NoneType, not bytes"),  # noqa: ARG005
            (lambda size: b"x" * (size + 1), r"gave 4097 bytes"),
            (lambda size: b"", "short read: 0 of 4096 bytes"),  # noqa: ARG005
        ],
    )
    def test_file_objects_that_give_something_else(self, answer, message: str) -> None:
        class Odd(io.BytesIO):
            def read(self, size=-1):
                return answer(size)

        with pytest.raises(errors.SourceError, match=message):
            thinscope.open(Odd(bytes(8192)))


class TestLivePools:
    def commit(self, image: bytes, *, transaction: int) -> bytes:
        block = bytearray(image[:BLOCK])
        struct.pack_into("<Q", block, 48, transaction)
        return with_checksum(bytes(block), 160774)

    def test_a_commit_while_reading_is_told(self, churn: bytes, tmp_path: Path) -> None:
        path = tmp_path / "live.bin"
        path.write_bytes(churn)
        pool = thinscope.open(path)
        snapshot = thinscope.open(path, metadata_snapshot=True)
        assert pool.recount() == thinscope.open(churn).recount()
        with path.open("r+b") as file:
            file.write(self.commit(churn, transaction=77))
        for question in (pool.recount, lambda: list(pool.mappings())):
            with pytest.raises(errors.SourceChanged) as caught:
                question()
            assert "reserve_metadata_snap" in (caught.value.hint or "")
        # The held metadata snapshot stays as it is.
        assert sum(snapshot.recount().mapped_blocks.values()) == 22878
        assert thinscope.open(path).superblock.transaction_id == 77

    def test_a_released_metadata_snapshot_is_told(self, churn: bytes, tmp_path: Path) -> None:
        path = tmp_path / "live.bin"
        path.write_bytes(churn)
        snapshot = thinscope.open(path, metadata_snapshot=True)
        block = bytearray(churn[:BLOCK])
        struct.pack_into("<Q", block, 56, 0)
        with path.open("r+b") as file:
            file.write(with_checksum(bytes(block), 160774))
        with pytest.raises(errors.SourceChanged):
            snapshot.recount()

    def test_growth_does_not_disturb_a_metadata_snapshot(
        self, churn: bytes, tmp_path: Path
    ) -> None:
        path = tmp_path / "live.bin"
        path.write_bytes(churn)
        snapshot = thinscope.open(path, metadata_snapshot=True)
        block = bytearray(churn[:BLOCK])
        struct.pack_into("<Q", block, 192, 8192)  # blocks of the metadata space map
        with path.open("r+b") as file:
            file.write(with_checksum(bytes(block), 160774))
            file.truncate(8192 * BLOCK)
        assert sum(snapshot.recount().mapped_blocks.values()) == 22878

    def test_a_torn_superblock_is_a_change(self, churn: bytes, tmp_path: Path) -> None:
        path = tmp_path / "live.bin"
        path.write_bytes(churn)
        pools = [thinscope.open(path), thinscope.open(path, metadata_snapshot=True)]
        with path.open("r+b") as file:
            file.write(b"torn")
        for pool in pools:
            with pytest.raises(errors.SourceChanged):
                pool.recount()

    def test_a_stream_tells_damage_that_a_commit_made_as_a_change(
        self, churn: bytes, tmp_path: Path
    ) -> None:
        path = tmp_path / "live.bin"
        path.write_bytes(churn)
        runs = iter(thinscope.open(path).mappings())
        with path.open("r+b") as file:
            file.write(self.commit(churn, transaction=79))
            file.write(b"\xff" * (len(churn) - BLOCK))
        with pytest.raises(errors.SourceChanged):
            list(runs)

    def test_damage_that_a_commit_made_is_a_change(self, churn: bytes, tmp_path: Path) -> None:
        path = tmp_path / "live.bin"
        path.write_bytes(churn)
        pool = thinscope.open(path)
        root = pool.superblock.mapping_root
        with path.open("r+b") as file:
            file.write(self.commit(churn, transaction=78))
            file.seek(root * BLOCK)
            file.write(b"\xff" * BLOCK)
        with pytest.raises(errors.SourceChanged):
            pool.recount()
