"""``thinscope pools``, ``--pv``, and pools named behind a colon."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.cli.test_json import check
from tests.conftest import CAPTURES, FIXTURES
from tests.images import made
from tests.images.made import Group, Volume, linear
from tests.oracle import answers
from thinscope.report.render import FORMATS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Golden, Run

SUFFIXES = {"text": "txt", "json": "json", "csv": "csv", "markdown": "md"}


def group(seqno: int, *names: str) -> Group:
    """Pools that have the same metadata; the data lies on a second physical volume."""
    return Group(
        [
            *(Volume(name, [made.thin_pool("m", "d")], id=f"id-{name}") for name in names),
            Volume("m", [linear("pv0", 3, 64)]),
            Volume("d", [linear("pv1", 7, 32)]),
        ],
        pvs=2,
        seqno=seqno,
    )


@pytest.fixture
def folder(tmp_path: Path, command: Run, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two physical volumes, the working folder: two pools, and one that is gone."""
    del command  # has a folder of its own
    metadata = answers.image(CAPTURES["lvm-external-6.1/second"])
    texts = [group(4, "gone", "a").text(), group(5, "a").text(), group(6, "a", "b").text()]
    for number in (0, 1):
        image = made.physical([], number, area=bytes(made.ring(texts)))
        if not number:
            made.put(image, 3, metadata)
        (tmp_path / f"pv{number}.img").write_bytes(image)
    disk = made.with_gpt((tmp_path / "pv0.img").read_bytes())
    (tmp_path / "disk.img").write_bytes(disk)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("name", ["pools", "overview"])
@pytest.mark.usefixtures("folder")
def test_the_list(command: Run, golden: Golden, name: str, format_: str) -> None:
    ran = command(name, "pv0.img", "--pv", "pv1.img", "--format", format_)
    assert (ran.code, ran.err) == (0, "")
    golden(f"pools-two.{SUFFIXES[format_]}", ran.out)


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.usefixtures("folder")
def test_one_is_missing(command: Run, golden: Golden, format_: str) -> None:
    ran = command("pools", "disk.img", "--format", format_)
    assert (ran.code, ran.err) == (1, "")
    golden(f"pools-missing.{SUFFIXES[format_]}", ran.out)
    ran = command("pools", "pv1.img", "--format", format_)
    assert (ran.code, ran.err) == (1, "")
    golden(f"pools-unreadable.{SUFFIXES[format_]}", ran.out)


@pytest.mark.usefixtures("folder")
def test_contract(command: Run) -> None:
    for source in ("disk.img", "pv1.img"):
        check(json.loads(command("pools", source, "--format", "json").out))
    rows = json.loads(command("pools", "pv0.img", "--format", "json").out)["pools"]
    assert [(row["name"], row["seqno"], row["is_current"]) for row in rows] == [
        ("vg/a", 6, True),
        ("vg/b", 6, True),
        ("vg/gone@4", 4, False),
    ]
    for row in rows:
        assert command("devices", f"pv0.img:{row['name']}").code == 0


@pytest.mark.usefixtures("folder")
def test_other_commands_ask_for_the_name(command: Run) -> None:
    ran = command("devices", "pv0.img")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        "thinscope: pv0.img: holds 2 thin pools: vg/a, vg/b\nhint: name one: `pv0.img:vg/a`\n"
    )
    ran = command("thin_ls", "pv0.img:c")
    assert ran.code == 64
    assert ran.err == (
        "thinscope: pv0.img: no thin pool `c`, but vg/a, vg/b, vg/gone\n"
        "hint: `thinscope pools pv0.img` lists those that there are\n"
    )


@pytest.mark.usefixtures("folder")
def test_missing_volumes_are_told_by_name(command: Run) -> None:
    ran = command("pv1.img:a")
    assert (ran.code, ran.out) == (2, "")
    assert f"lies on physical volume pv0 ({made.IDS[0]}, last seen as /dev/sda)" in ran.err
    assert ran.err.endswith("hint: give the other physical volumes as well: --pv PATH\n")
    assert command("pv1.img:a", "--pv", "pv0.img").code == command("pv0.img:a").code == 0


@pytest.mark.usefixtures("folder")
def test_blocks_of_a_named_pool(command: Run) -> None:
    named = command("block", "pv0.img:vg/a", "0", "--format", "json")
    assert json.loads(named.out)["kind"] == "superblock"
    assert command("block", "pv1.img", "0", "--pv", "pv0.img").code == 2
    raw = command("block", "pv0.img", "0", "--format", "json")
    assert json.loads(raw.out)["kind"] is None


def test_hostile_names(command: Run, tmp_path: Path) -> None:
    """What a text says is never shown as it is."""
    evil = "\x1b[31mred"
    text = group(3, "a", "b").text().replace(b"/dev/sdb", evil.encode())
    path = tmp_path / "pv.img"
    path.write_bytes(made.physical([text]))
    for format_ in FORMATS:
        for words in (["pools", path], ["devices", f"{path}:a"], [f"{path}:d"], [path]):
            ran = command(*words, "--format", format_)
            assert "\x1b" not in ran.out + ran.err


def test_a_packed_one(command: Run) -> None:
    ran = command("pools", "lvm-b/pv.zst", "--format", "csv")
    assert ran.code == 0
    assert ran.out.splitlines()[1] == (
        "vgdocker/thinpool,vgdocker/thinpool,23,true,65536,9,7,41943040,2571108352,"
    )
    assert command("lvm-b/pv.zst:thinpool").code == 0
    assert (FIXTURES / "lvm-b/pv.zst").exists()


def test_a_pool_of_a_name_that_two_groups_have(command: Run, tmp_path: Path) -> None:
    one = made.physical([group(3, "a").text()])
    other = replace(group(4, "a"), name="other", id="other-id", physical=[made.IDS[2]] * 2)
    two = made.physical([other.text()], 2)
    for path, image in (("one.img", one), ("two.img", two)):
        (tmp_path / path).write_bytes(image)
    ran = command("devices", f"{tmp_path}/one.img:a", "--pv", tmp_path / "two.img")
    assert ran.code == 2
    assert "holds 2 thin pools: vg/a, other/a" in ran.err
