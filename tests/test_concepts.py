"""Every number in the tables of docs/concepts.md is that of the pool which the page tells the history of."""

from __future__ import annotations

import re
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import thinscope
from tests.conftest import ROOT
from tests.oracle.reader import Image
from tests.sharing.core import Core
from tests.sharing.kernel import Deletion
from tests.sharing.model import Model, fair_share

if TYPE_CHECKING:
    from thinscope import Pool

PAGE = (ROOT / "docs/concepts.md").read_text()
DEVICES = {"base": 1, "web": 2, "db": 3}
FORGET = "forget 8..9"

Row = dict[str, str]


def table(*columns: str) -> list[Row]:
    """The rows of the one table with these columns, by column."""
    head = "| " + " | ".join(columns) + " |"
    head = head.replace("|  |", "| |")
    _, found, below = PAGE.partition(f"{head}\n")
    assert found, f"no table {head}"
    assert f"{head}\n" not in below, f"two tables {head}"
    lines = below.split("\n\n")[0].splitlines()[1:]
    cells = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return [dict(zip(columns, row, strict=True)) for row in cells]


def number(text: str) -> Fraction:
    """A number as it is written: 15, 1/2 or 2 1/6."""
    return sum(map(Fraction, text.split()), Fraction())


@pytest.fixture(scope="module")
def build(testkit: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Build a pool from a history."""
    folder = tmp_path_factory.mktemp("concepts")

    def run(history: str) -> bytes:
        (folder / "history.txt").write_text(history)
        command = [testkit, "build", "history", "--history", folder / "history.txt"]
        sizes = ["--data-blocks", "12", "--metadata-blocks", "1024"]
        subprocess.run(
            [*command, *sizes, "-o", folder / "pool.bin"], check=True, capture_output=True
        )
        return Path(folder / "pool.bin").read_bytes()

    return run


@pytest.fixture(scope="module")
def history() -> str:
    (found,) = re.findall(r"^```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return found


@pytest.fixture(scope="module")
def image(build: Any, history: str) -> bytes:
    return build(history)


@pytest.fixture(scope="module")
def pool(image: bytes) -> Pool:
    return thinscope.open(image)


@pytest.fixture(scope="module")
def forgotten(build: Any, history: str) -> bytes:
    """The same pool; the space map has forgotten a block."""
    assert f"`{FORGET}`" in PAGE
    return build(f"{history}\n{FORGET}\n")


@pytest.fixture(scope="module")
def model(image: bytes) -> Model:
    return Model.of(Image(image))


@pytest.fixture(scope="module", params=["core", "model"])
def sharing(request: pytest.FixtureRequest, pool: Pool, model: Model) -> Core | Model:
    """What the package says, and what it is measured by."""
    return Core(pool._core.sharing()) if request.param == "core" else model


def test_names_are_those_of_the_page() -> None:
    assert all(f"`{name}` ({device})" in PAGE for name, device in DEVICES.items())


def test_blocks(pool: Pool, model: Model, sharing: Core | Model) -> None:
    rows = table("block", *DEVICES, "metadata snapshot", "it is")
    assert [int(row["block"]) for row in rows] == list(range(pool.data_space.total))
    cells = sharing.picture(len(rows))
    assert cells is not None
    for row, cell in zip(rows, cells, strict=True):
        block = int(row["block"])
        marked = {device for name, device in DEVICES.items() if row[name] == "x"}
        assert marked == model.holders.get(block, set())
        assert (row["metadata snapshot"] == "x") == (block in model.held.all_data)
        assert {row["it is"].replace(" ", "_"): 1} == {k: n for k, n in cell._asdict().items() if n}


def test_devices(pool: Pool, sharing: Core | Model) -> None:
    *rows, total = table(
        "device", "mapped", "exclusive", "shared", "fair share", "reclaimable", "runs"
    )
    found = {}
    for device in sharing.devices():
        found[device.id] = {
            "mapped": device.mapped_blocks,
            "exclusive": device.exclusive_blocks,
            "shared": device.shared_blocks,
            "fair share": fair_share(device.shared_by),
            "reclaimable": sharing.usage([[device.id]])[0].reclaimable_blocks,
            "runs": len(list(pool.devices[device.id].mappings())),
        }
    assert [DEVICES[row["device"]] for row in rows] == list(found)
    for row in rows:
        figures = found[DEVICES[row.pop("device")]]
        assert {column: number(cell) for column, cell in row.items()} == figures
    assert total.pop("device") == "sum"
    for column, cell in total.items():
        assert number(cell) == sum(figures[column] for figures in found.values()), column
    assert number(total["fair share"]) == sharing.totals().reached_blocks
    assert f"The devices reach {sharing.totals().reached_blocks} distinct blocks" in PAGE


def test_pairs(sharing: Core | Model) -> None:
    rows = [
        (DEVICES[row["device"]], DEVICES[row["and"]], int(row["blocks"]))
        for row in table("device", "and", "blocks")
    ]
    assert rows == sharing.matrix()


def test_classes(sharing: Core | Model) -> None:
    rows = [
        (
            [DEVICES[name] for name in row["devices"].split()],
            row["metadata snapshot"] == "x",
            int(row["blocks"]),
        )
        for row in table("devices", "metadata snapshot", "blocks")
    ]
    assert rows == sharing.groups(9)


@pytest.mark.parametrize("column", ["blocks", "block 8 forgotten"])
def test_totals(column: str, image: bytes, forgotten: bytes) -> None:
    metadata = image if column == "blocks" else forgotten
    with thinscope.open(metadata) as pool:
        totals = Core(pool._core.sharing()).totals()
        assert totals.used_blocks == pool.data_space.used
    assert totals == Model.of(Image(metadata)).totals()
    figures = {row[""]: int(row[column]) for row in table("", "blocks", "block 8 forgotten")}
    assert figures == {
        "one device": totals.one_device_blocks,
        "several devices": totals.several_devices_blocks,
        "only in the metadata snapshot": totals.only_metadata_snapshot_blocks,
        "leaked": totals.leaked_blocks,
        "minus missing count": totals.missing_count_blocks,
        "used by the data space map": totals.used_blocks,
    }
    *terms, minus, used = figures.values()
    assert sum(terms) - minus == used


def test_deletions(sharing: Core | Model) -> None:
    rows = table(
        *("delete", "mapped", "freed", "kept by the metadata snapshot", "still held"),
        *("by whom", "freed alone"),
    )
    assert len(rows) == 6
    for row in rows:
        names = list(DEVICES) if row["delete"] == "all" else row["delete"].split(" and ")
        found = sharing.reclaim([[DEVICES[name]] for name in names], [])
        by_whom = [part.split() for part in row["by whom"].split(", ") if part]
        assert (
            int(row["mapped"]),
            int(row["freed"]),
            int(row["kept by the metadata snapshot"]),
            int(row["still held"]),
            [(DEVICES[name], int(blocks)) for name, blocks in by_whom],
            [int(blocks) for blocks in row["freed alone"].split(" + ")],
        ) == (
            found.mapped_blocks,
            found.freed_blocks,
            found.kept_by_metadata_snapshot_blocks,
            found.still_held_blocks,
            found.holders,
            found.alone_blocks,
        )


def test_the_metadata_snapshot(image: bytes, sharing: Core | Model) -> None:
    figures = {row[""]: int(row["blocks"]) for row in table("", "blocks")}
    totals = sharing.totals()
    every = sharing.reclaim([list(DEVICES.values())], [])
    deletion = Deletion(Image(image))
    for device in DEVICES.values():
        deletion.delete(device)
    freed_by_devices = deletion.freed_blocks
    deletion.release()
    assert freed_by_devices == every.freed_blocks
    assert figures == {
        "reached by the metadata snapshot": totals.kept_by_metadata_snapshot_blocks,
        "of those, by it alone: freed when it is released": totals.only_metadata_snapshot_blocks,
        "freed by deleting all devices": freed_by_devices,
        "freed by deleting all devices and releasing it": deletion.freed_blocks,
    }


def test_metadata(pool: Pool) -> None:
    figures = {row[""]: int(row["metadata blocks"]) for row in table("", "metadata blocks")}
    space = pool.metadata_space
    assert figures == {"in use": space.used, "the kernel says": space.kernel_used}


def test_every_table_is_checked() -> None:
    """Those with figures; the others hold words."""
    heads = re.findall(r"^\|(.*)\|\n\|-", PAGE, re.MULTILINE)
    words = [head for head in heads if "meaning" in head or "where" in head]
    assert len(heads) - len(words) == 8
