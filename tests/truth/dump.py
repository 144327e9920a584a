"""Every mapping and record, as thin_dump of thin-provisioning-tools 0.9 wrote them in the guest."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import thinscope
from tests.conftest import FIXTURES
from tests.truth.record import Row, Silent
from thinscope import layout

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.truth.case import Case
    from thinscope import Device, Pool

KEYS = ("dump", "dump_snapshot")
Mapping = tuple[int, int, int]
"""A virtual block, its data block, the time."""


def rows(case: Case) -> Iterator[Row | Silent]:
    """The dump of the pool, and that of the held metadata snapshot."""
    for key in filter(case.has, KEYS):
        text = case.text(key)
        if not text.rstrip().endswith("</superblock>"):
            yield Silent(key, "thin_dump did not come to the end")
        else:
            pool = case.pool(metadata_snapshot=key == "dump_snapshot")
            path = FIXTURES / case.entry["metadata"]
            yield from _of(pool, path, ET.fromstring(text), key)  # noqa: S314 - our own guest's


def _of(pool: Pool, path: Path, dump: ET.Element, key: str) -> Iterator[Row]:
    superblock = pool.superblock
    figures = {
        "time": superblock.time,
        "transaction": superblock.transaction_id,
        "version": superblock.version,
        "data_block_size": superblock.data_block_sectors,
        "nr_data_blocks": _data_blocks(pool, path),
    }
    for word, ours in figures.items():
        yield Row(key, word, ours, int(dump.attrib[word]))
    said = {int(each.attrib["dev_id"]): each for each in dump.findall("device")}
    yield Row(key, "devices", sorted(pool.devices), sorted(said))
    for id_ in sorted(set(pool.devices) & set(said)):
        yield from _of_device(pool.devices[id_], said[id_], key)


def _data_blocks(pool: Pool, path: Path) -> int:
    """Of a metadata snapshot, what its superblock says: the kernel wipes the space maps' roots."""
    if not pool.is_metadata_snapshot:
        return pool.data_space.total
    superblock = layout.parse(thinscope.read_block(path, pool.superblock.block).data)
    return int(superblock.data_space_map_root.nr_blocks)


def _of_device(device: Device, said: ET.Element, key: str) -> Iterator[Row]:
    figures = {
        "mapped_blocks": device.mapped_blocks,
        "transaction": device.transaction_id,
        "creation_time": device.creation_time,
        "snap_time": device.snapshot_time,
    }
    for word, ours in figures.items():
        yield Row(key, f"{device.id}: {word}", ours, int(said.attrib[word]))
    own = {
        (run.virtual_begin + at, run.data_begin + at, run.time)
        for run in device.mappings()
        for at in range(run.length)
    }
    theirs = set(_mappings(said))
    yield Row(key, f"{device.id}: mappings", len(own), len(theirs))
    yield Row(key, f"{device.id}: mappings of one only", sorted(own ^ theirs)[:3], [])


def _mappings(said: ET.Element) -> Iterator[Mapping]:
    for each in said:
        time = int(each.attrib["time"])
        if each.tag == "single_mapping":
            yield int(each.attrib["origin_block"]), int(each.attrib["data_block"]), time
        else:
            begin, data = int(each.attrib["origin_begin"]), int(each.attrib["data_begin"])
            for at in range(int(each.attrib["length"])):
                yield begin + at, data + at, time
