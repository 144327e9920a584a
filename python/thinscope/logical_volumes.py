"""LVM's volumes as extents of physical volumes, by the text of their volume group.

Read through are linear, striped and mirrored segments (``raid1``, ``mirror``), also of volumes
inside one another. Nothing is taken for granted of the text: it may be damaged, or made up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from thinscope._core import Extents
from thinscope.errors import NamesError, SourceError, ThinscopeError, UnsupportedMetadata
from thinscope.formats import raid
from thinscope.names.ledger import shown, whole
from thinscope.source import Identity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thinscope.formats.lvm_text import Section
    from thinscope.source import Source

__all__ = ["PhysicalVolume", "VolumeGroup", "Volumes"]

SECTOR = 512
_DEPTH = 8
"""Volumes inside one another: a pool's metadata in a mirror's image needs three."""

_MOST_BYTES = 1 << 62
_STRIPED = ("striped", "linear")
_THIN = ("thin", "thin-pool")


class PhysicalVolume(NamedTuple):
    """A physical volume that was given.

    Attributes:
        id: Its id, as LVM shows it.
        disk: The disk or partition that it is.
        called: What messages call it.
    """

    id: str
    disk: Extents
    called: str


class _Piece(NamedTuple):
    """Neighbouring bytes of a volume: in one range of a source, or in turns in several."""

    length: int
    stripes: list[tuple[Extents, int]]
    stripe_bytes: int


class VolumeGroup:
    """A volume group, as one version of its text has it.

    Attributes:
        name: Its name.
    """

    def __init__(
        self, name: str, group: Section, found: Mapping[str, PhysicalVolume], source: str
    ) -> None:
        """Take a text.

        Args:
            name: Its name.
            group: Its section in the text.
            found: The physical volumes that were given, by id.
            source: What messages call the text.

        Raises:
            NamesError: The text does not say how large an extent is.
        """
        self.name = name
        self._group, self._found, self._source = group, found, source
        self._sizes: dict[str, int | None] = {}
        self._made: dict[str, Extents] = {}
        self._failed: dict[str, ThinscopeError] = {}
        self._being_made: list[str] = []
        self._volumes = _section(group, "logical_volumes")
        self._physical = _section(group, "physical_volumes")
        extent = _number(group, "extent_size")
        if not extent:
            raise NamesError("no size of an extent", source=source, where=_printed(name))
        self._extent = extent * SECTOR

    @property
    def missing(self) -> tuple[str, ...]:
        """The physical volumes of the group that were not given, in words."""
        return tuple(
            self._words(key)
            for key, section in self._physical.items()
            if isinstance(section, dict) and section.get("id") not in self._found
        )

    @property
    def readable(self) -> tuple[str, ...]:
        """The names of all volumes that are no thin ones and no pools of them."""
        names = []
        for name, section in self._volumes.items():
            first = _section(section, "segment1") if isinstance(section, dict) else {}
            if str(first.get("type", "")).partition("+")[0] not in _THIN:
                names.append(name)
        return tuple(names)

    def called(self, name: str) -> str:
        """Return what messages call a volume as a source: they are Unicode, whatever the text is."""
        volume = f"{self.name}/{name}"
        return f"{self._source}:{volume if volume.isprintable() else ascii(volume)[1:-1]}"

    def size(self, name: str) -> int | None:
        """Return the size of a volume in bytes, or None where the text does not tell it."""
        if name not in self._sizes:
            self._sizes[name] = self._size(name)
        return self._sizes[name]

    def _size(self, name: str) -> int | None:
        section = _section(self._volumes, name)
        counts = [
            _number(values, "extent_count")
            for key, values in section.items()
            if isinstance(values, dict) and key.startswith("segment")
        ]
        if not counts or None in counts:
            return None
        return sum(filter(None, counts)) * self._extent

    def volume(self, name: str) -> Extents:
        """Return a volume.

        Raises:
            NamesError: The text does not have it, or says what cannot be.
            SourceError: A physical volume with a part of it is missing.
            UnsupportedMetadata: It has a segment that is not read through.
        """
        made = self._made.get(name)
        if made is not None:
            return made
        if name in self._failed:  # tried once, whatever refers to it
            raise self._failed[name]
        section = self._volumes.get(name)
        if not isinstance(section, dict):
            raise self._wrong(name, "there is no such volume in its volume group")
        if name in self._being_made:
            chain = " -> ".join(map(_printed, [*self._being_made, name]))
            raise self._wrong(name, f"it is a part of itself: {chain}")
        if len(self._being_made) >= _DEPTH:
            raise self._wrong(name, f"more than {_DEPTH} volumes inside one another")
        self._being_made.append(name)
        try:
            made = self._put_together(name, self._pieces(name, section))
        except ThinscopeError as error:
            self._failed[name] = error
            raise
        finally:
            self._being_made.pop()
        self._made[name] = made
        return made

    def _pieces(self, name: str, section: Section) -> list[_Piece]:
        segments = []
        for key, values in section.items():
            if isinstance(values, dict) and key.startswith("segment"):
                start, count = _number(values, "start_extent"), _number(values, "extent_count")
                if start is None or not count:
                    raise self._wrong(f"{name}/{key}", "it does not tell where it lies")
                segments.append((start, count, key, values))
        if not segments:
            raise self._wrong(name, "it has no segments")
        pieces = []
        expected = 0
        for start, count, key, values in sorted(segments, key=lambda segment: segment[0]):
            where = f"{name}/{key}"
            if start != expected:
                message = f"it begins at extent {start}, where {expected} was expected"
                raise self._wrong(where, message)
            expected += count
            if expected * self._extent > _MOST_BYTES:
                raise self._wrong(where, f"it ends at extent {expected}, which no volume has")
            pieces.append(self._piece(where, count * self._extent, values))
        return pieces

    def _piece(self, where: str, length: int, values: Section) -> _Piece:
        kind = str(values.get("type", "")).partition("+")[0]
        if kind in _STRIPED:
            return self._striped(where, length, values)
        if kind == "raid1":
            return self._mirrored(where, length, self._raid_images(where, values))
        if kind == "mirror":
            images = self._areas(where, values, "mirrors")
            return self._mirrored(where, length, [(None, image, at) for image, at in images])
        raise UnsupportedMetadata(
            f"volume {_printed(where)} is of type {shown(kind)}, which is not read through",
            source=self._source,
            hint="activate the volume group on a copy, and give the metadata volume",
            field="type",
            expected="striped, linear, raid1 or mirror",
            found=kind,
        )

    def _striped(self, where: str, length: int, values: Section) -> _Piece:
        areas = self._areas(where, values, "stripes")
        count = _number(values, "stripe_count")
        if count != len(areas):
            raise self._wrong(where, f"it has {len(areas)} stripes, and says {shown(count)}")
        if count == 1:
            [(name, extent)] = areas
            return _Piece(length, [self._range(where, name, extent, length)], 0)
        stripe = (_number(values, "stripe_size") or 0) * SECTOR
        if not stripe or length % (stripe * count):
            message = f"{length} bytes are no whole number of {count} stripes of {stripe} bytes"
            raise self._wrong(where, message)
        each = length // count
        ranges = [self._range(where, name, extent, each) for name, extent in areas]
        return _Piece(length, ranges, stripe)

    def _areas(self, where: str, values: Section, key: str) -> list[tuple[str, int]]:
        """Return what a list says: names, each with an extent."""
        found = values.get(key)
        listed = found if isinstance(found, list) else []
        areas = []
        for name, extent in zip(listed[::2], listed[1::2], strict=False):
            at = None if isinstance(extent, str) else whole(extent)
            if not isinstance(name, str) or at is None:
                raise self._wrong(where, f"{key} has {shown(name)}, {shown(extent)}")
            areas.append((name, at))
        if not areas or len(listed) % 2:
            raise self._wrong(where, f"{key} is no list of names and extents")
        return areas

    def _range(self, where: str, name: str, extent: int, length: int) -> tuple[Extents, int]:
        """Return where an area lies: in a physical volume, or in a volume."""
        begin = extent * self._extent
        section = self._physical.get(name)
        if not isinstance(section, dict):
            volume = self.volume(name)
            if begin + length > volume.length:
                message = f"it ends at byte {begin + length} of {_printed(name)}, which has {volume.length}"
                raise self._wrong(where, message)
            return volume, begin
        found = self._found.get(str(section.get("id")))
        if found is None:
            raise SourceError(
                f"volume {_printed(where)} lies on {self._words(name)}, which is missing",
                source=self._source,
                hint="give the other physical volumes as well: --pv PATH",
            )
        count = _number(section, "pe_count")
        if count is not None and begin + length > count * self._extent:
            message = f"it lies beyond the {count} extents of {shown(name)}"
            raise self._wrong(where, message)
        start = (_number(section, "pe_start") or 0) * SECTOR
        at = start + begin
        if at + length > _MOST_BYTES:
            raise self._wrong(where, f"it lies at byte {at}, which no disk has")
        return found.disk, at

    def _raid_images(self, where: str, values: Section) -> list[tuple[str | None, str, int]]:
        """Return the images of a mirror: the volume with its superblock, the image, an extent."""
        found = values.get("raids")
        listed = (
            [name for name in found if isinstance(name, str)] if isinstance(found, list) else []
        )
        if not listed or len(listed) % 2 or len(listed) != len(found or ()):  # type: ignore[arg-type]
            raise self._wrong(where, "raids is no list of pairs of volumes")
        return [(meta, data, 0) for meta, data in zip(listed[::2], listed[1::2], strict=True)]

    def _mirrored(
        self, where: str, length: int, images: Sequence[tuple[str | None, str, int]]
    ) -> _Piece:
        """Return the image of a mirror that is read: the first that can be, and is up to date."""
        ranges: dict[int, tuple[Extents, int]] = {}
        superblocks: dict[int, raid.Superblock] = {}
        first: ThinscopeError | None = None
        for number, (meta, data, extent) in enumerate(images):
            try:
                ranges[number] = self._range(where, data, extent, length)
            except (SourceError, UnsupportedMetadata) as error:
                first = first or error
                continue
            told = self._superblock(meta) if meta else None
            if told is not None:
                superblocks[number] = told
        if not ranges:
            raise first or self._wrong(where, "a mirror without images")
        newest = max((told.events for told in superblocks.values()), default=0)
        failed = {
            number
            for told in superblocks.values()
            if told.events == newest
            for number in told.failed
        }

        def rank(number: int) -> tuple[bool, bool, bool, int]:
            told = superblocks.get(number)
            is_old = told is None or told.events != newest
            return number in failed, is_old, told is not None and not told.is_whole, number

        return _Piece(length, [ranges[min(ranges, key=rank)]], 0)

    def _superblock(self, volume: str) -> raid.Superblock | None:
        try:
            return raid.superblock(self.volume(volume).read(0, raid.SIZE))
        except ThinscopeError:
            return None

    def _put_together(self, name: str, pieces: list[_Piece]) -> Extents:
        sources: list[Extents] = []
        places: dict[int, int] = {}
        for piece in pieces:
            for source, _ in piece.stripes:
                if places.setdefault(id(source), len(sources)) == len(sources):
                    sources.append(source)
        return Extents(
            sources,
            self.called(name),
            [
                (
                    piece.length,
                    [(places[id(source)], begin) for source, begin in piece.stripes],
                    piece.stripe_bytes,
                )
                for piece in pieces
            ],
            identity=Identity.of_all(Identity.of(source) for source in sources),
        )

    def _words(self, key: str) -> str:
        """Return what messages call a physical volume of the text."""
        section = _section(self._physical, key)
        words = f"physical volume {_printed(key)} ({_printed(section.get('id'))}"
        device = section.get("device")
        return f"{words}, last seen as {_printed(device)})" if device else f"{words})"

    def _wrong(self, where: str, message: str) -> NamesError:
        return NamesError(message, source=self._source, where=_printed(where))


class Volumes(Mapping[str, "Source"]):
    """The volumes of a group that can be read, by name; ``GROUP/NAME`` finds them as well.

    A volume of which a part is missing raises `SourceError` when it is asked for.
    """

    def __init__(self, group: VolumeGroup) -> None:
        """Take the group."""
        self._group = group
        self._names = dict.fromkeys(group.readable)

    def __getitem__(self, name: str) -> Source:
        """Return a volume."""
        plain = name.removeprefix(f"{self._group.name}/")
        if plain not in self._names:
            raise KeyError(name)
        return self._group.volume(plain)

    def __contains__(self, name: object) -> bool:
        """Whether there is such a volume."""
        return isinstance(name, str) and name.removeprefix(f"{self._group.name}/") in self._names

    def __iter__(self) -> Iterator[str]:
        """Yield the names."""
        return iter(self._names)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._names)


def _printed(value: object) -> str:
    """Return what a text says as messages show it, without quotes where it needs none."""
    text = str(value)
    return text if text.isascii() and text.isprintable() and len(text) <= 60 else shown(value)  # noqa: PLR2004 - fits a line


def _section(section: Section, key: str) -> Section:
    found = section.get(key)
    return found if isinstance(found, dict) else {}


def _number(section: Section, key: str) -> int | None:
    found = section.get(key)
    return None if isinstance(found, str) else whole(found)
