"""What the superblock asks for, what is held, what nobody has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thinscope.diagnosis.advice import Severity, Topic, advice
from thinscope.report.units import plural, size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from thinscope import SpaceUsage, Superblock
    from thinscope._core import Totals
    from thinscope.diagnosis.advice import Advice
    from thinscope.diagnosis.place import Place
    from thinscope.names import Names
    from thinscope.orphans import Orphan

__all__ = [
    "held_metadata_snapshot",
    "leaks",
    "needs_check",
    "orphans",
    "unknown_features",
    "unread",
]

_MUCH = 10
"""A metadata snapshot that keeps one in so many blocks of the data device keeps much."""


def needs_check(live: Superblock, place: Place) -> Iterator[Advice]:
    """Tell whether the kernel asks for a check, and how the check is made."""
    if not live.needs_check:
        yield advice(
            Severity.FINE, Topic.NEEDS_CHECK, "no-check-needed", "the kernel asks for no check"
        )
        return
    if place.is_of_lvm:
        how = "LVM runs thin_check when it activates the pool, and stops if that finds damage"
        commands: tuple[tuple[str, ...], ...] = (
            ("lvchange", "-an", place.volume),
            ("lvchange", "-ay", place.volume),
        )
    else:
        how = "With no pool on it: where thin_check finds nothing, it can clear the flag"
        commands = (
            ("thin_check", place.metadata_device),
            ("thin_check", "--clear-needs-check-flag", place.metadata_device),
        )
    yield advice(
        Severity.ATTENTION,
        Topic.NEEDS_CHECK,
        "needs-check",
        "the kernel set needs_check: writing metadata failed, and it asks for a check",
        "the pool is read-only, or failed (`dmsetup status`: ro, Fail): what was committed can be "
        "read, what came after it is lost. Look for the cause, such as a failing disk or full "
        f"metadata. {how}",
        *commands,
        flags=live.flags,
    )


def unknown_features(live: Superblock) -> Iterator[Advice]:
    """Tell of features that may be ignored when reading."""
    if live.compat_ro_flags:
        yield advice(
            Severity.ATTENTION,
            Topic.DAMAGE,
            "unknown-features",
            f"features that are not known here: compat_ro_flags is {live.compat_ro_flags:#x}",
            "figures may miss what these features add; look for a newer thinscope",
            compat_ro_flags=live.compat_ro_flags,
        )


def held_metadata_snapshot(
    live: Superblock, totals: Totals | None, data: SpaceUsage, place: Place, *, is_needed: bool
) -> Iterator[Advice]:
    """Tell of a held metadata snapshot, and what it alone keeps.

    Args:
        live: The superblock of the live pool.
        totals: Who holds the blocks, or None where it is not known.
        data: The data device.
        place: What the pool is called.
        is_needed: Whether the data device is nearly full: then all that it keeps is too much.
    """
    if live.metadata_snapshot is None:
        yield advice(
            Severity.FINE,
            Topic.METADATA_SNAPSHOT,
            "no-metadata-snapshot",
            "no metadata snapshot is held",
        )
        return
    only = totals.only_metadata_snapshot_blocks if totals else 0
    kept = "it keeps no data block that devices do not reach as well"
    if totals is None:
        kept = "what it alone keeps is not known"
    elif only:
        blocks = plural(only, "data block")
        kept = f"it keeps {blocks} ({size(only * data.block_bytes)}) that no device reaches"
    is_much = bool(only) and (is_needed or only * _MUCH >= data.total)
    yield advice(
        Severity.ATTENTION if is_much else Severity.NOTE,
        Topic.METADATA_SNAPSHOT,
        "metadata-snapshot",
        f"a metadata snapshot is held; {kept}",
        "a program that reads the pool holds one for a moment; one that stays was forgotten, and "
        "keeps more and more. If nothing reads it, release it",
        place.message("release_metadata_snap"),
        block=live.metadata_snapshot,
        blocks=only,
        bytes=only * data.block_bytes,
    )


def leaks(totals: Totals, block_bytes: int, place: Place) -> Iterator[Advice]:
    """Tell of blocks whose counts are wrong."""
    if missing := totals.missing_count_blocks:
        yield advice(
            Severity.ATTENTION,
            Topic.DAMAGE,
            "missing-count",
            f"{plural(missing, 'data block')} ({size(missing * block_bytes)}) reached, but counted "
            "as free",
            "the kernel may give them to another device, which then writes over them: stop using "
            "the pool, and have its space maps rebuilt (thin_repair, `lvconvert --repair`)",
            place.thinscope("check"),
            blocks=missing,
            bytes=missing * block_bytes,
        )
    if leaked := totals.leaked_blocks:
        yield advice(
            Severity.ATTENTION,
            Topic.LEAKS,
            "leaked",
            f"{plural(leaked, 'data block')} ({size(leaked * block_bytes)}) in use that nothing "
            "reaches: leaked or in flight",
            "it harms nothing but space, and there is no hurry: a few are normal after a crash, or "
            "of a pool that was in use when it was read. A repair gives them back",
            place.thinscope("check"),
            blocks=leaked,
            bytes=leaked * block_bytes,
        )
    if totals.used_blocks is not None and not missing and not totals.leaked_blocks:
        yield advice(Severity.FINE, Topic.LEAKS, "no-leaks", "every block in use has its holder")


def orphans(found: Sequence[Orphan], place: Place) -> Iterator[Advice]:
    """Tell of orphans."""
    if not found:
        if place.managers:
            yield advice(Severity.FINE, Topic.ORPHANS, "no-orphans", "no orphans")
        return
    in_pool = sum(orphan.is_in_pool for orphan in found)
    records = len(found) - in_pool
    parts = (
        f"{plural(in_pool, 'device')} that no object on record has" if in_pool else "",
        f"{plural(records, 'record')} without a device" if records else "",
    )
    yield advice(
        Severity.NOTE,
        Topic.ORPHANS,
        "orphans",
        f"orphans: {', '.join(filter(None, parts))}",
        "what was left behind keeps its space; the command names them, with how sure that is. "
        "Delete none before the rest of this page is in order",
        place.thinscope("orphans"),
        devices=in_pool,
        records=records,
    )


def unread(names: Names) -> Iterator[Advice]:
    """Tell of records that could not be read."""
    if names.unread:
        first = names.unread[0]
        yield advice(
            Severity.NOTE,
            Topic.NAMES,
            "names-not-read",
            f"{plural(len(names.unread), 'record')} of {names.manager} could not be read; "
            f"the first: {first.where}: {first.why}",
            "some devices may lack their names",
            records=len(names.unread),
        )
