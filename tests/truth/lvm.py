"""What LVM said of a pool and its volumes, under the names of its report and of its text metadata."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.oracle import answers
from tests.truth.record import Row, Silent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.truth.case import Case
    from thinscope import Device, Pool

Volume = dict[str, Any]

_NAMES = ("lv_name", "lv_uuid")


def rows(case: Case) -> Iterator[Row | Silent]:
    """Every figure of the report that a pool's metadata has, too."""
    volumes = answers.lvm_volumes(json.loads(case.text("lvs")))
    pool_row = _pool(case, volumes)
    expected, known = int(pool_row["transaction_id"]), case.truth.pool.transaction_id
    if expected != known:
        for key in filter(case.has, ("lvs", "lvm_text")):
            yield Silent(key, f"LVM is at transaction {expected}, the pool at {known}")
        return
    pool = case.pool()
    yield from _of_pool(pool, pool_row)
    own = [lv for lv in volumes if lv["thin_id"] and lv["pool_lv"] == pool_row["lv_name"]]
    own = [lv for lv in own if _group(lv) == _group(pool_row)]
    yield Row("lvs", "volumes", len(pool.devices), len(own))
    for key in filter(case.has, ("lvs", "lvm_text")):
        named = case.pool(case.path(key))
        for lv in own:
            yield from _of_volume(named, lv, key)
    if case.has("lvm_text"):
        yield from _history(case, {lv["lv_full_name"] for lv in own if not lv["origin"]})


def _pool(case: Case, volumes: list[Volume]) -> Volume:
    """The row of the pool that the device mapper's table has."""
    found = [lv for lv in volumes if lv["segtype"] == "thin-pool"]
    if len(found) > 1:
        table = answers.pool_table(case.text("table"))
        name = table.name.removesuffix("-tpool")
        found = [lv for lv in found if lv["lv_dm_path"].rpartition("/")[2] == name]
    [row] = found
    return row


def _group(lv: Volume) -> str:
    return str(lv["lv_full_name"]).partition("/")[0]


def _of_pool(pool: Pool, lv: Volume) -> Iterator[Row]:
    data, metadata = pool.data_space, pool.metadata_space
    assert data.kernel_used is not None
    assert metadata.kernel_used is not None
    figures: dict[str, object] = {
        "transaction_id": str(pool.superblock.transaction_id),
        "chunk_size": f"{pool.superblock.data_block_bytes}B",
        "lv_metadata_size": f"{metadata.total_bytes}B",
        "data_percent": percent(data.kernel_used, data.total),
        "metadata_percent": percent(metadata.kernel_used, metadata.total),
    }
    for column, ours in figures.items():
        if lv[column]:  # it is empty while the pool sleeps
            yield Row("lvs", f"{column} of the pool", ours, lv[column])
    chunk = pool.superblock.data_block_bytes
    yield Row("lvs", "chunks of the pool", data.total, int(lv["lv_size"][:-1]) // chunk)


def _of_volume(pool: Pool, lv: Volume, key: str) -> Iterator[Row]:
    name = lv["lv_full_name"]
    device = pool.device(name)
    virtual = pool.objects.virtual_bytes(device.id)
    parent, external = pool.objects.parent(device.id), pool.objects.external_origin(device.id)
    # A snapshot of a volume that has an external origin has both; the report tells the volume.
    origin = pool.objects.of(parent).name if parent is not None else external or ""
    figures = {
        "thin_id": str(device.id),
        "lv_size": f"{virtual}B",
        "origin": origin.rpartition("/")[2],
        "transaction_id": str(device.transaction_id),
        # The same device under its other names:
        **{word: lv[word] if _is(pool, lv[word], device) else None for word in _NAMES},
    }
    if lv["data_percent"]:
        # Of whole chunks; and of a volume that was shrunk, no more than all.
        chunk = pool.superblock.data_block_bytes
        whole = -(-(virtual or 0) // chunk) * chunk
        figures["data_percent"] = percent(min(device.mapped_bytes, whole), whole)
    if not lv["origin"]:  # it was removed: LVM's history has what is above it
        lv = lv | {"origin": lv["lv_full_ancestors"].partition(",")[0]}
    for column, ours in figures.items():
        yield Row(key, f"{column} of {name}", ours, lv[column])


def _is(pool: Pool, name: str, device: Device) -> bool:
    try:
        return pool.device(name) == device
    except LookupError:
        return False


def _history(case: Case, names: set[str]) -> Iterator[Row | Silent]:
    """Volumes whose origins are gone: what is left of those that they were made from."""
    named = case.pool(case.path("lvm_text"))
    if case.has("lvs_history"):
        report = answers.lvm_volumes(json.loads(case.text("lvs_history")))
        ancestors = {lv["lv_full_name"]: lv["lv_full_ancestors"].split(",") for lv in report}
    elif "historical_logical_volumes" in case.text("lvm_text"):
        yield Silent(
            "lvm_text", "it has a history, and `lvs_history` does not tell what LVM makes of it"
        )
        return
    else:
        ancestors = {}
    for name in sorted(names):
        parent = named.objects.parent(named.device(name).id)
        ours = named.objects.of(parent).name.rpartition("/")[2] if parent is not None else ""
        living = [each for each in ancestors.get(name, ()) if not each.startswith("-")]
        key = "lvs_history" if ancestors else "lvm_text"
        yield Row(key, f"what is left of the origins of {name}", ours, living[0] if living else "")


def percent(part: int, whole: int) -> str:
    """As LVM rounds: 0.00 and 100.00 are said of nothing and all, or more, only: a volume can shrink."""
    text = f"{min(100 * part / whole, 100):.2f}" if whole else "100.00"
    if text == "0.00" and part:
        return "0.01"
    return "99.99" if text == "100.00" and part < whole else text
