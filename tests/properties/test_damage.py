"""Reading around random damage: what is told was written, by the pool or by what went over it."""

from __future__ import annotations

import struct
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

import thinscope
from tests.check.patient import Patient
from tests.check.recovery import found
from tests.conftest import examples
from tests.oracle.reader import BLOCK, NODE_SALT, Role, checksum
from tests.properties.histories import Told, histories
from thinscope import errors

NODES = frozenset(Role) - {
    *(Role.SUPERBLOCK, Role.DATA_BITMAP, Role.METADATA_BITMAP, Role.METADATA_INDEX),
}


class Hurt(NamedTuple):
    """What happens to a block: where it is cut or flipped, or which block is written over it."""

    kind: str
    block: int
    at: int
    other: int


HURTS = st.lists(
    st.builds(
        Hurt,
        st.sampled_from(["flip", "zero", "garbage", "swap", "copy", "sealed copy"]),
        st.integers(0, 10**6),
        st.integers(0, BLOCK - 1),
        st.integers(0, 10**6),
    ),
    min_size=1,
    max_size=4,
)


@examples(150)
@given(told=histories(most=18), hurts=HURTS)
def test_nothing_is_invented(testkit: str, told: Told, hurts: list[Hurt]) -> None:
    patient = Patient(told.build(testkit))
    sealed = _hurt(patient, hurts)
    data = bytes(patient.data)
    thinscope.check(data, threads=1)
    for is_held, devices in ((False, told.live), (True, told.held or {})):
        try:
            pool = thinscope.open(data, tolerant=True, threads=1, metadata_snapshot=is_held)
            mappings = found(pool)
        except (errors.NotThinMetadata, errors.NoMetadataSnapshot):
            continue
        except (errors.CorruptMetadata, errors.UnsupportedMetadata) as error:
            # Without its superblock there is no pool; whatever else is broken is read around.
            if is_held or "superblock" in str(error):
                continue
            raise
        other = _entries(patient, sealed) if sealed else set()
        for device, of in mappings.items():
            invented = of.items() - devices.get(device, {}).items()
            assert {(block, tuple(mapping)) for block, mapping in invented} <= other, device
        if not sealed:
            lost = {d for d, of in devices.items() if mappings.get(d) != of}
            told_of = {gap.device for gap in pool.gaps.gaps}
            assert lost <= told_of or pool.gaps.losses or pool.gaps.metadata_snapshot_is_damaged
        strict = _strictly(data, is_held=is_held)
        assert strict is None or strict == mappings


def _strictly(data: bytes, *, is_held: bool) -> object:
    try:
        return found(thinscope.open(data, threads=1, metadata_snapshot=is_held))
    except errors.ThinscopeError:
        return None


def _hurt(patient: Patient, hurts: list[Hurt]) -> set[int]:
    """Hurt blocks that are in use; returns what was written over others with a right checksum."""
    blocks = sorted(patient.roles)
    whole = bytes(patient.data)
    sealed = set()
    for kind, block, at, other in hurts:
        here, there = blocks[block % len(blocks)], blocks[other % len(blocks)]
        begin, back = here * BLOCK, there * BLOCK
        content = bytearray(whole[back : back + BLOCK])
        match kind:
            case "flip":
                patient.flip(here, at)
                continue
            case "zero":
                content = bytearray(BLOCK)
            case "garbage":
                content = bytearray((at * each * each + other) % 251 for each in range(BLOCK))
            case "swap":
                content = (
                    patient.data[begin + at : begin + BLOCK] + patient.data[begin : begin + at]
                )
            case "sealed copy" if patient.roles[there] in NODES and here:
                struct.pack_into("<Q", content, 8, here)
                struct.pack_into("<I", content, 0, checksum(bytes(content), NODE_SALT))
                sealed.add(there)
            case _:
                pass
        patient.data[begin : begin + BLOCK] = content
    return sealed


def _entries(patient: Patient, sealed: set[int]) -> set[tuple[int, tuple[int, int]]]:
    """All that a leaf of the pool says, or one that a node which was put elsewhere is taken for."""
    leaves = {*patient.blocks(Role.MAPPING, leaf=True)}
    leaves |= {block for block in sealed if not patient.node(block).internal}
    return {
        (key, (value[0] >> 24, value[0] & 0xFFFFFF))
        for block in leaves
        for key, value in zip(patient.node(block).keys, patient.node(block).values, strict=True)
    }
