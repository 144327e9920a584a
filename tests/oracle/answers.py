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
from typing import TYPE_CHECKING, Any, NamedTuple

import zstandard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

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
    """A thin device's status line: its size, what it maps, the last sector of its highest mapped block."""

    sectors: int
    mapped_sectors: int
    highest_sector: int | None


@dataclass(frozen=True, slots=True)
class PoolTable:
    """A thin-pool's table line, without its feature words."""

    name: str
    sectors: int
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


class Line(NamedTuple):
    """A line of a status or a table."""

    name: str
    """What stands in front, or ""."""
    sectors: int
    words: list[str]
    """What follows the target."""


def _lines(text: str, target: str) -> Iterator[Line]:
    """Every line of one target."""
    for line in filter(None, map(str.strip, text.splitlines())):
        if not (match := _LINE.fullmatch(line)):
            raise ValueError(f"not a device-mapper line: {line!r}")
        if match["target"] == target:
            yield Line(match["name"] or "", int(match["length"]), match["rest"].split())


def _only(text: str, target: str) -> Line:
    found = list(_lines(text, target))
    if len(found) != 1:
        raise ValueError(f"{len(found)} lines of {target}, not one")
    return found[0]


def _or_none(word: str) -> int | None:
    return None if word == "-" else int(word)


def pool_status(text: str) -> PoolStatus:
    """The one thin-pool status line in ``text``; NoAnswer if it is a single word."""
    words = _only(text, "thin-pool").words
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
    for name, sectors, words in _lines(text, "thin"):
        if len(words) == 1:
            raise NoAnswer(words[0])
        mapped, highest = words
        found[name] = ThinStatus(sectors, int(mapped), _or_none(highest))
    return found


def thin_ids(table: str) -> dict[str, int]:
    """Device ids by device-mapper name, from the thin lines (``thin <pool> <id> [<origin>]``) of a table."""
    return {line.name: int(line.words[1]) for line in _lines(table, "thin")}


def external_origins(table: str) -> dict[int, str]:
    """Numbers (``253:4``) of what devices read where they map nothing, by device id; most read zeros."""
    found = {int(line.words[1]): line.words[2:] for line in _lines(table, "thin")}
    return {id_: origin for id_, words in found.items() for origin in words}


def pool_table(table: str) -> PoolTable:
    """The one thin-pool line (``thin-pool <metadata> <data> <block> <low water> ...``) of a table."""
    line = _only(table, "thin-pool")
    metadata, data, block, low_water, *_ = line.words
    return PoolTable(line.name, line.sectors, metadata, data, int(block), int(low_water))


def lvm_volumes(report: dict[str, Any]) -> list[dict[str, str]]:
    """The volumes of LVM's own JSON report; the names of those that it hides are in brackets there."""
    found = [lv for part in report["report"] for lv in part.get("lv", ())]
    for lv in found:
        for column in lv.keys() & {"lv_name", "origin", "pool_lv"}:
            lv[column] = lv[column].strip("[]")
    return found


def lvm_thin_ids(report: str) -> dict[str, int]:
    """Device ids by device-mapper name, from LVM's own JSON report."""
    volumes = [lv for lv in lvm_volumes(json.loads(report)) if lv["thin_id"]]
    dashed = [
        (lv["lv_full_name"].replace("-", "--").replace("/", "-"), int(lv["thin_id"]))
        for lv in volumes
    ]
    return dict(dashed)


def kernel_metadata_used(allocated: int, total: int) -> int:
    """The kernel's "metadata used": what the metadata space map counts, and the reserve that it keeps back."""
    return min(total, allocated + min(4096, total // 10))


def manifest() -> list[dict[str, Any]]:
    """The pools of fixtures/MANIFEST.toml, in its order.

    Each has a ``name``, its folder's or ``folder/name`` where a folder has several; the ``capture`` that it is of;
    and paths relative to ``fixtures``.
    """
    with (FIXTURES / "MANIFEST.toml").open("rb") as file:
        captures: list[dict[str, Any]] = tomllib.load(file)["capture"]
    return [_pool(capture, pool) for capture in captures for pool in capture["pool"]]


def asked_of_the_peer() -> list[dict[str, Any]]:
    """The pools that thin-provisioning-tools 1.x is asked about: those that no rig makes anew.

    The rig asks 0.9, in the guest, about each pool that it makes.
    """
    return [pool for pool in manifest() if _is_by_hand(pool)]


def samples() -> dict[str, dict[str, Any]]:
    """By name, the pools that were made by hand, and of each scenario the last pool of one kernel."""
    found = {}
    for pool in manifest():
        scenario = pool["capture"]["folder"].rpartition("-")[0]
        found[pool["name"] if _is_by_hand(pool) else scenario] = pool
    return {pool["name"]: pool for pool in found.values()}


def _is_by_hand(pool: Mapping[str, Any]) -> bool:
    """Whether the rig does not make it: it writes the day when it does."""
    return "made" not in pool["capture"]


def _pool(capture: dict[str, Any], pool: dict[str, Any]) -> dict[str, Any]:
    folder = capture["folder"]
    name = folder if len(capture["pool"]) == 1 else f"{folder}/{pool['name']}"
    answers = _below(folder, pool["answers"])
    metadata = f"{folder}/{pool['metadata']}"
    return pool | {"name": name, "capture": capture, "metadata": metadata, "answers": answers}


NO_ANSWERS = frozenset({"device_id", "records"})
"""Keys among a pool's answers behind which there is nothing that was said."""


def _below(folder: str, answers: Mapping[str, Any]) -> dict[str, Any]:
    """Answers with their files below ``fixtures``; the pattern of a device id is no file."""

    def below(key: str, said: Any) -> Any:
        if isinstance(said, dict):
            return _below(folder, said)
        if isinstance(said, list):
            return [f"{folder}/{file}" for file in said]
        return said if key == "device_id" else f"{folder}/{said}"

    return {key: below(key, said) for key, said in answers.items()}


def files(answers: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """The files of a pool's answers by key: ``table``, ``at_snapshot.table``, ``bolt.<file's name>``."""
    found: dict[str, str] = {}
    for key, said in answers.items():
        if isinstance(said, dict):
            found |= files(said, f"{prefix}{key}.")
        elif isinstance(said, list):
            found |= {f"{prefix}{key}.{Path(file).name}": file for file in said}
        elif key not in NO_ANSWERS:
            found[prefix + key] = said
    return found


def content(path: Path) -> bytes:
    """A file's content, unpacked where it is compressed."""
    data = path.read_bytes()
    return (
        zstandard.ZstdDecompressor().stream_reader(data).read() if path.suffix == ".zst" else data
    )


def image(pool: Mapping[str, Any]) -> bytes:
    """The decoded metadata image of a pool of the manifest, its hash proved."""
    packed = (FIXTURES / pool["metadata"]).read_bytes()
    data = zstandard.ZstdDecompressor().decompress(packed, max_output_size=pool["decoded_bytes"])
    if hashlib.sha256(data).hexdigest() != pool["metadata_sha256"]:
        raise ValueError(f"{pool['metadata']} is not the image that the manifest names")
    return data


def truth(pool: Mapping[str, Any], text: Callable[[str], str] | None = None) -> Truth:
    """All that the kernel said of a pool of the manifest; its files are read by ``text``, by key."""
    paths = files(pool["answers"])
    return _truth(pool["answers"], text or (lambda key: content(FIXTURES / paths[key]).decode()))


def _truth(answers: Mapping[str, Any], text: Callable[[str], str], at: str = "") -> Truth:
    table = text(f"{at}table") if "table" in answers else None
    ids = thin_ids(table) if table else {}
    named = re.compile(answers["device_id"]) if "device_id" in answers else None

    def device_id(name: str) -> int:
        match = named.fullmatch(name) if named else None
        return int(match[1]) if match else ids[name]

    said = thin_status(text(f"{at}thin_status")).items()
    then = answers.get("at_snapshot")
    return Truth(
        pool=pool_status(text(f"{at}pool_status")),
        devices={device_id(name): status for name, status in said},
        table=pool_table(table) if table else None,
        at_snapshot=_truth(then, text, "at_snapshot.") if then else None,
    )
