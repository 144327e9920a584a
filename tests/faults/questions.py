"""Every question that reads a pool, as a function of the source: its whole answer as text."""

from __future__ import annotations

import io
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import thinscope
from thinscope.report.check import Check
from thinscope.report.devices import Devices
from thinscope.report.doctor import Doctor
from thinscope.report.fragmentation import Fragmentation
from thinscope.report.mappings import Mappings
from thinscope.report.overview import Overview
from thinscope.report.owners import Owners
from thinscope.report.reclaim import Reclaim
from thinscope.report.render import Page, render
from thinscope.report.salvage import Salvage
from thinscope.report.sharing import Sharing
from thinscope.report.undelete import Undelete

if TYPE_CHECKING:
    from collections.abc import Callable

    from thinscope import Pool
    from thinscope.report.gaps import Gaps
    from thinscope.report.render import Report

__all__ = ["ALL", "AROUND", "STRICT"]

SPACES: tuple[Literal["data", "metadata"], ...] = ("data", "metadata")

DATA = bytes(range(256)) * 64
"""What the beginning of the data device holds; the rest is zeros."""


def told(report: Report, gaps: Gaps | None = None) -> str:
    return "".join(render(report, "json", Page(), gaps))


def dump(pool: Pool) -> str:
    written = io.BytesIO()
    pool.dump(written)
    return written.getvalue().decode()


def export(pool: Pool) -> str:
    """The content of the first device, of data that ends with its last block."""
    data = io.BytesIO(DATA.ljust(pool.data_space.total * pool.superblock.data_block_bytes, b"\1"))
    written = io.BytesIO()
    exported = pool.devices[min(pool.devices)].export(written, data, inconsistent=True)
    return f"{exported} {exported.sha256}"


def delta(pool: Pool) -> str:
    first, *_, last = pool.devices.values()
    return "\n".join(map(repr, first.delta(last, same=True)))


def lookups(pool: Pool) -> str:
    found = []
    for device in [*pool.devices.values()][-2:]:
        found += [device, device.highest_block, *map(device.lookup, range(0, 40, 5))]
    return repr(found)


def counts(pool: Pool) -> str:
    return repr((pool.recount(), *map(list, map(pool.reference_counts, SPACES))))


def plan(pool: Pool) -> str:
    return repr(pool.sharing().plan(free="1MiB"))


def capture(source: io.BytesIO) -> str:
    written = io.BytesIO()
    captured = thinscope.capture(source, written)
    again = thinscope.salvage(written.getvalue()) if captured.error else None
    text = "" if again else dump(thinscope.open(written.getvalue()))
    return f"{captured.sha256} {captured.unreadable} {text}"


OF_POOLS: dict[str, Callable[[Pool], str]] = {
    "open": lambda pool: repr((pool.superblock, pool.live_superblock, pool.metadata_space)),
    "overview": lambda pool: told(Overview.of(pool, "pool")),
    "devices": lambda pool: told(Devices.of(pool, "pool", tree=True)),
    "sharing": lambda pool: told(Sharing.of(pool, "pool", groups=9, with_matrix=True)),
    "reclaim": lambda pool: told(Reclaim.of(pool, "pool", ["*"])),
    "plan": plan,
    "mappings": lambda pool: told(Mappings.of(pool, "pool")),
    "owners": lambda pool: told(Owners.of(pool, "pool", blocks=[(0, 500)])),
    "delta": delta,
    "fragmentation": lambda pool: told(
        Fragmentation.of(pool, "pool", who=(), free_extents=9, picture=True)
    ),
    "dump": dump,
    "export": export,
    "look-ups": lookups,
}


def of_pool(ask: Callable[[Pool], str], source: io.BytesIO, **options: Any) -> str:
    with thinscope.open(source, **options) as pool:
        return ask(pool)


STRICT: dict[str, Callable[[io.BytesIO], str]] = {
    **{name: partial(of_pool, ask) for name, ask in OF_POOLS.items()},
    **{
        f"{name} of the metadata snapshot": partial(of_pool, OF_POOLS[name], metadata_snapshot=True)
        for name in ("overview", "mappings", "owners", "dump")
    },
    "reference counts": partial(of_pool, counts),
    "block": lambda source: repr(thinscope.read_block(source, 3)),
}
"""Questions that one unreadable block leaves without an answer."""

AROUND: dict[str, Callable[[io.BytesIO], str]] = {
    "check": lambda source: told(
        Check.of(thinscope.check(source), "pool", is_metadata_snapshot=False)
    ),
    "doctor": lambda source: told(Doctor.of(thinscope.doctor(source), "pool")),
    "salvage": lambda source: told(Salvage.of(thinscope.salvage(source), "pool", most=None)),
    "undelete": lambda source: told(
        Undelete.of(thinscope.undelete(source), "pool", None, runs=True)
    ),
    "capture": capture,
}
"""Questions that answer as far as blocks can be read."""

ALL = {**STRICT, **AROUND}
