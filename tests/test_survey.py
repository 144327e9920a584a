"""What became of a device that is gone, beside a model in Python dictionaries."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import pytest

import thinscope
from tests.check.patient import Patient
from tests.conftest import CAPTURES
from tests.oracle import answers
from tests.oracle.reader import Details, Image, Role, Trees
from tests.sharing import pools
from thinscope import errors
from thinscope.errors import SourceError
from thinscope.survey import GRADES

if TYPE_CHECKING:
    from pathlib import Path

    from thinscope import Pool, Survey

SNAPSHOTS = [name for name, entry in CAPTURES.items() if "at_snapshot" in entry["answers"]]
BUILT = {
    "churn": "churn --capacity 12 --span 120 --steps 400 --leaf-fill 3..9 --metadata-snapshot --leaked 40",
    "tangle": "tangle --span 900 --steps 700 --capacity 24 --devices 20 --metadata-snapshot",
}


class Said(NamedTuple):
    """What became of one block."""

    data: int
    time: int
    grade: str
    owners: tuple[int, ...]


def model(
    now: Image, then: dict[int, tuple[int, int]], id_: int, details: Details
) -> dict[int, Said]:
    """Grade old mappings of a device block by block."""

    def same(trees: Trees, holders: dict[int, int], time: int) -> bool:
        """Whether one of them can have got the block from the device, or with it."""
        return any(
            time == since
            and (
                (holder, trees.details[holder].creation_time, trees.details[holder].transaction_id)
                == (id_, details.creation_time, details.transaction_id)
                or max(details.creation_time, trees.details[holder].creation_time) > time
            )
            for holder, since in holders.items()
        )

    live, held = by_block(now.live), by_block(now.snapshot) if now.snapshot else {}
    counts = now.data_space.counts
    found = {}
    for virtual, (block, time) in then.items():
        owners = live.get(block, {})
        if owners:
            grade = "same" if same(now.live, owners, time) else "reused"
        elif block in held:
            assert now.snapshot is not None
            grade = "held" if same(now.snapshot, held[block], time) else "reused"
        else:
            grade = "unreached" if block < len(counts) and counts[block] else "free"
        found[virtual] = Said(block, time, grade, tuple(sorted(owners)))
    return found


def by_block(trees: Trees) -> dict[int, dict[int, int]]:
    """Who has each data block, and since when."""
    found: dict[int, dict[int, int]] = defaultdict(dict)
    for device, mappings in trees.mappings.items():
        for block, time in mappings.values():
            found[block][device] = time
    return found


def blocks(survey: Survey) -> dict[int, Said]:
    """The runs block by block."""
    return {
        run.virtual_begin + at: Said(run.data_begin + at, run.time, run.grade, tuple(run.owners))
        for run in survey
        for at in range(run.length)
    }


def compared(pool: Pool, now: Image, then: Pool, old: Image, *, held: bool) -> set[str]:
    """Survey every device of then, and return the grades that there are."""
    trees = old.snapshot if held else old.live
    assert trees is not None
    assert list(then.devices) == sorted(trees.mappings)
    seen: set[str] = set()
    for id_, mappings in trees.mappings.items():
        survey = pool.survey(then.devices[id_])
        old = {key: (value[0], value[1]) for key, value in mappings.items()}
        expected = model(now, old, id_, trees.details[id_])
        assert blocks(survey) == expected
        assert list(blocks(survey)) == sorted(expected)
        grades = [said.grade for said in expected.values()]
        assert dict(survey.blocks) == {grade: grades.count(grade) for grade in GRADES}
        assert survey.mapped_blocks == len(expected)
        seen |= set(grades)
    return seen


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_what_the_metadata_snapshot_holds(name: str) -> None:
    data = answers.image(CAPTURES[name])
    now = Image(data)
    pool, then = thinscope.open(data), thinscope.open(data, metadata_snapshot=True)
    assert compared(pool, now, then, now, held=True) <= {"same", "held", "reused"}


@pytest.mark.parametrize("name", BUILT)
def test_generated_pools(testkit: str, tmp_path: Path, name: str) -> None:
    path = tmp_path / "pool.bin"
    subprocess.run([testkit, "build", *BUILT[name].split(), "-o", path], check=True)
    now = Image(path.read_bytes())
    pool, then = thinscope.open(path), thinscope.open(path, metadata_snapshot=True)
    assert compared(pool, now, then, now, held=True)


def test_every_grade(testkit: str, tmp_path: Path) -> None:
    """A longer churn of the same kind is the state of then: anything may have become of it.

    But for what is held: what a metadata snapshot has of another pool is another allocation.
    """
    images = []
    for steps in (400, 150):
        path = tmp_path / f"{steps}.bin"
        words = ["churn", "--capacity", "12", "--steps", str(steps), "--metadata-snapshot"]
        words += ["--leaked", "30"]
        subprocess.run([testkit, "build", *words, "-o", path], check=True)
        images.append(path.read_bytes())
    then, now = images
    seen = compared(thinscope.open(now), Image(now), thinscope.open(then), Image(then), held=False)
    assert seen == {*GRADES} - {"held"}


def history(testkit: str, folder: Path, *lines: str) -> Pool:
    """A pool that was made step by step."""
    told, path = folder / "history", folder / f"{len(lines)}.bin"
    told.write_text("".join(f"{line}\n" for line in lines))
    words = ["build", "history", "--data-blocks", "40", "--capacity", "252"]
    subprocess.run([testkit, *words, "--history", told, "-o", path], check=True)
    return thinscope.open(path)


class TestTimesThatStandStill:
    """Only snapshots move a pool's clock: what was used again can have the time that it had."""

    def test_by_a_new_device(self, testkit: str, tmp_path: Path) -> None:
        """It is no snapshot, so it has allocated the blocks itself: never the same allocation."""
        before = ["create 1", "write 1 0..20"]
        then = history(testkit, tmp_path, *before)
        [data] = {run.data_begin for run in then.mappings()}
        now = history(testkit, tmp_path, *before, "delete 1", "create 2", f"map 2 0..20 {data}")
        survey = now.survey(then.devices[1])
        assert {run.time for run in then.mappings()} == {run.time for run in now.mappings()} == {0}
        assert dict(survey.blocks) == {**dict.fromkeys(GRADES, 0), "reused": 20}
        assert {tuple(run.owners) for run in survey} == {(2,)}

    def test_by_a_snapshot_of_it(self, testkit: str, tmp_path: Path) -> None:
        """What the device gave away when it was snapshotted is the same still."""
        before = ["create 1", "write 1 0..10", "snapshot 1 2"]
        then = history(testkit, tmp_path, *before)
        now = history(testkit, tmp_path, *before, "delete 1", "create 3", "write 3 0..10")
        survey = now.survey(then.devices[1])
        assert dict(survey.blocks) == {**dict.fromkeys(GRADES, 0), "same": 10}
        gone = history(testkit, tmp_path, *before, "delete 2")
        survey = gone.survey(then.devices[2])
        assert dict(survey.blocks) == {**dict.fromkeys(GRADES, 0), "same": 10}
        assert {tuple(run.owners) for run in survey} == {(1,)}


class TestZeros:
    """Of blocks that are free now, those that are all zeros are counted."""

    @pytest.fixture
    def pools(self, testkit: str, tmp_path: Path) -> tuple[Pool, Pool]:
        found = []
        for number, history in enumerate(
            ("create 1\nwrite 1 0..20\n", "create 1\nwrite 1 0..20\ndiscard 1 5..15\n")
        ):
            told, path = tmp_path / "history", tmp_path / f"{number}.bin"
            told.write_text(history)
            words = ["history", "--data-blocks", "30", "--capacity", "252"]
            command = [testkit, "build", *words, "--history", told, "-o", path]
            subprocess.run(command, check=True)
            found.append(thinscope.open(path))
        return found[0], found[1]

    def test_counted(self, pools: tuple[Pool, Pool], tmp_path: Path) -> None:
        then, now = pools
        survey = now.survey(then.devices[1])
        freed = [run for run in survey if run.grade == "free"]
        assert survey.blocks["free"] == 10
        assert survey.blocks["same"] == 10
        assert (survey.zero_blocks, {run.zero_blocks for run in survey}) == (None, {None})
        block = now.superblock.data_block_bytes
        data = bytearray(now.data_space.total_bytes)
        begin = freed[0].data_begin
        for at, where in ((2, 0), (3, block - 1), (7, block // 2)):
            data[(begin + at) * block + where] = 1
        path = tmp_path / "data"
        path.write_bytes(data)
        survey = now.survey(then.devices[1], data=path)
        assert survey.zero_blocks == 7
        assert {run.zero_blocks for run in survey if run.grade == "same"} == {None}

    def test_too_little_data(self, pools: tuple[Pool, Pool]) -> None:
        then, now = pools
        with pytest.raises(SourceError, match="the data ends before it"):
            now.survey(then.devices[1], data=b"short")


def test_not_the_live_pool(churn: bytes) -> None:
    then = thinscope.open(churn, metadata_snapshot=True)
    with pytest.raises(ValueError, match="not known what is free"):
        then.survey(next(iter(then.devices.values())))


def test_another_pool(churn: bytes) -> None:
    other = thinscope.open(answers.image(CAPTURES["large-blocks-6.1"]))
    with pytest.raises(ValueError, match="of another pool"):
        thinscope.open(churn).survey(next(iter(other.devices.values())))


def test_a_tolerant_pool_does_not_guess(churn: bytes) -> None:
    """What a lost leaf maps would be called free."""
    hurt = Patient(churn)
    then = thinscope.open(churn, metadata_snapshot=True)
    assert then.devices
    # Heights are told by first children: these are read before all others.
    inner = [edge for edge in hurt.edges if edge.parent and edge.parent[1] > 0]
    live = [edge.block for edge in inner if not edge.in_metadata_snapshot]
    hurt.flip(next(block for block in live if not hurt.node(block).internal))
    with thinscope.open(bytes(hurt.data), tolerant=True) as pool:
        assert pool.gaps
        with pytest.raises(errors.CorruptMetadata):
            pool.survey(next(iter(then.devices.values())))


WORKER = """
import resource, sys
import thinscope

resource.setrlimit(resource.RLIMIT_AS, (512 << 20, 512 << 20))
now, then = thinscope.open(sys.argv[1], threads=1), thinscope.open(sys.argv[1], threads=1)
[device] = then.devices.values()
found = now.survey(device).blocks
print(found["same"], sum(found.values()))
"""


def test_one_block_mapped_again_and_again(testkit: str, tmp_path: Path) -> None:
    """Crafted: old mappings times live ones of the same block would be hundreds of millions."""
    shape = "one-device --mappings 20000 --leaf-fill 252"
    hurt = Patient(pools.build(testkit, shape))
    for leaf in hurt.blocks(Role.MAPPING, leaf=True):
        keys = len(hurt.node(leaf).keys)
        hurt.put(leaf, hurt.value(leaf, 0), f"{keys}Q", *[0] * keys)
    path = tmp_path / "hostile.bin"
    path.write_bytes(hurt.data)
    command = [sys.executable, "-c", WORKER, path]
    told = subprocess.run(command, check=True, capture_output=True, text=True)
    assert told.stdout == "20000 20000\n"
