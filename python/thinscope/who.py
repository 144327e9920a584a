"""What a person typed: the objects of a pool that are meant by it."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, TypeAlias

from thinscope.errors import AmbiguousName, UnknownDevice
from thinscope.names.model import Object

if TYPE_CHECKING:
    from collections.abc import Iterable

    from thinscope.objects import Objects

__all__ = ["Who", "device", "find"]

Who: TypeAlias = str | int | Object
"""A word for objects of a pool, an id, or an object itself."""

_GLOB = frozenset("*?[")
_TEXT_AND_DIGITS = re.compile(r"([^0-9]*)([0-9]{0,18})")
_CANDIDATES = 5
"""How many objects a message names before it says that there are more."""


def find(objects: Objects, words: Who | Iterable[Who], source: str) -> tuple[Object, ...]:
    """Return the objects that words stand for, in the order of the words, each once.

    A word is, in this order:

    - the name of an object, or another name that it has: its id, one more tag, its pod;
    - the id of a device, which stands for the object that the device belongs to;
    - ``KIND:WORD``, the same among the objects of a kind: ``container:web``, ``device:5``;
    - ``KEY=VALUE``, all objects with that label; the value can be a pattern;
    - a pattern with ``*``, ``?`` or ``[...]``: all objects with such a name, without those that
      their manager deletes by itself, such as layers, unless their kind is said;
    - the beginning of one object's name, or of another name that it has.

    Args:
        objects: The objects of the pool.
        words: One word or several.
        source: What messages call the pool.

    Raises:
        UnknownDevice: Nothing answers to a word.
        AmbiguousName: Several objects do.
    """
    found: dict[str, Object] = {}
    for word in [words] if isinstance(words, (str, int, Object)) else words:
        meant = [word] if isinstance(word, Object) else _meant(objects, str(word), source)
        found |= {object_.key: object_ for object_ in meant}
    return tuple(found.values())


def device(objects: Objects, who: int | str, source: str) -> int:
    """Return the one device that a word stands for: of an object, that which is not a part.

    Raises:
        UnknownDevice: Nothing answers to it, or an object without a device of its own.
        AmbiguousName: Several devices do.
    """
    if isinstance(who, int):
        if objects.has_device(who):
            return who
        raise _unknown(objects, who, source)
    id_, named = _device_id(objects, who), objects.by_name.get(who, ())
    if id_ is not None and all(objects.of(id_) is object_ for object_ in named):
        return id_
    # What has both the name and the id is ambiguous, which finding it tells.
    [*own] = find(objects, who, source)
    if len(own) > 1:
        raise _ambiguous(str(who), own, source)
    devices = objects.devices(own[0])
    whole = [
        id_ for id_ in devices if id_ in objects.claims and not objects.claims[id_].record.part
    ]
    if not devices:
        message = f"{own[0].kind} `{own[0].name}` has no device of its own in the pool"
        raise UnknownDevice(message, source=source, who=who)
    return (whole or devices)[0]


def _meant(objects: Objects, word: str, source: str) -> list[Object]:
    kind, colon, rest = word.partition(":")
    if colon and kind in objects.kinds | {"device"} and word not in objects.by_name:
        return _of_kind(objects, kind, rest, word, source)
    named, id_ = list(objects.by_name.get(word, ())), _device_id(objects, word)
    if id_ is not None and objects.of(id_) not in named:
        named.append(objects.of(id_))
    if not named and _is_pattern(word):
        named = [object_ for object_ in objects.all if _answers(object_, word)]
        named = [object_ for object_ in named if not object_.is_collected and not object_.is_kept]
        if not named:
            raise _unknown(objects, word, source)
        return _sorted(named)
    return [_only(objects, named or _beginning(objects.all, word), word, source)]


def _of_kind(objects: Objects, kind: str, rest: str, word: str, source: str) -> list[Object]:
    id_ = _device_id(objects, rest) if kind == "device" else None
    if id_ is not None:
        return [objects.of(id_)]
    among = [object_ for object_ in objects.all if object_.kind == kind]
    named = [object_ for object_ in objects.by_name.get(rest, ()) if object_.kind == kind]
    if not named and _is_pattern(rest):
        named = [object_ for object_ in among if _answers(object_, rest)]
        if not named:
            raise _unknown(objects, word, source)
        return _sorted(named)
    return [_only(objects, named or _beginning(among, rest), word, source)]


def _only(objects: Objects, named: list[Object], word: str, source: str) -> Object:
    if not named:
        raise _unknown(objects, word, source)
    if len(named) > 1:
        raise _ambiguous(word, named, source)
    return named[0]


def _sorted(found: Iterable[Object]) -> list[Object]:
    return sorted(found, key=lambda object_: (object_.kind, _counted(object_.name), object_.key))


def _counted(name: str) -> list[tuple[str, int]]:
    """Return what sorts names as people count: ``vm-9`` before ``vm-10``."""
    return [
        (text, int(digits) if digits else -1) for text, digits in _TEXT_AND_DIGITS.findall(name)
    ]


def _names(object_: Object) -> tuple[str, ...]:
    return object_.name, *object_.aliases


def _beginning(among: Iterable[Object], word: str) -> list[Object]:
    begun = [object_ for object_ in among if any(name.startswith(word) for name in _names(object_))]
    return begun if word else []


def _is_pattern(word: str) -> bool:
    return "=" in word or not _GLOB.isdisjoint(word)


def _answers(object_: Object, pattern: str) -> bool:
    key, equals, value = pattern.partition("=")
    if equals and key in object_.labels:
        return fnmatchcase(object_.labels[key], value)
    return any(fnmatchcase(name, pattern) for name in _names(object_))


def _device_id(objects: Objects, word: str) -> int | None:
    is_id = word.isascii() and word.isdecimal() and len(word) <= 8  # noqa: PLR2004 - 24 bits
    return int(word) if is_id and objects.has_device(int(word)) else None


def _unknown(objects: Objects, who: int | str, source: str) -> UnknownDevice:
    from difflib import get_close_matches  # noqa: PLC0415 - for what nearly never happens

    word = str(who)
    names = () if word.isdecimal() else sorted(objects.by_name)
    hint = "`thinscope devices SOURCE` lists the devices"
    if similar := get_close_matches(word, names, n=1):
        hint = f'did you mean "{similar[0]}"?'
    elif not objects.are_named and not word.isdecimal():
        hint = "names come from a manager's records: give them with --names"
    what = "device" if word.isdecimal() or not objects.are_named else "object"
    return UnknownDevice(f"no {what} `{word}` in the pool", source=source, hint=hint, who=who)


def _ambiguous(word: str, candidates: list[Object], source: str) -> AmbiguousName:
    candidates = _sorted(candidates)
    called = tuple(f"{object_.kind}:{object_.name}" for object_ in candidates)
    if len(set(called)) < len(called):
        called = tuple(
            f"{object_.kind}:{object_.aliases[0] if object_.aliases else object_.key}"
            for object_ in candidates
        )
    shown = ", ".join(called[:_CANDIDATES]) + (", ..." if len(called) > _CANDIDATES else "")
    return AmbiguousName(
        f"`{word}` may be any of {shown}",
        source=source,
        hint="say more of the name, or its kind as in KIND:NAME",
        who=word,
        candidates=called,
    )
