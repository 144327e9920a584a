"""What an overview finds: exit status 1, in the header, in JSON; and what is only a note."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.conftest import CHURN, json_document
from tests.conftest import CAPTURES
from tests.oracle import answers
from tests.oracle.reader import Image

if TYPE_CHECKING:
    from tests.cli.conftest import Edit, Run

FLAGS, COMPAT_RO_FLAGS = 4, 356
DATA_BLOCKS, DATA_ALLOCATED = 64, 72
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
        ({DATA_ALLOCATED: (8, 623)}, "leaked", {"blocks": 3, "bytes": 3 << 16}),
        ({DATA_ALLOCATED: (8, 619)}, "missing-count", {"blocks": 1, "bytes": 1 << 16}),
        (
            {DATA_BLOCKS: (8, 688)},
            "data-nearly-full",
            {"used": 620, "kernel_used": 620, "total": 688},
        ),
        ({DATA_BLOCKS: (8, 620)}, "data-full", {"used": 620, "kernel_used": 620, "total": 620}),
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
    path = edited("walkthrough-b", fields)
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
    "fields", [{DATA_BLOCKS: (8, 689)}, {METADATA_ALLOCATED: (8, 3277)}], ids=["data", "metadata"]
)
def test_nearly_full_begins_at_nine_tenths(
    command: Run, edited: Edit, fields: dict[int, tuple[int, int]]
) -> None:
    status, report = overview(command, edited("walkthrough-b", fields))
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
    assert [row["mapped_blocks"] for row in report["largest_devices"]] == [610, 610, 529]


def test_many_counts_that_disagree(command: Run, edited: Edit) -> None:
    status, report = overview(command, edited("churn-b", details_fields("churn-b", 30)))
    assert status == 1
    assert len(report["findings"]) == 21
    assert report["findings"][-1]["message"].startswith("10 more devices whose record")
    assert report["findings"][-1]["code"] == "mapped-counts"


def test_held_metadata_snapshot_is_a_note(command: Run) -> None:
    status, report = overview(command, CHURN)
    assert (status, report["findings"]) == (0, [])
    assert codes(report["notes"]) == {"metadata-snapshot": {"block": 1097}}
    assert report["metadata_snapshot"] == {"block": 1097, "offset": 1097 * 4096}


def test_what_a_metadata_snapshot_may_keep_is_a_note(command: Run, edited: Edit) -> None:
    status, report = overview(command, edited("churn-b", {DATA_ALLOCATED: (8, 3727)}))
    assert (status, report["findings"]) == (0, [])
    assert codes(report["notes"])["kept-or-leaked"] == {"blocks": 2, "bytes": 2 << 16}


def test_through_the_metadata_snapshot(command: Run, edited: Edit) -> None:
    """What is in use is not known, so nothing is said of it; needs_check is the live pool's."""
    path = edited("churn-b", {DATA_ALLOCATED: (8, 3727), FLAGS: (4, 1)})
    status, report = overview(command, path, "--metadata-snapshot")
    assert (status, list(codes(report["findings"]))) == (1, ["needs-check"])
    assert report["notes"] == []
    assert report["accounting"] is None
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
    shown = sum(row["mapped_blocks"] for row in report["largest_devices"])
    total = report["devices"]["mapped_blocks"]
    assert shown + report["other_devices"]["mapped_blocks"] == total
    assert len(report["largest_devices"]) + report["other_devices"]["count"] == len(
        devices["devices"]
    )
    assert devices["mapped_blocks"] == runs["total"]["mapped_blocks"] == total
    assert sum(run["length"] for run in runs["runs"]) == total


def test_every_documented_code_is_tested() -> None:
    source = Path(__file__).read_text()
    assert all(f'"{code}"' in source for code in DOCUMENTED)
    assert len(DOCUMENTED) == 12
