"""`thinscope.read_block`: any block of any source, decoded as far as it can be."""

from __future__ import annotations

import gzip
import io
import pickle
import random
import struct
import subprocess
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import get_args

import pytest
import zstandard

import thinscope
from tests.conftest import capture_path
from tests.oracle.reader import Image, Role, checksum
from thinscope import errors, layout
from thinscope.block import Block, Entry, Field, Finding
from thinscope.block.kinds import KINDS, VALUE_KINDS
from thinscope.report.block import Block as Report
from thinscope.report.block import Row
from thinscope.report.render.block_words import hex_lines, sentences, tables

BLOCK = 4096
SALTS = {
    "superblock": 160774,
    "node": 121107,
    "bitmap": 240779,
    "index": 160478,
    "array": 595846735,
    "cache-superblock": 9031977,
    "era-superblock": 146538381,
}
CAPACITY = {4: 336, 8: 252, 16: 168, 24: 126}


def sealed(data: bytes, kind: str) -> bytes:
    """The block with the checksum of a kind."""
    return struct.pack("<I", checksum(data, SALTS[kind])) + data[4:]


def node(
    values: bytes,
    keys: list[int],
    *,
    number: int = 1,
    flags: int = 2,
    size: int = 8,
    **fields: int,
) -> bytes:
    """A leaf, or another node, with the checksum right."""
    count, places = fields.get("entries", len(keys)), fields.get("places", CAPACITY.get(size, 100))
    head = struct.pack("<IIQIIII", 0, flags, number, count, places, size, 0)
    body = struct.pack(f"<{len(keys)}Q", *keys)
    data = (head + body).ljust(32 + 8 * CAPACITY.get(size, 100), b"\0") + values
    return sealed(data.ljust(BLOCK, b"\0"), "node")


def second(data: bytes, number: int = 1, blocks: int = 200) -> Block:
    """The block as one of a source of so many blocks."""
    image = bytearray(blocks * BLOCK)
    image[number * BLOCK : (number + 1) * BLOCK] = data
    return thinscope.read_block(bytes(image), number)


def places(block: Block) -> list[tuple[str, int]]:
    return [(finding.field, finding.offset) for finding in block.findings]


def expected(block: Block) -> list[str]:
    return [finding.expected for finding in block.findings]


def changed(data: bytes, kind: str, offset: int, size: int, value: int) -> bytes:
    """The block with another field, and the checksum right."""
    changed = bytearray(data[:BLOCK])
    changed[offset : offset + size] = value.to_bytes(size, "little")
    return sealed(bytes(changed), kind)


def values(block: Block) -> dict[str, int | bytes]:
    return {field.name: field.value for field in block.fields}


class TestSources:
    def test_all_forms(self, churn: bytes, tmp_path: Path) -> None:
        plain = tmp_path / "plain.bin"
        plain.write_bytes(churn)
        expected = thinscope.read_block(churn, 1097)
        assert (expected.kind, expected.kind_by) == ("superblock", "checksum")
        assert expected.data == churn[1097 * BLOCK : 1098 * BLOCK]
        assert (expected.number, expected.offset) == (1097, 1097 * BLOCK)
        assert expected.source_bytes == len(churn)
        with plain.open("rb") as file:
            sources = [
                plain,
                str(plain),
                bytearray(churn),
                memoryview(churn),
                io.BytesIO(churn),
                gzip.compress(churn, 1),
                io.BytesIO(zstandard.compress(churn)),
                capture_path("churn-b"),
                file,
            ]
            for source in sources:
                assert thinscope.read_block(source, 1097) == expected
            assert not file.closed

    def test_a_source_that_is_no_pool(self, tmp_path: Path) -> None:
        path = tmp_path / "notes.txt"
        path.write_bytes(b"\x1b[31m" * 2000)
        block = thinscope.read_block(path, 0)
        assert (block.kind, block.is_decoded, block.fields, block.entries) == (None, False, (), ())
        (finding,) = block.findings
        assert (finding.field, finding.found) == ("csum", "0x31335b1b")

    def test_behind_the_end(self, walkthrough: bytes) -> None:
        for number in (4096, 1 << 52, (1 << 64) - 1):
            with pytest.raises(errors.SourceError, match="the source has 4096 blocks") as caught:
                thinscope.read_block(walkthrough, number)
            assert caught.value.block == number
        with pytest.raises(errors.SourceError, match="the source has 0 blocks"):
            thinscope.read_block(b"", 0)

    @pytest.mark.parametrize("number", [-1, 1 << 64])
    def test_what_is_no_number(self, number: int) -> None:
        with pytest.raises(ValueError, match="64 bits"):
            thinscope.read_block(b"", number)

    def test_a_last_block_that_is_cut_off(self, walkthrough: bytes) -> None:
        image = walkthrough + walkthrough[:300]
        block = thinscope.read_block(image, 4096)
        assert (block.kind, block.data, block.is_decoded) == (None, walkthrough[:300], False)
        assert block.findings == (
            Finding("size", 0, "4096 bytes", "300 bytes, where the source ends"),
        )
        zeros = thinscope.read_block(walkthrough + b"\0", 4096)
        assert zeros.findings[0].found == "1 byte, where the source ends"

    def test_other_errors(self, tmp_path: Path, walkthrough: bytes) -> None:
        with pytest.raises(FileNotFoundError):
            thinscope.read_block(tmp_path / "absent", 0)
        with pytest.raises(errors.NotThinMetadata):
            thinscope.read_block(tmp_path, 0)
        with pytest.raises(errors.SourceError, match="cannot unpack"):
            thinscope.read_block(gzip.compress(walkthrough)[:-100], 0)
        with pytest.raises(TypeError, match="a source is"):
            thinscope.read_block(7, 0)  # type: ignore[arg-type]
        for number in ("0", 1.0, None):
            with pytest.raises(TypeError, match="a block number is an integer, not "):
                thinscope.read_block(walkthrough, number)  # type: ignore[arg-type]

    @pytest.mark.parametrize("number", [0, 92, 4095])
    def test_what_is_no_choice(self, walkthrough: bytes, number: int) -> None:
        words = "a kind of block is one of superblock, node, bitmap, index, not 'array'"
        with pytest.raises(ValueError, match=words):
            thinscope.read_block(walkthrough, number, kind="array")  # type: ignore[arg-type]
        words = "a kind of values is one of children, .*, bytes, not 'what'"
        with pytest.raises(ValueError, match=words):
            thinscope.read_block(walkthrough, number, value_kind="what")  # type: ignore[arg-type]
        assert get_args(layout.Kind) == KINDS
        assert get_args(layout.ValueKind) == tuple(layout.VALUES) == VALUE_KINDS

    def test_a_bad_first_block_hides_no_other(self, walkthrough: bytes) -> None:
        class Bad(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                if self.tell() == 0:
                    raise OSError("bad sector")
                return super().read(size)

        assert thinscope.read_block(Bad(walkthrough), 94).kind == "node"
        with pytest.raises(errors.SourceError, match="bad sector"):
            thinscope.read_block(Bad(walkthrough), 0)

    def test_progress(self, walkthrough: bytes) -> None:
        noise = random.Random(0).randbytes(1 << 20) * 80  # noqa: S311 - takes long to unpack
        packed = gzip.compress(walkthrough) + gzip.compress(noise, 1)

        def stop(phase: str, done: int, total: int) -> None:
            raise InterruptedError(phase, done, total)

        with pytest.raises(InterruptedError, match="unpacking"):
            thinscope.read_block(packed, 0, progress=stop)


class TestFields:
    def test_superblock(self, walkthrough: bytes) -> None:
        block = thinscope.read_block(walkthrough, 0)
        superblock = thinscope.open(walkthrough).superblock
        found = values(block)
        assert found["magic"] == 27022010
        assert found["time"] == superblock.time
        assert found["trans_id"] == superblock.transaction_id
        assert found["data_mapping_root"] == superblock.mapping_root
        assert found["data_block_size"] == superblock.data_block_sectors
        assert found["metadata_space_map_root.nr_allocated"] == 22
        assert block.fields[4] == Field("magic", 32, 8, 27022010)
        assert sum(field.size for field in block.fields) == BLOCK
        for field in block.fields:
            raw = walkthrough[field.offset : field.offset + field.size]
            number = int.from_bytes(raw, "little")
            assert field.value in (raw, number)

    def test_needs_check_is_a_note(self, walkthrough: bytes) -> None:
        data = sealed(walkthrough[:4] + b"\1" + walkthrough[5:BLOCK], "superblock")
        block = thinscope.read_block(data + walkthrough[BLOCK:], 0)
        assert (block.findings, block.fields[1].note) == ((), "needs_check")

    def test_mappings(self, walkthrough: bytes) -> None:
        block = thinscope.read_block(walkthrough, 94)
        assert (block.value_kind, block.value_kind_by) == ("mappings", "content")
        assert block.entries[1] == Entry(
            1, 1, 1, 40, {"block": 516, "time": 0}, 2056, {"block": 2059, "time": 2056}
        )
        assert [field.offset for field in block.fields] == [0, 4, 8, 16, 20, 24, 28, 4064]
        for entry in block.entries:
            raw = struct.unpack_from("<Q", block.data, entry.value_offset)[0]
            assert raw == int(entry.value["block"]) << 24 | int(entry.value["time"])

    def test_roots(self, walkthrough: bytes) -> None:
        block = thinscope.read_block(walkthrough, 92)
        assert (block.value_kind, block.value_kind_by) == ("roots", "content")
        assert [entry.value for entry in block.entries] == [{"root": n} for n in (34, 63, 93)]
        other = thinscope.read_block(walkthrough, 92, value_kind="mappings")
        assert (other.value_kind, other.value_kind_by) == ("mappings", "caller")
        assert other.entries[2].value == {"block": 0, "time": 93}

    @pytest.mark.parametrize("number", [0, 63, 78, 91, 92, 94, 95, 96, 97])
    def test_parts_lie_where_they_are_said_to(self, walkthrough: bytes, number: int) -> None:
        block = thinscope.read_block(walkthrough, number)
        sizes = {"block": 5, "time": 3, "count": 4, "nr_free": 4, "none_free_before": 4}
        sizes |= {"creation_time": 4, "snapshotted_time": 4}
        for entry in block.entries:
            assert entry.part_offsets.keys() == entry.value.keys()
            assert min(entry.part_offsets.values()) == entry.value_offset
            for part, offset in entry.part_offsets.items() if block.kind != "bitmap" else ():
                raw = block.data[offset : offset + sizes.get(part, 8)]
                assert entry.value[part] == int.from_bytes(raw, "little"), part

    def test_counts(self, walkthrough: bytes) -> None:
        """The example of docs/format.md."""
        block = thinscope.read_block(walkthrough, 91)
        assert (block.kind, sum(entry.length for entry in block.entries)) == ("bitmap", 16320)
        runs = [(run.number, run.length, run.value["count"]) for run in block.entries]
        assert runs[:3] == [(0, 1, 1), (1, 9, 0), (10, 4, 1)]
        assert next(run for run in block.entries if run.number == 26).value == {"count": 3}
        assert all(run.value_offset == 16 + run.number // 4 for run in block.entries)

    def test_index_block(self, walkthrough: bytes) -> None:
        block = thinscope.read_block(walkthrough, 97)
        assert block.kind == "index"
        assert [entry.value["blocknr"] for entry in block.entries] == [91]
        assert block.entries[0].value_offset == 16

    @pytest.mark.parametrize("kind", ["array", "cache-superblock", "era-superblock"])
    def test_other_targets(self, kind: str) -> None:
        block = second(sealed(b"\7" * BLOCK, kind))
        assert (block.kind, block.kind_by, block.is_decoded) == (kind, "checksum", False)
        assert block.findings == ()

    def test_zeros(self, walkthrough: bytes) -> None:
        block = thinscope.read_block(walkthrough, 4095)
        assert (block.kind, block.kind_by, block.findings) == ("zeros", "content", ())
        assert block.is_decoded

    def test_values_are_frozen_and_pickled(self, walkthrough: bytes) -> None:
        block = thinscope.read_block(walkthrough, 94)
        assert pickle.loads(pickle.dumps(block)) == block  # noqa: S301 - our own bytes
        for thing, name in [(block, "data"), (block.fields[0], "value"), (block.entries[0], "key")]:
            with pytest.raises(FrozenInstanceError):
                setattr(thing, name, 3)
        assert len(repr(block)) < 400
        assert len({block, thinscope.read_block(walkthrough, 94)}) == 1
        assert len(set(block.entries)) == len(block.entries)


VALUES_OF = {
    Role.TOP_LEVEL: "roots",
    Role.DETAILS: "details",
    Role.MAPPING: "mappings",
    Role.DATA_INDEX: "index-entries",
    Role.DATA_OVERFLOW: "counts",
    Role.METADATA_OVERFLOW: "counts",
}
"""What leaves hold, by the role of a block; a block of another role is no node."""


def leaf(*entries: tuple[int, int], number: int = 1, blocks: int = 200) -> Block:
    """A leaf with values of 8 bytes."""
    keys = [key for key, _ in entries]
    packed = struct.pack(f"<{len(entries)}Q", *(value for _, value in entries))
    return second(node(packed, keys, number=number), number, blocks)


class TestRootsOrMappings:
    def test_one_bad_root_hides_nothing(self) -> None:
        for root in (0, 200, 1 << 24, 0xDEADBEEF, 1 << 63, (1 << 64) - 1):
            block = leaf((1, 5), (2, root), (3, 7))
            assert block.value_kind == "roots"
            assert places(block) == [("values[1].root", 2056)]
            assert expected(block) == ["a block from 1 on, below 200, the blocks of the source"]

    def test_two_entries_of_data_block_0_are_roots(self) -> None:
        assert places(leaf((1, 5), (2, 0))) == [("values[1].root", 2056)]
        assert places(leaf((1, 1), (2, 5))) == [("values[0].root", 2048)]

    def test_one_bad_key_hides_nothing(self) -> None:
        assert places(leaf((1, 5), (2, 6), ((1 << 24) - 1, 7))) == []
        for entries in ([(1, 5), (1 << 24, 6)], [(0, 5), (1, 6), (1 << 63, 7)]):
            block = leaf(*entries)
            assert block.value_kind == "roots"
            last = len(entries) - 1
            assert places(block) == [(f"keys[{last}]", 32 + 8 * last)]
            assert expected(block) == ["a device id, at most 24 bits"]

    def test_the_length_of_the_source_says_nothing(self, walkthrough: bytes) -> None:
        data = walkthrough[92 * BLOCK : 93 * BLOCK]
        assert layout.value_kind_of(data) == "roots"
        alone = thinscope.read_block(data, 0)
        assert (alone.value_kind, alone.value_kind_by) == ("roots", "content")
        assert expected(alone) == [
            "0, its own number",
            *["a block from 1 on: the source has block 0 only"] * 3,
        ]
        cut = thinscope.read_block(walkthrough[: 93 * BLOCK], 92)
        assert (cut.value_kind, places(cut)) == ("roots", [("values[2].root", 2064)])
        assert expected(cut) == ["a block from 1 on, below 93, the blocks of the source"]

    def test_one_entry_is_not_held_against_itself(self) -> None:
        for value in (1, 3, 4_161_599):
            block = leaf((3, value))
            assert (block.value_kind, block.value_kind_by) == ("roots", "content")
            assert block.findings == ()
        image = bytes(BLOCK) + node(struct.pack("<Q", 1), [3])
        sure = thinscope.read_block(image, 1, value_kind="roots")
        assert places(sure) == [("values[0].root", 2048)]

    @pytest.mark.parametrize(
        "entries",
        [
            [(3, 0)],
            [(3, 4_161_600)],
            [(3, (1 << 24) + 7)],
            [(1 << 24, 5)],
            [(0, 5), (1, 1 << 24)],
            [(0, 5), (1, 1 << 24), (2, 1 << 25)],
            [],
        ],
    )
    def test_mappings(self, entries: list[tuple[int, int]]) -> None:
        block = leaf(*entries)
        assert (block.value_kind, block.findings) == ("mappings", ())


class TestFindings:
    def test_captures_have_none(self, image: bytes) -> None:
        """No block that a kernel wrote breaks a rule: all that are live, a part of the others."""
        roles = Image(image).read_all()
        dead = set(range(len(image) // BLOCK)) - roles.keys()
        written = (n for n in sorted(dead) if any(image[n * BLOCK : (n + 1) * BLOCK]))
        for number in [*roles, *list(written)[::4]]:
            block = thinscope.read_block(image, number)
            assert (block.kind_by, block.findings, block.is_decoded) == ("checksum", (), True)
            if number in roles:
                assert block.value_kind in {"children", VALUES_OF.get(roles[number])}

    @pytest.mark.parametrize(
        ("field", "offset", "size", "value"),
        [
            ("flags", 4, 4, 2),
            ("blocknr", 8, 8, 7),
            ("magic", 32, 8, 27022011),
            ("version", 40, 4, 0),
            ("version", 40, 4, 3),
            ("held_root", 56, 8, 4096),
            ("data_space_map_root.nr_blocks", 64, 8, 1 << 41),
            ("data_space_map_root.nr_allocated", 72, 8, 65537),
            ("metadata_space_map_root.nr_blocks", 192, 8, 0),
            ("metadata_space_map_root.nr_blocks", 192, 8, 4097),
            ("metadata_space_map_root.bitmap_root", 208, 8, 0),
            ("data_mapping_root", 320, 8, 4096),
            ("device_details_root", 328, 8, 0),
            ("data_block_size", 336, 4, 129),
            ("metadata_block_size", 340, 4, 16),
            ("incompat_flags", 360, 4, 1),
        ],
    )
    def test_superblock(
        self, field: str, offset: int, size: int, value: int, walkthrough: bytes
    ) -> None:
        data = changed(walkthrough, "superblock", offset, size, value)
        block = thinscope.read_block(data + walkthrough[BLOCK:], 0)
        allocated = [("metadata_space_map_root.nr_allocated", 200)]
        is_empty = field == "metadata_space_map_root.nr_blocks" and not value
        assert places(block) == [(field, offset), *allocated * is_empty]
        assert block.findings[0].found == str(value)

    @pytest.mark.parametrize("version", [1, 2])
    def test_known_versions(self, version: int, walkthrough: bytes) -> None:
        data = changed(walkthrough, "superblock", 40, 4, version)
        assert thinscope.read_block(data + walkthrough[BLOCK:], 0).findings == ()

    def test_what_the_space_map_counts_is_the_bound(self, walkthrough: bytes) -> None:
        for counted, is_bound in [(97, True), (98, False), (1, False), (0, False), (9999, False)]:
            data = changed(walkthrough, "superblock", 192, 8, counted)
            block = thinscope.read_block(data + walkthrough[BLOCK:], 0)
            roots = [place for place, _ in places(block) if place.endswith("_root")]
            assert roots == ["metadata_space_map_root.bitmap_root"] * is_bound, counted
        data = changed(walkthrough, "superblock", 192, 8, 97)
        assert expected(thinscope.read_block(data + walkthrough[BLOCK:], 0)) == [
            "a block from 1 on, below 97, the blocks that the metadata space map counts"
        ]

    def test_the_largest_metadata_is_the_bound(self, tmp_path: Path) -> None:
        path = tmp_path / "large.bin"
        limit = 255 * 16320
        children = struct.pack("<2Q", limit - 1, limit)
        with path.open("wb") as file:
            file.truncate((limit + 9) * BLOCK)
            file.seek(BLOCK)
            file.write(node(children, [1, 2], flags=1))
        block = thinscope.read_block(path, 1)
        assert places(block) == [("values[1].child", 2056)]
        assert expected(block) == [
            f"a block from 1 on, below {limit}, the most that metadata can have"
        ]

    def test_nodes(self) -> None:
        roots = struct.pack("<3Q", 5, 6, 7)
        assert places(second(node(roots, [1, 2, 3]))) == []
        assert places(second(node(roots, [1, 3, 3]))) == [("keys[2]", 48)]
        assert places(second(node(roots, [1, 2, 3], number=9))) == [("blocknr", 8)]
        assert places(second(node(roots, [1, 2, 3], flags=3))) == [("flags", 4)]
        assert places(second(node(roots, [1, 2, 3], entries=253))) == [("nr_entries", 16)]
        assert places(second(node(roots, [1, 2, 3], entries=5))) == [
            ("keys[3]", 56),
            ("keys[4]", 64),
            ("values[3].root", 2072),
            ("values[4].root", 2080),
        ]
        assert places(second(node(b"", [], flags=1))) == [("nr_entries", 16)]
        assert places(second(node(b"", []))) == []
        internal = struct.pack("<4Q", 0, 200, 1, 5)
        assert places(second(node(internal, [1, 2, 3, 4], flags=1))) == [
            ("values[0].child", 2048),
            ("values[1].child", 2056),
            ("values[2].child", 2064),
        ]

    def test_children_have_eight_bytes_and_one_place(self) -> None:
        counts = struct.pack("<2I", 3, 4)
        block = second(node(counts, [1, 2], flags=1, size=4))
        assert (places(block), expected(block)) == ([("value_size", 24)], ["8 bytes"])
        block = second(node(struct.pack("<3Q", 5, 6, 5), [1, 2, 3], flags=1))
        assert places(block) == [("values[2].child", 2064)]
        assert expected(block) == ["another block than values[0] has"]
        assert places(leaf((1, 5), (2, 6), (3, 5))) == []  # a snapshot has its origin's root

    def test_nodes_of_other_sizes(self) -> None:
        counts = struct.pack("<2I", 3, 2)
        assert places(second(node(counts, [1, 2], size=4))) == [("values[1].count", 2724)]
        details = struct.pack("<QQII", 1, 2, 3, 4)
        assert places(second(node(details, [1 << 24], size=24))) == [("keys[0]", 32)]
        entries = struct.pack("<QIIQII", 5, 16321, 0, 0, 0, 16321)
        assert places(second(node(entries, [0, 2], size=16))) == [
            ("keys[1]", 40),
            ("values[0].nr_free", 1384),
            ("values[1].blocknr", 1392),
            ("values[1].none_free_before", 1404),
        ]

    def test_a_value_size_of_nothing(self) -> None:
        block = second(node(b"abcde" * 2, [1, 2], size=5))
        assert places(block) == [("value_size", 24)]
        assert (block.value_kind, block.value_kind_by) == ("bytes", "header")
        assert block.entries[1].value == {"bytes": b"abcde"}

    def test_a_node_that_does_not_fit(self) -> None:
        block = second(node(b"", [1, 2], places=(1 << 32) - 1))
        assert places(block) == [("max_entries", 20)]
        assert (block.is_decoded, block.value_kind, block.entries) == (False, None, ())
        assert values(block)["nr_entries"] == 2

    def test_index_block(self, walkthrough: bytes) -> None:
        data = bytearray(walkthrough[97 * BLOCK : 98 * BLOCK])
        struct.pack_into("<QII", data, 16 + 2 * 16, 91, 16321, 0)
        block = second(sealed(bytes(data), "index"), number=97)
        assert places(block) == [
            ("index[1].blocknr", 32),
            ("index[2].blocknr", 48),
            ("index[2].nr_free", 56),
        ]
        assert expected(block) == [
            "a block number, as index[2] follows",
            "another block than index[0] has",
            "at most 16320, the counts of a bitmap",
        ]
        data[8] = 1
        struct.pack_into("<QII", data, 16, 5000, 16321, 0)
        block = second(sealed(bytes(data), "index"), number=97)
        assert places(block)[:3] == [
            ("blocknr", 8),
            ("index[0].blocknr", 16),
            ("index[0].nr_free", 24),
        ]

    def test_every_gap_of_an_index_block_is_found_once(self) -> None:
        data = bytearray(BLOCK)
        struct.pack_into("<Q", data, 8, 1)
        for number in (1, 2, 5, 6):
            struct.pack_into("<QII", data, 16 + number * 16, 9 + number, 5, 0)
        block = second(sealed(bytes(data), "index"))
        assert places(block) == [("index[0].blocknr", 16), ("index[3].blocknr", 64)]

    def test_an_index_block_has_a_bitmap(self) -> None:
        empty = bytes(8) + struct.pack("<Q", 1) + bytes(BLOCK - 16)
        block = second(sealed(empty, "index"))
        assert (block.kind, places(block)) == ("index", [("index[0].blocknr", 16)])

    def test_what_is_free_lies_behind_what_is_not(self) -> None:
        for free, before, is_right in [
            (16320, 0, True),
            (0, 16320, True),
            (9000, 7320, True),
            (9000, 7321, False),
            (16320, 1, False),
        ]:
            entries = struct.pack("<QII", 5, free, before)
            findings = [] if is_right else [("values[0].none_free_before", 32 + 8 * 168 + 12)]
            assert places(second(node(entries, [0], size=16))) == findings

    @pytest.mark.parametrize("size", [8, 16])
    def test_bitmaps_have_one_place(self, size: int) -> None:
        entries = struct.pack("<QIIQII", 5, 7, 0, 5, 7, 0)
        if size == 16:
            block = second(node(entries, [0, 1], size=16))
            assert places(block) == [("values[1].blocknr", 1392)]
            return
        data = (bytes(8) + struct.pack("<Q", 1) + entries).ljust(BLOCK, b"\0")
        assert places(second(sealed(data, "index"))) == [("index[1].blocknr", 32)]

    @pytest.mark.parametrize(
        ("at", "value"), [(4, 3), (8, 2), (16, 337), (20, 253), (24, 12)], ids=str
    )
    def test_four_of_five_signs_make_a_node(self, at: int, value: int) -> None:
        data = bytearray(node(struct.pack("<2Q", 5, 6), [1, 2]))
        data[0] ^= 1
        struct.pack_into("<I", data, at, value)
        assert (second(bytes(data)).kind, second(bytes(data)).kind_by) == ("node", "content")
        other = 8 if at != 8 else 4  # one more sign
        struct.pack_into("<I", data, other, 3)
        assert second(bytes(data)).kind is None

    def test_a_damaged_superblock_is_decoded(self, walkthrough: bytes) -> None:
        data = bytearray(walkthrough)
        data[44] = 9
        block = thinscope.read_block(bytes(data), 0)
        assert (block.kind, block.kind_by, values(block)["time"]) == ("superblock", "content", 9)
        (finding,) = block.findings
        assert finding == Finding(
            "csum", 0, f"{layout.checksum(data[:BLOCK], 'superblock'):#010x}", "0x223f5d3a"
        )

    def test_a_damaged_node_is_decoded(self, walkthrough: bytes) -> None:
        for at in (4, 8, 16, 20, 24, 40):
            data = bytearray(walkthrough)
            data[94 * BLOCK + at] ^= 0x80
            block = thinscope.read_block(bytes(data), 94)
            assert (block.kind, block.kind_by) == ("node", "content"), at
            assert block.findings[0].field == "csum"
            assert block.fields[0].name == "csum"

    def test_a_damaged_bitmap_is_decoded_if_asked(self, walkthrough: bytes) -> None:
        data = bytearray(walkthrough)
        data[91 * BLOCK + 100] ^= 1
        assert thinscope.read_block(bytes(data), 91).kind is None
        block = thinscope.read_block(bytes(data), 91, kind="bitmap")
        assert (block.kind, block.kind_by, block.is_decoded) == ("bitmap", "caller", True)
        assert places(block) == [("csum", 0)]


class TestReport:
    def test_rows_lie_where_findings_say(self, walkthrough: bytes) -> None:
        for number in range(100):
            block = thinscope.read_block(walkthrough, number)
            for row in Report.of(block, "").rows():
                if isinstance(row.value, int) and block.kind != "bitmap":
                    raw = block.data[row.offset : row.offset + 8]
                    size = (row.value.bit_length() + 7) // 8
                    assert raw[:size] == row.value.to_bytes(size, "little"), (number, row)
        entries = struct.pack("<QIIQII", 5, 16321, 0, 0, 0, 16321)
        block = second(node(entries, [0, 2], size=16))
        rows = [row for row in Report.of(block, "").rows() if row.expected]
        assert sorted((row.field, row.offset) for row in rows) == sorted(places(block))

    def test_no_finding_is_lost(self, walkthrough: bytes) -> None:
        unknown = thinscope.read_block(b"x" * BLOCK, 0)
        cut = thinscope.read_block(walkthrough + b"x", 4096)
        data = bytearray(walkthrough[97 * BLOCK : 98 * BLOCK])
        struct.pack_into("<QII", data, 16 + 2 * 16, 98, 5, 0)
        gap = second(sealed(bytes(data), "index"), number=97)
        for block, field, value in [
            (unknown, "csum", "0x78787878"),
            (cut, "size", "1 byte, where the source ends"),
            (gap, "index[1].blocknr", "0"),
        ]:
            (finding,) = block.findings
            rows = list(Report.of(block, "").rows())
            row = Row(finding.offset, field, value, "", finding.expected)
            assert rows.count(row) == 1
            assert [one for one in rows if one.expected] == [row]
            assert (rows[-1].field == "data") == (block is not gap)

    def test_findings_of_one_field_come_together(self) -> None:
        block = second(node(struct.pack("<2Q", 5, 6), [(1 << 24) + 1, 1 << 24]))
        rows = {row.field: row.expected for row in Report.of(block, "").rows()}
        assert rows["keys[0]"] == "a device id, at most 24 bits"
        assert rows["keys[1]"] == (
            "more than the key before it, 16777217; a device id, at most 24 bits"
        )

    @pytest.mark.parametrize(
        ("entries", "words"),
        [
            ([], "an empty leaf: "),
            ([(3, 5)], "one entry that can be either: "),
            ([(3, 1 << 24)], "taken for mappings: "),
            ([(3, 0), (4, 1 << 24)], "taken for mappings: "),
            ([(3, 5), (4, 1 << 24)], "taken for mappings, but one of the two values can be"),
            ([(3, 5), (4, 6)], "taken for roots of mapping trees: "),
        ],
    )
    def test_what_is_said_of_a_judgement(self, entries: list[tuple[int, int]], words: str) -> None:
        (sentence,) = sentences(Report.of(leaf(*entries), ""))
        assert sentence.startswith(words)

    def test_bytes_that_should_be_zeros(self, walkthrough: bytes) -> None:
        data = changed(walkthrough, "superblock", 3000, 1, 7)
        block = thinscope.read_block(data + walkthrough[BLOCK:], 0)
        ((_, rows),) = tables(Report.of(block, ""))
        assert list(rows)[-1] == (
            "unused",
            "364",
            "not zeros",
            "3,732 bytes: not zero from 3000 on",
        )

    def test_equal_lines_of_bytes_are_shown_once(self) -> None:
        line = "30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66  0123456789abcdef\n"
        text = b"0123456789abcdef"
        assert list(hex_lines(text)) == [f"0000  {line}", "0010\n"]
        for count in (2, 3, 9):
            end = f"{16 * count:04x}"
            shown = list(hex_lines(text * count + b"\x1b."))
            assert shown[:2] == [f"0000  {line}", "*\n"]
            assert shown[2] == f"{end}  {'1b 2e':47}  ..\n"
            assert shown[3:] == [f"{16 * count + 2:04x}\n"]


RULES = {
    *("blocknr", "magic", "data_block_size", "metadata_block_size", "flags", "max_entries"),
    *("held_root", "data_mapping_root", "device_details_root", "child", "root"),
    *("space map's bitmap_root", "space map's ref_count_root"),
    *("metadata space map's nr_blocks", "nr_blocks", "bitmap"),
}
"""Fields in which the core finds what one block alone shows."""

UNDECIDED = {
    # One entry of two is as in a leaf of mappings,
    *("device-root-2-to-63", "device-root-all-ones"),
    # and this is one, in a wrong place.
    *("superblock-mapping-root-1", "top-level-root-is-mapping-root"),
}
"""Recipes that make bad roots where the block alone does not show that these are roots."""


def corruption(path: Path) -> errors.CorruptMetadata | None:
    """What the core finds wrong with a pool first."""
    try:
        with thinscope.open(path) as pool:
            pool.recount()
            list(pool.reference_counts("data"))
            list(pool.reference_counts("metadata"))
    except errors.CorruptMetadata as error:
        return error
    except errors.ThinscopeError:
        pass
    return None


def test_hostile_pools(testkit: str, tmp_path: Path) -> None:
    """No recipe leads to an exception; what the core finds in a block is found here, too."""
    listed = subprocess.run([testkit, "recipes"], check=True, capture_output=True, text=True)
    recipes = [line.split("\t") for line in listed.stdout.splitlines()]
    path = tmp_path / "hostile.bin"
    seen: set[tuple[int, bytes]] = set()
    agreed = 0
    for name, *_ in recipes:
        subprocess.run([testkit, "hostile", name, "-o", path], check=True, capture_output=True)
        image = path.read_bytes()
        for number in range(-(-len(image) // BLOCK)):
            data = image[number * BLOCK : (number + 1) * BLOCK]
            if not any(data) or (number, data) in seen:
                continue
            seen.add((number, data))
            block = thinscope.read_block(image, number)
            assert block.data == data
            for finding in block.findings:
                assert 0 <= finding.offset < BLOCK
                assert all((finding.field, finding.expected, finding.found))
        error = corruption(path)
        is_leaf_expected = error and error.field == "flags" and error.expected == "2 (leaf)"
        if error and error.field in RULES and not is_leaf_expected:
            block = thinscope.read_block(image, error.block)
            if name in UNDECIDED:
                assert (block.value_kind, block.findings) == ("mappings", ())
                block = thinscope.read_block(image, error.block, value_kind="roots")
            assert (error.offset - block.offset) in {one.offset for one in block.findings}, name
            agreed += 1
    assert len(seen) > len(recipes) // 2
    assert agreed > 100
