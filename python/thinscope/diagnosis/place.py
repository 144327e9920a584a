"""Where a pool is, for commands that are about it: its names to thinscope, LVM and the device mapper."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

from thinscope.captured import is_captured
from thinscope.names.model import Upkeep
from thinscope.source import Identity, named

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from thinscope.names import Names
    from thinscope.source import Source

__all__ = ["Place"]

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Place:
    """What a pool is called.

    Attributes:
        source: The source, as it was named.
        names: Where names are taken from, as it was written.
        is_copy: Whether the source is a copy: a file, and none that a manager keeps the pool in.
        managers: Whose records there are.
        volume: LVM's name of the pool, ``vg/pool``, or an empty string.
        dm_pool: The device mapper's name of the pool, or an empty string.
        upkeep: How the pool is run, and how it can grow, by all the records.
        folder: The manager's folder that was given as the source, which brings names along, or an
            empty string.
        more_pvs: Further physical volumes, as they were named.
    """

    source: str
    names: tuple[str, ...] = ()
    is_copy: bool = True
    managers: tuple[str, ...] = ()
    volume: str = ""
    dm_pool: str = ""
    upkeep: Upkeep = field(default_factory=Upkeep)
    folder: str = ""
    more_pvs: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        source: Source,
        name: str,
        paths: Sequence[str | os.PathLike[str]],
        records: Sequence[Names],
    ) -> Self:
        """Put together what records say.

        Args:
            source: The source.
            name: What messages call it.
            paths: Where names are taken from.
            records: What each manager has on record of the pool.
        """
        return cls(
            source=name,
            names=tuple(map(os.fsdecode, paths)),
            is_copy=_is_copy(source, records),
            managers=tuple(dict.fromkeys(each.manager for each in records)),
            volume=next((each.pool for each in records if each.manager == "lvm"), ""),
            dm_pool=next((each.dm_pool for each in records if each.dm_pool), ""),
            upkeep=_joined([each.upkeep for each in records]),
            folder=named(source)[1] if _is_folder(source) else "",
        )

    @property
    def is_of_lvm(self) -> bool:
        """Whether LVM has the pool."""
        return bool(self.volume)

    @property
    def group(self) -> str:
        """LVM's volume group, or an empty string."""
        return self.volume.partition("/")[0]

    @property
    def is_of_docker(self) -> bool:
        """Whether a manager fills the pool that refuses to work where little is free."""
        return not {"docker", "containers-storage"}.isdisjoint(self.managers)

    @property
    def metadata_device(self) -> str:
        """The path of the pool's metadata device, or a word that stands for it."""
        return self.upkeep.metadata_device or ("METADATA_DEVICE" if self.is_copy else self.source)

    def thinscope(self, command: str, *words: str) -> tuple[str, ...]:
        """Return a command of thinscope about the source, with its names."""
        more = [word for path in self.more_pvs for word in ("--pv", path)]
        more += [word for path in self.names for word in ("--names", path)]
        return ("thinscope", command, self.folder or self.source, *words, *more)

    def message(self, *words: str) -> tuple[str, ...]:
        """Return a message to the pool."""
        return ("dmsetup", "message", self.dm_pool or "POOL", "0", *words)


def _is_folder(source: Source) -> bool:
    return isinstance(source, (str, os.PathLike)) and Path(source).is_dir()


def _is_copy(source: Source, records: Sequence[Names]) -> bool:
    if not isinstance(source, (str, os.PathLike)):
        return True
    if is_captured(source):
        return True
    here = Identity.of(source)
    if here is None or here.is_device or Path(source).is_dir():
        return False
    return all(each.metadata is None or Identity.of(each.metadata) != here for each in records)


def _joined(told: Sequence[Upkeep]) -> Upkeep:
    """Return what several records tell, each before those that follow."""
    settings = next((each for each in told if each.threshold is not None), Upkeep())
    return Upkeep(
        metadata_device=next((each.metadata_device for each in told if each.metadata_device), ""),
        profile=next((each.profile for each in told if each.profile), ""),
        extent_bytes=_first(each.extent_bytes for each in told),
        free_extents=_first(each.free_extents for each in told),
        threshold=settings.threshold,
        percent=settings.percent,
        settings=settings.settings,
        settings_unread=next((each.settings_unread for each in told if each.settings_unread), ""),
        is_full_an_error=_first(each.is_full_an_error for each in told),
        low_water_blocks=_first(each.low_water_blocks for each in told),
    )


def _first(values: Iterable[_Value | None]) -> _Value | None:
    return next((value for value in values if value is not None), None)
