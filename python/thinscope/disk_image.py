"""Thin pools on LVM's physical volumes, as they lie on disks and in images of disks.

A source can be a physical volume, or a disk of which partitions are some; several can belong
together. LVM's text is read off them: it tells which pools there are, where their metadata and
data lie, and what the volumes are called. Where a text was written over, the older ones that are
left behind still tell of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from thinscope import _core
from thinscope.errors import NamesError, NotThinMetadata, SeveralPools, ThinscopeError
from thinscope.formats import lvm_label, lvm_text, partitions
from thinscope.logical_volumes import PhysicalVolume, VolumeGroup, Volumes
from thinscope.names import lvm
from thinscope.source import Identity, named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from thinscope.formats.lvm_label import Text
    from thinscope.formats.lvm_text import Section
    from thinscope.names import Names
    from thinscope.source import Source

__all__ = ["DiskImage", "FoundPool", "Known", "Request"]

PARTITIONED = "partitioned-disk"
PHYSICAL_VOLUME = "lvm-physical-volume"

_POOL = re.compile(r"(?:(?P<group>[^/@:]+)/)?(?P<pool>[^/@:]+)?(?:@(?P<seqno>[0-9]{1,10}))?")
_MOST_SEARCHED = 32 << 20
"""Bytes of older texts that are searched for pools."""

_SEVERAL = 4


class Request(NamedTuple):
    """Which pool of an image is meant; what is None was not said.

    Attributes:
        group: Its volume group.
        pool: Its name there.
        seqno: The version of the group's text by which it is read.
    """

    group: str | None = None
    pool: str | None = None
    seqno: int | None = None

    @classmethod
    def of(cls, words: str) -> Request | None:
        """Return what ``GROUP/POOL@SEQNO`` asks for, of which each may be left out, or None."""
        found = _POOL.fullmatch(words)
        if found is None or not words:
            return None
        seqno = found["seqno"]
        return cls(found["group"], found["pool"], int(seqno) if seqno else None)


@dataclass(frozen=True, slots=True)
class FoundPool:
    """A thin pool that is opened.

    Attributes:
        metadata: Its metadata device.
        data: Its data device, or None.
        why_no_data: Why there is none, or None.
        volumes: The other volumes of its group.
        names: What the text says of it.
    """

    metadata: Source
    data: Source | None
    why_no_data: str | None
    volumes: Volumes
    names: Names


@dataclass(frozen=True, slots=True)
class Known:
    """A thin pool that a text tells of.

    Attributes:
        names: What the text says of it.
        group: Its volume group.
        pool: Its name there.
        seqno: The version of the text.
        is_current: Whether that is the one that counts.
        metadata_bytes: Bytes of its metadata device, or None where the text does not tell.
        data_bytes: Bytes of its data device, or None.
        problem: Why it cannot be read, or None.
    """

    names: Names
    group: str
    pool: str
    seqno: int
    is_current: bool
    metadata_bytes: int | None
    data_bytes: int | None
    problem: str | None


class _Area(NamedTuple):
    """A metadata area of a physical volume."""

    volume: PhysicalVolume
    begin: int
    length: int

    def read(self) -> bytes:
        return self.volume.disk.read(self.begin, self.length)


class _Text(NamedTuple):
    """A version of a volume group's text."""

    text: Text
    volume: PhysicalVolume
    is_ignored: bool

    @property
    def age(self) -> tuple[bool, int, int]:
        """The higher, the newer."""
        return not self.is_ignored, self.text.glance.seqno, self.text.glance.written


class _Parsed(NamedTuple):
    """A text that was parsed."""

    name: str
    group: Section
    names: tuple[tuple[str, Names], ...]
    seqno: int
    called: str


class DiskImage:
    """Physical volumes that were found on what was given.

    Attributes:
        source: What messages call the first that was given.
        seen: What was seen on disks: partitions, with what they hold.
        faults: What is damaged, in words.
        missing: Physical volumes that were not given, in words; known when `pools` was asked.
    """

    def __init__(
        self,
        source: Source,
        more: Iterable[Source] = (),
        *,
        shared: bool = False,
        progress: Callable[[str, int, int], object] | None = None,
    ) -> None:
        """Look for physical volumes.

        Args:
            source: A physical volume, or a disk.
            more: More of them.
            shared: Whether what another program holds is opened.
            progress: As `thinscope.open` takes it.

        Raises:
            OSError: One of them cannot be opened.
            NotThinMetadata: One of them has none.
            NamesError: Two are the same physical volume.
        """
        self.seen: list[str] = []
        self.faults: list[str] = []
        self.missing: list[str] = []
        self._found: dict[str, PhysicalVolume] = {}
        self._areas: list[_Area] = []
        self._texts: list[_Text] = []
        _, self.source = named(source)
        for each in (source, *more):
            opened, name = named(each)
            disk = _core.Extents(
                [opened],
                name,
                identity=Identity.of(opened),
                shared=shared,
                progress=progress,
            )
            self._look_at(disk)

    def _look_at(self, disk: _core.Extents) -> None:
        """Take the physical volumes of a disk."""
        before = len(self._found)
        identity = _core.identity(disk, disk.name)
        kind, words = identity or ("thin-metadata", "this is thin metadata")
        if kind == PHYSICAL_VOLUME:
            self._take(disk)
        elif kind == PARTITIONED:
            seen = self._look_at_partitions(disk)
            if len(self._found) == before:
                what = f": {'; '.join(seen)}" if seen else ""
                message = f"{words}, and none of its partitions is an LVM physical volume{what}"
                hint = "give the pool's metadata device (LVM: VG-POOL_tmeta), not its data device"
                raise NotThinMetadata(
                    f"not thin metadata: {message}", source=disk.name, identity=kind, hint=hint
                )
        else:
            raise NotThinMetadata(
                f"no LVM physical volume: {words}", source=disk.name, identity=kind
            )

    def _look_at_partitions(self, disk: _core.Extents) -> list[str]:
        table = partitions.table(disk.read, disk.length)
        if table is None:
            return []
        seen = [*table.faults]
        for partition in table.partitions:
            called = f"{disk.name}, partition {partition.number}"
            length = min(partition.length, max(0, disk.length - partition.begin))
            if not length:
                seen.append(
                    f"partition {partition.number} ({partition.type}) lies beyond the image"
                )
                continue
            # Beyond the partition's end lies what belongs to others.
            pieces = [(length, [(0, partition.begin)], 0)]
            part = _core.Extents([disk], called, pieces, identity=Identity.of(disk))
            identity = _core.identity(part, called)
            kind, words = identity or ("thin-metadata", "thin metadata")
            if kind == PHYSICAL_VOLUME:
                self._take(part)
            words = words.removeprefix("this is ")
            seen.append(f"partition {partition.number} ({partition.type}): {words}")
        self.seen += seen
        return seen

    def _take(self, disk: _core.Extents) -> None:
        """Take a physical volume, and the texts on it."""
        called, length = disk.name, disk.length
        head = disk.read(0, min(lvm_label.LABELLED, length))
        try:
            label = lvm_label.label(head)
        except NamesError as error:
            message = f"this is an LVM physical volume, but its label is damaged: {error}"
            raise NotThinMetadata(
                f"not thin metadata: {message}",
                source=called,
                identity=PHYSICAL_VOLUME,
                hint="without it, give the pool's metadata volume itself, such as VG-POOL_tmeta",
            ) from error
        volume = PhysicalVolume(label.id, disk, called)
        there = self._found.setdefault(label.id, volume)
        if there is not volume:
            message = f"the same physical volume ({label.id}) as {there.called}"
            raise NamesError(message, source=called, hint="give each once")
        for number, (at, size) in enumerate(label.metadata_areas, 1):
            where = f"{called}: metadata area {number}"
            if size > lvm_label.LARGEST_AREA or at + size > length:
                self.faults.append(
                    f"{where}: {size} bytes from {at} on, which do not fit in {length} bytes"
                )
                continue
            area = _Area(volume, at, size)
            self._areas.append(area)
            try:
                found = lvm_label.area(area.read(), at)
            except NamesError as error:
                self.faults.append(f"{where}: {error}")
                continue
            if found.text is not None:
                self._texts.append(_Text(found.text, volume, found.is_ignored))

    @property
    def may_be_stale(self) -> bool:
        """Whether what was read may be older than what the kernel wrote, as of a pool."""
        return any(volume.disk.may_be_stale for volume in self._found.values())

    @cached_property
    def _current(self) -> dict[str, _Text]:
        """The text that counts of each volume group, by its id."""
        newest: dict[str, _Text] = {}
        for each in self._texts:
            there = newest.setdefault(each.text.glance.id, each)
            if each.age > there.age:
                newest[each.text.glance.id] = each
        return newest

    def _older(self) -> Iterator[_Text]:
        """Yield all texts but those that count, the newest first, each version once."""
        known = {(id_, text.text.glance.seqno) for id_, text in self._current.items()}
        found = [
            _Text(text, area.volume, is_ignored=False)
            for area in self._areas
            for text in lvm_label.older_texts(area.read())
        ]
        found += self._texts
        for each in sorted(found, key=lambda each: each.age, reverse=True):
            version = each.text.glance.id, each.text.glance.seqno
            if version not in known:
                known.add(version)
                yield each

    def _parsed(self, found: _Text) -> _Parsed:
        """Parse a text.

        Raises:
            NamesError: It is damaged.
        """
        glance = found.text.glance
        called = f"{found.volume.called}: text {glance.seqno} of {glance.name}"
        section = lvm_text.parse(found.text.data, called)
        group = section.get(glance.name)
        if not isinstance(group, dict):
            raise NamesError("no volume group in it", source=called)
        names = lvm.of_section(section, Path(found.volume.called))
        pools = tuple((each.pool.partition("/")[2], each) for each in names)
        kept = tuple(pool for pool in pools if _pool_segment(group, pool[0]) is not None)
        return _Parsed(glance.name, group, kept, glance.seqno, called)

    def pools(self) -> tuple[Known, ...]:
        """Return the pools by the texts that count, and those that only older ones tell of.

        Raises:
            NamesError: No text can be read.
        """
        found: dict[tuple[str, str], Known] = {}
        broken: NamesError | None = None
        searched = 0
        for is_current, texts in ((True, self._current.values()), (False, self._older())):
            for each in texts:
                if not is_current:
                    if b'"thin-pool' not in each.text.data:
                        continue
                    searched += len(each.text.data)
                    if searched > _MOST_SEARCHED:
                        self.faults.append("not all older texts were searched for pools")
                        break
                try:
                    parsed = self._parsed(each)
                except NamesError as error:
                    self.faults.append(str(error))
                    broken = broken or error
                    continue
                # One for all its pools: they may have volumes in common.
                group = self._group(parsed, is_current=is_current)
                for pool, names in parsed.names:
                    key = each.text.glance.id, _id(parsed.group, pool)
                    if key not in found:
                        found[key] = _known(parsed, group, pool, names, is_current=is_current)
        if not found:
            raise self._none(broken)
        return tuple(found.values())

    def _group(self, parsed: _Parsed, *, is_current: bool) -> VolumeGroup | NamesError:
        """Return the volumes of a text, or why there are none; tell what a present one misses."""
        try:
            group = VolumeGroup(parsed.name, parsed.group, self._found, self.source)
        except NamesError as error:
            return error
        if is_current:
            self.missing += [f"{words} of volume group {parsed.name}" for words in group.missing]
        return group

    def open(self, request: Request) -> FoundPool:
        """Return the pool that is asked for, or the only one.

        Raises:
            NamesError: There is no such pool, or the text that tells of it is damaged.
            SeveralPools: There are several, and none was named.
            NotThinMetadata: There is none.
            SourceError: A physical volume that its metadata needs is missing.
            UnsupportedMetadata: Its metadata lies in segments that are not read through.
        """
        texts: Iterable[_Text] = self._current.values()
        if request.seqno is not None:
            texts = [
                each
                for each in (*self._current.values(), *self._older())
                if each.text.glance.seqno == request.seqno
            ]
        fitting: list[tuple[_Parsed, str, Names]] = []
        broken: NamesError | None = None
        for each in texts:
            if request.group not in (None, each.text.glance.name):
                continue
            try:
                parsed = self._parsed(each)
            except NamesError as error:
                broken = broken or error
                continue
            fitting += [
                (parsed, pool, names)
                for pool, names in parsed.names
                if request.pool in (None, pool)
            ]
        if len(fitting) == 1 and not (broken and request.pool is None):
            [(parsed, pool, names)] = fitting
            return self._found_pool(parsed, pool, names)
        if broken is not None:
            hint = self._advice("what older texts tell of, `thinscope pools` lists")
            raise NamesError(broken.message, source=broken.source, where=broken.where, hint=hint)
        if fitting:
            raise self._several([f"{parsed.name}/{pool}" for parsed, pool, _ in fitting])
        if request == Request():
            raise self._none(None)
        raise self._unknown(request)

    def _found_pool(self, parsed: _Parsed, pool: str, names: Names) -> FoundPool:
        group = VolumeGroup(parsed.name, parsed.group, self._found, self.source)
        segment = _pool_segment(parsed.group, pool) or {}
        metadata = group.volume(str(segment.get("metadata")))
        whole = _core.Extents(
            [metadata],
            group.called(pool),
            [(metadata.length, [(0, 0)], 0)],
            identity=self._identity,
        )
        data, why = None, None
        try:
            data = group.volume(str(segment.get("pool")))
        except ThinscopeError as error:
            why = error.message
        return FoundPool(whole, data, why, Volumes(group), names)

    @property
    def _identity(self) -> Identity:
        """The identity of all that was given, none of which is to be written."""
        return Identity.of_all(Identity.of(each.disk) for each in self._found.values())

    def _several(self, names: Sequence[str]) -> SeveralPools:
        shown = ", ".join(names[:_SEVERAL]) + (", ..." if len(names) > _SEVERAL else "")
        return SeveralPools(
            f"holds {len(names)} thin pools: {shown}",
            source=self.source,
            hint=f"name one: `{self.source}:{names[0]}`",
            who=self.source,
            candidates=tuple(names),
        )

    def _unknown(self, request: Request) -> NamesError:
        asked = "/".join(filter(None, [request.group, request.pool])) or "any"
        version = "" if request.seqno is None else f" in a text with seqno {request.seqno}"
        try:
            known = self.pools()
        except (NamesError, NotThinMetadata):
            known = ()
        same = [each for each in known if request.pool == each.pool and not each.is_current]
        hint = self._advice("`thinscope pools` lists those that there are")
        if same and request.seqno is None:
            named_so = f"{self.source}:{same[0].group}/{same[0].pool}@{same[0].seqno}"
            hint = f"an older text has it: `{named_so}`"
        there = ", ".join(f"{each.group}/{each.pool}" for each in known[:_SEVERAL])
        message = f"no thin pool `{asked}`{version}"
        return NamesError(
            f"{message}, but {there}" if there else message, source=self.source, hint=hint
        )

    def _none(self, broken: NamesError | None) -> ThinscopeError:
        """Return the error that says why there is no pool."""
        hint = None
        if broken is not None:
            return NamesError(broken.message, source=broken.source, where=broken.where)
        if self._current:
            groups = ", ".join(text.text.glance.name for text in self._current.values())
            message = f"volume group {groups} has no thin pool"
            if any(b'"thin-pool' in each.text.data for each in self._older()):
                hint = "older texts tell of thin pools: `thinscope pools` lists them"
        elif self.faults:
            message = f"LVM's text is damaged: {self.faults[0]}"
            if next(self._older(), None) is not None:
                hint = "there are older texts: `thinscope pools` lists the pools of which they tell"
        else:
            message = "it belongs to no volume group, or has no metadata area of its own"
            hint = "give another physical volume of the group as well: --pv PATH"
        return NotThinMetadata(
            f"not thin metadata: this is an LVM physical volume, and {message}",
            source=self.source,
            identity=PHYSICAL_VOLUME,
            hint=hint,
        )

    def _advice(self, words: str) -> str | None:
        return words.replace("thinscope pools", f"thinscope pools {self.source}")


def _known(
    parsed: _Parsed, group: VolumeGroup | NamesError, pool: str, names: Names, *, is_current: bool
) -> Known:
    segment = _pool_segment(parsed.group, pool) or {}
    problem = metadata = data = None
    if isinstance(group, NamesError):
        problem = group.message
    else:
        metadata = group.size(str(segment.get("metadata")))
        data = group.size(str(segment.get("pool")))
        try:
            group.volume(str(segment.get("metadata")))
        except (ThinscopeError, ValueError) as error:
            problem = getattr(error, "message", str(error))
    return Known(names, parsed.name, pool, parsed.seqno, is_current, metadata, data, problem)


def _pool_segment(group: Section, pool: str) -> Section | None:
    """Return the segment that makes a volume a thin pool, or None."""
    volumes = group.get("logical_volumes")
    volume = volumes.get(pool) if isinstance(volumes, dict) else None
    if not isinstance(volume, dict):
        return None
    for key, values in volume.items():
        if (
            key.startswith("segment")
            and isinstance(values, dict)
            and str(values.get("type", "")).partition("+")[0] == "thin-pool"
        ):
            return values
    return None


def _id(group: Section, pool: str) -> str:
    volumes = group.get("logical_volumes")
    volume = volumes.get(pool) if isinstance(volumes, dict) else None
    return str(volume.get("id", pool)) if isinstance(volume, dict) else pool
