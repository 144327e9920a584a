"""What is left of a pool, by the second reader, and what the package says is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import thinscope
from tests.oracle.reader import KEY_END, Mapping, Role

if TYPE_CHECKING:
    from collections.abc import Collection

    from tests.check.patient import Hit, Patient

Mappings = dict[int, dict[int, Mapping]]
Ranges = list[tuple[int, int, int | None]]


def found(pool: thinscope.Pool) -> Mappings:
    """Return all mappings of a pool, device by device."""
    mappings: Mappings = {device: {} for device in pool.devices}
    for run in pool.mappings():
        for at in range(run.length):
            assert run.virtual_begin + at not in mappings[run.device]
            mappings[run.device][run.virtual_begin + at] = Mapping(run.data_begin + at, run.time)
    return mappings


def left(patient: Patient, lost: Collection[Hit]) -> Mappings:
    """Return the live mappings that are not in what is lost."""
    kept = {device: dict(of) for device, of in patient.whole.live.mappings.items()}
    for hit in lost:
        if not hit.in_metadata_snapshot:
            end = KEY_END if hit.end is None else hit.end
            device = kept[hit.device]
            for block in [block for block in device if hit.begin <= block < end]:
                del device[block]
    return kept


def ranges(lost: Collection[Hit]) -> Ranges:
    """Return what is lost of live devices, by device and range."""
    return sorted((hit.device, hit.begin, hit.end) for hit in lost if not hit.in_metadata_snapshot)


def gaps(pool: thinscope.Pool) -> Ranges:
    """Return what a pool says is missing."""
    assert pool.gaps.more == 0
    return [(gap.device, gap.begin, gap.end) for gap in pool.gaps.gaps]


def agree(patient: Patient, broken: int, *, names_block: bool = True) -> None:
    """All but what hangs below a broken node is recovered, and the rest told as it is."""
    lost = patient.hits(broken)
    data = bytes(patient.data)
    with thinscope.open(data, tolerant=True, threads=1) as pool:
        mappings = found(pool)
        assert mappings == left(patient, lost)
        assert gaps(pool) == ranges(lost)
        assert pool.gaps.losses == ()
        held = any(hit.in_metadata_snapshot for hit in lost)
        assert pool.gaps.metadata_snapshot_is_damaged == held
        assert bool(pool.gaps) == bool(lost)
        if names_block:
            assert {gap.block for gap in pool.gaps.gaps} <= {broken}
        # Every other way to the mappings tells the same.
        assert pool.recount().mapped_blocks == {d: len(of) for d, of in mappings.items()}
        assert pool.sharing().mappings == {d: len(of) for d, of in mappings.items()}
        assert pool.highest_blocks() == {d: max(of, default=None) for d, of in mappings.items()}


def trees_of(patient: Patient, role: Role) -> list[int]:
    """Return the leaves of the live tree of devices, or of their records."""
    superblock = patient.whole.superblock
    stack = [superblock.mapping_root if role is Role.TOP_LEVEL else superblock.details_root]
    leaves = []
    while stack:
        node = patient.node(block := stack.pop())
        if node.internal:
            stack += [child for (child,) in node.values]
        else:
            leaves.append(block)
    return leaves
