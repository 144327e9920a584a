"""Devices that were deleted: found, named, graded, and their content."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pytest
import zstandard

import thinscope
from tests.check.patient import patient
from tests.conftest import CAPTURES, FIXTURES, capture_path
from tests.oracle import answers, salvaged
from tests.oracle.reader import BLOCK, Image, Role
from tests.test_survey import Said, blocks, model
from thinscope import errors
from thinscope.survey import GRADES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thinscope import Undelete
    from thinscope._core import DeletedDevice

PV = FIXTURES / "lvm-b/pv.zst"
CACHE = f"{PV}:vgdocker/thinpool@14"
WRAPPED = [name for name in CAPTURES if name.startswith("wrapped-")]
JOBS_2 = (25, 26)
"""The devices between those of `jobs-1` and of `debug`: init layer and container."""


def of(found: Undelete) -> dict[int, DeletedDevice]:
    return {each.device.id: each.device for each in found.devices}


def modelled(image: Image, found: Undelete, device: DeletedDevice) -> dict[int, Said]:
    """What became of a deleted device, by the second reader and sets."""
    state = found.salvage.state(device.state_root)
    assert state is not None
    trees = image.state(state.mapping_root or 0, state.details_root or 0)
    old = {key: (value[0], value[1]) for key, value in trees.mappings[device.id].items()}
    return model(image, old, device.id, trees.details[device.id])


# ---- a volume on a physical volume ------------------------------------------------------------


def answer() -> tuple[str, int]:
    """The sha256 of `cache` just before it was removed, and its bytes."""
    said = (FIXTURES / "lvm-b/answers/removed-sha256.txt").read_text().split()
    assert said[0] == "cache"
    return said[1], int(said[2]) * 512


def test_a_removed_volume_out_of_its_disk(tmp_path: Path) -> None:
    """Its name, size and content come from the disk alone: an older text of LVM has the name."""
    found = thinscope.undelete(CACHE)
    [each] = found.devices
    assert (each.device.id, each.name) == (3, "volume vgdocker/cache")
    assert each.device.is_whole
    assert each.survey is not None
    assert (each.survey.blocks["free"], each.survey.zero_blocks) == (64, 0)
    sha256, size = answer()
    with found.open(each) as then:
        exported = then.device("cache").export(tmp_path / "cache.img")
    assert (exported.sha256, exported.size) == (sha256, size)
    assert (tmp_path / "cache.img").stat().st_size == size
    with found.open(each) as then, then.devices[3].open() as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == sha256


def test_a_removed_volume_by_its_id(tmp_path: Path) -> None:
    """The text of now does not know it, so its size is given."""
    found = thinscope.undelete(PV, 3)
    [each] = found.devices
    assert each.name == "device 3"
    sha256, size = answer()
    with found.open(each) as then:
        exported = then.devices[3].export(tmp_path / "cache.img", size=size)
    assert exported.sha256 == sha256


@pytest.mark.parametrize(
    "word", [3, "3", "device:3", "cache", "vgdocker/cache", "volume:vgdocker/cache"]
)
def test_who(word: int | str) -> None:
    for who in (word, [word], [word, 3]):
        [each] = thinscope.undelete(CACHE, who).devices
        assert each.device.id == 3


@pytest.mark.parametrize("word", ["web", 1, "device:1", "cach", "", "thinpool", "volume:cache"])
def test_nobody(word: int | str) -> None:
    """Live ones, parts of names, nothing."""
    with pytest.raises(errors.UnknownDevice, match=f"no device `{word}` was deleted") as caught:
        thinscope.undelete(CACHE, word)
    assert caught.value.who == word
    assert "undelete SOURCE" in (caught.value.hint or "")


def test_two_devices_that_had_one_id() -> None:
    """An id that is live again: by it, what it was before is meant."""
    image = answers.image(CAPTURES["lvm-64k-6.1/again"])
    found = thinscope.undelete(image)
    live = Image(image).live.roots.keys()
    again = of(found).keys() & live
    assert again
    for id_ in again:
        [each] = thinscope.undelete(image, id_).devices
        assert each.device == of(found)[id_]


# ---- a container -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IO[bytes]]:
    """The captured data of Docker's pool, 20 GiB of mostly nothing."""
    path = tmp_path_factory.mktemp("data") / "data.tar"
    with (FIXTURES / "docker-b/data.tar.zst").open("rb") as packed, path.open("wb") as out:
        zstandard.ZstdDecompressor().copy_stream(packed, out)
    with tarfile.open(path) as archive:
        file = archive.extractfile("data")
        assert file is not None
        yield file


def test_a_removed_container(data: IO[bytes], docker: Path) -> None:
    """Each deleted device is graded as a model in sets does, and free blocks are looked at."""
    image = Image(answers.image(CAPTURES["docker-b"]))
    found = thinscope.undelete(docker, data=data)  # type: ignore[arg-type] - a file that is read
    assert of(found).keys() >= {*JOBS_2}
    zeros_of = {}
    for each in found.devices:
        assert each.device.is_whole
        assert each.survey is not None
        expected = modelled(image, found, each.device)
        assert blocks(each.survey) == expected
        assert each.survey.mapped_blocks == each.device.mapped_blocks == len(expected)
        free = [said.data for said in expected.values() if said.grade == "free"]
        zeros = 0
        for block in free:
            data.seek(block << 16)
            zeros += not any(data.read(1 << 16))
        assert each.survey.zero_blocks == zeros
        zeros_of[each.device.id] = zeros, len(free)
    # Docker discards what it removes, and a loop file then has holes.
    assert [zeros_of[id_] for id_ in JOBS_2] == [(7, 7), (30, 30)]
    assert all(each.survey is not None for each in thinscope.undelete(docker, JOBS_2).devices)


def test_without_data_nothing_is_said_of_zeros(docker: Path) -> None:
    for each in thinscope.undelete(docker).devices:
        assert each.survey is not None
        assert {run.zero_blocks for run in each.survey} == {None}


# ---- every capture, and what is damaged -------------------------------------------------------


def test_grades_add_up(capture: dict[str, object], image: bytes) -> None:
    second = Image(image)
    found = thinscope.undelete(image)
    assert capture["name"]
    assert (found.why_not_live, found.data) == (None, None)
    assert [each.device for each in found.devices] == list(found.salvage.deleted)
    for each in found.devices:
        assert (each.why_not, each.survey is not None) == (None, True)
        assert each.survey is not None
        assert sum(each.survey.blocks.values()) == each.device.mapped_blocks
        if each.device.is_whole:
            assert blocks(each.survey) == modelled(second, found, each.device)


@pytest.mark.parametrize(
    ("name", "grades"),
    [
        ("lvm-64k-6.1/again", {"same", "reused", "free"}),
        ("churn-6.1/end", {"same", "held", "free"}),
        ("metadata-snapshot-6.1/held", {"held"}),
    ],
)
def test_grades_of_real_pools(name: str, grades: set[str]) -> None:
    data = answers.image(CAPTURES[name])
    found, image = thinscope.undelete(data), Image(data)
    seen = set()
    for each in found.devices:
        assert each.survey is not None
        expected = modelled(image, found, each.device)
        assert blocks(each.survey) == expected
        seen |= {said.grade for said in expected.values()}
    assert seen == grades


@pytest.mark.parametrize("name", WRAPPED)
def test_a_metadata_device_that_was_gone_through(name: str) -> None:
    """Plausible states of a pool from which nothing was deleted invent no deleted device."""
    found = thinscope.undelete(capture_path(name))
    assert any(not state.is_consistent for state in found.salvage.states)
    assert found.devices == ()


def test_no_deleted_device(walkthrough: bytes) -> None:
    found = thinscope.undelete(walkthrough)
    assert (found.devices, found.why_not_live) == ((), None)
    assert repr(found) == "<Undelete '<bytes>': 0 devices>"


def test_a_leaf_of_the_live_pool_is_broken(testkit: str) -> None:
    """Who maps what is then not known of any block: none is graded, and the reason told."""
    hurt = patient("docker-b", testkit)
    leaf = hurt.blocks(Role.MAPPING, leaf=True)[0]
    hurt.flip(leaf)
    found = thinscope.undelete(bytes(hurt.data))
    assert found.live is not None
    assert {*JOBS_2} <= of(found).keys()
    for each in found.devices:
        assert each.survey is None
        assert f"block {leaf} " in (each.why_not or "")


@pytest.mark.parametrize("fill", salvaged.FILLS)
@pytest.mark.parametrize("lost", ["superblock", "top level", "details"])
def test_the_live_pool_cannot_be_opened(lost: str, fill: str) -> None:
    """The devices are found all the same, and what became of them is not guessed."""
    data = answers.image(CAPTURES["lvm-b"])
    image = Image(data)
    hurt = salvaged.destroyed(data, salvaged.blocks_of(image, lost), fill)
    found = thinscope.undelete(hurt, data_block_sectors=128)
    assert found.live is None
    assert found.why_not_live
    [cache] = [each for each in found.devices if each.device.id == 3]
    assert (cache.survey, cache.why_not) == (None, found.why_not_live)
    with found.open(cache) as then:
        assert sum(run.length for run in then.devices[3].mappings()) == 64


def test_blocks_that_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, walkthrough: bytes, docker: Path
) -> None:
    """Where the disk failed while all was read, it is damage as any other; else it is an error."""

    def fails(*_: object, **__: object) -> object:
        raise errors.SourceError("cannot read block 7", block=7)

    whole = thinscope.undelete(docker).devices
    monkeypatch.setattr(thinscope._core, "Pool", fails)
    with pytest.raises(errors.SourceError, match="block 7"):
        thinscope.undelete(walkthrough)
    lost = property(lambda _: ((7, 1),), lambda *_: None)
    monkeypatch.setattr(thinscope.Salvage, "unreadable", lost, raising=False)
    found = thinscope.undelete(docker)
    assert found.why_not_live == "cannot read block 7"
    assert [each.device for each in found.devices] == [each.device for each in whole]
    assert {each.why_not for each in found.devices} == {"cannot read block 7"}


def test_a_part_of_a_deleted_device_is_left(testkit: str) -> None:
    """What is left is graded; the live pool is whole."""
    hurt = patient("docker-b", testkit)
    whole = thinscope.undelete(bytes(hurt.data), JOBS_2)
    live = {block for block, role in hurt.roles.items() if role is Role.MAPPING}
    own = _only_of(whole, JOBS_2[1]) - live
    assert own
    for block in own:
        hurt.flip(block)
    found = thinscope.undelete(bytes(hurt.data))
    [each] = [each for each in found.devices if each.device.id == JOBS_2[1]]
    [before] = [each for each in whole.devices if each.device.id == JOBS_2[1]]
    assert not each.device.is_whole or each.device.state_root != before.device.state_root
    assert each.survey is not None
    assert before.survey is not None
    assert each.survey.mapped_blocks == each.device.mapped_blocks < before.device.mapped_blocks


def _only_of(found: Undelete, device: int) -> set[int]:
    """Leaves of a deleted device, found by walking its tree as the second reader does."""
    image = Image(answers.image(CAPTURES["docker-b"]))
    reached: dict[int, Role] = {}
    image._reach(of(found)[device].root, Role.MAPPING, reached)
    return {block for block in reached if not image.node(block, Role.MAPPING).internal}


# ---- sources ------------------------------------------------------------------------------------


def test_a_file_is_opened_once(tmp_path: Path) -> None:
    """Metadata that is held exclusively cannot be opened twice; both views read the same file."""
    path = tmp_path / "pool.bin"
    path.write_bytes(answers.image(CAPTURES["lvm-b"]))
    found = thinscope.undelete(path)
    with found.open(found.devices[0]) as then:
        assert then.devices[3].mapped_blocks == 64
        names = [Path("/proc/self/fd") / name for name in os.listdir("/proc/self/fd")]  # noqa: PTH208
        assert [os.path.realpath(name) for name in names].count(str(path)) == 1
    assert found.live is not None


class Counted(io.BytesIO):
    """A file that counts how often its bytes were read."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.bytes = 0

    def read(self, size: int | None = -1, /) -> bytes:
        read = super().read(size)
        self.bytes += len(read)
        return read


def test_a_file_object() -> None:
    image = answers.image(CAPTURES["lvm-b"])
    file = Counted(image)
    found = thinscope.undelete(file)
    assert blocks_of(found) == blocks_of(thinscope.undelete(image))
    assert file.bytes < 2 * len(image)
    assert not file.closed


def blocks_of(found: Undelete) -> list[object]:
    return [(each.device, each.survey) for each in found.devices]


def test_a_capture(tmp_path: Path, docker: Path) -> None:
    thinscope.capture(docker, tmp_path / "docker.tar")
    captured = thinscope.undelete(tmp_path / "docker.tar")
    assert blocks_of(captured) == blocks_of(thinscope.undelete(docker))


def test_a_commit_between_the_two_readings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What was salvaged and what is live are then of two states."""
    path = tmp_path / "pool.bin"
    data = bytearray(answers.image(CAPTURES["lvm-b"]))
    path.write_bytes(data)
    real = thinscope._core.Pool

    def commits(*arguments: object, **options: object) -> object:
        hurt = patient_of(data)
        with path.open("r+b") as file:
            file.write(hurt)
        return real(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(thinscope._core, "Pool", commits)
    with pytest.raises(errors.SourceChanged):
        thinscope.undelete(path)


def patient_of(data: bytearray) -> bytes:
    """The superblock of one transaction later."""
    from tests.cli.conftest import write_field  # noqa: PLC0415 - of the command line

    block = bytearray(data[:BLOCK])
    write_field(block, 48, 8, int.from_bytes(block[48:56], "little") + 1)
    return bytes(block)


def test_data_that_ends_too_early() -> None:
    with pytest.raises(errors.SourceError, match="the data ends before it"):
        thinscope.undelete(answers.image(CAPTURES["lvm-b"]), data=b"short")


def test_names_of_another_pool(tmp_path: Path) -> None:
    text = tmp_path / "text.vg"
    text.write_text("nothing of LVM")
    with pytest.raises(errors.NamesError):
        thinscope.undelete(answers.image(CAPTURES["lvm-b"]), names=[text])


# ---- hostile ------------------------------------------------------------------------------------

# Runs in a process of its own, so that its memory can be limited.
WORKER = """
import json, resource, sys, time
import thinscope
from thinscope import errors
from thinscope.report.render import FORMATS, Page, render
from thinscope.report.undelete import Undelete

LIMIT = 512 << 20
resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))

def ask(path):
    found = thinscope.undelete(path, threads=2, data_block_sectors=128)
    for each in found.devices:
        if each.survey is not None:
            assert each.survey.mapped_blocks == each.device.mapped_blocks, each
            assert each.why_not is None
    report = Undelete.of(found, path, runs=True)
    for format_ in FORMATS:
        for _ in render(report, format_, Page()):
            pass
    return "damaged" if found.live is None else "live"

def outcome(path):
    try:
        return ask(path)
    except errors.NotThinMetadata:
        return "not-thin"
    except BaseException as error:
        return f"{type(error).__name__}: {error}"

for line in sys.stdin:
    start = time.monotonic()
    found = outcome(line.rstrip())
    print(json.dumps([found, time.monotonic() - start]), flush=True)
"""


def test_every_hostile_recipe(testkit: str, tmp_path: Path) -> None:
    """Those of `testkit recipes` end, in little memory, and are told."""
    listed = subprocess.run([testkit, "recipes"], check=True, capture_output=True, text=True)
    recipes = [line.split("\t") for line in listed.stdout.splitlines()]
    assert recipes
    path = tmp_path / "hostile.bin"
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert worker.stdin is not None
    assert worker.stdout is not None
    wrong = []
    for name, expected, what in recipes:
        subprocess.run([testkit, "hostile", name, "-o", path], check=True, capture_output=True)
        worker.stdin.write(f"{path}\n")
        worker.stdin.flush()
        answer = worker.stdout.readline()
        assert answer, f"the reader died of {name}: {what}"
        found, seconds = json.loads(answer)
        if found not in {"damaged", "live", "not-thin"} or (
            expected == "opens" and found == "not-thin"
        ):
            wrong.append(f"{name}: {found} ({what})")
        if seconds > 10:
            wrong.append(f"{name}: {seconds:.1f} s")
    worker.stdin.close()
    worker.stdout.close()
    assert worker.wait() == 0
    assert not wrong, "\n".join(wrong)


def test_grades_are_those_of_the_guide() -> None:
    """The guide explains each of them, by the word that is printed."""
    guide = (FIXTURES.parent / "docs/forensics.md").read_text()
    printed = {"reused": "used again", "unreached": "leaked"}
    for grade in GRADES:
        assert f"| `{printed.get(grade, grade)}` |" in guide
