"""Fragmentation against brute force, on every capture and on generated pools of all shapes."""

from __future__ import annotations

import io
import struct
import subprocess
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

import thinscope
from tests.oracle import asked, reader, restored, scattered
from tests.oracle.reader import BLOCK, Image, Mapping
from thinscope.report.fragmentation import IO_SIZES, Fragmentation
from thinscope.report.picture import Picture

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.oracle import peer
    from tests.oracle.reader import Trees

POOLS = [
    "one-device --mappings 0",
    "one-device --mappings 1",
    "one-device --mappings 3000 --run 3 --areas 9 --data-block-sectors 384",
    "one-device --mappings 3000 --run 900 --time 300 --leaf-fill 1..9 --node-fill 2..4",
    "shared-data --devices 0",
    "shared-data --devices 5 --mappings 900 --changed 20 --run 4",
    "snapshots-shared --devices 9 --mappings 2000 --changed 5 --run 7 --areas 3",
    "snapshots-shared --devices 9 --mappings 900 --changed 9 --run 2 --leaf-fill 1..40 --node-fill 2..3",
    "snapshots-shared --devices 9 --mappings 9000 --changed 3 --run 30 --leaf-fill 84..252 --node-fill 2..9",
    "snapshots-own-spines --devices 9 --mappings 5000 --changed 9 --leaf-fill 1..252 --node-fill 2..5",
    "small --metadata-snapshot --seed 3",
    "churn --metadata-snapshot --seed 4",
    "churn --capacity 252 --least 84 --span 4000 --longest 300 --steps 600 --seed 5",
    "two-depths --capacity 12 --least 4 --height 1",
]


@pytest.fixture(params=POOLS, scope="module")
def generated(
    request: pytest.FixtureRequest, testkit: str, tmp_path_factory: pytest.TempPathFactory
) -> bytes:
    path = tmp_path_factory.mktemp("pool") / "pool.bin"
    command = [testkit, "build", *request.param.split(), "-o", path]
    subprocess.run(command, check=True, capture_output=True)
    return path.read_bytes()


def found_of(device: thinscope.DeviceFragmentation) -> scattered.Scattered:
    return scattered.Scattered(
        *(
            getattr(device, name)
            for name in scattered.Scattered._fields
            if name not in {"run_lengths", "reads", "seeks", "seek_blocks"}
        ),
        run_lengths=[(row.shortest, row.count, row.blocks) for row in device.run_lengths],
        seeks=device.seeks,
        seek_blocks=device.seek_blocks,
        reads=[(row.io_blocks, row.ios, row.pieces) for row in device.reads],
    )


def check_fill(fill: thinscope.NodeFill, entries: list[int]) -> None:
    assert (fill.nodes, fill.entries) == (len(entries), sum(entries))
    assert fill.room == len(entries) * scattered.ROOM
    tenths = [min(count * 10 // scattered.ROOM, 9) for count in entries]
    assert fill.tenths == [tenths.count(tenth) for tenth in range(10)]


def agree(pool: thinscope.Pool, image: Image, trees: Trees) -> None:
    found = pool.fragmentation()
    assert list(found.devices) == sorted(trees.mappings)
    for id_, device in found.devices.items():
        expected = scattered.scattered(trees.mappings[id_])
        assert found_of(device) == expected
        assert {row.seeks for row in device.reads} == {device.seeks}
        assert sum(row.count for row in device.run_lengths) == device.runs
        if device.runs:
            assert device.mean_run == device.mapped_blocks / device.runs
        else:
            assert (device.mean_run, device.contiguity, device.mean_seek) == (None, None, None)
    leaves, internal = scattered.fills(image, trees)
    check_fill(found.leaves, leaves)
    check_fill(found.internal_nodes, internal)
    assert found.nodes == pool.recount().nodes
    assert found.unshared_nodes == sum(
        scattered.tree_nodes(max(1, -(-len(mappings) // scattered.ROOM)))
        for mappings in trees.mappings.values()
    )
    xml = io.BytesIO()
    pool.dump(xml)
    assert found.packed_nodes == scattered.packed_nodes(xml.getvalue().decode())


def agree_on_free(pool: thinscope.Pool, image: Image) -> None:
    extents = scattered.free_extents(image.data_space.counts)
    lengths = [length for _, length in extents]
    free = pool.free_extents(largest=3)
    assert free is not None
    assert (free.count, free.blocks) == (len(extents), sum(lengths))
    assert free.blocks == pool.data_space.free
    assert free.longest == max(lengths, default=0)
    assert [(row.shortest, row.count, row.blocks) for row in free.lengths] == scattered.classes(
        lengths
    )
    by_length = sorted(extents, key=lambda extent: (-extent[1], extent[0]))
    assert free.largest == by_length[:3]
    every = pool.free_extents(largest=len(extents) + 1)
    assert every is not None
    assert every.largest == by_length
    none = pool.free_extents()
    assert none is not None
    assert none.largest == []


def agree_on_the_picture(pool: thinscope.Pool, image: Image) -> None:
    holders = Counter[int]()
    for mappings in image.live.mappings.values():
        holders.update({mapping.data for mapping in mappings.values()})
    kept = {
        mapping.data
        for mappings in (image.snapshot.mappings.values() if image.snapshot else ())
        for mapping in mappings.values()
    }
    blocks = [
        thinscope.Cell(
            free=not count and not holders[block] and block not in kept,
            one_device=holders[block] == 1,
            several_devices=holders[block] > 1,
            only_metadata_snapshot=not holders[block] and block in kept,
            leaked=bool(count) and not holders[block] and block not in kept,
            missing=not count and bool(holders[block] or block in kept),
        )
        for block, count in enumerate(image.data_space.counts)
    ]
    for wanted in (1, 7, 512):
        size = -(-len(blocks) // wanted)
        cells = [blocks[begin : begin + size] for begin in range(0, len(blocks), size)]
        expected = [thinscope.Cell(*map(sum, zip(*cell, strict=True))) for cell in cells]
        assert pool.picture(wanted) == expected
    picture = Picture.of(pool)
    assert picture is not None
    assert picture.blocks_per_cell == -(-len(blocks) // 512)
    assert sum(picture.blocks().values()) == len(blocks)


def check_image(data: bytes) -> None:
    image = Image(data)
    with thinscope.open(data, threads=2) as pool:
        agree(pool, image, image.live)
        agree_on_free(pool, image)
        agree_on_the_picture(pool, image)
    if image.snapshot is not None:
        with thinscope.open(data, metadata_snapshot=True) as pool:
            agree(pool, image, image.snapshot)
            assert pool.free_extents(largest=3) is None
            assert pool.picture(3) is None
            assert Picture.of(pool) is None


def test_captures(image: bytes) -> None:
    check_image(image)


def test_generated_pools(generated: bytes) -> None:
    check_image(generated)


@pytest.mark.parametrize("name", restored.load())
def test_packing_is_what_the_peer_makes(name: str, pool_folders: peer.Folders) -> None:
    """The peer dumped and restored these pools; `make oracle` has it do so again."""
    with thinscope.open(pool_folders.of(name) / asked.POOL) as pool:
        assert pool.fragmentation().packed_nodes == restored.load()[name]


def test_devices_with_one_root_share_what_is_found(testkit: str, tmp_path: Path) -> None:
    path = tmp_path / "pool.bin"
    command = [testkit, "build", "snapshots-shared", "--changed", "0", "-o", path]
    subprocess.run(command, check=True, capture_output=True)
    found = thinscope.open(path).fragmentation().devices
    roots = set(Image(path.read_bytes()).live.roots.values())
    assert len({id(device) for device in found.values()}) == len(roots) < len(found)


def test_the_model_counts_what_is_plain_to_see() -> None:
    def of(data: dict[int, int]) -> tuple[int, ...]:
        mappings = {block: Mapping(place, 0) for block, place in data.items()}
        found = scattered.scattered(mappings)
        return (found.runs, found.seeks, found.seek_blocks, *found.reads[-1][1:])

    assert of({}) == (0, 0, 0, 0, 0)
    assert of({5: 9}) == (1, 0, 0, 1, 1)
    assert of({0: 9, 1: 8, 2: 7}) == (3, 2, 4, 1, 3)  # they descend
    assert of({0: 4, 2: 5, 70: 6}) == (3, 0, 0, 2, 3)  # the data goes on behind holes
    assert of({63: 0, 64: 1, 65: 2}) == (1, 0, 0, 2, 2)  # a window parts a run
    assert of({0: 10, 1: 11, 2: 0, 3: 1}) == (2, 1, 12, 1, 2)


LAST_KEY = (1 << 64) - 1


@pytest.mark.parametrize(
    "keys",
    [
        lambda at: at,
        lambda at: 2 * at,
        lambda at: at + at // 5,
        lambda at: at * (LAST_KEY // 199),
        lambda at: LAST_KEY - 199 + at,
    ],
    ids=["dense", "every other", "holes", "far apart", "at the end"],
)
@pytest.mark.parametrize(
    "place",
    [
        lambda at: at,
        lambda at: 199 - at,
        lambda at: at ^ 1,
        lambda at: at * 7 % 200,
        lambda at: at // 50 * 50 + 49 - at % 50,
    ],
    ids=["in order", "descending", "in pairs", "scattered", "descending stretches"],
)
def test_odd_leaves(
    testkit: str, tmp_path: Path, keys: Callable[[int], int], place: Callable[[int], int]
) -> None:
    """One leaf with 200 mappings, whose keys and values are written anew."""
    path = tmp_path / "pool.bin"
    command = [testkit, "build", "one-device", "--mappings", "200", "--run", "1"]
    subprocess.run([*command, "--leaf-fill", "200", "-o", path], check=True, capture_output=True)
    data = bytearray(path.read_bytes())
    live = Image(bytes(data)).live
    (root,), (mappings,) = live.roots.values(), live.mappings.values()
    values = sorted(mapping.data << 24 for mapping in mappings.values())
    block = root * BLOCK
    for at in range(200):
        struct.pack_into("<Q", data, block + 32 + 8 * at, keys(at))
        struct.pack_into("<Q", data, block + 32 + 8 * 252 + 8 * at, values[place(at)])
    checksum = reader.checksum(bytes(data[block : block + BLOCK]), reader.NODE_SALT)
    struct.pack_into("<I", data, block, checksum)
    check_image(bytes(data))


def test_columns_name_the_sizes_that_there_are(walkthrough: bytes) -> None:
    with thinscope.open(walkthrough) as pool:
        report = Fragmentation.of(pool, "pool")
    for row in report.devices:
        assert tuple(reads.io_blocks for reads in row.reads) == IO_SIZES
    assert all(len(row) == len(report.column_names()) for row in report.rows())


def test_closed(walkthrough: bytes) -> None:
    pool = thinscope.open(walkthrough)
    pool.close()
    for question in (pool.fragmentation, pool.free_extents):
        with pytest.raises(ValueError, match="closed"):
            question()


@pytest.mark.parametrize(
    "shape",
    [
        "one-device --mappings 10000000",
        "snapshots-shared --mappings 1500000 --devices 300",
        "snapshots-own-spines --mappings 1500000 --devices 300",
    ],
)
def test_it_costs_what_counting_costs(testkit: str, tmp_path: Path, shape: str) -> None:
    """Processor time, as others may be busy too: 1.2 to 1.8 times as much when this was written."""
    path = tmp_path / "pool.bin"
    subprocess.run([testkit, "build", *shape.split(), "-o", path], check=True, capture_output=True)

    def seconds(question: str) -> float:
        best = float("inf")
        for _ in range(3):
            with thinscope.open(path) as pool:
                start = time.process_time()
                getattr(pool, question)()
                best = min(best, time.process_time() - start)
        return best

    counting, looking = seconds("recount"), seconds("fragmentation")
    assert looking < 2.5 * counting
