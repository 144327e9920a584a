"""What containerd said of its snapshots and containers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from tests.truth.record import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.truth.case import Case
    from thinscope import Pool
    from thinscope.names import Object

KEYS = ("containerd_snapshots", "containerd_usage", "containerd_containers")
_NAME = re.compile(r"[^/]+/\d+/.+")
"""The full name of a snapshot."""
_UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


class _Line(NamedTuple):
    namespace: str | None
    words: list[str]


def rows(case: Case) -> Iterator[Row]:
    """Every answer of containerd that there is."""
    assert case.records is not None, f"{case.name} has answers of containerd and no records"
    pool = case.pool(case.records)
    if case.has("containerd_snapshots"):
        yield from _snapshots(case, pool)
    if case.has("containerd_usage"):
        for namespace, words in _lines(case, "containerd_usage"):
            number, unit = _size(words)
            devices = pool.objects.devices(_find(pool, namespace, words[0]))
            ours = pool.objects.manager_bytes(devices[0]) if devices else None
            theirs = f"{number} {unit}".strip()
            shown = human(ours) if unit and ours is not None else str(ours)
            yield Row("containerd_usage", words[0], shown, theirs)
    if case.has("containerd_containers"):
        lines = list(_lines(case, "containerd_containers"))
        names = {name for each in _all(pool, "container") for name in (each.name, *each.aliases)}
        yield Row("containerd_containers", "number", len(_all(pool, "container")), len(lines))
        for _, (name, *_) in lines:
            own = name if name in names else sorted(names)
            yield Row("containerd_containers", "container", own, name)


def _lines(case: Case, key: str) -> Iterator[_Line]:
    """The lines of a list, which tells its namespaces where there are several."""
    namespace = None
    for line in case.text(key).splitlines():
        words = line.split()
        if words[:1] == ["namespace"]:
            namespace = words[1]
        elif words and words[0] not in ("KEY", "CONTAINER"):
            yield _Line(namespace, words)


def _all(pool: Pool, kind: str) -> list[Object]:
    return [object_ for object_ in pool.objects.all if object_.kind == kind]


def _full(namespace: str | None, key: str) -> re.Pattern[str]:
    return re.compile(rf"{re.escape(namespace) if namespace else '[^/]+'}/\d+/{re.escape(key)}")


def _find(pool: Pool, namespace: str | None, key: str) -> Object:
    """The snapshot that is called so in a namespace; its full name has a number in the middle."""
    full = _full(namespace, key)
    [found] = [each for each in pool.objects.all if any(map(full.fullmatch, each.aliases))]
    return found


def _snapshots(case: Case, pool: Pool) -> Iterator[Row]:
    lines = list(_lines(case, "containerd_snapshots"))
    named = [each for each in pool.objects.all if any(map(_NAME.fullmatch, each.aliases))]
    yield Row("containerd_snapshots", "number", len(named), len(lines))
    for namespace, (key, *parents, _) in lines:
        found = _find(pool, namespace, key)
        names = [
            name.split("/", 2)[2]
            for name in (pool.objects[found.parent].aliases if found.parent else ())
            if _full(namespace, name.rpartition("/")[2]).fullmatch(name)
        ]
        yield Row("containerd_snapshots", f"parent of {key}", names, parents)


def _size(words: list[str]) -> tuple[str, str]:
    """``1.2 MiB``, or bytes."""
    return (words[1], words[2]) if words[2] in _UNITS else (words[1], "")


def human(size: float) -> str:
    """A size as ctr prints it."""
    units = list(_UNITS)
    while size >= 1024 and len(units) > 1:
        size /= 1024
        units.pop(0)
    return f"{size:.1f} {units[0]}"
