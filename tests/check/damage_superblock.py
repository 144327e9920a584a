"""Damage to the superblock, its copy, and to times."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.check.patient import TALL
from tests.check.telling import (
    CHURN,
    DOCKER,
    LVM,
    WALK,
    Told,
    hits,
    recipe,
    record_field,
    warning,
    whole,
)
from tests.oracle.reader import BLOCK, Role

if TYPE_CHECKING:
    from tests.check.patient import Patient

# ---- superblock ----------------------------------------------------------------------------------


@recipe(WALK)
def superblock_checksum(patient: Patient) -> list[Told]:
    patient.flip(0, 17)  # of the uuid
    return [Told("superblock", 0, "csum")]


@recipe(WALK)
def superblock_magic(patient: Patient) -> list[Told]:
    patient.put(0, 32, "Q", 27022011)
    return [Told("superblock", 0, "magic")]


@recipe(WALK)
def superblock_number(patient: Patient) -> list[Told]:
    patient.put(0, 8, "Q", 1)
    return [Told("superblock", 0, "blocknr")]


@recipe(WALK)
def superblock_version(patient: Patient) -> list[Told]:
    patient.put(0, 40, "I", 3)
    return [Told("unsupported", 0, "version")]


@recipe(WALK)
def superblock_incompatible(patient: Patient) -> list[Told]:
    patient.superblock("incompat_flags", 1)
    return [Told("unsupported", 0, "incompat_flags")]


@recipe(WALK)
def superblock_features(patient: Patient) -> list[Told]:
    patient.superblock("compat_ro_flags", 4)
    return [warning("unknown-features", field="compat_ro_flags")]


@recipe(WALK)
def data_block_size(patient: Patient) -> list[Told]:
    patient.superblock("data_block_size", 100)
    return [Told("superblock", 0, "data_block_size")]


@recipe(WALK)
def metadata_block_size(patient: Patient) -> list[Told]:
    patient.superblock("metadata_block_size", 16)
    return [Told("superblock", 0, "metadata_block_size")]


@recipe(WALK)
def more_metadata_than_the_file(patient: Patient) -> list[Told]:
    patient.superblock("metadata_blocks", 5000)
    return [Told("superblock", 0, "metadata space map's nr_blocks")]


@recipe(WALK)
def truncated_behind_what_is_used(patient: Patient) -> list[Told]:
    del patient.data[(max(patient.roles) + 1) * BLOCK :]
    return [Told("superblock", 0, "metadata space map's nr_blocks")]


@recipe(WALK)
def truncated_within_what_is_used(patient: Patient) -> list[Told]:
    """Everything that was written last is behind the end: both roots of the devices' trees, and the maps."""
    del patient.data[60 * BLOCK :]
    superblock = patient.whole.superblock
    data, metadata = superblock.data_space_map, superblock.metadata_space_map
    live = patient.whole.live
    assert all(
        block >= 60
        for block in (
            superblock.mapping_root,
            superblock.details_root,
            data.bitmap_root,
            metadata.bitmap_root,
        )
    )
    found = [
        Told("superblock", 0, "metadata space map's nr_blocks"),
        Told("unreadable", superblock.mapping_root),
        Told("unreadable", superblock.details_root),
        Told("unreadable", data.bitmap_root),
    ]
    found += [Told("unreadable", data.ref_count_root)] * (data.ref_count_root >= 60)
    found += [Told("unreadable", metadata.bitmap_root)]
    found += [Told("unreadable", metadata.ref_count_root)] * (metadata.ref_count_root >= 60)
    assert live.roots
    return found


@recipe(WALK)
def metadata_allocated_beyond(patient: Patient) -> list[Told]:
    patient.superblock("metadata_allocated", 4097)
    return [Told("superblock", 0, "nr_allocated")]


@recipe(WALK)
def data_allocated_beyond(patient: Patient) -> list[Told]:
    patient.superblock("data_allocated", 1 << 40)
    return [Told("superblock", 0, "nr_allocated")]


@recipe(WALK)
def data_blocks_beyond(patient: Patient) -> list[Told]:
    """No mapping can name so many: the superblock is wrong, and so is what must count them."""
    patient.superblock("data_blocks", 1 << 41)
    index = patient.whole.superblock.data_space_map.bitmap_root
    return [Told("superblock", 0, "nr_blocks"), Told("index", index, "bitmaps")]


@recipe(WALK)
def mapping_root_nowhere(patient: Patient) -> list[Told]:
    patient.superblock("data_mapping_root", 0)
    devices = patient.whole.live.details.items()
    lost = tuple(whole(device, record.mapped_blocks) for device, record in devices)
    return [Told("superblock", 0, "data_mapping_root", hits=lost)]


@recipe(WALK)
def details_root_nowhere(patient: Patient) -> list[Told]:
    patient.superblock("device_details_root", 4096)
    return [Told("superblock", 0, "device_details_root")]


for _root, _field in {
    "data_bitmap_root": "space map's bitmap_root",
    "data_ref_count_root": "space map's ref_count_root",
    "metadata_bitmap_root": "space map's bitmap_root",
    "metadata_ref_count_root": "space map's ref_count_root",
}.items():

    def _nowhere(patient: Patient, root: str = _root, named: str = _field) -> list[Told]:
        patient.superblock(root, 1 << 63)
        return [Told("superblock", 0, named)]

    recipe(WALK, f"{_root.replace('_', '-')}-nowhere")(_nowhere)


@recipe(WALK)
def needs_check(patient: Patient) -> list[Told]:
    patient.superblock("flags", 1)
    return [warning("needs-check", field="flags")]


@recipe(WALK)
def time_nearly_used_up(patient: Patient) -> list[Told]:
    patient.superblock("time", (1 << 24) - 1)
    return [warning("time-limit", field="time")]


@recipe(WALK)
def time_used_up(patient: Patient) -> list[Told]:
    patient.superblock("time", 1 << 24)
    return [Told("time-limit", 0, "time")]


# ---- times and transaction ids -------------------------------------------------------------------


def lowered(patient: Patient, now: int) -> list[Told]:
    """What is told where the pool's time is lower than that of devices and of mappings."""
    root = patient.whole.superblock.details_root
    found = []
    for device, record in sorted(patient.whole.live.details.items()):
        hit = (whole(device),)
        if record.creation_time > now:
            found.append(Told("device-time", root, "creation_time", hits=hit))
        if record.snapshotted_time > now:
            found.append(Told("device-time", root, "snapshotted_time", hits=hit))
    for leaf in patient.blocks(Role.MAPPING, leaf=True):
        if any(value & 0xFFFFFF > now for (value,) in patient.node(leaf).values):
            lost = hits(patient, leaf, counted=False)
            found.append(Told("mapping-time", leaf, "time", hits=lost))
    return found


@recipe(WALK)
def times_of_the_future(patient: Patient) -> list[Told]:
    patient.superblock("time", 1)
    found = lowered(patient, 1)
    assert {told.code for told in found} == {"device-time", "mapping-time"}
    return found


@recipe(LVM)
def time_before_all(patient: Patient) -> list[Told]:
    patient.superblock("time", 0)
    return lowered(patient, 0)


@recipe(TALL)
def creation_time_of_the_future(patient: Patient) -> list[Told]:
    """The metadata snapshot has the same record."""
    leaf = record_field(patient, 3, 16, "I", 1 << 30)
    return [
        Told(
            "device-time",
            trees.superblock.details_root,
            "creation_time",
            hits=(whole(3, held=held),),
        )
        for held, trees in patient.sides
        if leaf in trees.roles
    ]


@recipe(CHURN)
def snapshot_time_of_the_future(patient: Patient) -> list[Told]:
    record_field(patient, 10, 20, "I", 35)
    root = patient.whole.superblock.details_root
    return [Told("device-time", root, "snapshotted_time", hits=(whole(10),))]


@recipe(LVM)
def transaction_of_the_future(patient: Patient) -> list[Told]:
    now = max(record.transaction_id for record in patient.whole.live.details.values()) - 1
    patient.superblock("trans_id", now)
    root = patient.whole.superblock.details_root
    late = [d for d, r in sorted(patient.whole.live.details.items()) if r.transaction_id > now]
    return [Told("device-transaction", root, "transaction_id", hits=(whole(d),)) for d in late]


@recipe(DOCKER)
def mapping_of_the_future(patient: Patient) -> list[Told]:
    leaf = patient.blocks(Role.MAPPING, leaf=True)[-1]
    (value,) = patient.node(leaf).values[0]
    patient.put(leaf, patient.value(leaf, 0), "Q", value | 0xFFFFFF)
    lost = hits(patient, leaf, counted=False)
    return [Told("mapping-time", leaf, "time", hits=lost)]


# ---- the metadata snapshot -----------------------------------------------------------------------


@recipe(CHURN)
def held_root_nowhere(patient: Patient) -> list[Told]:
    """What only the metadata snapshot has is not called leaked."""
    patient.superblock("held_root", 1 << 40)
    return [Told("superblock", 0, "held_root")]


@recipe(CHURN)
def held_root_elsewhere(patient: Patient) -> list[Told]:
    """Block 3 was free: it is pointed at now, and not counted."""
    assert patient.counts("metadata")[3] == 0
    patient.superblock("held_root", 3)
    return [
        Told("metadata-snapshot", 3, "csum"),
        Told("metadata-missing-count", None, "count", runs=((3, 1),)),
    ]


@recipe(CHURN)
def held_copy_checksum(patient: Patient) -> list[Told]:
    held = patient.whole.superblock.held_root
    patient.flip(held, 20)
    return [Told("metadata-snapshot", held, "csum")]


@recipe(CHURN)
def held_copy_in_anothers_place(patient: Patient) -> list[Told]:
    held = patient.whole.superblock.held_root
    patient.put(held, 8, "Q", held + 1)
    return [Told("metadata-snapshot", held, "blocknr")]


@recipe(CHURN)
def held_mapping_root_nowhere(patient: Patient) -> list[Told]:
    held = patient.whole.superblock.held_root
    patient.superblock("data_mapping_root", 0, held)
    snapshot = patient.whole.snapshot
    assert snapshot
    lost = tuple(whole(d, r.mapped_blocks, held=True) for d, r in sorted(snapshot.details.items()))
    return [Told("metadata-snapshot", held, "data_mapping_root", hits=lost)]


@recipe(CHURN)
def held_details_tree(patient: Patient) -> list[Told]:
    snapshot = patient.whole.snapshot
    assert snapshot
    patient.flip(snapshot.superblock.details_root)
    return [Told("node", snapshot.superblock.details_root, "csum")]


@recipe(CHURN)
def held_leaf(patient: Patient) -> list[Told]:
    """A leaf that no live device has any more."""
    live = {edge.block for edge in patient.edges if not edge.in_metadata_snapshot}
    only = [b for b in patient.blocks(Role.MAPPING, leaf=True) if b not in live]
    patient.flip(only[0])
    lost = hits(patient, only[0])
    assert lost
    assert all(hit.in_metadata_snapshot for hit in lost)
    return [Told("node", only[0], "csum", hits=lost)]
