"""What the peer is asked: about every capture, about generated pools, and with command lines that are wrong."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

POOL = "pool.bin"
"""What the metadata is called in the folder of a pool."""
OUT = "out"
"""What commands write to, with ``-o``."""
UNDER_FULL = "under-full"
"""A pool that the peer rejects."""

WELL_FILLED = "well-filled"
"""The same devices in nodes that the peer accepts."""

ODD_FILES = "odd-files"
"""The pool whose folder also holds `write_odd_files`; no run on it says much of the pool."""
Stdout = Literal["captured", "full", "closed"]
"""Where stdout goes: it is captured, it is ``/dev/full``, or a pipe that nobody reads."""

UNKNOWN_DEVICE = 424242
"""An id that no pool has."""

MANY = 60
"""Devices that are named one by one."""

FULL = "--capacity 252 --least 84"
"""The peer rejects nodes, other than roots, that are less than a third full."""

GENERATED = MappingProxyType(
    {
        "no-device": "shared-data --devices 0",
        "empty-device": "one-device --mappings 0",
        "empty-snapshots": "snapshots-shared --mappings 0",
        "one-device": "one-device --mappings 20000 --run 5 --areas 30 --scatter 50 --slack",
        "loose-edges": "one-device --mappings 9000 --run 40 --loose-edges --time 300",
        "large-blocks": "one-device --mappings 9000 --run 900 --data-block-sectors 2097152 --metadata-snapshot",
        "odd-block-size": "shared-data --devices 5 --mappings 2000 --data-block-sectors 384 --data-blocks 900000",
        "shared-data": "shared-data --devices 7 --mappings 4000 --run 30 --changed 20 --scatter 9",
        "shared-inner-nodes": "snapshots-shared --mappings 60000 --devices 12 --changed 1 --run 50 --areas 9",
        "own-spines": "snapshots-own-spines --mappings 40000 --devices 12 --changed 3 --run 20 --areas 7",
        "many-snapshots": "snapshots-shared --devices 300 --mappings 3000 --changed 5",
        "one-leaf-each": f"small {FULL} --metadata-snapshot",
        "churn-4": f"churn {FULL} --seed 4 --span 3000 --longest 600 --steps 250",
        "churn-5": f"churn {FULL} --seed 5 --span 6000 --longest 300 --steps 600 --metadata-snapshot",
        "churn-6": f"churn {FULL} --seed 6 --span 3000 --longest 40 --steps 2500",
        "churn-7": f"churn {FULL} --seed 7 --span 20000 --longest 2000 --steps 200",
        "churn-8": (
            f"churn {FULL} --seed 8 --span 4000 --longest 1500 --steps 300"
            " --metadata-snapshot --needs-check --scatter 60 --slack"
        ),
        "leaves-at-two-depths": "two-depths --capacity 168 --least 84 --height 1",
        "inner-nodes-at-two-depths": "two-depths --capacity 168 --least 84 --height 2",
        WELL_FILLED: "one-device --mappings 5000 --run 9 --areas 4",
        UNDER_FULL: "one-device --mappings 5000 --run 9 --areas 4 --leaf-fill 40",
        ODD_FILES: f"small {FULL} --seed 3",
    }
)
"""Arguments of ``testkit build`` by the name of the pool. All but UNDER_FULL pass the peer's thin_check."""

FEW = frozenset({"inner-nodes-at-two-depths", UNDER_FULL})
"""Pools of which little is asked. Internal nodes lie at two depths only if there are 14,000 leaves."""

COLUMNS = (
    *("DEV", "MAPPED_BLOCKS", "EXCLUSIVE_BLOCKS", "SHARED_BLOCKS", "HIGHEST_BLOCK"),
    *("MAPPED_SECTORS", "EXCLUSIVE_SECTORS", "SHARED_SECTORS", "HIGHEST_SECTOR"),
    *("MAPPED_BYTES", "EXCLUSIVE_BYTES", "SHARED_BYTES", "HIGHEST_BYTE"),
    *("MAPPED", "EXCLUSIVE", "SHARED", "HIGHEST_MAPPED"),
    *("TRANSACTION", "CREATE_TIME", "SNAP_TIME"),
)
HUMAN = ("--format", "human_readable")
REGIONS = (
    ("--region", "0..1099511627776"),
    ("--region", "0..100"),
    ("--region", "700..701", "--region", "90..400", "--region", "395..500"),
    ("--region", "1099511627776..1099511627777"),
)
"""Words of ``thin_rmap``."""

CHECKS: tuple[tuple[str, ...], ...] = (
    (),
    ("-q",),
    ("--skip-mappings",),
    ("--super-block-only",),
    ("--ignore-non-fatal-errors",),
    ("--auto-repair",),
    ("--clear-needs-check-flag",),
    ("--clear-needs-check-flag", "--ignore-non-fatal-errors"),
    ("--clear-needs-check-flag", "--skip-mappings"),
    ("--clear-needs-check-flag", "--super-block-only"),
    ("-m",),
)
"""Words of ``thin_check``."""

HELD_CHECKS = (("-m", "-q"), ("-m", "--skip-mappings"), ("-m", "--super-block-only"))
"""The same where a metadata snapshot is held."""

HELD_ROOTS = MappingProxyType({"churn-b": ("1083", "1093")})
"""Roots of the top-level tree and of the details tree that a metadata snapshot holds."""

OVERRIDES = ("--transaction-id", "--nr-data-blocks", "--data-block-size")
ABOVE = ("1000000", "9999999999", "2097152")
BELOW = ("0", "1", "7")


@dataclass(frozen=True, slots=True)
class Known:
    """What the choice of commands depends on."""

    devices: tuple[int, ...]
    in_snapshot: tuple[int, ...] | None
    """The devices of the held metadata snapshot, if there is one."""


def on_pool(name: str, known: Known) -> Iterator[tuple[str, ...]]:
    """All commands on a pool."""
    every_column = ",".join(COLUMNS)
    if name in FEW:
        device = ("--dev-id", str(known.devices[-1]))
        yield from (("thin_dump", *words, POOL) for words in ((), HUMAN, device))
        yield "thin_ls", "-o", every_column, POOL
        yield "thin_delta", *_sides(known.devices[0], known.devices[-1]), POOL
        yield from (("thin_check", *words, POOL) for words in CHECKS)
        return
    if name == ODD_FILES:
        return
    # A pool with one device gives the same words more than once.
    yield from dict.fromkeys(("thin_dump", *words) for words in _dumps(known))
    yield from (("thin_ls", *words, POOL) for words in _lists(known))
    yield from dict.fromkeys(("thin_delta", *words, POOL) for words in _deltas(known))
    yield from (("thin_rmap", *words, POOL) for words in REGIONS)
    yield from (("thin_check", *words, POOL) for words in _checks(name, known))


def _dumps(known: Known) -> Iterator[tuple[str, ...]]:
    for words in ((), ("-f", "xml"), HUMAN, ("-q",)):
        yield *words, POOL
    yield POOL, "-fhuman_readable", "--quiet"
    yield from ((*words, "--skip-mappings", POOL) for words in ((), HUMAN))
    yield "-o", OUT, POOL
    yield *HUMAN, "--output", OUT, POOL

    first, last = known.devices[:1], known.devices[-1:]
    middle = known.devices[len(known.devices) // 2 :][:2]
    for chosen in (first, last[::-1] + first, middle, first * 2, known.devices[:MANY][::-1]):
        yield *_of(chosen), POOL
    yield *_of(first), *HUMAN, POOL
    yield *_of(first), "--skip-mappings", POOL
    yield *_of([UNKNOWN_DEVICE]), POOL
    yield *_of([UNKNOWN_DEVICE, *first]), *HUMAN, POOL

    for values in (BELOW, ABOVE):
        for option, value in zip(OVERRIDES, values, strict=True):
            yield option, value, "--skip-mappings", POOL
        together = itertools.chain(*zip(OVERRIDES, values, strict=True))
        yield *together, POOL
    yield *itertools.chain(*zip(OVERRIDES, ABOVE, strict=True)), *HUMAN, POOL

    yield "-m", POOL
    yield "-m=1", POOL
    if known.in_snapshot is not None:
        yield "--metadata-snap", *HUMAN, POOL
        yield "--metadata-snap=999999999", POOL
        held = known.in_snapshot
        for chosen in (held[:1], held[len(held) // 2 :][:2]):
            yield "-m", *_of(chosen), POOL
        yield "-m", *_of([UNKNOWN_DEVICE]), POOL
        yield from (("-m", *words, "--skip-mappings", POOL) for words in ((), HUMAN))
        yield "-m", *itertools.chain(*zip(OVERRIDES, ABOVE, strict=True)), POOL
        yield "-m", "-o", OUT, POOL


def _lists(known: Known) -> Iterator[tuple[str, ...]]:
    every_column = ",".join(COLUMNS)
    yield ()
    yield ("--no-headers",)
    for column in COLUMNS:
        yield ("-o", column)
    yield "-o", every_column
    yield "--no-headers", "--format", ",".join(reversed(COLUMNS))
    yield "-o", "DEV,MAPPED,EXCLUSIVE,SHARED"
    yield ("-oSNAP_TIME,DEV,DEV",)
    yield ("-m",)
    if known.in_snapshot is not None:
        yield "--metadata-snap", "-o", every_column
        yield "-m", "--no-headers", "-o", "DEV,CREATE_TIME"


def _deltas(known: Known) -> Iterator[tuple[str, ...]]:
    for devices, words in ((known.devices, ()), (known.in_snapshot or (), ("-m",))):
        for left, right in _pairs(devices):
            yield *words, *_sides(left, right)
            yield *words, *_sides(left, right), "--verbose"
    yield _sides(next(iter(known.devices), 1), UNKNOWN_DEVICE)
    yield "-m", *_sides(UNKNOWN_DEVICE, UNKNOWN_DEVICE)


def _checks(name: str, known: Known) -> Iterator[tuple[str, ...]]:
    yield from CHECKS
    if known.in_snapshot is not None:
        yield from HELD_CHECKS
    if held := HELD_ROOTS.get(name):
        mapping, details = held
        for more in ((), ("--skip-mappings",)):
            yield "--override-mapping-root", mapping, "--override-details-root", details, *more
            yield "--override-mapping-root", mapping, *more
            yield "--override-details-root", mapping, *more


def _pairs(devices: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Some pairs of devices: far from each other, neighbours, the same."""
    if devices:
        middle = len(devices) // 2
        yield devices[0], devices[-1]
        yield devices[-1], devices[middle]
        yield devices[middle], devices[middle - 1]
        yield devices[0], devices[0]


def _sides(left: int, right: int) -> tuple[str, ...]:
    return "--thin1", str(left), "--thin2", str(right)


def _of(devices: Sequence[int]) -> Iterator[str]:
    for device in devices:
        yield from ("--dev-id", str(device))


def write_odd_files(folder: Path) -> None:
    """Write what is no metadata."""
    noise = b"".join(hashlib.sha256(at.to_bytes(4)).digest() for at in range(1 << 15))
    xml = (
        b'<superblock uuid="" time="0" transaction="0" data_block_size="128" nr_data_blocks="0">\n'
    )
    (folder / "loop").symlink_to("loop")
    (folder / "empty").touch()
    (folder / "short").write_bytes(noise[:1000])
    (folder / "noise-4k").write_bytes(noise[:4096])
    (folder / "noise-1m").write_bytes(noise)
    (folder / "zeros").write_bytes(bytes(1 << 16))
    (folder / "short.xml").write_bytes(xml + b"</superblock>\n")
    (folder / "long.xml").write_bytes(xml + b" " * 9000 + b"</superblock>\n")
    (folder / "folder").mkdir()
