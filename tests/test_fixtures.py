"""The captured pools are those that the manifest lists, and what is wrong with the folder is told."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import tomli_w
import zstandard

from fixtures import manifest
from tests.conftest import FIXTURES

FOLDER = "made-6.1"
CAPTURE = {
    *("folder", "what", "scenario", "kernel", "made", "packages", "data", "pv"),
    *("deletion", "release", "growth", "pool"),
}
POOL = {
    *("name", "what", "metadata", "metadata_sha256", "decoded_bytes", "answers"),
    "taken_since_docker_info",
}
HEAD = "# What stands above the entries.\n# In two lines.\n"


def entry(folder: str, content: bytes) -> dict[str, Any]:
    size, digest = len(content), hashlib.sha256(content).hexdigest()
    pool = {"name": "pool", "metadata": "pool.bin.zst", "metadata_sha256": digest}
    answers = {"pool_status": "answers/pool/status.txt"}
    return {
        "folder": folder,
        "what": "A pool of five bytes.",
        "kernel": "6.1.0",
        "pool": [pool | {"decoded_bytes": size, "answers": answers}],
    }


def make(parent: Path, content: bytes = b"bytes", folder: str = FOLDER) -> Path:
    made = parent / folder
    (made / "answers/pool").mkdir(parents=True)
    (made / "answers/pool/status.txt").write_text("pool: 0 1 thin-pool Fail\n")
    (made / "pool.bin.zst").write_bytes(zstandard.ZstdCompressor().compress(content))
    return made


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of captures with one in it."""
    here = tmp_path / "fixtures"
    here.mkdir()
    monkeypatch.setattr(manifest, "HERE", here)
    monkeypatch.setattr(manifest, "MANIFEST", here / "MANIFEST.toml")
    monkeypatch.setattr(manifest, "SUMS", here / "SHA256SUMS")
    make(here)
    listed = tomli_w.dumps({"capture": [entry(FOLDER, b"bytes")]})
    manifest.MANIFEST.write_text(f"{HEAD}\n{listed}")
    manifest.SUMS.write_text(manifest.sums())
    assert manifest.problems() == []
    return here


def put(parent: Path, where: str, content: bytes = b"bytes", folder: str = FOLDER) -> None:
    manifest.put(entry(folder, content), make(parent / where, content, folder))


def test_the_folder_is_as_the_manifest_says() -> None:
    run = subprocess.run(
        [sys.executable, FIXTURES / "manifest.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")


def test_no_key_of_the_manifest_is_misspelt() -> None:
    """What stands under another key would be compared with nothing."""
    for capture in manifest.captures():
        assert capture.keys() <= CAPTURE, capture["folder"]
        for pool in capture["pool"]:
            assert pool.keys() <= POOL, capture["folder"]


def test_put_leaves_all_as_it_was_where_there_is_no_room(
    listed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: Path, target: Path) -> None:
        target.mkdir()
        raise OSError(28, "No space left on device", str(source))

    before = manifest.MANIFEST.read_bytes()
    monkeypatch.setattr(shutil, "copytree", full)
    with pytest.raises(OSError, match="No space left"):
        put(tmp_path, "second", b"larger")
    assert manifest.MANIFEST.read_bytes() == before
    assert manifest.problems() == []
    assert not list(listed.glob(".*"))


def test_a_list_that_cannot_be_written_is_as_it_was(
    listed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(path: Path, text: str, encoding: str) -> int:
        path.write_bytes(text[:9].encode(encoding))
        raise KeyboardInterrupt

    before = manifest.MANIFEST.read_bytes()
    monkeypatch.setattr(Path, "write_text", cut_off)
    with pytest.raises(KeyboardInterrupt):
        manifest._write(manifest.MANIFEST, HEAD)
    assert manifest.MANIFEST.read_bytes() == before
    assert not list(listed.glob(".*"))


def test_put_waits_for_another_run(listed: Path, tmp_path: Path) -> None:
    with manifest._alone():
        other = threading.Thread(target=put, args=(tmp_path, "second", b"others", "a-5.10"))
        other.start()
        other.join(0.2)
        assert other.is_alive()
        put_meanwhile = (listed / "a-5.10").exists()
    other.join(20)
    assert not put_meanwhile
    assert [each["folder"] for each in manifest.captures()] == ["a-5.10", FOLDER]


def test_a_changed_file_is_found(listed: Path) -> None:
    path = listed / FOLDER / "answers/pool/status.txt"
    path.write_text("pool: 0 1 thin-pool Error\n")
    found = manifest.problems()
    assert len(found) == 2
    assert all(f"{FOLDER}/answers/pool/status.txt" in each for each in found)
    assert [each.partition(":")[0] for each in found] == ["SHA256SUMS has not", "no such file"]


def test_a_new_file_and_a_lost_one_are_found(listed: Path) -> None:
    (listed / FOLDER / "new.txt").write_text("new")
    (listed / FOLDER / "answers/pool/status.txt").unlink()
    new, lost = manifest.problems()
    assert new.startswith("SHA256SUMS has not: ")
    assert new.endswith("/new.txt")
    assert lost.startswith("no such file: ")
    assert lost.endswith("/status.txt")


def test_a_folder_that_is_not_listed_is_found(listed: Path) -> None:
    make(listed, folder="another-6.1")
    assert manifest.problems() == ["not listed: another-6.1"]


def test_an_image_that_is_not_the_one_listed_is_found(listed: Path) -> None:
    path = listed / FOLDER / "pool.bin.zst"
    path.write_bytes(zstandard.ZstdCompressor().compress(b"bytec"))
    manifest.SUMS.write_text(manifest.sums())
    assert manifest.problems() == [f"{FOLDER}/pool.bin.zst is not what the manifest says"]


def test_too_many_bytes_are_found(listed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "MOST_BYTES", 1 << 20)
    with (listed / "oracle.json").open("wb") as file:
        file.truncate(3 << 20)
    assert manifest.problems() == ["3.0 MiB in all; 1 MiB is the most"]


def test_put_keeps_the_others_and_the_head(listed: Path, tmp_path: Path) -> None:
    put(tmp_path, "second", b"others", "a-5.10")
    assert [each["folder"] for each in manifest.captures()] == ["a-5.10", FOLDER]
    assert manifest.MANIFEST.read_text().startswith(HEAD)
    assert manifest.problems() == []
    assert (listed / "a-5.10/answers/pool/status.txt").exists()


def test_put_takes_the_place_of_the_one_before(listed: Path, tmp_path: Path) -> None:
    (listed / FOLDER / "old.txt").write_text("old")
    put(tmp_path, "second", b"larger")
    assert not (listed / FOLDER / "old.txt").exists()
    [found] = manifest.captures()
    assert found["pool"][0]["decoded_bytes"] == 6
    assert manifest.problems() == []


def test_check_changes_nothing_and_writing_mends(
    listed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(listed / FOLDER / "answers")
    before = manifest.SUMS.read_bytes()
    monkeypatch.setattr(sys, "argv", ["manifest.py", "--check"])
    assert manifest.main() == 1
    assert manifest.SUMS.read_bytes() == before
    assert capsys.readouterr().err.startswith("no such file: ")
    monkeypatch.setattr(sys, "argv", ["manifest.py"])
    assert manifest.main() == 0
    assert manifest.problems() == []
