"""The kernel's own figures: status lines and tables."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from tests.oracle import answers
from tests.truth.record import Row, Silent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.truth.case import Case
    from thinscope import Pool


def live(case: Case) -> Iterator[Row | Silent]:
    """What the kernel said when the pool was captured."""
    try:
        truth = case.truth
    except answers.NoAnswer as word:
        for key in ("pool_status", "thin_status"):
            yield Silent(key, f"the kernel said no more than {word}")
        return
    yield from figures(case.pool(), truth)
    if case.has("table"):
        yield from _table(case, case.pool(), truth)


def at_snapshot(case: Case) -> Iterator[Row]:
    """What the kernel said when the metadata snapshot was taken that is held."""
    then = case.truth.at_snapshot
    assert then is not None
    pool = case.pool(metadata_snapshot=True)
    for row in figures(pool, then):
        yield row._replace(key=f"at_snapshot.{row.key}")
    if case.has("at_snapshot.table"):
        assert then.table is not None
        sectors = pool.superblock.data_block_sectors
        block = then.table.data_block_sectors
        yield Row("at_snapshot.table", "sectors in a block", sectors, block)


def figures(pool: Pool, truth: answers.Truth) -> Iterator[Row]:
    """What status lines say."""
    kernel = truth.pool
    sectors = pool.superblock.data_block_sectors
    status = {
        "transaction": (pool.superblock.transaction_id, kernel.transaction_id),
        "data blocks": (pool.data_space.total, kernel.data_total),
        "metadata blocks": (pool.metadata_space.total, kernel.metadata_total),
        "held root": (pool.live_superblock.metadata_snapshot, kernel.held_root),
    }
    if not pool.is_metadata_snapshot:
        status |= {
            "data blocks in use": (pool.data_space.used, kernel.data_used),
            "metadata blocks in use": (pool.metadata_space.kernel_used, kernel.metadata_used),
            "needs_check": (pool.superblock.needs_check, kernel.needs_check),
        }
    for what, (ours, theirs) in status.items():
        yield Row("pool_status", what, ours, theirs)
    unknown = sorted(set(truth.devices) - set(pool.devices))
    yield Row("thin_status", "devices that the pool has not", unknown, [])
    counted = pool.recount().mapped_blocks
    for id_, said in sorted(truth.devices.items()):
        if id_ in unknown:
            continue
        device = pool.devices[id_]
        highest = device.highest_block
        last = None if highest is None else (highest + 1) * sectors - 1
        mapped = device.mapped_blocks * sectors
        yield Row("thin_status", f"{id_}: sectors mapped", mapped, said.mapped_sectors)
        recounted = counted[id_] * sectors
        yield Row("thin_status", f"{id_}: sectors counted", recounted, said.mapped_sectors)
        yield Row("thin_status", f"{id_}: highest sector", last, said.highest_sector)


def _table(case: Case, pool: Pool, truth: answers.Truth) -> Iterator[Row]:
    """What tables say; the low-water mark stands there alone, not in the metadata."""
    assert truth.table is not None
    sectors = pool.superblock.data_block_sectors
    yield Row("table", "sectors in a block", sectors, truth.table.data_block_sectors)
    blocks = truth.table.sectors // truth.table.data_block_sectors
    yield Row("table", "data blocks", pool.data_space.total, blocks)
    names = defaultdict(list)
    for name, id_ in answers.thin_ids(case.text("table")).items():
        names[id_].append(name)
    if names:
        objects = case.pool(case.path("table")).objects
        yield Row("table", "devices that have a name", sorted(objects.claims), sorted(names))
    for id_, said in names.items():
        ours = objects.of(id_).name if objects.has_device(id_) else "no device"
        yield Row("table", f"name of {id_}", ours, ours if ours in said else said)
