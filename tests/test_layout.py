"""`thinscope.layout` and the Rust reader agree on every field; what is parsed is built again."""

from __future__ import annotations

import json
import random
import subprocess
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.test_testkit import HIGH
from thinscope import layout

BLOCK = layout.BLOCK_SIZE
GENERATED = [
    f"one-device {HIGH} --metadata-snapshot --data-blocks 100000",
    "snapshots-shared --mappings 300 --leaf-fill 1..5 --node-fill 2..3 --loose-edges --devices 3",
    "small --metadata-snapshot --slack --seed 1",
    "shared-data --mappings 900 --devices 3",
]


def block(image: bytes, number: int) -> bytes:
    return image[number * BLOCK : (number + 1) * BLOCK]


def rust_blocks(testkit: str, image: bytes, folder: Path) -> dict[int, dict[str, Any]]:
    """Every live block of a pool as the Rust reader sees it, by number."""
    path = folder / "image.bin"
    path.write_bytes(image)
    lines = subprocess.run([testkit, "blocks", path], check=True, capture_output=True).stdout
    return {line["block"]: line for line in map(json.loads, lines.splitlines())}


def plain(value: Any) -> Any:
    """What construct gave, as JSON would have it."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items() if not k.startswith("_")}
    if isinstance(value, (bytes, list)):
        return [plain(item) for item in value]
    return value


def compare(found: dict[str, Any], data: bytes) -> None:
    """All that the Rust reader says of a block is what the layout says."""
    assert layout.kind_of(data) == found["kind"]
    fields = layout.parse(data, value_kind=found.get("value_kind"))
    assert fields.kind == found["kind"]
    assert layout.build(fields) == data
    assert {name: plain(fields[name]) for name in found["fields"]} == found["fields"]
    match found["kind"]:
        case "superblock":
            assert set(found["fields"]) == set(plain(fields)) - {"kind"}
        case "index":
            assert plain(fields.index) == found["index"]
        case "bitmap":
            counts = len(found["counts"])
            assert list(fields.counts[:counts]) == found["counts"]
            assert not any(fields.counts[counts:])  # behind the end of the map
        case "node":
            used = fields.nr_entries
            assert len(fields["keys"]) == len(fields["values"]) == fields.max_entries
            assert list(fields["keys"])[:used] == found["keys"]
            assert plain(fields["values"])[:used] == found["values"]
            keys = layout.NODE_HEADER.sizeof()
            assert keys + fields.max_entries * layout.KEY_SIZE == found["values_offset"]
            told = layout.value_kind_of(data)
            assert told == found["value_kind"] or (used == 0 and told == "mappings")


class Walk:
    """All blocks that block 0 reaches, found with the layout alone."""

    def __init__(self, image: bytes) -> None:
        self.image, self.seen = image, {0}
        live = layout.parse(block(image, 0))
        self.allocated = live.metadata_space_map_root.nr_allocated
        self.devices(live)
        if live.held_root:
            self.seen.add(live.held_root)
            self.devices(layout.parse(block(image, live.held_root)))
        data, metadata = live.data_space_map_root, live.metadata_space_map_root
        self.seen.update(entry.blocknr for entry in self.tree(data.bitmap_root, "index-entries"))
        self.tree(data.ref_count_root, "counts")
        self.tree(metadata.ref_count_root, "counts")
        self.seen.add(metadata.bitmap_root)
        entries = layout.parse(block(image, metadata.bitmap_root)).index
        self.bitmaps = [entry.blocknr for entry in entries if entry.blocknr]
        self.seen.update(self.bitmaps)

    def devices(self, superblock: Any) -> None:
        for root in self.tree(superblock.data_mapping_root, "roots"):
            self.tree(root, "mappings")
        self.tree(superblock.device_details_root, "details")

    def tree(self, root: int, value_kind: layout.ValueKind) -> list[Any]:
        self.seen.add(root)
        node = layout.parse(block(self.image, root))
        if node.flags == layout.INTERNAL_NODE:
            children = node["values"][: node.nr_entries]
            return [value for child in children for value in self.tree(child, value_kind)]
        node = layout.parse(block(self.image, root), value_kind=value_kind)
        return list(node["values"][: node.nr_entries])

    def counted(self) -> set[int]:
        """The blocks that the metadata space map counts."""
        counts = (layout.parse(block(self.image, at)).counts for at in self.bitmaps)
        flat = (count for bitmap in counts for count in bitmap)
        return {number for number, count in enumerate(flat) if count}


def check(testkit: str, image: bytes, folder: Path) -> int:
    found = rust_blocks(testkit, image, folder)
    for number, line in found.items():
        compare(line, block(image, number))
    walk = Walk(image)
    assert found.keys() == walk.seen == walk.counted()
    assert len(found) == walk.allocated
    return len(found)


def test_captures_agree(testkit: str, image: bytes, tmp_path: Path) -> None:
    print(check(testkit, image, tmp_path), "blocks")


@pytest.mark.parametrize("shape", GENERATED)
def test_generated_pools_agree(testkit: str, shape: str, tmp_path: Path) -> None:
    path = tmp_path / "pool.bin"
    build = [testkit, "build", *shape.split(), "-o", path]
    subprocess.run(build, check=True, capture_output=True)
    check(testkit, path.read_bytes(), tmp_path)


def test_old_blocks_are_built_again(image: bytes) -> None:
    """Blocks that are not live any more are whole, too: a part of them."""
    blocks = filter(any, (image[at : at + BLOCK] for at in range(0, len(image), BLOCK)))
    some = list(islice(blocks, 0, None, 5))
    assert some
    for data in some:
        assert layout.kind_of(data) is not None
        assert layout.build(layout.parse(data)) == data


NUMBERS = st.integers(0, 400) | st.integers(0, (1 << 32) - 1)
SIZES = st.sampled_from([4, 8, 16, 24]) | st.integers(0, 40) | NUMBERS
HEADERS = st.tuples(NUMBERS, st.integers(0, 3), NUMBERS, NUMBERS, NUMBERS, NUMBERS, SIZES, NUMBERS)


KINDS: list[layout.Kind] = ["superblock", "node", "bitmap", "index"]
VALUE_KINDS: list[layout.ValueKind | None] = [None, *layout.VALUES]  # type: ignore[list-item]


@settings(deadline=None)  # the machine may have other work
@given(st.integers(), HEADERS, st.sampled_from([*KINDS, "node"]), st.sampled_from(VALUE_KINDS))
def test_any_bytes_are_built_again(
    seed: int,
    header: tuple[int, ...],
    kind: layout.Kind,
    value_kind: layout.ValueKind | None,
) -> None:
    data = b"".join(number.to_bytes(4, "little") for number in header)
    data += random.Random(seed).randbytes(BLOCK - len(data))  # noqa: S311 - any bytes do
    try:
        fields = layout.parse(data, kind, value_kind)
    except ValueError:
        assert kind == "node"
        return
    assert layout.build(fields) == data


def test_what_is_changed_is_built(walkthrough: bytes) -> None:
    superblock = layout.parse(walkthrough[:BLOCK])
    superblock.trans_id = 7
    built = layout.build(superblock)
    assert built[48:56] == bytes([7, *bytes(7)])
    assert layout.kind_of(built) is None
    superblock.csum = layout.checksum(built, "superblock")
    assert layout.kind_of(layout.build(superblock)) == "superblock"
    assert layout.build(plain_with_bytes(superblock)) == layout.build(superblock)


def plain_with_bytes(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: plain_with_bytes(v) for k, v in value.items() if not k.startswith("_")}
    return value


def test_sizes_and_places() -> None:
    whole = (layout.SUPERBLOCK, layout.BITMAP, layout.INDEX)
    assert {struct.sizeof() for struct in whole} == {BLOCK}
    places = list(layout.places(layout.SUPERBLOCK))
    ends = [offset + size for _, offset, size in places]
    assert [offset for _, offset, _ in places] == [0, *ends[:-1]]
    by_name = {name: offset for name, offset, _ in places}
    assert by_name["metadata_space_map_root.nr_allocated"] == 200
    assert [layout.capacity(size) for size in (4, 8, 16, 24)] == [336, 252, 168, 126]


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK + 1])
def test_a_block_has_its_size(size: int) -> None:
    with pytest.raises(ValueError, match="4096 bytes"):
        layout.parse(bytes(size))
    with pytest.raises(ValueError, match="4096 bytes"):
        layout.parse(bytes(size), "index")
    with pytest.raises(ValueError, match="4096 bytes"):
        layout.kind_of(bytes(size))
    with pytest.raises(ValueError, match="4096 bytes"):
        layout.value_kind_of(bytes(size))
    with pytest.raises(ValueError, match="4096 bytes"):
        layout.checksum(bytes(size), "node")


def test_a_block_is_bytes(walkthrough: bytes) -> None:
    for what in (BLOCK, None, "x" * BLOCK):
        for function in (layout.kind_of, layout.value_kind_of, layout.parse):
            with pytest.raises(TypeError):
                function(what)  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            layout.checksum(what, "node")  # type: ignore[arg-type]
    leaf = block(walkthrough, 94)
    for data in (bytearray(leaf), memoryview(leaf)):
        assert layout.build(layout.parse(data)) == leaf


def test_what_cannot_be_parsed_or_built(walkthrough: bytes) -> None:
    superblock, leaf = block(walkthrough, 0), block(walkthrough, 94)
    with pytest.raises(ValueError, match="no layout for a block without the checksum"):
        layout.parse(bytes(BLOCK))
    with pytest.raises(ValueError, match="no layout for array"):
        layout.parse(superblock, "array")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="details have 24 bytes each, not 8"):
        layout.parse(leaf, value_kind="details")
    with pytest.raises(ValueError, match="values are one of children"):
        layout.parse(leaf, value_kind="what")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="255 keys, and values of 8 bytes, do not fit"):
        layout.parse(leaf[:20] + (255).to_bytes(4, "little") + leaf[24:], "node")
    with pytest.raises(ValueError, match="a kind of block is one of"):
        layout.checksum(leaf, "what")
    fields = layout.parse(leaf)
    for name, value in [
        *(("kind", "what"), ("kind", []), ("value_kind", "what"), ("value_kind", None)),
        *(("blocknr", -1), ("blocknr", "1"), ("blocknr", 1.5)),
        *(("unused", b""), ("unused", 5), ("keys", 5), ("keys", [1]), ("values", None)),
    ]:
        with pytest.raises(ValueError, match=r".") as caught:
            layout.build({**fields, name: value})
        message = str(caught.value)
        assert message[0].islower()
        assert "\n" not in message
    with pytest.raises(ValueError, match="uuid object failed validation: 5"):
        layout.build({**layout.parse(superblock), "uuid": 5})
    with pytest.raises(ValueError, match="missing"):
        layout.build({"kind": "superblock"})
