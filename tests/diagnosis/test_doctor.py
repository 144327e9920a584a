"""Sources that a doctor is asked about: whole, damaged, gone; a check beside it; bad arguments."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

import thinscope
from tests.cli.conftest import write_field
from tests.conftest import CAPTURES, FIXTURES
from tests.diagnosis.test_rules import Checked, Found, Hit
from tests.oracle import answers, reader
from tests.sharing import pools
from thinscope import diagnosis
from thinscope.diagnosis.place import Place
from thinscope.errors import NamesError, NotThinMetadata, UnsupportedMetadata

if TYPE_CHECKING:
    from pathlib import Path

    from thinscope import Diagnosis

BLOCK = 4096
OPTIONS = ("names", "more_pvs", "metadata_snapshot", "threads", "progress")
ROOMY = FIXTURES / "lvm-512k-6.1"
TEXT = ROOMY / "answers/pool/lvm.vg"


def codes(found: Diagnosis) -> list[str]:
    return [each.code for each in found.advice if each.severity != "fine"]


def test_in_memory(walkthrough: bytes) -> None:
    found = thinscope.doctor(walkthrough)
    assert (found.needs_attention, found.next_step, found.avoid) == (False, None, ())
    assert found.pool is not None
    assert found.pool.source == "<bytes>"


@pytest.mark.parametrize("first", [bytes(BLOCK), bytes(range(256)) * 16])
def test_no_superblock(walkthrough: bytes, first: bytes) -> None:
    found = thinscope.doctor(first + walkthrough[BLOCK:])
    assert found.pool is None
    assert codes(found) == ["superblock-damaged"]
    assert found.next_step is not None
    assert found.next_step.command == ("thinscope", "salvage", "<bytes>")
    assert any("before there is a copy" in each for each in found.avoid)


def test_commands_name_what_was_given(docker: Path, tmp_path: Path) -> None:
    """A folder brings names along, and further physical volumes are needed again."""
    folder = tmp_path / "docker"
    shutil.copytree(docker, folder)
    metadata = folder / "devicemapper/devicemapper/metadata"
    with metadata.open("r+b") as file:
        file.seek(1703 * BLOCK + 300)
        file.write(bytes(8))
    found = thinscope.doctor(folder)
    assert codes(found) == ["node"]
    assert found.advice[0].commands[0] == ("thinscope", "salvage", str(folder))
    place = Place("pv1.img:vg/pool", ("names",), more_pvs=("pv2.img",))
    words = ("thinscope", "check", "pv1.img:vg/pool", "--pv", "pv2.img", "--names", "names")
    assert place.thinscope("check") == words


def test_a_source_that_is_too_short(walkthrough: bytes) -> None:
    found = thinscope.doctor(walkthrough[: 100 * BLOCK])
    assert codes(found) == ["truncated"]
    assert "copy the whole metadata device" in (found.advice[0].meaning or "")
    assert found.next_step is not None
    assert found.next_step.command == ("thinscope", "salvage", "<bytes>")


@pytest.mark.parametrize("at", [0, 4, 24, 70, 3000])
def test_a_superblock_that_is_damaged(walkthrough: bytes, tmp_path: Path, at: int) -> None:
    data = bytearray(walkthrough)
    data[at] ^= 1
    path = tmp_path / "tmeta.bin"
    path.write_bytes(data)
    text = FIXTURES / "lvm-b/answers/vgdocker.vg"
    found = thinscope.doctor(path, names=[text])
    assert codes(found) == ["superblock-damaged"]
    assert [names.pool for names in found.names] == ["vgdocker/thinpool"]
    assert found.next_step is not None
    assert found.next_step.command == ("thinscope", "salvage", str(path), "--names", str(text))


def test_what_holds_no_metadata(tmp_path: Path) -> None:
    for data in (bytes(1 << 20), b"no pool" * 9000, b""):
        with pytest.raises(NotThinMetadata):
            thinscope.doctor(data)
    with pytest.raises(FileNotFoundError):
        thinscope.doctor(tmp_path / "nowhere")


def test_a_version_that_is_not_known(walkthrough: bytes) -> None:
    data = bytearray(walkthrough)
    data[40:44] = (9).to_bytes(4, "little")

    data[:4] = reader.checksum(bytes(data[:BLOCK]), reader.SUPERBLOCK_SALT).to_bytes(4, "little")
    with pytest.raises(UnsupportedMetadata):
        thinscope.doctor(bytes(data))


@pytest.mark.parametrize("block", [92, 95, 63])
def test_damage(walkthrough: bytes, block: int) -> None:
    """The root of the top level, of the details, of a mapping tree: the rest is told."""
    data = bytearray(walkthrough)
    data[block * BLOCK + 100] ^= 1
    found = thinscope.doctor(bytes(data))
    assert codes(found) == ["node"]
    assert found.advice[0].numbers == {"block": block}
    assert found.advice[0].commands == (("thinscope", "salvage", "<bytes>"),)
    assert {"data-room", "metadata-room"} <= {each.code for each in found.advice}


@pytest.mark.parametrize("block", [92, 95, 63])
def test_damage_that_no_check_told(walkthrough: bytes, block: int) -> None:
    data = bytearray(walkthrough)
    data[block * BLOCK + 100] ^= 1
    with thinscope.open(bytes(data)) as pool:
        found = diagnosis.diagnose(pool, bytes(data))
    assert codes(found) == ["damaged"]
    assert found.advice[0].numbers == {"block": block}
    assert found.advice[0].commands == (("thinscope", "check", "<bytes>"),)


def test_names_of_a_damaged_pool(tmp_path: Path) -> None:
    """A leaf of two volumes: they are named, and what LVM does with the pool as well."""
    data = bytearray(answers.image(CAPTURES["lvm-512k-6.1"]))
    with thinscope.open(bytes(data), names=[TEXT]) as pool:
        assert pool.fragmentation().leaves.nodes == 4
    roots = int.from_bytes(data[320:328], "little")
    data[roots * BLOCK + 100] ^= 1
    path = tmp_path / "tmeta.bin"
    path.write_bytes(data)
    found = thinscope.doctor(path, names=[TEXT], lvm_conf=ROOMY / "answers/pool")
    assert codes(found) == ["node"]
    assert "autoextend" in {each.code for each in found.advice}
    assert ("lvconvert", "--repair", "vg/pool") in found.advice[0].commands


def test_a_check_beside_it(walkthrough: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []

    def check(source: object, **more: Any) -> Checked:
        asked.append((source, *more))
        return result

    monkeypatch.setattr(thinscope, "check", check)
    result = Checked()
    found = thinscope.doctor(walkthrough)
    assert asked == [(walkthrough, *OPTIONS)]
    assert "checked" in {each.code for each in found.advice}
    assert not found.needs_attention
    result = Checked((Found("node", affected=(Hit(1, "device 1", 252),)),))
    found = thinscope.doctor(walkthrough)
    assert codes(found) == ["node"]
    assert found.next_step is not None
    assert found.next_step.command == ("thinscope", "salvage", "<bytes>")
    # What the check found stands for what the doctor met.
    data = bytearray(walkthrough)
    data[92 * BLOCK + 100] ^= 1
    assert codes(thinscope.doctor(bytes(data))) == ["node"]


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ("write 1 0..4", []),
        ("write 1 0..90", ["!data-nearly-full"]),
        ("write 1 0..100", ["!data-full"]),
        ("write 1 0..4\nleak 50..53", ["!leaked"]),
        ("write 1 0..4\nforget 2..3\nleak 50..53", ["!missing-count", "!leaked"]),
        # What the metadata snapshot alone keeps: 9 and 10 of a hundred blocks.
        ("create 2\nwrite 2 0..9\nhold\ndelete 2", ["metadata-snapshot"]),
        ("create 2\nwrite 2 0..10\nhold\ndelete 2", ["!metadata-snapshot"]),
        ("create 16777215\nwrite 1 0..4", ["device-id"]),
    ],
)
def test_told_pools(testkit: str, history: str, expected: list[str]) -> None:
    data = pools.build(
        testkit, "history --data-blocks 100 --metadata-blocks 1024", f"create 1\n{history}\n"
    )
    found = thinscope.doctor(data)
    told = [("!" if each.severity == "attention" else "") + each.code for each in found.advice]
    assert [code for code in told if code.lstrip("!") in codes(found)] == expected


def test_a_metadata_snapshot_stands_in_the_way(testkit: str) -> None:
    told = "create 1\nwrite 1 0..95\ncreate 2\nwrite 2 0..1\nhold\ndelete 2\n"
    found = thinscope.doctor(
        pools.build(testkit, "history --data-blocks 100 --metadata-blocks 1024", told)
    )
    assert codes(found) == ["data-nearly-full", "metadata-snapshot"]
    assert found.next_step is not None
    release = ("dmsetup", "message", "POOL", "0", "release_metadata_snap")
    assert found.next_step.command == release


@pytest.mark.parametrize(
    ("at", "width", "value", "expected"),
    [
        (4, 4, 1, ["needs-check"]),
        (356, 4, 6, ["unknown-features"]),
        (44, 4, 15_099_494, ["time"]),
        (48, 8, (1 << 64) - 1, ["transaction-id"]),
        # Room for fewer mappings than there are blocks, by the planned 48 bytes each.
        (200, 8, 3278, ["metadata-nearly-full", "metadata-short"]),
        (200, 8, 3687, ["metadata-full"]),
        (200, 8, 3200, ["metadata-low-water", "metadata-short"]),
    ],
)
def test_edited_superblocks(
    walkthrough: bytes, at: int, width: int, value: int, expected: list[str]
) -> None:
    data = bytearray(walkthrough)
    write_field(data, at, width, value)
    with thinscope.open(bytes(data)) as pool:
        assert codes(diagnosis.diagnose(pool, bytes(data))) == expected


def test_records_of_details_that_disagree(walkthrough: bytes) -> None:
    data = bytearray(walkthrough)
    root = int.from_bytes(data[328:336], "little")
    write_field(data, root * BLOCK + 32 + 8 * 126, 8, 99_999)
    found = thinscope.doctor(bytes(data))
    assert codes(found) == ["mapped-count"]
    assert found.advice[0].numbers == {
        "device": 0,
        "mapped_blocks": 529,
        "recorded_blocks": 99_999,
    }


def test_through_a_metadata_snapshot(churn: bytes) -> None:
    found = thinscope.doctor(churn, metadata_snapshot=True)
    assert codes(found) == ["room-not-known", "metadata-snapshot"]
    assert "checked" in {each.code for each in found.advice}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, "autoextend-not-known"),
        ({"lvm_conf": ROOMY / "answers/pool"}, "autoextend"),
        ({"lvm_conf": ROOMY / "answers/pool/roomy.profile"}, "autoextend"),
        ({"autoextend_threshold": 100}, "autoextend-off"),
        ({"autoextend_threshold": 56}, "autoextend-due"),  # 56.25 % are in use
        ({"autoextend_threshold": 57}, "autoextend"),
        ({"autoextend_threshold": 57, "autoextend_percent": 53}, "autoextend-short"),
        ({"autoextend_threshold": 57, "autoextend_percent": 52}, "autoextend"),
        ({"lvm_conf": ROOMY / "answers/pool", "autoextend_percent": 90}, "autoextend-short"),
        ({"autoextend_percent": 90}, "autoextend-not-known"),
        ({"lvm_conf": ROOMY / "answers/pool", "autoextend_threshold": 50}, "autoextend-due"),
    ],
)
def test_settings(more: dict[str, Any], expected: str) -> None:
    """Of 63 extents 42 are taken, and the pool has 40 for data."""
    found = thinscope.doctor(ROOMY / "pool.bin.zst", names=[TEXT], **more)
    [one] = [each for each in found.advice if each.code.startswith("autoextend")]
    assert one.code == expected
    assert one.numbers.get("free_extents", 21) == 21


def test_settings_come_with_a_capture(tmp_path: Path) -> None:
    etc = tmp_path / "lvm"
    (etc / "backup").mkdir(parents=True)
    (etc / "profile").mkdir()
    shutil.copy(TEXT, etc / "backup/vg")
    shutil.copy(ROOMY / "answers/pool/roomy.profile", etc / "profile")
    thinscope.capture(ROOMY / "pool.bin.zst", tmp_path / "pool.tar", names=[etc])
    shutil.rmtree(etc)
    found = thinscope.doctor(tmp_path / "pool.tar")
    [one] = [each for each in found.advice if each.code.startswith("autoextend")]
    assert one.code == "autoextend"
    assert f"({etc}/profile/roomy.profile)" in one.message


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"autoextend_threshold": 0}, "autoextend_threshold is 0, and goes from 1 to 100"),
        ({"autoextend_threshold": 101}, "autoextend_threshold is 101"),
        ({"autoextend_percent": 0}, "autoextend_percent is 0"),
    ],
)
def test_percentages_that_cannot_be(walkthrough: bytes, more: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        thinscope.doctor(walkthrough, **more)


def test_settings_that_cannot_be_read(walkthrough: bytes, tmp_path: Path) -> None:
    with pytest.raises(NamesError, match="no such file"):
        thinscope.doctor(walkthrough, lvm_conf=tmp_path / "nowhere")
    (tmp_path / "lvm.conf").write_text("{")
    with pytest.raises(NamesError, match=r"lvm\.conf: line 1: expected"):
        thinscope.doctor(walkthrough, lvm_conf=tmp_path)


def test_an_original_is_captured_first(docker: Path, tmp_path: Path) -> None:
    """Docker's own file, in its folder: that is no copy."""
    folder = tmp_path / "docker"
    shutil.copytree(docker, folder)
    path = folder / "devicemapper/devicemapper/metadata"
    data = bytearray(path.read_bytes())
    data[4] |= 1  # needs_check

    data[:4] = reader.checksum(bytes(data[:BLOCK]), reader.SUPERBLOCK_SALT).to_bytes(4, "little")
    path.write_bytes(data)
    for source, names in [(folder, []), (path, [folder])]:
        found = thinscope.doctor(source, names=names)
        assert found.next_step is not None
        assert found.next_step.command[:2] == ("thinscope", "capture")
    copy = tmp_path / "copy.bin"
    shutil.copy(path, copy)
    found = thinscope.doctor(copy, names=[folder])
    assert found.next_step is not None
    assert found.next_step.command[0] == "thin_check"
