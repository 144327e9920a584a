"""Metadata that is made to hurt, checked and read around: always an answer, in bounded memory."""

from __future__ import annotations

import io
import json
import random
import struct
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import thinscope
from tests.check.patient import Patient, patient
from tests.oracle.reader import BLOCK, Role
from tests.sharing import pools
from thinscope import errors

if TYPE_CHECKING:
    from pathlib import Path

# Runs in a process of its own, so that its memory can be limited.
WORKER = """
import io, json, resource, sys, time
import thinscope
from thinscope import errors
from thinscope.report.check import Check
from thinscope.report.gaps import Gaps
from thinscope.report.overview import Overview
from thinscope.report.render import FORMATS, Page, render

LIMIT = 512 << 20
resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))

def mapped(pool):
    found = dict.fromkeys(pool.devices, 0)
    for run in pool.mappings():
        assert run.data_begin + run.length <= pool.data_space.total
        found[run.device] += run.length
    return found

def ask(path, metadata_snapshot):
    with thinscope.open(path, threads=2, tolerant=True, metadata_snapshot=metadata_snapshot) as pool:
        gaps = pool.gaps
        found = mapped(pool)
        assert pool.recount().mapped_blocks == found
        assert pool.sharing().mappings == found
        assert {id_: each.mapped_blocks for id_, each in pool.fragmentation().devices.items()} == found
        pool.highest_blocks(), pool.free_extents(largest=2)
        pool.dump(io.BytesIO())
        lost = {gap.device for gap in gaps.gaps}
        for device in pool.devices.values():
            own = sum(run.length for run in device.mappings())
            assert own >= found[device.id] and (own == found[device.id] or device.id in lost)
        report, missing = Overview.of(pool, "hostile"), Gaps.of(pool)
        for format_ in FORMATS:
            assert "".join(render(report, format_, Page(), missing))
        return bool(gaps), found, gaps.more

def tolerant(path, expected):
    try:
        missing, found, _ = ask(path, False)
    except errors.CorruptMetadata as error:
        assert error.structure == "superblock" or "space map root" in error.structure, error
        return "superblock"
    except (errors.UnsupportedMetadata, errors.NotThinMetadata) as error:
        return type(error).__name__
    try:
        ask(path, True)
    except errors.NoMetadataSnapshot:
        pass
    except errors.CorruptMetadata as error:
        assert error.structure == "metadata snapshot", error
    except errors.UnsupportedMetadata:
        pass
    except errors.SourceError as error:
        assert "the source ends here" in str(error), error
    if expected == "opens":
        assert not missing
        with thinscope.open(path) as strict:
            assert mapped(strict) == found
    return "gaps" if missing else "whole"

def checked(path, expected):
    try:
        check = thinscope.check(path, threads=2)
    except errors.NotThinMetadata:
        assert expected == "not-thin"
        return []
    report = Check.of(check, "hostile", is_metadata_snapshot=False)
    for format_ in FORMATS:
        assert "".join(render(report, format_, Page()))
    codes = [finding.code for finding in check.findings]
    damage = [finding.code for finding in check.damage]
    if expected == "corrupt":
        assert damage, codes
    if expected == "unsupported":
        assert "unsupported" in codes or "metadata-snapshot" in codes, codes
    return sorted(set(codes))

for line in sys.stdin:
    path, expected = line.rstrip().split("\\t")
    start = time.monotonic()
    try:
        found = [tolerant(path, expected), checked(path, expected), None]
    except BaseException as error:
        found = [None, None, f"{type(error).__name__}: {error}"]
    print(json.dumps([*found, time.monotonic() - start]), flush=True)
"""


class Worker:
    """Asks everything of a file, in a process with little memory."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(
        self, path: Path, expected: str
    ) -> tuple[str | None, list[str] | None, str | None, float]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{path}\t{expected}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, "the reader died"
        read, codes, error, seconds = json.loads(answer)
        return read, codes, error, seconds

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        assert self.process.wait() == 0


@pytest.fixture
def worker() -> object:
    worker = Worker()
    yield worker
    worker.close()


def test_every_recipe(testkit: str, worker: Worker, tmp_path: Path) -> None:
    listed = subprocess.run([testkit, "recipes"], check=True, capture_output=True, text=True)
    recipes = [line.split("\t") for line in listed.stdout.splitlines()]
    assert len(recipes) > 700
    path = tmp_path / "hostile.bin"
    wrong, kinds, all_codes = [], set(), set()
    for name, expected, what in recipes:
        subprocess.run([testkit, "hostile", name, "-o", path], check=True, capture_output=True)
        read, codes, error, seconds = worker.ask(path, expected)
        if error or seconds > 5:
            wrong.append(f"{name} ({expected}, {what}): {error}, {seconds:.1f} s")
        kinds.add(read)
        all_codes.update(codes or ())
    assert not wrong, "\n".join(wrong)
    assert {"gaps", "whole", "superblock"} <= kinds
    assert len(all_codes) > 18


@pytest.mark.parametrize("seed", range(6))
def test_random_edits(worker: Worker, testkit: str, tmp_path: Path, seed: int) -> None:
    """Words of live blocks changed at random, checksums repaired: whatever it is then, there is an answer."""
    whole = patient(["walkthrough-b", "churn-b"][seed % 2], testkit)
    drawn = random.Random(seed)  # noqa: S311 - edits
    path = tmp_path / "edited.bin"
    live = sorted(whole.roles)
    before = bytes(whole.data)
    for _ in range(25):
        for block in drawn.choices(live, k=drawn.randint(1, 12)):
            offset = drawn.choice(
                [4, 8, 16, 20, 24, 32, 40, 48, 2048, 2056, drawn.randrange(4, 4088)]
            )
            near = whole.get(block, offset, "Q") + drawn.randint(-2, 2)
            value = drawn.choice([near, 0, drawn.randrange(4096), drawn.getrandbits(64)])
            whole.put(block, offset, "Q", value & (1 << 64) - 1)
        path.write_bytes(whole.data)
        _, _, error, seconds = worker.ask(path, "anything")
        assert error is None
        assert seconds < 20
        whole.data[:] = before


def test_random_bytes(worker: Worker, walkthrough: bytes, tmp_path: Path) -> None:
    drawn = random.Random(0)  # noqa: S311 - bytes
    path = tmp_path / "noise.bin"
    for size in (0, 1, 100, BLOCK, 70 * BLOCK + 5):
        path.write_bytes(noise := drawn.randbytes(size))
        assert worker.ask(path, "not-thin")[2] is None
        path.write_bytes(walkthrough[:BLOCK] + noise)
        assert worker.ask(path, "corrupt")[2] is None


def test_a_metadata_device_that_lost_its_beginning(walkthrough: bytes) -> None:
    """Told from a file that is something else by the blocks behind."""
    check = thinscope.check(bytes(BLOCK) + walkthrough[BLOCK:])
    [finding] = check.findings
    assert (finding.code, finding.severity, finding.block) == ("superblock", "damage", 0)
    assert "of a pool's metadata" in finding.message
    assert finding.hint
    assert not check.lists_all
    with pytest.raises(errors.NotThinMetadata):
        thinscope.check(bytes(BLOCK * 200))


def test_many_devices_that_lose_the_same(testkit: str) -> None:
    """Gaps beyond those that are named are counted where nodes are, not device by device."""
    built = pools.build(
        testkit,
        "snapshots-shared --mappings 60000 --devices 250 --changed 0 --leaf-fill 200 --tree-fill 252",
    )
    hurt = Patient(built)
    leaves = hurt.blocks(Role.MAPPING, leaf=True)[::2]
    for leaf in leaves:
        hurt.flip(leaf)
    broken = set(leaves)
    every = sum(edge.block in broken for edge in hurt.edges)
    assert every > 30_000
    with thinscope.open(bytes(hurt.data), tolerant=True) as pool:
        gaps, more, _, _ = pool._core.gaps(10)
        assert (len(gaps), more) == (10, every - 10)
        assert len(pool.gaps.gaps) + pool.gaps.more == every
    check = thinscope.check(bytes(hurt.data))
    nodes = [finding for finding in check.findings if finding.code == "node"]
    assert sum(finding.count for finding in nodes) == len(leaves)
    assert sum(len(f.affected) + f.more_affected for f in nodes) == every
    assert {finding.code for finding in check.findings} == {"node"}


class Counting(io.BytesIO):
    """A file that counts what is read of it."""

    blocks = 0

    def readinto(self, buffer: object) -> int:  # type: ignore[override]
        read = super().readinto(buffer)  # type: ignore[arg-type]
        self.blocks += read // BLOCK
        return read

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.blocks += len(data) // BLOCK
        return data


@pytest.mark.parametrize("shape", ["one-device", "snapshots-shared"])
def test_work_grows_with_the_pool(testkit: str, shape: str) -> None:
    """Four times the mappings are four times the reads, whole or with a broken leaf."""
    read: dict[str, list[int]] = {"check": [], "broken": [], "tolerant": []}
    nodes = []
    for mappings in (100_000, 400_000):
        whole = Patient(pools.build(testkit, f"{shape} --mappings {mappings} --leaf-fill 200"))
        for what, blocks in read.items():
            if what == "broken":
                whole.flip(whole.blocks(Role.MAPPING, leaf=True)[7])
            file = Counting(bytes(whole.data))
            if what == "tolerant":
                with thinscope.open(file, tolerant=True) as pool:
                    assert pool.gaps
            else:
                check = thinscope.check(file)
                assert check.is_clean == (what == "check")
                nodes.append(check.nodes)
            blocks.append(file.blocks)
        # The graph, and every leaf, once; around damage once more.
        live = len(whole.roles)
        assert read["check"][-1] < 1.3 * live + 100
        assert read["broken"][-1] < 2.6 * live + 100
    assert nodes[0] == nodes[1]
    assert 3.5 < nodes[2] / nodes[0] < 4.5
    for small, large in read.values():
        assert large < 4.5 * small


def test_a_superblock_of_absurd_numbers(walkthrough: bytes, testkit: str) -> None:
    hurt = patient("walkthrough-b", testkit)
    for offset in (64, 72, 192, 200):
        whole = bytes(hurt.data)
        hurt.put(0, offset, "Q", (1 << 64) - 1)
        check = thinscope.check(bytes(hurt.data))
        assert {finding.code for finding in check.findings} >= {"superblock"}
        hurt.data[:] = whole
    struct.pack_into("<Q", hurt.data, 0, 0)
    assert bytes(hurt.data) != walkthrough
