"""Fields of records that are JSON: what they say where they are as they should be."""

from __future__ import annotations

from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["in_loops", "labels", "mapping", "moment", "natural", "operand", "string", "strings"]

_NO_LABELS: Mapping[str, str] = MappingProxyType({})


def natural(value: object, most: int) -> int | None:
    """Return an integer from 0 to the most that is possible, else None."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= most else None


def string(value: object) -> str:
    """Return a string, empty for anything else."""
    return value if isinstance(value, str) else ""


def strings(value: object) -> tuple[str, ...]:
    """Return the strings in a list that are not empty."""
    found = value if isinstance(value, list) else []
    return tuple(word for word in found if word and isinstance(word, str))


def operand(name: str) -> tuple[str, ...]:
    """Return the words that give a name to a command, which must not take it for an option."""
    return ("--", name) if name.startswith("-") else (name,)


def mapping(value: object) -> dict[str, object]:
    """Return a JSON object, empty for anything else."""
    return value if isinstance(value, dict) else {}


def labels(value: object) -> Mapping[str, str]:
    """Return labels, without those that are no strings."""
    found = {key: word for key, word in mapping(value).items() if isinstance(word, str)}
    return MappingProxyType(found) if found else _NO_LABELS


def moment(value: object) -> datetime | None:
    """Return a moment as Go writes it, without nanoseconds; None for its zero, and for no moment."""
    try:
        found = datetime.fromisoformat(string(value))
    except ValueError:
        return None
    return found if found.tzinfo and found.year > 1 else None


def in_loops(parents: Mapping[str, str | None]) -> set[str]:
    """Return those that are among their own ancestors."""
    looping: set[str] = set()
    done: set[str] = set()
    for start in parents:
        path: dict[str, None] = {}
        at: str | None = start
        while at is not None and at in parents and at not in done and at not in path:
            path[at] = None
            at = parents[at]
        if at in path:
            [*steps] = path
            looping.update(steps[steps.index(at) :])
        done.update(path)
    return looping
