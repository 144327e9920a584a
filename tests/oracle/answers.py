"""What the kernel itself said of the captured pools: status lines and tables, parsed and tied to device ids.

A status or table file holds one line per target, ``[name[:]] start length target ...``, with lengths in
sectors of 512 bytes. ``dmsetup`` puts the name in front if it is asked for all devices; the captures put the
device's name or id in front of single answers. Lines of targets other than thin and thin-pool are passed over.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zstandard

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FIXTURES = Path(__file__).parents[2] / "fixtures"

_LINE = re.compile(
    r"(?:(?P<name>\S+?):?\s+)?(?P<start>\d+)\s+(?P<length>\d+)\s+(?P<target>[a-z-]+)(?P<rest>.*)"
)


class NoAnswer(Exception):
    """The kernel gave one word in place of figures: Fail (the pool is dead), Error, or - (a thin not set up)."""


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """A thin-pool's status line, field by field. Metadata is in blocks of 4 KiB, data in the pool's blocks."""

    transaction_id: int
    metadata_used: int
    metadata_total: int
    data_used: int
    data_total: int
    held_root: int | None
    mode: str
    """``rw``, ``ro`` or ``out_of_data_space``."""
    discard: str
    """``discard_passdown``, ``no_discard_passdown`` or ``ignore_discard``."""
    no_space: str
    """``queue_if_no_space`` or ``error_if_no_space``."""
    needs_check: bool
    metadata_low_water: int | None
    """None from kernels that do not tell it."""


@dataclass(frozen=True, slots=True)
class ThinStatus:
    """A thin device's status line: what it maps, and the last sector of its highest mapped block."""

    mapped_sectors: int
    highest_sector: int | None


@dataclass(frozen=True, slots=True)
class PoolTable:
    """A thin-pool's table line, without its feature words."""

    metadata_device: str
    data_device: str
    data_block_sectors: int
    low_water_blocks: int


@dataclass(frozen=True, slots=True)
class Truth:
    """All that the kernel said of one captured pool."""

    pool: PoolStatus
    devices: dict[int, ThinStatus]
    """By device id; only devices that were active had anything to say."""
    table: PoolTable | None
    """None if no table was captured."""
    at_snapshot: Truth | None
    """What it said when the held metadata snapshot had just been taken."""


def _lines(text: str, target: str) -> Iterator[tuple[str, list[str]]]:
    """The name in front ("" if none) and the words after the target, of every line of one target."""
    for line in filter(None, map(str.strip, text.splitlines())):
        if not (match := _LINE.fullmatch(line)):
            raise ValueError(f"not a device-mapper line: {line!r}")
        if match["target"] == target:
            yield match["name"] or "", match["rest"].split()


def _only(text: str, target: str) -> list[str]:
    found = [words for _, words in _lines(text, target)]
    if len(found) != 1:
        raise ValueError(f"{len(found)} lines of {target}, not one")
    return found[0]


def _or_none(word: str) -> int | None:
    return None if word == "-" else int(word)


def pool_status(text: str) -> PoolStatus:
    """The one thin-pool status line in ``text``; NoAnswer if it is a single word."""
    words = _only(text, "thin-pool")
    if len(words) == 1:
        raise NoAnswer(words[0])
    transaction, metadata, data, held, mode, discard, no_space, *rest = words
    metadata_used, metadata_total = map(int, metadata.split("/"))
    data_used, data_total = map(int, data.split("/"))
    return PoolStatus(
        transaction_id=int(transaction),
        metadata_used=metadata_used,
        metadata_total=metadata_total,
        data_used=data_used,
        data_total=data_total,
        held_root=_or_none(held),
        mode=mode,
        discard=discard,
        no_space=no_space,
        needs_check=rest[:1] == ["needs_check"],
        metadata_low_water=int(rest[1]) if len(rest) > 1 else None,
    )


def thin_status(text: str) -> dict[str, ThinStatus]:
    """Every thin status line in ``text``, by the name in front of it; NoAnswer if one is a single word."""
    found = {}
    for name, words in _lines(text, "thin"):
        if len(words) == 1:
            raise NoAnswer(words[0])
        mapped, highest = words
        found[name] = ThinStatus(int(mapped), _or_none(highest))
    return found


def thin_ids(table: str) -> dict[str, int]:
    """Device ids by device-mapper name, from the thin lines (``thin <pool> <id> [<origin>]``) of a table."""
    return {name: int(words[1]) for name, words in _lines(table, "thin")}


def pool_table(table: str) -> PoolTable:
    """The one thin-pool line (``thin-pool <metadata> <data> <block> <low water> ...``) of a table."""
    metadata, data, block, low_water, *_ = _only(table, "thin-pool")
    return PoolTable(metadata, data, int(block), int(low_water))


def lvm_thin_ids(report: str) -> dict[str, int]:
    """Device ids by device-mapper name, from LVM's own JSON report."""
    volumes = [
        lv for part in json.loads(report)["report"] for lv in part.get("lv", ()) if lv["thin_id"]
    ]
    dashed = [
        (lv["lv_full_name"].replace("-", "--").replace("/", "-"), int(lv["thin_id"]))
        for lv in volumes
    ]
    return dict(dashed)


def kernel_metadata_used(allocated: int, total: int) -> int:
    """The kernel's "metadata used": what the metadata space map counts, and the reserve that it keeps back."""
    return min(total, allocated + min(4096, total // 10))


def manifest() -> list[dict[str, Any]]:
    """The pools of fixtures/MANIFEST.toml, in its order."""
    with (FIXTURES / "MANIFEST.toml").open("rb") as file:
        pools: list[dict[str, Any]] = tomllib.load(file)["pool"]
    return pools


def image(pool: Mapping[str, Any]) -> bytes:
    """The decoded metadata image of a pool of the manifest, its hash proved."""
    packed = (FIXTURES / pool["metadata"]).read_bytes()
    data = zstandard.ZstdDecompressor().decompress(packed, max_output_size=pool["decoded_bytes"])
    if hashlib.sha256(data).hexdigest() != pool["metadata_sha256"]:
        raise ValueError(f"{pool['metadata']} is not the image that the manifest names")
    return data


def truth(pool: Mapping[str, Any]) -> Truth:
    """All that the kernel said of a pool of the manifest."""
    return _truth(pool["answers"])


def _truth(answers: Mapping[str, Any]) -> Truth:
    def text(key: str) -> str:
        return FIXTURES.joinpath(answers[key]).read_text(encoding="ascii")

    ids = thin_ids(text("table")) if "table" in answers else {}
    named = re.compile(answers["device_id"]) if "device_id" in answers else None

    def device_id(name: str) -> int:
        match = named.fullmatch(name) if named else None
        return int(match[1]) if match else ids[name]

    return Truth(
        pool=pool_status(text("pool_status")),
        devices={
            device_id(name): status for name, status in thin_status(text("thin_status")).items()
        },
        table=pool_table(text("table")) if "table" in answers else None,
        at_snapshot=_truth(answers["at_snapshot"]) if "at_snapshot" in answers else None,
    )
