"""States that are found in damaged pools and older commits, against the second reader."""

from __future__ import annotations

import hashlib
import io
import random
import struct
import xml.etree.ElementTree as ET
from collections import defaultdict
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
import zstandard

import thinscope
from tests.conftest import CAPTURES, FIXTURES
from tests.oracle import answers, reader, salvaged
from tests.oracle.reader import BLOCK, Damaged, Details, Image, Mapping, Role
from thinscope import SalvagedState, errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from thinscope import Pool, Salvage

WRAPPED = [name for name in CAPTURES if name.startswith("wrapped-")]
SECTORS = 128


@cache
def whole(name: str) -> tuple[bytes, Image]:
    """A captured image with the second reader's view of it."""
    data = answers.image(CAPTURES[name])
    return data, Image(data)


def mappings(pool: Pool) -> dict[int, dict[int, Mapping]]:
    """Everything that a pool maps, by device and virtual block."""
    found: dict[int, dict[int, Mapping]] = {id_: {} for id_ in pool.devices}
    for run in pool.mappings():
        blocks = found[run.device]
        for at in range(run.length):
            blocks[run.virtual_begin + at] = Mapping(run.data_begin + at, run.time)
    return found


def records(pool: Pool) -> dict[int, Details]:
    return {
        device.id: Details(
            device.mapped_blocks,
            device.transaction_id,
            device.creation_time,
            device.snapshot_time,
        )
        for device in pool.devices.values()
    }


# ---- what is destroyed ------------------------------------------------------------------------


@pytest.fixture(params=salvaged.POOLS, scope="module")
def name(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture(params=salvaged.FILLS, scope="module")
def fill(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


def damaged(name: str, lost: str, fill: str) -> Salvage:
    data, image = whole(name)
    blocks = salvaged.blocks_of(image, lost)
    return thinscope.salvage(
        salvaged.destroyed(data, blocks, fill), data_block_sectors=SECTORS, threads=1
    )


def test_without_a_superblock(name: str, fill: str) -> None:
    found = damaged(name, "superblock", fill)
    live = whole(name)[1].live
    assert found.superblock is found.live is None
    best = found.best
    assert best is not None
    assert best.is_consistent
    assert best.mapping_root == live.superblock.mapping_root
    assert best.time == live.superblock.time
    with found.open(best) as pool:
        assert mappings(pool) == live.mappings
        assert records(pool) == live.details
        assert pool.recount().mapped_blocks == {
            id_: details.mapped_blocks for id_, details in live.details.items()
        }


def test_without_the_list_of_devices(name: str, fill: str) -> None:
    """Every tree is found; the live state has those that are surely its own, and no other."""
    found = damaged(name, "top level", fill)
    live = whole(name)[1].live
    state = found.live
    assert state is not None
    assert (state.mapping_root, state.is_consistent) == (None, False)
    assert "no-listing" in {misfit.kind for misfit in state.misfits}
    with found.open(state) as pool:
        matched = mappings(pool)
        assert matched
        assert matched == {id_: live.mappings[id_] for id_ in matched}
        assert records(pool) == {id_: live.details[id_] for id_ in matched}
        assert len(matched) == state.devices - state.broken_devices
    told = {tree.root for tree in found.trees}
    for each in found.states:
        told |= set(found.roots(each).values())
    assert told >= set(live.roots.values())
    for id_, root in live.roots.items():
        with found.open(root) as pool:
            assert mappings(pool) == {0: live.mappings[id_]}
            assert found.state(root) is None
    best = found.best
    assert best is not None
    assert best.is_whole
    assert best.is_live or best.is_consistent


def test_without_records(name: str, fill: str) -> None:
    found = damaged(name, "details", fill)
    live = whole(name)[1].live
    state = found.live
    assert state is not None
    assert found.best == state
    assert not state.is_consistent
    assert {misfit.kind for misfit in state.misfits} & {"no-details", "other-details"}
    with found.open(state) as pool:
        assert mappings(pool) == live.mappings
        assert {id_: device.mapped_blocks for id_, device in pool.devices.items()} == {
            id_: details.mapped_blocks for id_, details in live.details.items()
        }


def without_records(data: bytes, image: Image) -> bytes:
    """The same without any node of details, of whatever state."""
    lists = [
        block
        for block in range(1, image.nr_blocks)
        if struct.unpack_from("<I", data, block * BLOCK + 24) == (24,)
    ]
    return salvaged.destroyed(data, lists, "zeros")


def test_without_any_records() -> None:
    """Then devices have what their trees tell."""
    data, image = whole("walkthrough-b")
    found = thinscope.salvage(without_records(data, image))
    assert not any(state.is_consistent for state in found.states)
    state = found.live
    assert state is not None
    assert [misfit.kind for misfit in state.misfits] == ["no-details"]
    assert state.details_root is None
    with found.open(state) as pool:
        assert mappings(pool) == image.live.mappings
        for id_, device in pool.devices.items():
            newest = max(mapping.time for mapping in image.live.mappings[id_].values())
            assert device.mapped_blocks == len(image.live.mappings[id_])
            assert device.transaction_id == 0
            assert device.creation_time == device.snapshot_time == newest


@pytest.mark.parametrize("name", ["walkthrough-b", "churn-b", "docker-b", "lvm-b"])
def test_a_dump_without_records_tells_what_is_shared(name: str) -> None:
    """The kernel writes in place to what was not mapped before the device was last snapshotted."""
    data, image = whole(name)
    found = thinscope.salvage(without_records(data, image), data_block_sectors=SECTORS)
    dumped = io.BytesIO()
    with found.open(found.live) as pool:
        pool.dump(dumped)
        assert all(device.transaction_id == 0 for device in pool.devices.values())
    dump = ET.fromstring(dumped.getvalue())  # noqa: S314 - our own
    holders: dict[int, set[int]] = defaultdict(set)
    for id_, blocks in image.live.mappings.items():
        for mapping in blocks.values():
            holders[mapping.data].add(id_)
    shared = 0
    for device in dump.findall("device"):
        snapshotted = int(device.attrib["snap_time"])
        assert snapshotted <= int(dump.attrib["time"]), "or every new block passes for shared"
        for mapping in image.live.mappings[int(device.attrib["dev_id"])].values():
            is_shared = len(holders[mapping.data]) > 1
            assert mapping.time < snapshotted or not is_shared
            shared += is_shared
    assert shared
    assert int(dump.attrib["time"]) >= image.superblock.time


def test_an_undamaged_pool(capture: dict[str, Any], image: bytes) -> None:
    """The live state comes first, and opens as the pool does; so does the metadata snapshot."""
    found = thinscope.salvage(image)
    state, second = found.live, Image(image)
    assert state is not None
    assert state == found.states[0] == found.best
    assert (state.is_consistent, state.misfits) == (True, [])
    assert [each.number for each in found.states] == list(range(1, len(found.states) + 1))
    blocks = dict(found.blocks)
    assert blocks.pop("total") == second.nr_blocks == sum(blocks.values())
    assert capture["metadata_sha256"] == hashlib.sha256(image).hexdigest()
    with found.open(state) as pool, thinscope.open(image) as own:
        assert pool.is_salvaged
        assert mappings(pool) == second.live.mappings
        assert records(pool) == second.live.details
        assert pool.superblock.time == own.superblock.time
        assert pool.superblock.transaction_id == own.superblock.transaction_id
        assert pool.data_space.total == own.data_space.total
        assert pool.data_space.used is None
    held = [each for each in found.states if each.is_metadata_snapshot]
    assert len(held) == (second.snapshot is not None)
    for each in held:
        assert each.is_consistent
        with found.open(each) as pool:
            assert second.snapshot is not None
            assert mappings(pool) == second.snapshot.mappings


# ---- older commits ----------------------------------------------------------------------------


def contradictions(data: bytes, state: SalvagedState) -> Iterator[str]:
    """What the second reader finds wrong with a state, walking all of it."""
    if state.mapping_root is None or state.details_root is None:
        yield "a root is lost"
        return
    try:
        trees = Image(data).state(state.mapping_root, state.details_root)
    except Damaged as damage:
        yield str(damage)
        return
    if trees.roots.keys() != trees.details.keys():
        yield "ids"
    times = [mapping.time for blocks in trees.mappings.values() for mapping in blocks.values()]
    for id_, details in trees.details.items():
        if len(trees.mappings.get(id_, ())) != details.mapped_blocks:
            yield f"count of {id_}"
        times += [details.creation_time, details.snapshotted_time]
    if max(times, default=0) > state.time:
        yield "time"


def broken_promises(data: bytes, state: SalvagedState) -> Iterator[str]:
    """What the kernel never does, and no rule of salvage asks for: see docs/format.md, Times."""
    assert state.mapping_root is not None
    assert state.details_root is not None
    trees = Image(data).state(state.mapping_root, state.details_root)
    times: dict[int, int] = {}
    holders: dict[int, list[int]] = defaultdict(list)
    for id_, blocks in trees.mappings.items():
        for mapping in blocks.values():
            if times.setdefault(mapping.data, mapping.time) != mapping.time:
                yield f"data block {mapping.data} has two times"
            holders[mapping.data].append(id_)
    for id_, blocks in trees.mappings.items():
        snapshotted = trees.details[id_].snapshotted_time
        for mapping in blocks.values():
            if mapping.time >= snapshotted and len(holders[mapping.data]) > 1:
                yield f"data block {mapping.data} is shared"


@pytest.mark.parametrize("name", [*WRAPPED, "walkthrough-b", "lvm-64k-6.1/again"])
def test_verdicts(name: str) -> None:
    """Consistent states are, plausible ones are not; the second reader says so of each."""
    data, _ = whole(name)
    states = thinscope.salvage(data).states
    for state in states:
        assert state.is_consistent == (not list(contradictions(data, state))), state
        assert bool(state.misfits) != state.is_consistent
        if state.is_consistent:
            assert not list(broken_promises(data, state)), state
    if name != "walkthrough-b":
        assert any(not state.is_consistent for state in states)


def test_an_older_commit() -> None:
    """One of `churn-b` that is neither live nor held is a pool that passes the recount."""
    data, image = whole("churn-b")
    found = thinscope.salvage(data)
    older = [each for each in found.states if each.superblock is None and each.is_consistent]
    assert len(older) > 100
    for state in older[:: len(older) // 4]:
        assert not list(contradictions(data, state))
        with found.open(state) as pool:
            counted = pool.recount().mapped_blocks
            assert counted == {id_: device.mapped_blocks for id_, device in pool.devices.items()}
            assert sum(counted.values()) == state.mapped_blocks
            assert pool.sharing().totals.leaked_blocks is None
            trees = Image(data).state(state.mapping_root or 0, state.details_root or 0)
            assert mappings(pool) == trees.mappings
            assert trees.roots != image.live.roots
    held = [each for each in found.states if each.is_metadata_snapshot]
    assert [each.superblock for each in held] == [image.superblock.held_root]


OTHER_POOLS = {"lvm-external-6.1", "lvm-names-6.1"}
"""Captures whose images are of several pools."""


def series() -> dict[str, list[str]]:
    """Captures with several images of one pool, one after another, by folder."""
    folders: dict[str, list[str]] = defaultdict(list)
    for name in CAPTURES:
        folders[name.partition("/")[0]].append(name)
    return {
        folder: names
        for folder, names in folders.items()
        if len(names) > 1 and folder not in OTHER_POOLS
    }


@pytest.mark.parametrize("folder", series())
def test_earlier_images_in_later_ones(folder: str) -> None:
    """What was live is found later, and told as it was, wherever it is called consistent."""
    names = series()[folder]
    *earlier, _ = names
    found_any = False
    for at, now in enumerate(names):
        found = thinscope.salvage(whole(now)[0])
        for then in names[:at]:
            live = whole(then)[1].live
            state = found.state(live.superblock.mapping_root)
            if state is None or found.roots(state) != live.roots or not state.is_consistent:
                continue
            found_any = True
            with found.open(state) as pool:
                assert mappings(pool) == live.mappings
                assert records(pool) == live.details
    assert found_any, earlier


# ---- deleted devices --------------------------------------------------------------------------


def test_a_removed_volume() -> None:
    """The content of `cache`, put together by an older state, is what it was just before."""
    data, image = whole("lvm-b")
    found = thinscope.salvage(data)
    (device,) = found.deleted
    assert (device.id, device.is_whole, device.is_consistent) == (3, True, True)
    assert device.id not in image.live.roots
    said = (FIXTURES / "lvm-b/answers/removed-sha256.txt").read_text().split("\n", 1)[0].split()
    with found.open(device) as pool:
        runs = list(pool.devices[3].mappings())
        block_bytes = pool.superblock.data_block_bytes
    assert device.mapped_blocks == sum(run.length for run in runs) == 64
    blocks = {
        run.data_begin + at: run.virtual_begin + at for run in runs for at in range(run.length)
    }
    content = bytearray(block_bytes * (max(blocks.values()) + 1))
    with (FIXTURES / "lvm-b/data.zst").open("rb") as packed:
        stream = zstandard.ZstdDecompressor().stream_reader(packed)
        for number in range(max(blocks) + 1):
            read = b""
            while len(read) < block_bytes:
                read += stream.read(block_bytes - len(read))
            if number in blocks:
                at = blocks[number] * block_bytes
                content[at : at + block_bytes] = read
    sha256, rest = hashlib.sha256(content), int(said[2]) * 512 - len(content)
    for at in range(0, rest, 1 << 20):
        sha256.update(bytes(min(1 << 20, rest - at)))
    assert said[:2] == ["cache", sha256.hexdigest()]


def test_a_removed_container(docker: Path) -> None:
    """Docker numbers devices in a row: what is missing between two containers was the third's."""
    found = thinscope.salvage(docker)
    with found.open(found.states[0]) as pool:
        containers = {
            name: pool.objects[pool.find(name)[0].key].key for name in ("jobs-1", "debug")
        }
        own = {
            name: [id_ for id_ in pool.devices if pool.objects.of(id_).key == key]
            for name, key in containers.items()
        }
        live = set(pool.devices)
    gone = set(range(max(own["jobs-1"]) + 1, min(own["debug"])))
    assert len(gone) == 2, own
    assert not gone & live
    deleted = {device.id: device for device in found.deleted}
    assert deleted.keys() == set(range(1, max(live))) - live
    assert all(deleted[id_].is_whole and deleted[id_].is_consistent for id_ in gone)
    assert all(deleted[id_].mapped_blocks > 800 for id_ in gone)


def test_an_id_that_was_used_again() -> None:
    found = thinscope.salvage(whole("lvm-64k-6.1/again")[0])
    live = whole("lvm-64k-6.1/again")[1].live
    again = [device for device in found.deleted if device.id in live.roots]
    assert again
    for device in again:
        record = live.details[device.id]
        assert (device.creation_time, device.transaction_id) != (
            record.creation_time,
            record.transaction_id,
        )


# ---- the size of a data block, and other questions of opening ---------------------------------


def test_the_size_of_a_data_block_is_not_guessed() -> None:
    data, _ = whole("walkthrough-b")
    lost = salvaged.destroyed(data, [0], "zeros")
    found = thinscope.salvage(lost)
    assert found.data_block_bytes is None
    assert found.best is not None
    with pytest.raises(errors.ThinscopeError, match="no superblock is left") as caught:
        found.open(found.best)
    assert "data_block_sectors" in (caught.value.hint or "")
    with thinscope.open(lost, root=found.best.root, data_block_sectors=256) as pool:
        assert pool.superblock.data_block_bytes == 128 << 10
        highest = max(run.data_begin + run.length for run in pool.mappings())
        assert pool.data_space.total == highest


def test_the_copy_of_a_metadata_snapshot_tells_the_size() -> None:
    data, image = whole("churn-b")
    found = thinscope.salvage(salvaged.destroyed(data, [0], "random"))
    assert found.data_block_bytes == image.superblock.data_block_size * 512
    (copy,) = [state for state in found.states if state.superblock]
    assert (copy.superblock, copy.is_metadata_snapshot) == (image.superblock.held_root, False)
    assert image.held_superblock is not None
    assert copy.time == image.held_superblock.time
    assert found.best is not None
    with found.open(found.best) as pool:
        assert mappings(pool) == image.live.mappings


@pytest.mark.parametrize("sectors", [0, 1, 127, 129, 2_097_152 + 128])
def test_sizes_that_no_pool_has(sectors: int) -> None:
    for ask in (
        lambda: thinscope.salvage(b"", data_block_sectors=sectors),
        lambda: thinscope.open(b"", root=1, data_block_sectors=sectors),
    ):
        with pytest.raises(ValueError, match=f"not {sectors} sectors"):
            ask()


def test_roots_that_are_none(walkthrough: bytes) -> None:
    found = thinscope.salvage(walkthrough)
    details = found.states[0].details_root
    for root in (0, -3, details, 91, 4095, 4096, 1 << 40):
        assert root is not None
        with pytest.raises(errors.UnknownRoot) as caught:
            found.open(root)
        assert caught.value.root == max(root, 0)
        assert "thinscope salvage" in (caught.value.hint or "")
    with pytest.raises(errors.UnknownRoot):
        thinscope.open(walkthrough, root=91)


def test_options_that_do_not_go_together(walkthrough: bytes) -> None:
    with pytest.raises(ValueError, match="metadata snapshot"):
        thinscope.open(walkthrough, root=92, metadata_snapshot=True)
    with pytest.raises(ValueError, match="goes with root"):
        thinscope.open(walkthrough, data_block_sectors=128)


@pytest.mark.parametrize("data", [b"", b"x", bytes(BLOCK * 9), b"\x55" * BLOCK * 9, b"<superblock"])
def test_what_no_pool_ever_was(data: bytes) -> None:
    with pytest.raises(errors.NotThinMetadata):
        thinscope.salvage(data)


def test_a_salvaged_pool_has_no_reference_counts(walkthrough: bytes) -> None:
    with thinscope.open(walkthrough, root=92) as pool:
        with pytest.raises(errors.ThinscopeError, match="no reference counts"):
            list(pool.reference_counts("data"))
        assert pool.free_extents() is None
        assert pool.picture(60) is None
        assert pool.sharing().totals.used_blocks is None


def test_file_objects_and_packed_sources(walkthrough: bytes) -> None:
    expected = thinscope.salvage(walkthrough).states
    for source in (io.BytesIO(walkthrough), zstandard.compress(walkthrough)):
        found = thinscope.salvage(source)
        assert found.states == expected
        with found.open(92) as pool:
            assert mappings(pool) == whole("walkthrough-b")[1].live.mappings


def test_values_say_what_they_are() -> None:
    found = thinscope.salvage(whole("wrapped-6.1")[0])
    plausible = next(state for state in found.states if state.misfits)
    shown = [repr(found), repr(plausible), repr(plausible.misfits[0]), repr(found.trees[0])]
    assert [text.split()[0] for text in shown] == [
        "<Salvage",
        "<SalvagedState",
        "<Misfit",
        "<SalvagedTree",
    ]


# ---- hostile ----------------------------------------------------------------------------------


def node(block: int, entries: list[tuple[int, int]], *, flags: int = 1, size: int = 8) -> bytes:
    """A node with a right checksum."""
    room = (BLOCK - 32) // (8 + size) // 3 * 3
    keys = b"".join(struct.pack("<Q", key) for key, _ in entries).ljust(8 * room, b"\0")
    values = b"".join(struct.pack("<Q", value) for _, value in entries)
    body = struct.pack("<IQIIII", flags, block, len(entries), room, size, 0) + keys + values
    whole_block = bytearray((bytes(4) + body).ljust(BLOCK, b"\0"))
    whole_block[:4] = reader.checksum(bytes(whole_block), reader.NODE_SALT).to_bytes(4, "little")
    return bytes(whole_block)


def test_loops_and_shared_children() -> None:
    """Nodes that lead to themselves, to each other, to the same child twice: of no tree."""
    count = 40
    chance = random.Random(3)  # noqa: S311 - the same each time
    blocks = [bytes(BLOCK)]
    for block in range(1, count):
        children = [chance.randrange(1, count) for _ in range(252)]
        if block % 4 == 0:
            children[0] = block
        blocks.append(node(block, list(enumerate(children))))
    blocks += [node(count, [(5, 9 << 24)], flags=2)]
    blocks += [node(count + 1, [(0, count), (5, count)])]
    found = thinscope.salvage(b"".join(blocks), data_block_sectors=SECTORS)
    assert found.blocks["lost"] == count - 1
    assert [tree.root for tree in found.trees] == [count]
    assert not found.states
    assert found.best is None
    with found.open(count + 1) as pool, pytest.raises(errors.CorruptMetadata):
        list(pool.mappings())


def test_deeper_than_any_tree() -> None:
    blocks = [bytes(BLOCK), node(1, [(5, 9 << 24)], flags=2)]
    blocks += [node(block, [(5, block - 1)]) for block in range(2, 200)]
    found = thinscope.salvage(b"".join(blocks), data_block_sectors=SECTORS)
    assert found.blocks["mapping"] + found.blocks["lost"] == 199
    (tree,) = found.trees
    assert tree.levels == 64
    with found.open(tree) as pool:
        assert mappings(pool) == {0: {5: Mapping(9, 0)}}


def test_noise(walkthrough: bytes) -> None:
    """Single bytes of metadata changed at random: what is consistent is so to the second reader."""
    chance = random.Random(11)  # noqa: S311 - the same each time
    live = whole("walkthrough-b")[1].read_all()
    for _ in range(60):
        data = bytearray(walkthrough)
        for _ in range(chance.choice((1, 3, 9))):
            block = chance.choice(list(live))
            data[block * BLOCK + chance.randrange(BLOCK)] ^= 1 << chance.randrange(8)
        noisy = bytes(data)
        found = thinscope.salvage(noisy, data_block_sectors=SECTORS)
        for state in found.states[:6]:
            if (
                state.is_consistent
                and state.superblock is None
                and data[:BLOCK] == walkthrough[:BLOCK]
            ):
                assert not list(contradictions(noisy, state))
            if state.is_whole:
                with found.open(state) as pool:
                    assert sum(map(len, mappings(pool).values())) <= state.mapped_blocks


def test_roles_are_not_mixed() -> None:
    """The reader that judges would say so if a list of devices were taken for mappings."""
    _, image = whole("walkthrough-b")
    assert image.live.roles[image.superblock.mapping_root] is Role.TOP_LEVEL
