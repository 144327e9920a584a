"""Devices that were deleted, and what became of their blocks since."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from thinscope import _core
from thinscope.errors import (
    CorruptMetadata,
    NotThinMetadata,
    SourceChanged,
    SourceError,
    ThinscopeError,
    UnknownDevice,
    UnsupportedMetadata,
)
from thinscope.pool import Pool
from thinscope.salvaging import Salvage
from thinscope.source import Identity, named

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from thinscope._core import DeletedDevice
    from thinscope.pool import Progress
    from thinscope.source import Source
    from thinscope.survey import Survey

__all__ = ["MOST_SURVEYED", "Undelete", "Undeleted", "undelete"]

MOST_SURVEYED = 100
"""Devices that are surveyed where none was named: each takes a pass over the live mappings."""


@dataclass(frozen=True, slots=True)
class Undeleted:
    """A device that was deleted.

    Attributes:
        device: The device, with the best state that has it.
        name: What it was called, as far as records tell.
        survey: What became of its mappings; None where the live pool cannot tell, or was not asked.
        why_not: Why the live pool cannot tell, or None.
    """

    device: DeletedDevice
    name: str
    survey: Survey | None
    why_not: str | None = None


class Undelete:
    """Devices that states of a pool have and the live one has not; made with `thinscope.undelete`.

    Attributes:
        source: The source as messages name it.
        devices: The devices, by ascending id.
        live: The live pool, or None where it cannot be read.
        why_not_live: Why it cannot, or None.
        salvage: All states that were found.
        data: What free blocks were looked at in, or None.
    """

    def __init__(
        self,
        salvage: Salvage,
        live: Pool | None,
        why_not_live: str | None,
        devices: tuple[Undeleted, ...],
        data: Source | None,
    ) -> None:
        """Put together what was found; use `thinscope.undelete`."""
        self.data = data
        self.source = salvage.source
        self.salvage = salvage
        self.live = live
        self.why_not_live = why_not_live
        self.devices = devices

    def open(self, undeleted: Undeleted) -> Pool:
        """Open the state that has a deleted device, as a pool.

        Raises:
            ThinscopeError: The size of a data block is not known.
        """
        return self.salvage.open(undeleted.device)

    def __repr__(self) -> str:
        """Show the source, and how many devices there are."""
        return f"<Undelete {self.source!r}: {len(self.devices)} devices>"


def undelete(  # noqa: PLR0913 - keywords
    source: Source,
    who: int | str | Iterable[int | str] = (),
    *,
    data: Source | None = None,
    names: Iterable[str | os.PathLike[str]] = (),
    more_pvs: Iterable[Source] = (),
    data_block_sectors: int | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Undelete:
    """Find devices that were deleted, and tell what became of each of their mappings.

    Every metadata block is read, as by `thinscope.salvage`; then the live mappings, once for each
    device. What a mapping's block holds now is only as good as its grade, see `thinscope.survey`.

    Args:
        source: As `thinscope.open` takes it.
        who: Which devices, by id or name: one or several; by default all, of which the first 100
            are surveyed.
        data: The pool's data device or a raw copy of it: then it is told how many free blocks are
            all zeros. By default the data that an image has.
        names: As `thinscope.open` takes them. Records of removed volumes are of use here.
        more_pvs: As `thinscope.open` takes them.
        data_block_sectors: Sectors of 512 bytes in a data block, where no superblock tells.
        threads: As `thinscope.open` takes them.
        progress: As `thinscope.open` takes it.

    Raises:
        OSError: Source or data cannot be opened.
        SourceError: A read failed; `SourceChanged` where the pool committed meanwhile.
        NotThinMetadata: No block of the source is of a pool.
        NamesError: A manager's records cannot be read.
        UnknownDevice: No device of this id or name was deleted.
    """
    from thinscope.locate import locate  # noqa: PLC0415 - it takes the managers along

    located = locate(source, tuple(names), progress, more_pvs=tuple(more_pvs))
    plain, name = named(located.metadata)
    # Opened once: a device that is held exclusively cannot be opened so again.
    opened = _core.Extents([plain], name, identity=Identity.of(plain), progress=progress)
    core = _core.Salvage(opened, name, threads=threads, progress=progress)
    salvage = Salvage(core, name, opened, located, data_block_sectors)
    live, why = None, None
    try:
        live = Pool(
            _core.Pool(opened, name, threads=threads, progress=progress), name, opened, located
        )
        live.devices  # noqa: B018 - read now: whoever it is that is damaged
    except ThinscopeError as error:
        live, why = None, _damage(error, salvage)
    if live is not None and salvage.superblock != live.superblock:
        raise SourceChanged("the pool changed while it was read", source=name)
    data = located.data if data is None else data
    found = _Found(salvage, live, why, data)
    wanted = (who,) if isinstance(who, (int, str)) else tuple(who)
    chosen = found.chosen(wanted)
    devices = tuple(
        found.undeleted(device, label, is_surveyed=bool(wanted) or at < MOST_SURVEYED)
        for at, (device, label) in enumerate(chosen)
    )
    return Undelete(salvage, live, why, devices, data)


class _Found:
    """The deleted devices, named and surveyed one after the other."""

    def __init__(
        self, salvage: Salvage, live: Pool | None, why_not: str | None, data: Source | None
    ) -> None:
        self._salvage = salvage
        self._live = live
        self._why_not = why_not
        self._data = data
        self._then: tuple[int, Pool] | None = None

    def chosen(self, wanted: tuple[int | str, ...]) -> list[tuple[DeletedDevice, str]]:
        found = [(device, self._label(device)) for device in self._salvage.deleted]
        if not wanted:
            return found
        chosen = []
        for word in wanted:
            fit = [each for each in found if str(word) in _words(*each)]
            if not fit:
                hint = "`thinscope undelete SOURCE` lists those that were"
                message = f"no device `{word}` was deleted, as far as states are left"
                raise UnknownDevice(message, source=self._salvage.source, hint=hint, who=word)
            chosen += [each for each in fit if each not in chosen]
        return chosen

    def undeleted(self, device: DeletedDevice, label: str, *, is_surveyed: bool) -> Undeleted:
        if self._live is None or not is_surveyed:
            return Undeleted(device, label, None, self._why_not)
        then = self._pool(device)
        if then is None:
            return Undeleted(device, label, None, "the size of a data block is not known")
        try:
            survey = self._live.survey(then.devices[device.id], data=self._data)
        except ThinscopeError as error:
            # Of the live pool: a device's own tree is read around what is broken.
            return Undeleted(device, label, None, _damage(error, self._salvage))
        return Undeleted(device, label, survey)

    def _label(self, device: DeletedDevice) -> str:
        pool = self._pool(device)
        return f"device {device.id}" if pool is None else pool.objects.label(device.id)

    def _pool(self, device: DeletedDevice) -> Pool | None:
        if self._salvage.data_block_bytes is None:
            return None
        if self._then is None or self._then[0] != device.state_root:
            self._then = device.state_root, self._salvage.open(device, tolerant=not device.is_whole)
        return self._then[1]


def _damage(error: ThinscopeError, salvage: Salvage) -> str:
    """Return what is wrong with the live pool, where it is what salvage goes around as well.

    Raises:
        ThinscopeError: It is something else.
    """
    is_unreadable = type(error) is SourceError and salvage.unreadable
    if is_unreadable or isinstance(error, (CorruptMetadata, NotThinMetadata, UnsupportedMetadata)):
        return error.message
    raise error


def _words(device: DeletedDevice, label: str) -> set[str]:
    """Return what a deleted device answers to."""
    kind, _, name = label.partition(" ")
    words = {str(device.id), f"device:{device.id}", label}
    return words | {name, name.rpartition("/")[2], f"{kind}:{name}"} if name else words
