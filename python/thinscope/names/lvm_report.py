"""The thin pools in what ``lvs --reportformat json`` prints, by whatever columns there are."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from thinscope.errors import NamesError
from thinscope.names.files import json_of
from thinscope.names.ledger import moment, whole
from thinscope.names.lvm_pool import REMOVED, Pool, Volume, find_readers
from thinscope.names.model import SECTOR, Upkeep

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["begins", "pools", "size"]

ASK = (
    "lvs -a --reportformat json --units b -o vg_name,lv_name,pool_lv,thin_id,transaction_id,origin,"
    "lv_size,chunk_size,metadata_lv,thin_count,lv_attr,lv_uuid,lv_time,lv_tags"
)
"""The command whose answer has all that is read."""

_HEAD = re.compile(rb'(?:\xef\xbb\xbf)?\s*+\{\s*+"(?:report|log)"\s*+:\s*+\[')
_SIZE = re.compile(
    r"(?P<number>[0-9]{1,20})(?:[.,](?P<digits>[0-9]{1,9}))?(?P<unit>[bBsSkKmMgGtTpPeE]?)"
)
_POWERS = "KMGTPE"


class _Row(NamedTuple):
    """A line of the report: a volume."""

    group: str
    name: str
    where: str
    cells: dict[str, Any]

    def text(self, column: str) -> str | None:
        """Return what a column says; names of hidden volumes stand in brackets."""
        found = self.cells.get(column)
        return (found.strip().strip("[]") or None) if isinstance(found, str) else None

    def number(self, column: str) -> int | None:
        return whole(self.cells.get(column))


def begins(head: bytes) -> bool:
    """Whether this is the beginning of a report."""
    return _HEAD.match(head) is not None


def size(value: object) -> int | None:
    """Return bytes, from what LVM shows as a size; None where that is not told to the sector.

    Small units count in 1,024s and large ones in 1,000s, as with LVM; a number alone is bytes.
    What has digits after the point is taken only if it can be what was rounded: ``1.00g``.
    """
    found = _SIZE.fullmatch(str(value).strip()) if isinstance(value, str | int | float) else None
    if found is None or isinstance(value, bool):
        return None
    unit = found["unit"]
    if unit in "sS" and unit:
        factor = SECTOR
    elif unit in "bB":
        factor = 1
    else:
        factor = (1024 if unit.islower() else 1000) ** (_POWERS.index(unit.upper()) + 1)
    digits = found["digits"] or ""
    told, rest = divmod(int(found["number"] + digits) * factor, 10 ** len(digits))
    return whole(told) if rest == 0 and told % SECTOR == 0 else None


def pools(data: bytes, path: Path) -> list[Pool]:
    """Return the thin pools that a report lists.

    Raises:
        NamesError: It is no report, or lacks the columns that say which volume is which device.
    """
    rows = _rows(json_of(data, path), path)
    listed = {(row.group, row.name): row for row in rows}
    found: dict[tuple[str, str], Pool] = {}
    for row in rows:
        if _is_pool(row):
            found[row.group, row.name] = _pool(row)
    for row in listed.values():
        device, of = row.cells.get("thin_id"), row.text("pool_lv")
        if device in ("", None) or of is None:
            continue
        pool = found.get((row.group, of))
        if pool is None:
            pool = Pool(group=row.group, name=of, is_complete=False)
            found[row.group, of] = pool
        pool.volumes.append(_volume(row, of, listed))
    for pool in found.values():
        _inherit(pool)
    find_readers(found.values())
    for key, pool in found.items():
        count = listed[key].number("thin_count") if key in listed else None
        if count is not None and count != len(pool.volumes):
            pool.is_complete = False
    return list(found.values())


def _rows(parsed: object, path: Path) -> list[_Row]:
    report = parsed.get("report") if isinstance(parsed, dict) else None
    parts = report if isinstance(report, list) else []
    lists = [part["lv"] for part in parts if isinstance(part, dict) and "lv" in part]
    cells = [row for rows in lists if isinstance(rows, list) for row in rows]
    if not all(isinstance(row, dict) for row in cells) or not lists:
        raise NamesError("no report of lvs", source=str(path), hint=ASK)
    needed = ("lv_name", "pool_lv", "thin_id")
    missing = [column for column in needed if not any(column in row for row in cells)]
    if not any("vg_name" in row or "lv_full_name" in row for row in cells):
        missing.append("vg_name")
    if cells and missing:
        message = f"the report has no column {' and no '.join(missing)}"
        raise NamesError(message, source=str(path), hint=ASK)
    return [_row(number, row) for number, row in enumerate(cells, 1)]


def _row(number: int, cells: dict[str, Any]) -> _Row:
    row = _Row("", "", f"volume {number}", cells)
    full, _, _ = (row.text("lv_full_name") or "").partition("/")
    name = row.text("lv_name") or ""
    group = row.text("vg_name") or full
    return _Row(group, name, f"{group}/{name}", cells)


def _is_pool(row: _Row) -> bool:
    kind = (row.text("segtype") or "").partition("+")[0]
    return kind == "thin-pool" or (row.text("lv_attr") or "").startswith("t")


def _pool(row: _Row) -> Pool:
    return Pool(
        group=row.group,
        name=row.name,
        transaction_id=row.number("transaction_id"),
        block_bytes=size(row.cells.get("chunk_size")) or None,
        metadata=row.text("metadata_lv"),
        upkeep=Upkeep(
            profile=row.text("lv_profile") or "",
            extent_bytes=size(row.cells.get("vg_extent_size")) or None,
            free_extents=row.number("vg_free_count"),
            is_full_an_error={"error": True, "queue": False}.get(row.text("lv_when_full") or ""),
        ),
    )


def _volume(row: _Row, pool: str, listed: dict[tuple[str, str], _Row]) -> Volume:
    volume = Volume(
        name=row.name,
        device=row.cells["thin_id"],
        where=row.where,
        uuid=row.text("lv_uuid") or "",
        transaction_id=row.number("transaction_id"),
        virtual_bytes=size(row.cells.get("lv_size")),
        created=_time(row.cells.get("lv_time")),
        tags=_tags(row.cells.get("lv_tags")),
    )
    origin = row.text("origin")
    if origin is None:
        _take_history(volume, row)
        return volume
    there = listed.get((row.group, origin))
    if there is None:  # the column does not tell an origin from an external one
        volume.labels["origin"] = f"{row.group}/{origin}"
    elif there.text("pool_lv") == pool and there.cells.get("thin_id") not in ("", None):
        volume.origin = origin
    else:
        volume.external = origin
    if (row.text("lv_attr") or "").startswith("S"):
        volume.merging_into = origin
    return volume


def _take_history(volume: Volume, row: _Row) -> None:
    """Take the ancestors of a volume whose origin was removed, where LVM keeps a history.

    ``-c,-b,a`` if ``lvs`` was asked for the history as well (``-H``), else ``a``.
    """
    ancestors = list(filter(None, (row.text("lv_full_ancestors") or "").split(",")))
    if ancestors and ancestors[0].startswith(REMOVED):
        volume.labels["removed origin"] = ancestors[0].removeprefix(REMOVED)
    volume.origin = next((name for name in ancestors if not name.startswith(REMOVED)), None)


def _inherit(pool: Pool) -> None:
    """Give snapshots the external origin of their origin: the column `origin` has room for one."""
    volumes = {volume.name: volume for volume in pool.volumes}
    told: dict[str, str | None] = {}
    for volume in pool.volumes:
        below: list[Volume] = []
        at: Volume | None = volume
        while at is not None and at.name not in told:
            told[at.name] = at.external
            below.append(at)
            at = None if at.external else volumes.get(at.origin or "")
        external = told[at.name] if at is not None else below[-1].external if below else None
        for each in below:
            each.external = told[each.name] = each.external or external


def _tags(value: object) -> tuple[str, ...]:
    words = value.split(",") if isinstance(value, str) else value
    return tuple(str(word) for word in words if word) if isinstance(words, list) else ()


def _time(value: object) -> datetime | None:
    if not isinstance(value, str):
        return moment(value)
    try:
        return datetime.strptime(value.strip(), "%Y-%m-%d %H:%M:%S %z").astimezone(UTC)
    except (ValueError, OverflowError):
        return None  # report/time_format was set to something else
