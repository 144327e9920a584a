"""A pool looked over: what needs attention, what it means, and the next safe step."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import thinscope.pool
from thinscope.diagnosis import damage
from thinscope.diagnosis.advice import Advice, Severity
from thinscope.diagnosis.place import Place
from thinscope.diagnosis.steps import Step, avoid, next_step
from thinscope.errors import CorruptMetadata, NotThinMetadata, SourceError
from thinscope.source import named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from thinscope import Pool
    from thinscope.diagnosis.damage import Check
    from thinscope.names import Names
    from thinscope.pool import Progress
    from thinscope.source import Source

__all__ = ["Advice", "Diagnosis", "Severity", "Step", "diagnose", "doctor"]

_LENGTH = "metadata space map's nr_blocks"
"""The field of the superblock that tells that the source is too short."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What a doctor has to say of a pool.

    Attributes:
        pool: The pool, or None where it cannot be opened.
        names: What managers have on record of it.
        advice: Everything that was looked at, the most urgent first.
        next_step: The one thing to do next, or None where nothing is to be done.
        avoid: What not to do, each as a sentence without a full stop.
    """

    pool: Pool | None
    names: tuple[Names, ...]
    advice: tuple[Advice, ...]
    next_step: Step | None
    avoid: tuple[str, ...]

    @property
    def needs_attention(self) -> bool:
        """Whether anything should be seen to."""
        return any(each.severity is Severity.ATTENTION for each in self.advice)


def doctor(  # noqa: PLR0913 - keywords
    source: Source,
    *,
    names: Iterable[str | os.PathLike[str]] = (),
    more_pvs: Iterable[Source] = (),
    metadata_snapshot: bool = False,
    lvm_conf: str | os.PathLike[str] | None = None,
    autoextend_threshold: int | None = None,
    autoextend_percent: int | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Diagnosis:
    """Look a pool over: room, growth, damage, transactions, limits, leaks, orphans.

    Nothing is written. A source that is damaged is looked at as far as it can be read; where the
    superblock is gone, there is only advice.

    Args:
        source: As `thinscope.open` takes it.
        names: As `thinscope.open` takes it.
        more_pvs: As `thinscope.open` takes it.
        metadata_snapshot: As `thinscope.open` takes it.
        lvm_conf: LVM's settings: ``/etc/lvm``, ``lvm.conf``, or a profile. Where names come from
            ``/etc/lvm`` or a file in it, they are read from there.
        autoextend_threshold: LVM's ``thin_pool_autoextend_threshold``, in per cent, in place of the
            settings; 100 is never.
        autoextend_percent: LVM's ``thin_pool_autoextend_percent``, likewise.
        threads: As `thinscope.open` takes it.
        progress: As `thinscope.open` takes it.

    Returns:
        What there is to say. Its pool stays open.

    Raises:
        OSError: The source cannot be opened; `SourceError` where another program holds it, or where it
            changed meanwhile.
        NotThinMetadata: The source holds something else, and nowhere a pool's metadata.
        NamesError: Records or settings cannot be read, or are of another pool.
        UnsupportedMetadata: A version or feature that is not known.
        ValueError: A percentage that cannot be.
    """
    _check("autoextend_threshold", autoextend_threshold, 100)
    _check("autoextend_percent", autoextend_percent, 1 << 20)
    paths, more = tuple(names), tuple(more_pvs)

    def settle(place: Place) -> Place:
        place = replace(place, more_pvs=tuple(named(each)[1] for each in more))
        return _settled(place, lvm_conf, autoextend_threshold, autoextend_percent)

    try:
        pool = thinscope.open(
            source,
            names=paths,
            more_pvs=more,
            metadata_snapshot=metadata_snapshot,
            threads=threads,
            progress=progress,
        )
    except CorruptMetadata as error:
        return _unopened(source, paths, error.message, settle, is_short=error.field == _LENGTH)
    except NotThinMetadata as error:
        # A check looks for metadata behind a first block that is none; where there is none, it raises.
        thinscope.check(source, names=paths, more_pvs=more, depth="superblock", progress=progress)
        return _unopened(source, paths, error.message, settle)
    except SourceError as error:
        if type(error) is not SourceError or error.block != 0:
            raise
        return _unopened(source, paths, error.message, settle)
    try:
        check = thinscope.check(
            source,
            names=paths,
            more_pvs=more,
            metadata_snapshot=metadata_snapshot,
            threads=threads,
            progress=progress,
        )
        return diagnose(pool, source, paths, check, settle)
    except BaseException:
        pool.close()
        raise


def diagnose(
    pool: Pool,
    source: Source,
    paths: Iterable[str | os.PathLike[str]] = (),
    check: Check | None = None,
    settle: Callable[[Place], Place] = lambda place: place,
) -> Diagnosis:
    """Look over a pool that is open.

    Args:
        pool: The pool.
        source: What it was opened from.
        paths: Where its names were taken from.
        check: What a check found, or None where there was none.
        settle: Puts in what else is known of how the pool is run.
    """
    from thinscope.diagnosis.examine import examine, records  # noqa: PLC0415 - with all the rules

    found = records(pool)
    place = settle(Place.of(source, pool.source, tuple(paths), found))
    told = examine(pool, found, place, check)
    step, wrong = next_step(told, place), tuple(avoid(told, place))
    return Diagnosis(pool, found, tuple(told), step, wrong)


def _unopened(
    source: Source,
    paths: tuple[str | os.PathLike[str], ...],
    message: str,
    settle: Callable[[Place], Place],
    *,
    is_short: bool = False,
) -> Diagnosis:
    from thinscope.locate import wanted  # noqa: PLC0415 - most pools can be opened

    found = [wanted(path).found for path in paths]
    names = tuple(each[0] for each in found if len(each) == 1)
    place = settle(Place.of(source, named(source)[1], paths, names))
    why = message.removeprefix("not thin metadata: ").removeprefix("corrupt metadata: ")
    told = (damage.truncated(why, place) if is_short else damage.unopened(why, place),)
    return Diagnosis(None, names, told, next_step(told, place), tuple(avoid(told, place)))


def _settled(
    place: Place,
    lvm_conf: str | os.PathLike[str] | None,
    threshold: int | None,
    percent: int | None,
) -> Place:
    upkeep = place.upkeep
    if lvm_conf is None and threshold is None and percent is None:
        return place
    from thinscope.names import lvm_settings  # noqa: PLC0415 - takes the grammar of LVM's text

    if lvm_conf is not None:
        path = Path(os.fsdecode(lvm_conf))
        upkeep = lvm_settings.read(path, upkeep.profile).put_into(upkeep)
    if threshold is not None:
        upkeep = replace(upkeep, threshold=threshold, settings="as given")
    if percent is not None:
        upkeep = replace(upkeep, percent=percent)
    if upkeep.threshold is not None and upkeep.percent is None:
        upkeep = replace(upkeep, percent=lvm_settings.PERCENT)
    return replace(place, upkeep=upkeep)


def _check(name: str, value: int | None, most: int) -> None:
    if value is not None and not 1 <= value <= most:
        raise ValueError(f"{name} is {value}, and goes from 1 to {most} per cent")
