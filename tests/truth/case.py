"""A captured pool, with the answers to it as text and everything that is asked of it opened once."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import thinscope
from tests.conftest import FIXTURES
from tests.oracle import answers
from thinscope import Pool

if TYPE_CHECKING:
    from thinscope.sharing import Sharing


class Workshop:
    """Where things are unpacked during a run."""

    folder: ClassVar[Path]

    @classmethod
    @contextlib.contextmanager
    def begin(cls, folder: Path) -> Iterator[None]:
        cls.folder = folder
        try:
            yield
        finally:
            opened.cache_clear()
            shared.cache_clear()
            unpacked.cache_clear()
            readable.cache_clear()
            shutil.rmtree(folder, ignore_errors=True)


@cache
def opened(path: str, names: tuple[Path, ...] = (), *, metadata_snapshot: bool = False) -> Pool:
    """A pool below ``fixtures``, which stays open."""
    return thinscope.open(FIXTURES / path, names=names, metadata_snapshot=metadata_snapshot)


@cache
def shared(path: str) -> Sharing:
    """Who shares what in a pool."""
    return opened(path).sharing()


@cache
def unpacked(records: str) -> Path:
    """A folder of records as its manager had it; archives and files in it may be compressed."""
    source = FIXTURES / records
    folder = Workshop.folder / re.sub(r"\W", "-", records)
    folder.mkdir()
    for path in sorted(source.rglob("*")) if source.is_dir() else [source]:
        if not path.is_file():
            continue
        name = path.relative_to(source if source.is_dir() else source.parent)
        data = answers.content(path)
        if name.name.removesuffix(".zst").endswith(".tar"):
            with tarfile.open(fileobj=io.BytesIO(data)) as tar:
                # Not the device node that Docker makes for quotas.
                members = [member for member in tar if member.isfile() or member.isdir()]
                tar.extractall(folder, members=members, filter="data")
        else:
            target = folder / name.with_name(name.name.removesuffix(".zst"))
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
    return folder


@cache
def readable(answer: str) -> Path:
    """An answer as a file that programs read: as it is, or an unpacked copy."""
    source = FIXTURES / answer
    if source.suffix != ".zst":
        return source
    path = (Workshop.folder / answer).with_suffix("")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(answers.content(source))
    return path


@dataclass(frozen=True, eq=False)
class Case:
    """A captured pool."""

    entry: Mapping[str, Any]
    """Of `answers.manifest()`."""
    altered: Mapping[str, str] = field(default_factory=dict)
    """Answers in place of those that were captured, by key: for comparisons that are to fail."""

    @property
    def name(self) -> str:
        return str(self.entry["name"])

    @property
    def capture(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.entry["capture"]
        return found

    @cached_property
    def files(self) -> Mapping[str, str]:
        """The files of answers by key, below ``fixtures``."""
        return answers.files(self.entry["answers"])

    def has(self, *keys: str) -> bool:
        return any(key in self.files for key in keys)

    def text(self, key: str) -> str:
        """An answer, or what stands in its place."""
        return self.altered.get(key) or answers.content(FIXTURES / self.files[key]).decode()

    def path(self, key: str) -> Path:
        """A file with the answer, as it was captured."""
        return readable(self.files[key])

    @cached_property
    def truth(self) -> answers.Truth:
        """What the kernel said; NoAnswer where it said a word in place of figures."""
        return answers.truth(self.entry, self.text)

    def pool(self, *names: Path, metadata_snapshot: bool = False) -> Pool:
        return opened(self.entry["metadata"], names, metadata_snapshot=metadata_snapshot)

    @property
    def sharing(self) -> Sharing:
        return shared(self.entry["metadata"])

    @property
    def records(self) -> Path | None:
        """The manager's records, as a folder."""
        where = self.entry["answers"].get("records")
        return unpacked(where) if where else None

    def id_of(self, name: str) -> int:
        """The id of a device that an answer calls by name."""
        if pattern := self.entry["answers"].get("device_id"):
            match = re.fullmatch(pattern, name)
            if match:
                return int(match[1])
        ids = answers.thin_ids(self.text("table")) if self.has("table") else {}
        if name not in ids and self.has("lvs"):
            volumes = answers.lvm_volumes(json.loads(self.text("lvs")))
            ids |= {lv["lv_name"]: int(lv["thin_id"]) for lv in volumes if lv["thin_id"]}
        return ids[name]


@dataclass(frozen=True, eq=False)
class Pair:
    """Two pools of a capture between which one thing happened."""

    kind: str
    before: Case
    after: Case
    devices: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.before.name} to {self.after.entry['name'].rpartition('/')[2]}"

    @property
    def capture(self) -> Mapping[str, Any]:
        return self.before.capture


@cache
def pools() -> tuple[Case, ...]:
    """All pools of the manifest."""
    return tuple(map(Case, answers.manifest()))


@cache
def pairs() -> tuple[Pair, ...]:
    """All pairs of the manifest."""
    found = []
    for folder in dict.fromkeys(case.capture["folder"] for case in pools()):
        own = [case for case in pools() if case.capture["folder"] == folder]
        by_name = dict(zip((pool.get("name") for pool in own[0].capture["pool"]), own, strict=True))
        for kind in ("deletion", "release", "growth"):
            for entry in own[0].capture.get(kind, ()):
                ends = by_name[entry["before"]], by_name[entry["after"]]
                found.append(Pair(kind, *ends, tuple(entry.get("devices", ()))))
    return tuple(found)
