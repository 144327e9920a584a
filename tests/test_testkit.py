"""Pools that testkit builds are healthy: the second reader counts every reference again."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.oracle.reader import BLOCK, PER_BITMAP, Damaged, Image

if TYPE_CHECKING:
    from tests.oracle.reader import SpaceMap, Trees

ODD = "--leaf-fill 1..5 --node-fill 2..3 --tree-fill 2..3 --slack --scatter 40"
HIGH = f"{ODD} --mappings 900 --run 4 --areas 20 --loose-edges"
POOLS = [
    "one-device",
    "one-device --mappings 0",
    f"one-device {HIGH} --metadata-snapshot --data-blocks 100000 --data-block-sectors 384",
    "snapshots-shared",
    f"snapshots-shared {HIGH} --changed 3 --metadata-blocks 20000",
    f"snapshots-own-spines {HIGH} --changed 3",
    f"shared-data {HIGH} --devices 7 --changed 5",
    "small --metadata-snapshot",
    f"small --metadata-snapshot {ODD} --seed 1",
    f"churn --metadata-snapshot {ODD} --seed 2",
    "churn --metadata-snapshot --needs-check --capacity 252 --least 84 --span 900 --longest 300 --steps 200",
    "two-depths --slack",
    "two-depths --capacity 12 --least 4 --height 1",
    "tangle --devices 30 --span 400 --steps 900 --metadata-snapshot",
    "history",
]


def run(testkit: str, *arguments: object) -> str:
    """Run testkit; what it prints."""
    command = [testkit, *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture(params=POOLS, scope="module")
def pool(
    testkit: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Image, dict[str, Any]]:
    """A pool, and what testkit says that it built."""
    folder = tmp_path_factory.mktemp("pool")
    run(
        testkit,
        "build",
        *request.param.split(),
        "-o",
        folder / "pool.bin",
        "--answers",
        folder / "answers.json",
    )
    return Image((folder / "pool.bin").read_bytes()), json.loads(
        (folder / "answers.json").read_text()
    )


def used(space: SpaceMap) -> Counter[int]:
    """The blocks that a space map counts."""
    return Counter({block: count for block, count in enumerate(space.counts) if count})


def answers_of(trees: Trees) -> list[dict[str, int | None]]:
    """The devices of a pool, as testkit answers for them."""
    return [
        {
            "id": device,
            "mapped_blocks": len(mappings),
            "data_block_sum": sum(mapping.data for mapping in mappings.values()),
            "highest_block": max(mappings, default=None),
        }
        for device, mappings in sorted(trees.mappings.items())
    ]


def test_space_maps_hold_the_walked_counts(pool: tuple[Image, dict[str, Any]]) -> None:
    image, answers = pool
    for space, walked in (
        (image.metadata_space, image.walked_metadata_counts()),
        (image.data_space, image.walked_data_counts()),
    ):
        assert used(space) == walked
        assert space.root.nr_allocated == len(walked)
        for number, entry in enumerate(space.index):
            counts = space.counts[number * PER_BITMAP : (number + 1) * PER_BITMAP]
            counts += [0] * (PER_BITMAP - len(counts))
            assert entry.nr_free == counts.count(0)
            assert entry.none_free_before == counts.index(0) if 0 in counts else PER_BITMAP
    assert (answers["metadata_used"], answers["data_used"]) == (
        len(used(image.metadata_space)),
        len(used(image.data_space)),
    )


def test_answers_are_what_the_trees_hold(pool: tuple[Image, dict[str, Any]]) -> None:
    image, answers = pool
    assert answers["devices"] == answers_of(image.live)
    assert answers["snapshot_devices"] == (answers_of(image.snapshot) if image.snapshot else [])
    assert answers["metadata_snapshot"] == (image.superblock.held_root or None)
    assert answers["mappings"] == sum(map(len, image.live.mappings.values()))
    assert answers["distinct_roots"] == len(set(image.live.roots.values()))
    data = {
        mapping.data for mappings in image.live.mappings.values() for mapping in mappings.values()
    }
    assert answers["distinct_data_blocks"] == len(data)
    for trees in filter(None, (image.live, image.snapshot)):
        assert trees.roots.keys() == trees.details.keys()
        assert all(
            trees.details[device].mapped_blocks == len(found)
            for device, found in trees.mappings.items()
        )


def test_times_are_those_of_a_kernel(pool: tuple[Image, dict[str, Any]]) -> None:
    image, _ = pool
    live = image.live
    holders: dict[int, set[int]] = {}
    times: dict[int, int] = {}
    for device, mappings in live.mappings.items():
        for mapping in mappings.values():
            holders.setdefault(mapping.data, set()).add(device)
            assert (
                times.setdefault(mapping.data, mapping.time) == mapping.time <= live.superblock.time
            )
    for device, mappings in live.mappings.items():
        record = live.details[device]
        assert record.creation_time <= record.snapshotted_time <= live.superblock.time
        own = (
            mapping.data for mapping in mappings.values() if mapping.time >= record.snapshotted_time
        )
        assert all(holders[data] == {device} for data in own)


def test_unused_blocks_are_zero(pool: tuple[Image, dict[str, Any]]) -> None:
    image, answers = pool
    live = image.read_all()
    assert image.nr_blocks == answers["metadata_blocks"]
    unused = (
        image.data[n * BLOCK : (n + 1) * BLOCK] for n in range(image.nr_blocks) if n not in live
    )
    assert not any(any(block) for block in unused)


def test_miscounted_blocks_are_those_that_are_told(testkit: str, tmp_path: Path) -> None:
    path, told = tmp_path / "pool.bin", tmp_path / "answers.json"
    wrong = ("--leaked", 20, "--missing", 9, "--metadata-snapshot")
    for shape in ("one-device", "snapshots-shared", "shared-data", "churn", "tangle"):
        run(testkit, "build", shape, *wrong, "-o", path, "--answers", told)
        image, answers = Image(path.read_bytes()), json.loads(told.read_text())
        counted, walked = set(used(image.data_space)), set(image.walked_data_counts())
        assert sorted(counted - walked) == answers["leaked"]
        assert sorted(walked - counted) == answers["missing"]
        assert (len(answers["leaked"]), len(answers["missing"])) == (20, 9)
        assert answers["data_used"] == len(counted) == image.data_space.root.nr_allocated
        assert used(image.metadata_space) == image.walked_metadata_counts()


def test_a_patched_field_keeps_the_checksum_right(testkit: str, tmp_path: Path) -> None:
    path = tmp_path / "pool.bin"
    run(testkit, "build", "small", "-o", path)
    edit = ["patch", path, "--block", 0, "--offset", 48, "--width", 8]
    run(testkit, *edit, "--value", "0x123456789abc")
    assert Image(path.read_bytes()).superblock.transaction_id == 0x123456789ABC
    run(testkit, *edit, "--value", 7, "--no-repair")
    with pytest.raises(Damaged, match="checksum"):
        Image(path.read_bytes())


def test_recipes_are_listed_and_built(testkit: str, tmp_path: Path) -> None:
    recipes = [line.split("\t") for line in run(testkit, "recipes").splitlines()]
    assert {expect for _, expect, _ in recipes} == {"corrupt", "unsupported", "not-thin", "opens"}
    run(testkit, "hostile", "mapping-ladder", "-o", tmp_path / "ladder.bin")
    Image((tmp_path / "ladder.bin").read_bytes())
    with pytest.raises(subprocess.CalledProcessError):
        run(testkit, "hostile", "no-such-recipe", "-o", tmp_path / "none.bin")
