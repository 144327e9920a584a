"""What two trees have in common is what the second reader says block by block, and cheap where they share."""

from __future__ import annotations

import io
import itertools
import random
import subprocess
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import polars
import pytest

import thinscope
from tests.conftest import CAPTURES, SAMPLES
from tests.oracle import answers
from tests.oracle.reader import BLOCK, NODE_SALT, Image, Mapping, Role, checksum
from tests.sharing import model, pools
from thinscope import errors
from thinscope.report.delta import Delta

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

Told = tuple[str, int | None, int | None, int | None, int | None]
"""Kind, data block on the left and on the right, times."""

VIEWS = [view for view in pools.VIEWS if view != "many-classes"]  # which takes long in Python
MORE_NODES = 1
"""Nodes that may be read although both trees have them, where the trees are not equally high."""


@pytest.fixture(scope="session", params=VIEWS)
def case(request: pytest.FixtureRequest, testkit: str) -> pools.Case:
    """Every pool, and every pool as its metadata snapshot shows it."""
    return pools.case(request.param, testkit)


def expected(
    left: dict[int, Mapping], right: dict[int, Mapping], *, same: bool, times: bool = False
) -> dict[int, Told]:
    """Compare block by block."""
    found: dict[int, Told] = {}
    for virtual in left.keys() | right.keys():
        one, other = left.get(virtual), right.get(virtual)
        if one is None or other is None:
            kind = "right_only" if one is None else "left_only"
        elif one.data == other.data and (one.time == other.time or not times):
            kind = "same"
        else:
            kind = "different"
        if kind == "same" and not same:
            continue
        found[virtual] = (
            kind,
            one.data if one else None,
            other.data if other else None,
            one.time if one else None,
            other.time if other else None,
        )
    return found


def told(pieces: list[thinscope.Piece]) -> dict[int, Told]:
    """Every block of every piece; pieces come in order, and none could be longer."""
    found: dict[int, Told] = {}
    behind: tuple[int, Told] | None = None
    for piece in pieces:
        sides = piece.left_data_begin, piece.right_data_begin
        first = piece.kind, *sides, piece.left_time, piece.right_time
        assert behind is None or behind[0] <= piece.virtual_begin
        assert (piece.virtual_begin, first) != behind, "pieces are as long as they can be"
        for at in range(piece.length + 1):
            data = (None if side is None else side + at for side in sides)
            here = piece.kind, *data, piece.left_time, piece.right_time
            if at == piece.length:
                behind = piece.virtual_begin + at, here
            else:
                found[piece.virtual_begin + at] = here
    return found


def pairs(ids: list[int], drawn: random.Random) -> Iterator[tuple[int, int]]:
    """Some pairs of devices, also of one with itself."""
    if ids:
        yield ids[0], ids[0]
        yield ids[0], ids[-1]
        yield from ((drawn.choice(ids), drawn.choice(ids)) for _ in range(10))


def test_two_devices(case: pools.Case) -> None:
    trees = case.second.snapshot if case.metadata_snapshot else case.second.live
    assert trees
    nodes = model.nodes(case.second, trees)
    for left, right in pairs(case.ids, case.drawn("delta")):
        one, other = trees.mappings[left], trees.mappings[right]
        for same in (False, True):
            table = case.pool.devices[left].delta(case.pool.devices[right], same=same)
            assert table.is_same_metadata
            pieces = iter(table)
            assert told(list(pieces)) == expected(one, other, same=same), (left, right)
            differ, both = nodes[left] ^ nodes[right], nodes[left] | nodes[right]
            least = len(both if same else differ)
            assert least <= pieces.nodes_read <= least + MORE_NODES, (left, right)


Lined = tuple[str, int | None, int | None]
"""Kind, data block on the left and on the right as far as they are told."""


def lined(texts: Iterable[str], *, detailed: bool) -> dict[int, Lined]:
    """Every block of every element; they come in order, and none could be longer."""
    found: dict[int, Lined] = {}
    behind: tuple[int, Lined] | None = None
    document = ET.fromstring(f"<diff>{''.join(texts)}</diff>")  # noqa: S314 - our own
    kinds = [element.tag for element in document]
    assert not detailed or all(kind != after for kind, after in itertools.pairwise(kinds))
    for element in document:
        for range_ in element if detailed else [element]:
            here = {word: int(number) for word, number in range_.attrib.items()}
            begin, length = here.pop("begin"), here.pop("length")
            both = here.get("data_begin")
            sides = here.get("left_data_begin", both), here.get("right_data_begin", both)
            assert len(here) == detailed * (1 + (element.tag == "different"))
            for at in range(length + 1):
                data = (None if side is None else side + at for side in sides)
                block: Lined = element.tag, *data
                assert at or (begin, block) != behind, "ranges are as long as they can be"
                if at == length:
                    behind = begin + at, block
                else:
                    found[begin + at] = block
    return found


def expected_lines(
    left: dict[int, Mapping], right: dict[int, Mapping], *, detailed: bool
) -> dict[int, Lined]:
    """The same from the two sides, block by block."""
    found: dict[int, Lined] = {}
    for virtual, (kind, *sides, _, _) in expected(left, right, same=True).items():
        one, other = (
            next(each for each in order if each is not None) for order in (sides, sides[::-1])
        )
        found[virtual] = (kind, one, other) if detailed else (kind, None, None)
    return found


@pytest.mark.parametrize("detailed", [False, True])
def test_two_devices_in_lines(case: pools.Case, *, detailed: bool) -> None:
    trees = case.second.snapshot if case.metadata_snapshot else case.second.live
    assert trees
    for left, right in pairs([*case.pool.devices], random.Random(3)):  # noqa: S311 - the same each time
        delta = case.pool.devices[left].delta(case.pool.devices[right], same=True)
        sides = trees.mappings[left], trees.mappings[right]
        found = lined(delta.lines(detailed=detailed), detailed=detailed)
        assert found == expected_lines(*sides, detailed=detailed)


@pytest.mark.parametrize("detailed", [False, True])
def test_lines_go_on_from_batch_to_batch(testkit: str, tmp_path: Path, *, detailed: bool) -> None:
    path = tmp_path / "pool.bin"
    shape = ["snapshots-shared", "--devices", "1", "--mappings", "40000", "--changed", "20"]
    subprocess.run([testkit, "build", *shape, "--run", "1", "-o", path], check=True)
    left, right = thinscope.open(path).devices.values()
    trees = Image(path.read_bytes()).live.mappings
    texts = [*left.delta(right, same=True).lines(detailed=detailed)]
    assert len(texts) > 2, "a batch has 32 Ki pieces"
    sides = trees[left.id], trees[right.id]
    assert lined(texts, detailed=detailed) == expected_lines(*sides, detailed=detailed)


def test_two_roots(case: pools.Case) -> None:
    trees = case.second.snapshot if case.metadata_snapshot else case.second.live
    assert trees
    for left, right in pairs(case.ids, case.drawn("roots")):
        roots = trees.roots[left], trees.roots[right]
        of_roots = case.pool.root(roots[0]).delta(case.pool.root(roots[1]))
        of_devices = case.pool.devices[left].delta(case.pool.devices[right])
        assert list(of_roots) == list(of_devices)
        mixed = case.pool.devices[left].delta(case.pool.root(roots[1]))
        assert list(mixed) == list(of_devices)


@pytest.mark.parametrize("shape", ["snapshots-shared", "snapshots-own-spines"])
def test_two_of_three_hundred_snapshots_read_what_differs(testkit: str, shape: str) -> None:
    second = Image(pools.build(testkit, f"{shape} --devices 300 --mappings 60000 --run 3"))
    roots = second.tree(second.superblock.mapping_root, Role.TOP_LEVEL)
    pool = thinscope.open(second.data)
    drawn, ids = random.Random(7), sorted(roots)  # noqa: S311 - a sample
    assert len(ids) > 300
    shared = read = 0
    for distance in (1, 1, 2, 5, 20, 100):
        at = drawn.randrange(len(ids) - distance)
        pair = ids[at], ids[at + distance]
        one, other = (reached(second, roots[device][0]) for device in pair)
        trees = [mappings(second, roots[device][0]) for device in pair]
        pieces = iter(pool.devices[pair[0]].delta(pool.devices[pair[1]]))
        assert told(list(pieces)) == expected(trees[0], trees[1], same=False)
        assert pieces.nodes_read == len(one ^ other)
        shared += len(one & other)
        read += pieces.nodes_read
    assert shared > 2 * read > 0, "there was much to pass over"


def reached(second: Image, root: int) -> set[int]:
    """The nodes of a tree."""
    found: dict[int, Role] = {}
    second._reach(root, Role.MAPPING, found)
    return set(found)


def mappings(second: Image, root: int) -> dict[int, Mapping]:
    """The mappings of a tree."""
    entries = second.tree(root, Role.MAPPING).items()
    return {virtual: Mapping(entry >> 24, entry & 0xFFFFFF) for virtual, (entry,) in entries}


@pytest.mark.parametrize("name", [name for name in pools.HOLDING if name in pools.LIVE])
def test_live_against_the_metadata_snapshot(name: str, testkit: str, tmp_path: Path) -> None:
    """Of one file both views are of one metadata, whose nodes are compared."""
    second = pools.read(name, testkit)
    path = tmp_path / "pool.bin"
    path.write_bytes(second.data)
    live, snapshot = thinscope.open(path), thinscope.open(path, metadata_snapshot=True)
    assert second.snapshot
    reached = model.nodes(second, second.live), model.nodes(second, second.snapshot)
    for device in sorted(second.live.roots.keys() & second.snapshot.roots.keys())[:20]:
        table = snapshot.devices[device].delta(live.devices[device])
        assert table.is_same_metadata
        pieces = iter(table)
        trees = second.snapshot.mappings[device], second.live.mappings[device]
        assert told(list(pieces)) == expected(*trees, same=False)
        differ = len(reached[0][device] ^ reached[1][device])
        assert differ <= pieces.nodes_read <= differ + MORE_NODES


def test_two_captures_are_read_whole(testkit: str) -> None:
    """Block numbers of one say nothing in the other, and a block given out again is another one."""
    churn = "churn --capacity 24 --span 400 --longest 30 --seed 5 --steps"
    early, late = (Image(pools.build(testkit, f"{churn} {steps}")) for steps in (500, 700))
    pool, other = thinscope.open(early.data), thinscope.open(late.data)
    common = sorted(early.live.roots.keys() & late.live.roots.keys())
    kinds, given_out_again = set(), 0
    assert common
    for device in common:
        table = pool.devices[device].delta(other.devices[device], same=True)
        assert not table.is_same_metadata
        pieces = iter(table)
        found = told(list(pieces))
        trees = early.live.mappings[device], late.live.mappings[device]
        assert found == expected(*trees, same=True, times=True)
        kinds |= {each[0] for each in found.values()}
        given_out_again += sum(
            each[0] == "different" and each[1] == each[2] for each in found.values()
        )
        reached = model.nodes(early, early.live)[device], model.nodes(late, late.live)[device]
        assert pieces.nodes_read == sum(map(len, reached))
    assert kinds >= {"same", "different"}


def test_the_same_file_in_another_state_is_another_one(testkit: str, tmp_path: Path) -> None:
    path = tmp_path / "pool.bin"
    arguments = "churn --capacity 24 --span 400 --seed 5 --steps"
    path.write_bytes(pools.build(testkit, f"{arguments} 500"))
    before = thinscope.open(path.read_bytes())
    assert not before.devices[0].delta(thinscope.open(path).devices[0]).is_same_metadata
    first = thinscope.open(path)
    assert first.devices[0].delta(thinscope.open(path).devices[0]).is_same_metadata
    path.write_bytes(pools.build(testkit, f"{arguments} 700"))
    assert not first.devices[0].delta(thinscope.open(path).devices[0]).is_same_metadata


@pytest.mark.parametrize("name", ["walkthrough-b", "churn-b"])
def test_two_file_objects(name: str) -> None:
    image = answers.image(CAPTURES[name])
    pool, other = thinscope.open(io.BytesIO(image)), thinscope.open(io.BytesIO(image))
    assert list(pool.devices[0].delta(other.devices[0])) == []
    whole = list(pool.devices[0].delta(other.devices[1]))
    assert whole == list(pool.devices[0].delta(pool.devices[1]))


def test_as_columns(churn: bytes) -> None:
    pool = thinscope.open(churn)
    table = pool.devices[0].delta(pool.devices[10], same=True)
    frame = polars.DataFrame(table)
    assert dict(frame.schema) == {
        "kind": polars.String,
        "virtual_begin": polars.UInt64,
        "length": polars.UInt64,
        "left_data_begin": polars.UInt64,
        "right_data_begin": polars.UInt64,
        "left_time": polars.UInt32,
        "right_time": polars.UInt32,
    }
    assert dict(polars.Schema(table)) == dict(frame.schema)
    assert frame.rows() == [
        (
            piece.kind,
            piece.virtual_begin,
            piece.length,
            piece.left_data_begin,
            piece.right_data_begin,
            piece.left_time,
            piece.right_time,
        )
        for piece in table
    ]
    assert frame["left_data_begin"].null_count()
    assert repr(table) == "<Delta of device 0 of <bytes> and device 10 of <bytes>>"
    assert repr(next(iter(table))).startswith("Piece(kind='")
    assert repr(pool.root(92).delta(pool.devices[0])).startswith("<Delta of root 92 of ")


def test_roots_that_are_none(walkthrough: bytes) -> None:
    pool = thinscope.open(walkthrough)
    with pytest.raises(ValueError, match="not negative"):
        pool.root(-1)
    for block in (0, 4096, 1 << 40):
        with pytest.raises(errors.ThinscopeError, match=f"no root in block {block}: expected"):
            list(pool.root(block).delta(pool.devices[0]))
    superblock = pool.superblock
    for block in (superblock.details_root, 4095):
        with pytest.raises(errors.CorruptMetadata, match=f"block {block} "):
            list(pool.devices[0].delta(pool.root(block)))


def test_damage_is_told_of_the_side_that_has_it(walkthrough: bytes, tmp_path: Path) -> None:
    good, broken = tmp_path / "good.bin", tmp_path / "broken.bin"
    second = Image(walkthrough)
    image = bytearray(walkthrough)
    image[second.live.roots[1] * BLOCK + 100] ^= 1
    good.write_bytes(walkthrough)
    broken.write_bytes(image)
    one, other = thinscope.open(good).devices[1], thinscope.open(broken).devices[1]
    for table in (one.delta(other), other.delta(one)):
        with pytest.raises(errors.CorruptMetadata, match="block") as raised:
            list(table)
        assert raised.value.source == str(broken)
        with pytest.raises(Exception, match="block"):
            polars.DataFrame(table)


def test_what_both_have_is_not_read(walkthrough: bytes) -> None:
    """Damage there does not matter, unless what is the same is asked for."""
    second = Image(walkthrough)
    reached = model.nodes(second, second.live)
    shared = min(reached[1] & reached[2])
    image = bytearray(walkthrough)
    image[shared * BLOCK + 100] ^= 1
    pool, whole = thinscope.open(bytes(image)), thinscope.open(walkthrough)
    told_ = list(pool.devices[1].delta(pool.devices[2]))
    assert told_ == list(whole.devices[1].delta(whole.devices[2]))
    with pytest.raises(errors.CorruptMetadata, match=f"block {shared} "):
        list(pool.devices[1].delta(pool.devices[2], same=True))


def test_a_loop_is_an_error(testkit: str) -> None:
    data = bytearray(
        pools.build(testkit, "one-device --mappings 9000 --leaf-fill 20 --node-fill 5")
    )
    root = next(iter(Image(bytes(data)).live.roots.values()))
    begin = root * BLOCK
    room = int.from_bytes(data[begin + 20 : begin + 24], "little")
    child = begin + 32 + 8 * room
    data[child : child + 8] = root.to_bytes(8, "little")
    sum_ = checksum(bytes(data[begin : begin + BLOCK]), NODE_SALT)
    data[begin : begin + 4] = sum_.to_bytes(4, "little")
    pool, other = thinscope.open(bytes(data)), thinscope.open(bytes(data[:]))
    for pair in ((pool.root(root), other.root(root)), (pool.root(root), pool.root(root + 1))):
        with pytest.raises(errors.CorruptMetadata):
            list(pair[0].delta(pair[1]))


def test_sizes_of_blocks_must_agree() -> None:
    one = thinscope.open(answers.image(CAPTURES["walkthrough-b"]))
    other = thinscope.open(answers.image(SAMPLES["lvm-192k-6.1"]))
    with pytest.raises(errors.ThinscopeError, match="64 KiB and 192 KiB cannot be compared"):
        Delta.of(one, "a", one.devices[1], other.devices[1], other=other, other_source="b")


def test_what_lies_beyond_the_end_is_told(walkthrough: bytes, tmp_path: Path) -> None:
    """A device that was made smaller keeps its mappings; none is cut off."""
    table = tmp_path / "table"
    table.write_text(
        "pool: 0 8388608 thin-pool 254:32 254:48 128 65536 1 skip_block_zeroing \n"
        "a: 0 128000 thin 253:0 0\nb: 0 1048576000 thin 253:0 1\n"
    )
    second = Image(walkthrough)
    pool = thinscope.open(walkthrough, names=[table])
    pair = pool.devices[0], pool.devices[1]
    report = Delta.of(pool, "a", *pair, other=pool, other_source="a", same=True)
    mapped = sum(row.length for row in report.pieces if row.left_data_begin is not None)
    assert mapped == len(second.live.mappings[0])
    beyond = sum(virtual >= 1000 for virtual in second.live.mappings[0])
    assert 0 < report.total.left_beyond_blocks == beyond  # type: ignore[operator]
    assert report.total.right_beyond_blocks == 0
