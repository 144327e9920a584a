"""Names on the command line: where they come from, and what becomes of bad records."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import DOCKER, WALKTHROUGH
from tests.conftest import FIXTURES
from thinscope.report.render import FORMATS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Golden, Run

CONTAINERD = ["containerd-b/metadata.bin.zst", "--names", "containerd-b/dbs"]
SNAPSHOT = "churn-b/metadata.bin.zst"
LVM = ["lvm-b/metadata.bin.zst", "--names", "lvm-b/answers/vgdocker.vg"]


def with_suffix(format_: str) -> str:
    return {"text": "txt", "json": "json", "csv": "csv", "markdown": "md"}[format_]


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("name", ["overview", "sharing", "devices"])
def test_of_containerd(command: Run, golden: Golden, name: str, format_: str) -> None:
    ran = command(name, *CONTAINERD, "--format", format_)
    assert (ran.code, ran.err) == (0, "")
    golden(f"{name}-containerd.{with_suffix(format_)}", ran.out)


@pytest.mark.parametrize(
    ("name", "words", "code"),
    [
        ("reclaim", ["billing-*", "example/app:1"], 0),
        ("reclaim", ["example/app:1", "snapshot:sha256:e80"], 1),
        ("plan", ["--free", "6MiB", "--commands"], 0),
        ("plan", ["--free", "1GiB"], 1),
        ("orphans", [], 0),
    ],
)
@pytest.mark.parametrize("format_", FORMATS)
def test_questions_of_containerd(  # noqa: PLR0913, PLR0917 - three parameters of the test
    command: Run, golden: Golden, name: str, words: list[str], code: int, format_: str
) -> None:
    ran = command(name, *CONTAINERD, *words, "--format", format_)
    assert (ran.code, ran.err) == (code, "")
    golden(f"{name}-containerd-{code}.{with_suffix(format_)}", ran.out)


def test_tree_of_lvm(command: Run, golden: Golden) -> None:
    ran = command("devices", *LVM, "--tree")
    assert (ran.code, ran.err) == (0, "")
    golden("devices-tree-lvm.txt", ran.out)


def test_the_folder_of_docker(command: Run, docker: Path) -> None:
    """The same names whether the folder is the source or gives names to a copy."""
    own = json.loads(command(docker, "--format", "json").out)
    beside = json.loads(command(DOCKER, "--names", str(docker), "--format", "json").out)
    assert own["names"][0]["mode"] == "loop-lvm"
    assert own["largest_objects"] == beside["largest_objects"]
    assert own["largest_objects"][0]["name"] == "jobs-1"


def test_which_pool_is_said(command: Run) -> None:
    ran = command(LVM[0], "--names", f"{LVM[2]}#vgdocker/thinpool")
    assert ran.code == 0
    ran = command(LVM[0], "--names", f"{LVM[2]}#other")
    assert ran.code == 2
    assert "no records of a pool `other`, but of vgdocker/thinpool" in ran.err


def broken_text(path: Path) -> None:
    text = (FIXTURES / "lvm-b/answers/vgdocker.vg").read_text()
    path.write_text(text[: len(text) // 2])


def escapes(path: Path) -> None:
    path.write_bytes(
        b'device_id,name,kind\n0,"\x1b]0;owned\x07\x1b[31mred"\n1,caf\xc3\xa9\xc2\x9b\n2,\xe2\x80\xae,'
        b"\x1b[31mred\n"
    )


def absurd_ids(path: Path) -> None:
    path.write_text("device_id,name\n-1,a\n16777216,b\nx,c\n99999999999999999999999,d\n")


def no_utf8(path: Path) -> None:
    path.write_bytes(b"device_id,name\n1,caf\xe9\n")


def nested(path: Path) -> None:
    path.write_text('{"a":' * 100_000)


def nothing(path: Path) -> None:
    path.write_bytes(b"")


def zeros(path: Path) -> None:
    path.write_bytes(bytes(1 << 16))


@pytest.mark.parametrize("make", [broken_text, no_utf8, nested, nothing, zeros])
def test_what_cannot_be_read(command: Run, tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "records"
    make(path)
    ran = command(WALKTHROUGH, "--names", str(path))
    assert (ran.code, ran.out) == (2, "")
    first, *more = ran.err.splitlines()
    assert first.startswith(f"thinscope: {path}: ")
    assert all(line.startswith("hint: ") for line in more)
    assert first == first.lower() or str(tmp_path) in first


def test_a_plan_that_only_its_smallest_step_forbids(command: Run) -> None:
    ran = command("plan", *CONTAINERD, "--free", "1M", "--min-each", "1G")
    assert (ran.code, ran.err) == (1, "")
    told = " ".join(ran.out.split())
    assert (
        "1.0 MiB cannot be reached: deleting all that may go gives back 44.6 MiB, in steps" in told
    )


def test_no_such_records(command: Run, tmp_path: Path) -> None:
    ran = command(WALKTHROUGH, "--names", str(tmp_path / "none"))
    assert (ran.code, ran.out) == (2, "")
    assert "no such file or directory" in ran.err


@pytest.mark.parametrize("format_", FORMATS)
def test_names_are_shown_escaped(command: Run, tmp_path: Path, format_: str) -> None:
    path = tmp_path / "names.csv"
    escapes(path)
    for name, *words in (
        ["overview"],
        ["devices", "--tree"],
        ["sharing", "--matrix"],
        ["orphans"],
        ["reclaim", "0", "1", "2"],
        ["plan", "--free", "1M", "--commands"],
    ):
        ran = command(name, WALKTHROUGH, "--names", str(path), *words, "--format", format_)
        assert ran.code in (0, 1), ran.err
        shown = ran.out + ran.err
        assert not set(shown) & {"\x1b", "\x07", "\u202e", "\x9b"}
        assert shown.isprintable() or "\n" in shown


@pytest.mark.parametrize("format_", FORMATS)
def test_places_of_bad_records_are_shown_escaped(
    command: Run, docker: Path, tmp_path: Path, format_: str
) -> None:
    """A manager's folder has names of files that others may have chosen."""
    folder = shutil.copytree(docker, tmp_path / "docker")
    bad = folder / "containers" / "\x1b[31mred\u202e"
    bad.mkdir()
    (bad / "config.v2.json").write_text("{")
    for name in ("overview", "orphans", "sharing"):
        ran = command(name, folder, "--format", format_)
        assert ran.err == ""
        assert ran.out.replace("\n", "").isprintable()


@pytest.mark.parametrize("format_", ["text", "markdown"])
def test_what_is_read_where_nothing_is_mapped(command: Run, tmp_path: Path, format_: str) -> None:
    def told(*words: str) -> str:
        ran = command("mappings", LVM[0], "--device", "8", *words, "--format", format_)
        assert (ran.code, ran.err) == (0, "")
        return " ".join(ran.out.split())

    unknown = "zeros are read, or an external origin: only a manager's records tell"
    text = (FIXTURES / LVM[2]).read_text()
    path = tmp_path / "vg"
    path.write_text(text.replace("device_id = 8", 'device_id = 8\nexternal_origin = "web\x1b"'))
    assert unknown in told()
    assert "where nothing is mapped" not in told("--names", LVM[2])
    origin = "where nothing is mapped, 8: volume vgdocker/late reads vgdocker/web\\x1b"
    assert origin in told("--names", str(path))
    path.write_text("device_id,name\n8,late\n")
    assert unknown in told("--names", str(path))


def test_a_table_is_enough_for_a_plan(command: Run, tmp_path: Path) -> None:
    """A pool without a manager has names all the same."""
    path = tmp_path / "names.csv"
    path.write_text("device_id,name\n0,root\n1,monday\n2,tuesday\n")
    ran = command("plan", WALKTHROUGH, "--names", str(path), "--free", "5M", "--commands")
    assert (ran.code, ran.err) == (0, "")
    assert "volume monday" in ran.out
    assert "dmsetup message POOL 0 'delete 1'" in ran.out
    assert "tells no manager" in ran.out
    ran = command("reclaim", WALKTHROUGH, "--names", str(path), "monday")
    assert ran.code == 0
    assert "finding" not in ran.out


def test_records_of_another_pool(command: Run) -> None:
    ran = command(WALKTHROUGH, "--names", LVM[2])
    assert "records of lvm are of transaction 9, the pool is at 0" in ran.out


def test_nothing_that_is_on_record_is_in_the_pool(command: Run, tmp_path: Path) -> None:
    path = tmp_path / "names.csv"
    path.write_text("device_id,name\n70,root\n71,monday\n")
    ran = command(WALKTHROUGH, "--names", str(path))
    assert "none of the 2 devices that table has on record is in the pool" in " ".join(
        ran.out.split()
    )


def test_through_the_metadata_snapshot_nothing_comes_free_at_once(command: Run) -> None:
    for name, *words in (["reclaim", "39"], ["plan", "--free", "1M"]):
        ran = command(name, SNAPSHOT, "--metadata-snapshot", *words)
        assert (ran.code, ran.err) == (0, "")
        assert "freed once the metadata snapshot is released" in ran.out
        live = command(name, SNAPSHOT, *words)
        assert "freed once" not in live.out


def test_a_container_that_runs(command: Run, docker: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(docker, tmp_path / "docker")
    for path in folder.glob("containers/*/config.v2.json"):
        config = json.loads(path.read_text())
        config["State"]["Running"] = config["Name"] == "/jobs-1"
        path.write_text(json.dumps(config))
    ran = command("plan", folder, "--free", "10M", "--commands")
    assert "container jobs-1 (running)" in ran.out
    assert "docker stop jobs-1\ndocker rm jobs-1\n" in ran.out
    ran = command("reclaim", folder, "jobs-1")
    assert ran.code == 1
    assert "container jobs-1 would not be deleted: it is running" in " ".join(ran.out.split())


def test_many_refusals_do_not_hide_the_answer(command: Run, docker: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(docker, tmp_path / "docker")
    for path in folder.glob("containers/*/config.v2.json"):
        path.write_text(path.read_text().replace('"Running":false', '"Running":true'))
    words = ["base", "container:*", "layer:*"]
    ran = command("reclaim", folder, *words)
    refused = json.loads(command("reclaim", folder, *words, "--format", "json").out)["refusals"]
    assert ran.code == 1
    assert len(refused) == 13
    assert ran.out.count("finding: ") == 11
    assert "finding: 3 more objects would not be deleted" in ran.out


def test_absurd_ids_are_told(command: Run, tmp_path: Path) -> None:
    path = tmp_path / "names.csv"
    absurd_ids(path)
    ran = command(WALKTHROUGH, "--names", str(path), "--format", "json")
    if ran.code == 2:
        assert "no device id" in ran.err
    else:
        [names] = json.loads(ran.out)["names"]
        assert len(names["unread"]) == 4


def test_a_broken_record_is_told_and_the_others_are_read(
    command: Run, docker: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(docker, tmp_path / "docker")
    records = sorted((folder / "devicemapper/metadata").glob("?" * 64))
    records[0].write_text('{"device_id": 3')
    ran = command(folder)
    assert ran.code == 0
    assert "could not be read" in ran.out
    assert "container jobs-1" in ran.out
    ran = command("orphans", folder)
    assert ran.code == 1
    assert "not read:\n" in ran.out
    assert "low" in ran.out
    # The record may have been of an image's layer: nothing to be deleted by a guess.
    assert "nothing to delete" in command("reclaim", folder, "--orphans").out


def test_a_torn_database(command: Run, tmp_path: Path) -> None:
    folder = shutil.copytree(FIXTURES / "containerd-b/dbs", tmp_path / "dbs")
    for path in folder.iterdir():
        path.chmod(0o644)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    ran = command(CONTAINERD[0], "--names", str(folder))
    assert ran.code in (0, 2)
    told = ran.err if ran.code else ran.out
    assert "page" in told


def test_a_page_that_points_at_itself(command: Run, tmp_path: Path) -> None:
    folder = shutil.copytree(FIXTURES / "containerd-b/dbs", tmp_path / "dbs")
    path = folder / "ctd-pool.db"
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    size = 4096
    for page in range(2, len(data) // size):
        begin = page * size
        if (
            int.from_bytes(data[begin + 8 : begin + 10], "little") == 2
        ):  # a leaf becomes a branch to itself
            data[begin + 8 : begin + 10] = (1).to_bytes(2, "little")
            data[begin + 24 : begin + 32] = page.to_bytes(8, "little")
    path.write_bytes(data)
    ran = command(CONTAINERD[0], "--names", str(folder))
    assert ran.code in (0, 2)
    assert "page" in (ran.err if ran.code else ran.out)


def test_orphans_need_names(command: Run) -> None:
    ran = command("orphans", WALKTHROUGH)
    assert (ran.code, ran.out) == (2, "")
    assert "without a manager's records" in ran.err
    assert command("reclaim", WALKTHROUGH, "--orphans").err == ran.err
    assert "--names" in ran.err


def test_names_without_a_pool(command: Run) -> None:
    ran = command("containerd-b/dbs")
    assert (ran.code, ran.out) == (2, "")
    assert "holds names only" in ran.err
    assert "dmsetup table ctd-pool" in ran.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["reclaim", "billing"],
            "`billing` may be any of container:billing-1, container:billing-2",
        ),
        (["reclaim", "biling-1"], 'did you mean "billing-1"?'),
        (["reclaim"], "say what would be deleted"),
        (["plan", "--free", "lots"], "`lots` is no size such as 10gib or 512m"),
        (["plan", "--free", "-1"], "is no size"),
        (["plan", "--free", "16E"], "`16E` is more than any pool can have"),
        (["plan", "--free", "1", "--min-each", "9" * 19 + "E"], "more than any pool can have"),
        (["plan"], "missing option '--free'"),
        (["plan", "--free", "1M", "--keep", "nobody"], "no object `nobody` in the pool"),
    ],
)
def test_wrong_words(command: Run, words: list[str], message: str) -> None:
    name, *rest = words
    ran = command(name, *CONTAINERD, *rest)
    assert (ran.code, ran.out) == (2, "")
    assert message.lower() in ran.err.lower()
