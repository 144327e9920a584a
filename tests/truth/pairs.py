"""Pools before and after: what was foretold is what the kernel then did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.truth.record import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.truth.case import Case, Pair


def rows(pair: Pair) -> Iterator[Row]:
    """What there is to compare of a pair."""
    yield from {"deletion": _deletion, "release": _release, "growth": _growth}[pair.kind](pair)


def _fall(pair: Pair) -> int:
    """Blocks of data that came free, as the kernel counts them."""
    return pair.before.truth.pool.data_used - pair.after.truth.pool.data_used


def _deletion(pair: Pair) -> Iterator[Row]:
    assert pair.devices, f"{pair.name}: no device is said to be deleted"
    before, after = pair.before.sharing.totals, pair.after.sharing.totals
    found = pair.before.sharing.reclaim([f"device:{id_}" for id_ in pair.devices])
    yield Row("deletion", "blocks freed", found.freed_blocks, _fall(pair))
    kept = found.kept_by_metadata_snapshot_blocks
    parts = found.freed_blocks + kept + found.still_held_blocks
    yield Row("deletion", "mapped: freed, kept, still held", found.mapped_blocks, parts)
    # Of what the kernel left behind:
    reached = before.reached_blocks - found.freed_blocks - kept
    yield Row("deletion", "blocks reached afterwards", reached, after.reached_blocks)
    only = before.only_metadata_snapshot_blocks + kept
    yield Row(
        "deletion",
        "then only in the metadata snapshot",
        only,
        after.only_metadata_snapshot_blocks,
    )
    left = sorted(set(pair.before.pool().devices) - set(pair.devices))
    yield Row("deletion", "devices left", left, sorted(pair.after.pool().devices))
    held = _reached(pair.before, pair.devices) & _reached(pair.after, left)
    yield Row("deletion", "blocks still held", found.still_held_blocks, len(held))
    yield from _unchanged(pair)


def _release(pair: Pair) -> Iterator[Row]:
    totals = pair.before.sharing.totals
    yield Row("release", "blocks freed", totals.only_metadata_snapshot_blocks, _fall(pair))
    was, is_ = pair.before.truth.pool.held_root, pair.after.truth.pool.held_root
    yield Row("release", "held before", pair.before.pool().superblock.metadata_snapshot, was)
    yield Row("release", "held afterwards", pair.after.pool().superblock.metadata_snapshot, is_)
    devices = sorted(pair.before.pool().devices)
    yield Row("release", "devices", devices, sorted(pair.after.pool().devices))
    yield from _unchanged(pair)


def _growth(pair: Pair) -> Iterator[Row]:
    before, after = pair.before.pool(), pair.after.pool()
    was, is_ = pair.before.truth.pool, pair.after.truth.pool
    yield Row(
        "growth",
        "data blocks more",
        after.data_space.total - before.data_space.total,
        is_.data_total - was.data_total,
    )
    yield Row(
        "growth",
        "metadata blocks more",
        after.metadata_space.total - before.metadata_space.total,
        is_.metadata_total - was.metadata_total,
    )
    assert (is_.data_total, is_.metadata_total) > (was.data_total, was.metadata_total)
    # The superblock keeps what the pool was formatted with.
    formatted = [pool.superblock.formatted_metadata_blocks for pool in (before, after)]
    yield Row("growth", "metadata blocks as formatted", formatted[1], formatted[0])
    for id_ in sorted(set(before.devices) & set(after.devices)):
        lost = _mapped(pair.before, id_) - _mapped(pair.after, id_)
        yield Row("growth", f"{id_}: mappings that are no more", sorted(lost)[:3], [])


def _unchanged(pair: Pair) -> Iterator[Row]:
    """Devices that nothing happened to, beside what the kernel said of them before."""
    sectors = pair.after.pool().superblock.data_block_sectors
    for id_, said in sorted(pair.before.truth.devices.items()):
        if id_ not in pair.devices and id_ in pair.after.pool().devices:
            mapped = pair.after.pool().devices[id_].mapped_blocks * sectors
            yield Row(pair.kind, f"{id_}: sectors mapped afterwards", mapped, said.mapped_sectors)


def _mapped(case: Case, device: int) -> set[tuple[int, int]]:
    """Virtual blocks with the data blocks that they are mapped to."""
    return {
        (run.virtual_begin + at, run.data_begin + at)
        for run in case.pool().devices[device].mappings()
        for at in range(run.length)
    }


def _reached(case: Case, devices: tuple[int, ...] | list[int]) -> set[int]:
    return {data for device in devices for _, data in _mapped(case, device)}
