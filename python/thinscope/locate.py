"""From what a person calls a pool to its metadata and its names.

A manager's folder can be the source: the names are read from it, and the metadata where the
manager keeps it in a file. So can a capture, which holds both, and a disk image with LVM's
physical volumes, which holds the data as well.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeGuard

from thinscope import _core
from thinscope.errors import NamesError
from thinscope.source import named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from thinscope.disk_image import DiskImage, Request
    from thinscope.names import Names
    from thinscope.source import Source

__all__ = [
    "Located",
    "Wanted",
    "disk_image",
    "is_image",
    "is_named_pool",
    "locate",
    "wanted",
]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Records to take names from.

    Attributes:
        found: The records, one for each pool that they are about.
        pool: What the manager calls the pool that is meant, or None if it was not said.
    """

    found: tuple[Names, ...]
    pool: str | None


@dataclass(frozen=True, slots=True)
class Located:
    """Where a pool is.

    Attributes:
        metadata: What its metadata is read from.
        names: Where its names are.
        is_metadata_snapshot: Whether it can only be read as the metadata snapshot holds it.
        data: What its data is read from, or None where the source does not tell.
        why_no_data: Why a source that should tell does not, or None.
        volumes: Other volumes that can be read, by name: external origins are some of them.
    """

    metadata: Source
    names: tuple[Wanted, ...]
    is_metadata_snapshot: bool = False
    data: Source | None = None
    why_no_data: str | None = None
    volumes: Mapping[str, Source] = field(default_factory=dict)


def _is_located(source: Source) -> bool:
    """Whether metadata must be looked for in a source: a folder, a capture, a disk."""
    if _is_folder(source):
        return True
    if _begins_as_metadata(source):
        return False
    # Imported here, as managers and images are below: most sources are the metadata itself.
    from thinscope import captured  # noqa: PLC0415

    return captured.is_captured(source) or _disk(source) is not None


def is_image(source: Source) -> bool:
    """Whether a source is a physical volume or a disk, or names a pool on one."""
    return _disk(source) is not None


def is_named_pool(source: Source) -> bool:
    """Whether a source names a pool on a disk: ``PATH:GROUP/POOL``."""
    found = _disk(source) if isinstance(source, (str, os.PathLike)) else None
    return found is not None and bool(found[1])


def locate(
    source: Source,
    names: Iterable[str | os.PathLike[str]],
    progress: Callable[[str, int, int], object] | None = None,
    *,
    more_pvs: Iterable[Source] = (),
    metadata_snapshot: bool = False,
) -> Located:
    """Find metadata and names.

    Args:
        source: The metadata, the folder of a manager that keeps it in a file, a capture, or a
            physical volume of LVM or an image with one; ``PATH:GROUP/POOL`` names a pool of several.
        names: More records to take names from.
        progress: As `thinscope.open` takes it.
        more_pvs: More physical volumes, or images with them, of the same volume group.
        metadata_snapshot: Whether it will be read as the metadata snapshot holds it: then an image
            that another program holds is opened.

    Raises:
        NamesError: Records cannot be read, or there is no metadata beside them; or there is no
            such pool in an image.
        SeveralPools: An image holds several, and none was named.
        NotThinMetadata: An image holds none.
        SourceError: A capture is damaged, or a physical volume is missing.
    """
    given = tuple(wanted(path) for path in names)
    more = tuple(more_pvs)
    if not (given or more or _is_located(source)):
        return Located(source, ())
    if more or _disk(source) is not None:
        image, request = disk_image(source, more, shared=metadata_snapshot, progress=progress)
        pool = image.open(request)
        return Located(
            pool.metadata,
            (Wanted((pool.names,), None), *given),
            data=pool.data,
            why_no_data=pool.why_no_data,
            volumes=pool.volumes,
        )
    from thinscope import captured  # noqa: PLC0415 - as above

    if captured.is_captured(source):
        found = captured.opened(source, progress)
        own = tuple(Wanted(*records) for records in found.names)
        return Located(found.metadata, (*own, *given), found.is_metadata_snapshot)
    if not _is_folder(source):
        return Located(source, given)
    from pathlib import Path  # noqa: PLC0415 - as above

    from thinscope import names as managers  # noqa: PLC0415 - as above

    if managers.recognised(source) is None:
        return Located(source, given)  # the core tells what it is
    records = managers.read(source)
    with_metadata = [(each.metadata, each) for each in records if each.metadata]
    if len(with_metadata) > 1:
        roots = ", ".join(str(each.source) for _, each in with_metadata)
        raise NamesError(f"holds several pools: {roots}", source=str(source), hint="give one")
    if with_metadata:
        [(metadata, names_of_it)] = with_metadata
        # Docker and Podman in loop-lvm mode keep the data in a file beside the metadata.
        beside = Path(metadata).with_name("data")
        data = beside if beside.is_file() else None
        return Located(metadata, (Wanted((names_of_it,), None), *given), data=data)
    message = "holds names only, not the metadata of the pool"
    device = next((each.hint for each in records if each.hint), None)
    hint = f"give the metadata device: `thinscope DEVICE --names {source}`"
    raise NamesError(message, source=str(source), hint=f"{hint}; {device}" if device else hint)


def disk_image(
    source: Source,
    more: Iterable[Source] = (),
    *,
    shared: bool = False,
    progress: Callable[[str, int, int], object] | None = None,
) -> tuple[DiskImage, Request]:
    """Return the image that a source is, and which of its pools is meant.

    Args:
        source: A disk, with the name of a pool behind a colon or without.
        more: More disks.
        shared: Whether what another program holds is opened.
        progress: As `thinscope.open` takes it.

    Raises:
        OSError: One of them cannot be opened.
        NotThinMetadata: There is no physical volume on one of them.
        NamesError: Two are the same physical volume.
    """
    from thinscope.disk_image import DiskImage, Request  # noqa: PLC0415 - as above

    disk, words = _disk(source) or (source, "")
    request = Request.of(words) or Request()
    return DiskImage(disk, more, shared=shared, progress=progress), request


def _is_folder(source: Source) -> TypeGuard[str | os.PathLike[str]]:
    return isinstance(source, (str, os.PathLike)) and os.path.isdir(source)  # noqa: PTH112 - as above


def _begins_as_metadata(source: Source) -> bool:
    try:
        return _core.identity(*named(source)) is None
    except Exception:  # noqa: BLE001 - the core tells what is wrong with it
        return False


_DISKS = ("lvm-physical-volume", "partitioned-disk")


def _disk(source: Source) -> tuple[Source, str] | None:
    """Return the disk that a source is, and what names a pool of it; None where it is none."""
    words = ""
    if isinstance(source, (str, os.PathLike)):
        text = os.fspath(source)
        before, colon, behind = text.rpartition(":")
        if colon and behind and not os.path.lexists(text) and os.path.exists(before):  # noqa: PTH110 - pathlib takes long to load
            source, words = before, behind
        elif _is_folder(source):
            return None
    elif isinstance(source, _core.Extents):
        return None
    if words:
        from thinscope.disk_image import Request  # noqa: PLC0415 - as above

        return (source, words) if Request.of(words) else None
    try:
        opened, name = named(source)
        identity = _core.identity(opened, name)
    except Exception:  # noqa: BLE001 - the core tells what is wrong with it
        return None
    return (source, words) if identity and identity[0] in _DISKS else None


def wanted(path: str | os.PathLike[str]) -> Wanted:
    """Read records; ``PATH#POOL`` says which pool of several is meant.

    Raises:
        NamesError: They cannot be read.
    """
    from thinscope import names as managers  # noqa: PLC0415 - as above

    text = os.fspath(path)
    before, sharp, pool = text.rpartition("#")
    if sharp and not os.path.exists(text):  # noqa: PTH110 - as above
        return Wanted(managers.read(before), pool)
    return Wanted(managers.read(text), None)
