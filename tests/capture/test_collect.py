"""From what a guest left on its disks to a folder of captured pools."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
import zstandard

from fixtures.capture.collect import collect
from fixtures.capture.errors import CaptureError
from fixtures.capture.machine import Ended
from fixtures.capture.scenario import Scenario

ENDED = Ended("6.1.0-made", is_crashed=False)
KEPT = '[[pool]]\nname = "pool"\n'
LEFT = {
    "kept.toml": KEPT,
    "packages.txt": "dmsetup 2:1.02\nlvm2 2.03\n",
    "dmesg.txt": "device-mapper: fine\n",
    "pool.bin": "metadata",
    "answers/pool/status.txt": "pool: 0 1 thin-pool Fail\n",
    "answers/pool/table.txt": "pool: 0 1 thin-pool 1:1 1:2 128 0\n",
    "answers/pool/other.txt": "of no kind\n",
}


def scenario(*, keep_data: bool = False) -> Scenario:
    return Scenario(name="made", text="keep pool\n", what="Made.", keep_data=keep_data)


def leave(exchange: Path, files: dict[str, str]) -> None:
    with tarfile.open(exchange, "w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content.encode()))


def collected(folder: Path, files: dict[str, str], **words: Any) -> dict[str, Any]:
    exchange, data, made = folder / "exchange", folder / "data", folder / "made-6.1"
    leave(exchange, files)
    data.write_bytes(b"data" + bytes(5000))
    made.mkdir()
    return collect(scenario(**words), ENDED, exchange, data, made)


def unpacked(path: Path) -> bytes:
    with path.open("rb") as file:
        return zstandard.ZstdDecompressor().stream_reader(file).read()


def test_what_a_guest_left(tmp_path: Path) -> None:
    entry = collected(tmp_path, LEFT)
    made = tmp_path / "made-6.1"
    assert entry.pop("made").year >= 2025
    assert entry == {
        "folder": "made-6.1",
        "what": "Made.",
        "scenario": "scenario.sh",
        "kernel": "6.1.0-made",
        "packages": {"dmsetup": "2:1.02", "lvm2": "2.03"},
        "pool": [
            {
                "name": "pool",
                "metadata": "pool.bin.zst",
                "metadata_sha256": hashlib.sha256(b"metadata").hexdigest(),
                "decoded_bytes": 8,
                "answers": {
                    "pool_status": "answers/pool/status.txt",
                    "thin_status": "answers/pool/status.txt",
                    "table": "answers/pool/table.txt",
                },
            }
        ],
    }
    assert unpacked(made / "pool.bin.zst") == b"metadata"
    assert (made / "scenario.sh").read_text() == "keep pool\n"
    assert {str(path.relative_to(made)) for path in made.rglob("*") if path.is_file()} == {
        *("pool.bin.zst", "scenario.sh", "dmesg.txt", "answers/pool/status.txt"),
        *("answers/pool/table.txt", "answers/pool/other.txt"),
    }


def test_where_the_folder_lies_does_not_matter(tmp_path: Path) -> None:
    folder = tmp_path / "records" / "answers"
    folder.mkdir(parents=True)
    large = {"packages.txt": "dmsetup 2:1.02\n" * 2000, "records/pool/names.json": "{}"}
    entry = collected(folder, LEFT | large)
    assert entry["packages"] == {"dmsetup": "2:1.02"}
    assert entry["pool"][0]["answers"]["records"] == "records/pool"
    assert (folder / "made-6.1/records/pool/names.json.zst").exists()


def test_data_and_what_happened_between_pools(tmp_path: Path) -> None:
    between = (
        '[[pool]]\nname = "less"\n'
        '[[deletion]]\nbefore = "pool"\nafter = "less"\ndevices = [3,4]\n'
        '[[release]]\nbefore = "pool"\nafter = "less"\n'
    )
    files = LEFT | {"kept.toml": KEPT + between, "less.bin": "l", "answers/less/status.txt": "s"}
    entry = collected(tmp_path, files, keep_data=True)
    assert entry["deletion"] == [{"before": "pool", "after": "less", "devices": [3, 4]}]
    assert entry["release"] == [{"before": "pool", "after": "less"}]
    assert "growth" not in entry
    assert [pool["name"] for pool in entry["pool"]] == ["pool", "less"]
    assert entry["data"] == "data.bin.zst"
    assert unpacked(tmp_path / "made-6.1/data.bin.zst") == b"data" + bytes(5000)


@pytest.mark.parametrize(
    ("lost", "why"),
    [
        ("kept.toml", "the scenario kept nothing: `keep NAME` keeps a pool"),
        ("pool.bin", "no metadata of pool: `kept` wants /out/pool.bin"),
        ("answers/pool/status.txt", "nothing was asked of pool"),
    ],
)
def test_what_is_missing(tmp_path: Path, lost: str, why: str) -> None:
    files = {name: content for name, content in LEFT.items() if name != lost}
    with pytest.raises(CaptureError) as caught:
        collected(tmp_path, files)
    assert str(caught.value) == why


@pytest.mark.parametrize("name", ["../escaped.txt", "answers/../../escaped.txt", "../escaped.bin"])
def test_a_path_out_of_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(CaptureError, match="the guest's tar has"):
        collected(tmp_path, {name: "escaped"} | LEFT)
    assert not list(tmp_path.glob("escaped*"))


def test_an_absolute_path(tmp_path: Path) -> None:
    target = tmp_path / "escaped.txt"
    with pytest.raises(CaptureError, match="the guest's tar has"):
        collected(tmp_path, {str(target): "escaped"} | LEFT)
    assert not target.exists()


def test_links_and_devices_are_left_out(tmp_path: Path) -> None:
    exchange, made = tmp_path / "exchange", tmp_path / "made-6.1"
    leave(exchange, LEFT)
    with tarfile.open(exchange, "a") as tar:
        for kind, name in ((tarfile.SYMTYPE, "link"), (tarfile.LNKTYPE, "hard"), (b"3", "device")):
            member = tarfile.TarInfo(f"answers/pool/{name}")
            member.type, member.linkname = kind, "/etc/hostname"
            tar.addfile(member)
    made.mkdir()
    collect(scenario(), ENDED, exchange, tmp_path / "data", made)
    assert sorted(path.name for path in (made / "answers/pool").iterdir()) == [
        *("other.txt", "status.txt", "table.txt"),
    ]


def test_holes_are_kept_as_zeros(tmp_path: Path) -> None:
    """The guest's tar tells of holes; so do we."""
    left, made = tmp_path / "left", tmp_path / "made-6.1"
    for name, content in LEFT.items():
        (left / name).parent.mkdir(parents=True, exist_ok=True)
        (left / name).write_text(content)
    with (left / "pool.bin").open("wb") as file:
        file.seek(3 << 20)
        file.write(b"end")
        file.truncate(4 << 20)
    exchange = tmp_path / "exchange"
    subprocess.run(["tar", "-c", "--sparse", "-f", exchange, "-C", left, "."], check=True)
    assert exchange.stat().st_size < 1 << 20
    with exchange.open("ab") as file:  # a disk goes on behind the archive
        file.truncate(2 << 20)
    made.mkdir()
    entry = collect(scenario(), ENDED, exchange, tmp_path / "data", made)
    whole = bytes(3 << 20) + b"end" + bytes((1 << 20) - 3)
    assert entry["pool"][0]["decoded_bytes"] == 4 << 20
    assert entry["pool"][0]["metadata_sha256"] == hashlib.sha256(whole).hexdigest()
    assert unpacked(made / "pool.bin.zst") == whole
