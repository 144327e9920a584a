"""The thin pools of a volume group, from LVM's text."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from thinscope.names.ledger import moment, shown, whole
from thinscope.names.lvm_pool import REMOVED, Pool, Volume, find_readers
from thinscope.names.model import SECTOR, Unread, Upkeep

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thinscope.formats.lvm_text import Section

__all__ = ["pools"]


class _Segment(NamedTuple):
    """A segment of a volume, with the volume's own section."""

    volume: str
    section: Section
    where: str
    kind: str
    values: Section


def pools(parsed: Section, file: str = "") -> list[Pool]:
    """Return the thin pools of the volume groups in a text.

    Args:
        parsed: The text.
        file: Its file, if several are read.
    """
    prefix = f"{file}: " if file else ""
    groups = [(name, group) for name, group in parsed.items() if isinstance(group, dict)]
    return [pool for name, group in groups for pool in _pools(name, group, prefix)]


def _pools(name: str, group: Section, prefix: str) -> list[Pool]:
    segments = list(_segments(group, prefix))
    found: dict[str, Pool] = {}
    free = _free_extents(group, segments)
    for segment in segments:
        if segment.kind == "thin-pool" and segment.volume not in found:
            found[segment.volume] = _pool(name, segment, group, free)
    extent = _number(group, "extent_size")
    past = _past(group)
    for segment in segments:
        if segment.kind != "thin":
            continue
        pool_name = _text(segment.values, "thin_pool") or ""
        pool = found.get(pool_name)
        if pool is None:  # of a pool that the text does not have
            pool = found.setdefault(pool_name, Pool(group=name, name=pool_name))
            why = f"there is no pool {shown(pool_name)} in volume group {shown(name)}"
            pool.unread.append(Unread(where=segment.where, why=why))
        pool.volumes.append(_volume(segment, extent, past))
    for pool in found.values():
        _check_origins(pool)
    volumes = {key: {volume.name: volume for volume in pool.volumes} for key, pool in found.items()}
    for segment in segments:
        if segment.kind == "thin-pool":
            _take_messages(found[segment.volume], volumes[segment.volume], segment)
    find_readers(found.values())
    return list(found.values())


def _segments(group: Section, prefix: str) -> Iterator[_Segment]:
    for volume, section in _section(group, "logical_volumes").items():
        if not isinstance(section, dict):
            continue
        for key, values in section.items():
            if isinstance(values, dict) and key.startswith("segment"):
                # flags that old versions of LVM must not overlook are appended: thin-pool+CROP_METADATA
                kind = (_text(values, "type") or "").partition("+")[0]
                yield _Segment(volume, section, f"{prefix}{volume}/{key}", kind, values)


def _pool(name: str, segment: _Segment, group: Section, free: int | None) -> Pool:
    chunk = _number(segment.values, "chunk_size")
    return Pool(
        group=name,
        name=segment.volume,
        transaction_id=_number(segment.values, "transaction_id"),
        block_bytes=chunk * SECTOR if chunk else None,
        metadata=_text(segment.values, "metadata"),
        upkeep=_upkeep(segment.section, group, free),
    )


def _upkeep(pool: Section, group: Section, free: int | None) -> Upkeep:
    extent = _number(group, "extent_size")
    flags = pool.get("flags")
    return Upkeep(
        profile=_text(pool, "profile") or _text(group, "profile") or "",
        extent_bytes=extent * SECTOR if extent else None,
        free_extents=free,
        is_full_an_error=isinstance(flags, list) and "ERROR_WHEN_FULL" in flags,
    )


def _free_extents(group: Section, segments: list[_Segment]) -> int | None:
    """Return the extents that the physical volumes could still give out."""
    used: dict[str, int] = {}
    for segment in segments:
        extents = _number(segment.values, "extent_count") or 0
        for key in ("stripes", "mirrors"):
            areas = segment.values.get(key)
            names = areas[::2] if isinstance(areas, list) else []
            taken = extents // len(names) if names and key == "stripes" else extents
            for name in names:
                used[str(name)] = used.get(str(name), 0) + taken
    free = 0
    for name, volume in _section(group, "physical_volumes").items():
        count = _number(volume, "pe_count") if isinstance(volume, dict) else None
        if count is None or not isinstance(volume, dict):
            return None
        status, flags = volume.get("status"), volume.get("flags")
        can_be_used = isinstance(status, list) and "ALLOCATABLE" in status
        if can_be_used and not (isinstance(flags, list) and "MISSING" in flags):
            free += max(0, count - used.get(name, 0))
    return free


def _volume(
    segment: _Segment, extent: int | None, past: dict[str, tuple[str, str | None]]
) -> Volume:
    values, section = segment.values, segment.section
    extents = _number(values, "extent_count")
    origin = _text(values, "origin")
    tags = section.get("tags")
    volume = Volume(
        name=segment.volume,
        device=values.get("device_id"),
        where=segment.where,
        uuid=_text(section, "id") or "",
        transaction_id=_number(values, "transaction_id"),
        virtual_bytes=whole(extents * extent * SECTOR) if extents and extent else None,
        origin=origin,
        external=_text(values, "external_origin"),
        merging_into=_text(values, "merge"),
        created=moment(section.get("creation_time")),
        tags=tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else (),
    )
    if origin is None and segment.volume in past:
        removed, volume.origin = past[segment.volume]
        volume.labels["removed origin"] = removed
    return volume


def _check_origins(pool: Pool) -> None:
    names = {volume.name for volume in pool.volumes}
    for volume in pool.volumes:
        if volume.origin is not None and volume.origin not in names:
            why = f"its origin {shown(volume.origin)} is no volume of the pool"
            pool.unread.append(Unread(where=volume.where, why=why))
            volume.origin = None


def _take_messages(pool: Pool, volumes: dict[str, Volume], segment: _Segment) -> None:
    """Take what the pool is to be told when it is next activated."""
    for key, message in segment.values.items():
        if not isinstance(message, dict):
            continue
        where = f"{segment.where}/{key}"
        pool.is_pending = True
        made = volumes.get(_text(message, "create") or "")
        if made is not None:
            made.is_queued = True
        elif "create" in message:
            why = f"{shown(message['create'])}, which is to be made, is no volume of the pool"
            pool.unread.append(Unread(where=where, why=why))
        elif "delete" in message:
            pool.deletions.append((message["delete"], where))
        else:
            pool.unread.append(Unread(where=where, why="a message that is not known"))


def _past(group: Section) -> dict[str, tuple[str, str | None]]:
    """Return for volumes whose origin was removed its name, and the next living ancestor."""
    history = _section(group, "historical_logical_volumes")
    found: dict[str, tuple[str, str | None]] = {}
    known: dict[str, str | None] = {}
    for name, section in history.items():
        if not isinstance(section, dict):
            continue
        descendants = section.get("descendants")
        living = _living(name, history, known)
        for descendant in descendants if isinstance(descendants, list) else ():
            found.setdefault(str(descendant), (name, living))
    return found


def _living(name: str, history: Section, known: dict[str, str | None]) -> str | None:
    """Return the next living ancestor of a removed volume, also of each on the way there."""
    way: list[str] = []
    while name not in known:
        way.append(name)
        known[name] = None  # that of what leads back to itself
        origin = _text(_section(history, name), "origin")
        if origin is None or not origin.startswith(REMOVED):
            known[name] = origin
            break
        name = origin.removeprefix(REMOVED)
    living = known[name]
    known.update(dict.fromkeys(way, living))
    return living


def _section(section: Section, key: str) -> Section:
    found = section.get(key)
    return found if isinstance(found, dict) else {}


def _number(section: Section, key: str) -> int | None:
    found = section.get(key)
    return None if isinstance(found, str) else whole(found)


def _text(section: Section, key: str) -> str | None:
    found = section.get(key)
    return found if isinstance(found, str) else None
