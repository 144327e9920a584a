"""What an overview finds: exit status 1, in the header, in JSON; and what is only a note."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.conftest import CHURN, json_document
from tests.conftest import CAPTURES, FIXTURES
from tests.oracle import answers
from tests.oracle.reader import Image
from tests.sharing import pools

if TYPE_CHECKING:
    from tests.cli.conftest import Edit, Run

FLAGS, COMPAT_RO_FLAGS = 4, 356
METADATA_ALLOCATED = 200
DETAILS_ROOT = 328

CODE = re.compile(r"^\| (`[a-z-]+`(?:, `[a-z-]+`)*) \| ((?:`[a-z_]+`(?:, )?)+) \|", re.MULTILINE)
DOCUMENTED = {
    code.strip("` "): set(re.findall(r"[a-z_]+", numbers))
    for codes, numbers in CODE.findall(json_document())
    for code in codes.split(",")
}
"""What docs/json.md says that each code has as its numbers."""


def overview(run: Run, path: Path | str, *more: str) -> tuple[int, dict[str, Any]]:
    ran = run(path, "--format", "json", *more)
    assert ran.err == ""
    report = json.loads(ran.out)
    for remark in report["findings"] + report["notes"]:
        assert remark["numbers"].keys() == DOCUMENTED[remark["code"]]
    return ran.code, report


def codes(remarks: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    return {remark["code"]: remark["numbers"] for remark in remarks}


@pytest.mark.parametrize(
    ("fields", "code", "numbers"),
    [
        ({FLAGS: (4, 1)}, "needs-check", {"flags": 1}),
        ({COMPAT_RO_FLAGS: (4, 6)}, "unknown-features", {"compat_ro_flags": 6}),
        (
            {METADATA_ALLOCATED: (8, 3278)},
            "metadata-nearly-full",
            {"used": 3278, "kernel_used": 3687, "total": 4096},
        ),
        (
            {METADATA_ALLOCATED: (8, 3687)},
            "metadata-full",
            {"used": 3687, "kernel_used": 4096, "total": 4096},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_finding(
    command: Run, edited: Edit, fields: dict[int, tuple[int, int]], code: str, numbers: object
) -> None:
    found(command, edited("walkthrough-b", fields), code, numbers)


def found(command: Run, path: Path, code: str, numbers: object) -> None:
    status, report = overview(command, path)
    assert status == 1
    assert codes(report["findings"]) == {code: numbers}
    assert report["notes"] == []
    text = command(path)
    assert text.code == 1
    assert "   1 finding\n" in text.out
    assert "finding: " in text.out
    assert max(map(len, text.out.splitlines()[1:])) <= 80
    # What is not an overview answers all the same.
    assert command("devices", path).code == command("mappings", path).code == 0


@pytest.mark.parametrize(
    ("history", "code", "numbers"),
    [
        ("write 1 0..4\nleak 50..53", "leaked", {"blocks": 3, "bytes": 3 << 16}),
        ("write 1 0..4\nforget 2..3", "missing-count", {"blocks": 1, "bytes": 1 << 16}),
        ("write 1 0..90", "data-nearly-full", {"used": 90, "kernel_used": 90, "total": 100}),
        ("write 1 0..100", "data-full", {"used": 100, "kernel_used": 100, "total": 100}),
    ],
    ids=["leaked", "missing-count", "data-nearly-full", "data-full"],
)
def test_finding_in_data(  # noqa: PLR0913, PLR0917 - three parameters of the test
    command: Run, testkit: str, tmp_path: Path, history: str, code: str, numbers: object
) -> None:
    found(command, told(testkit, tmp_path, history), code, numbers)


def told(testkit: str, folder: Path, history: str) -> Path:
    """A pool of a hundred data blocks of which a text tells how it came about."""
    path = folder / "told.bin"
    data = pools.build(testkit, "history --data-blocks 100", f"create 1\n{history}\n")
    path.write_bytes(data)
    return path


def test_both_miscounts_are_told(command: Run, testkit: str, tmp_path: Path) -> None:
    """As many leaked as without a count: the totals agree, and it is damage all the same."""
    path = told(testkit, tmp_path, "write 1 0..4\nleak 50..51\nforget 2..3")
    status, report = overview(command, path)
    assert status == 1
    assert set(codes(report["findings"])) == {"leaked", "missing-count"}
    accounting = report["accounting"]
    assert (accounting["reached_blocks"], accounting["used_blocks"]) == (4, 4)


def test_nearly_full_begins_at_nine_tenths(
    command: Run, edited: Edit, testkit: str, tmp_path: Path
) -> None:
    data = told(testkit, tmp_path, "write 1 0..89")
    for path in (data, edited("walkthrough-b", {METADATA_ALLOCATED: (8, 3277)})):
        status, report = overview(command, path)
        assert (status, report["findings"]) == (0, [])


def details_fields(capture: str, wrong: int) -> dict[int, tuple[int, int]]:
    """Raise what the first `wrong` records of the details tree say is mapped."""
    image = Image(answers.image(CAPTURES[capture]))
    root = int.from_bytes(image.data[DETAILS_ROOT : DETAILS_ROOT + 8], "little")
    values = root * 4096 + 32 + 8 * 126
    return {values + 24 * at: (8, 99_999) for at in range(wrong)}


def test_counts_that_disagree(command: Run, edited: Edit) -> None:
    path = edited("walkthrough-b", details_fields("walkthrough-b", 1))
    status, report = overview(command, path)
    assert status == 1
    numbers = {"device": 0, "mapped_blocks": 529, "recorded_blocks": 99_999}
    assert codes(report["findings"]) == {"mapped-count": numbers}
    assert "finding: device 0 maps 529 blocks, but its record says 99,999\n" in command(path).out
    # The figures of the overview are what was counted.
    assert report["devices"]["mapped_blocks"] == 1749
    assert [row["mapped_blocks"] for row in report["largest_objects"]] == [610, 610, 529]


def test_many_counts_that_disagree(command: Run, edited: Edit) -> None:
    status, report = overview(command, edited("churn-b", details_fields("churn-b", 30)))
    assert status == 1
    assert len(report["findings"]) == 21
    assert report["findings"][-1]["message"].startswith("10 more devices whose record")
    assert report["findings"][-1]["code"] == "mapped-counts"


def test_held_metadata_snapshot_is_a_note(command: Run) -> None:
    status, report = overview(command, CHURN)
    assert (status, report["findings"]) == (0, [])
    numbers = {"block": 1097, "blocks": 0, "bytes": 0}
    assert codes(report["notes"]) == {"metadata-snapshot": numbers}
    held = {"block": 1097, "offset": 1097 * 4096, "only_blocks": 0, "only_bytes": 0}
    assert report["metadata_snapshot"] == held


def test_what_a_metadata_snapshot_keeps(command: Run, testkit: str, tmp_path: Path) -> None:
    path = told(testkit, tmp_path, "write 1 0..4\ncreate 2\nwrite 2 0..3\nhold\ndelete 2")
    status, report = overview(command, path)
    assert (status, report["findings"]) == (0, [])
    [note] = report["notes"]
    assert (note["numbers"]["blocks"], note["numbers"]["bytes"]) == (3, 3 << 16)
    assert "release_metadata_snap" in note["advice"]
    text = command(path).out
    assert "3 data blocks (192 KiB) that no device reaches" in " ".join(text.split())
    assert re.search(r"^metadata snapshot only +192 KiB$", text, re.MULTILINE)
    assert re.search(r"^in use +448 KiB$", text, re.MULTILINE)


def test_notes_of_names(command: Run, tmp_path: Path) -> None:
    """Records of another state, records that cannot be read, orphans."""
    text = (FIXTURES / "lvm-b/answers/vgdocker.vg").read_text()
    broken = text.replace("transaction_id = 9", "transaction_id = 14")
    broken = broken.replace("device_id = 8", "device_id = 99999999")
    path = tmp_path / "vg"
    path.write_text(broken)
    status, report = overview(command, "lvm-b/metadata.bin.zst", "--names", str(path))
    assert status == 0
    numbers = codes(report["notes"])
    assert numbers["names-of-another-state"] == {"recorded": 14, "pool": 9}
    assert numbers["names-not-read"] == {"records": 1}
    assert numbers["orphans"] == {"devices": 1, "records": 0}


def test_through_the_metadata_snapshot(command: Run, edited: Edit) -> None:
    """What is in use is not known, so nothing is said of it; needs_check is the live pool's."""
    path = edited("churn-b", {FLAGS: (4, 1)})
    status, report = overview(command, path, "--metadata-snapshot")
    assert (status, list(codes(report["findings"]))) == (1, ["needs-check"])
    assert report["notes"] == []
    unknown = {name for name, value in report["accounting"].items() if value is None}
    assert {name.rpartition("_")[0] for name in unknown} == {"leaked", "missing_count", "used"}
    assert report["metadata_snapshot"]["only_blocks"] is None
    for space in ("data", "metadata"):
        unknown = {name for name, value in report[space].items() if value is None}
        assert unknown == report[space].keys() - {"block_bytes", "total", "total_bytes"}


def test_figures_are_the_kernels(command: Run, capture: dict[str, Any]) -> None:
    _, report = overview(command, capture["metadata"])
    status = answers.truth(capture).pool
    assert report["data"]["used"] == status.data_used
    assert report["data"]["total"] == status.data_total
    assert report["metadata"]["kernel_used"] == status.metadata_used
    assert report["metadata"]["total"] == status.metadata_total
    assert report["transaction_id"] == status.transaction_id


def test_sums_add_up(command: Run, capture: dict[str, Any]) -> None:
    _, report = overview(command, capture["metadata"])
    devices = json.loads(command("devices", capture["metadata"], "--format", "json").out)
    runs = json.loads(command("mappings", capture["metadata"], "--format", "json").out)
    total = report["devices"]["mapped_blocks"]
    assert devices["mapped_blocks"] == runs["total"]["mapped_blocks"] == total
    assert sum(run["length"] for run in runs["runs"]) == total
    shown, others = report["largest_objects"], report["other_objects"]
    assert len(shown) + others["count"] == report["objects"]
    accounting = report["accounting"]
    shares = sum(row["fair_share_bytes"] for row in shown) + others["fair_share_bytes"]
    assert shares == accounting["reached_bytes"]
    assert (
        accounting["one_device_bytes"]
        + accounting["several_devices_bytes"]
        + accounting["only_metadata_snapshot_bytes"]
        + accounting["leaked_bytes"]
        - accounting["missing_count_bytes"]
        == accounting["used_bytes"]
        == report["data"]["used_bytes"]
    )


def test_every_documented_code_is_tested() -> None:
    here = Path(__file__)
    others = [
        here,
        here.with_name("test_capture.py"),
        here.with_name("test_export.py"),
        here.with_name("test_tolerant.py"),
        *(here.parents[1] / "diagnosis").glob("test_*.py"),
    ]
    source = "".join(path.read_text() for path in others)
    assert all(f'"{code}"' in source for code in DOCUMENTED)
    assert len(DOCUMENTED) == 47
