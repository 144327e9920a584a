"""Names as a capture keeps them: JSON of all that was read, and nothing that was not.

Fields have the names and meanings of `thinscope.names.model`; those that say what they say by
default are left out. What is read back is equal to what was written, and keeps the promises of
the model whatever the bytes are: keys that exist, records by device, nobody its own ancestor.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, Field, fields
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from thinscope.errors import NamesError
from thinscope.names import files
from thinscope.names.fields import in_loops
from thinscope.names.ledger import shown
from thinscope.names.model import MAX_DEVICE, Names, Object, Record, State, Unread, Upkeep

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["read", "written"]

_Kind: TypeAlias = Callable[[object], Any]


def written(found: Sequence[Names], pool: str | None) -> bytes:
    """Return records as JSON.

    Args:
        found: The records, one for each pool that they are about.
        pool: What the manager calls the pool that is meant, or None if it was not said.
    """
    document = {"pool": pool, "records": [_plain(names) for names in found]}
    return json.dumps(document, indent=1).encode() + b"\n"


def read(data: bytes, source: str, where: str) -> tuple[tuple[Names, ...], str | None]:
    """Read what `written` returned.

    Args:
        data: The JSON.
        source: What errors call the capture.
        where: What they call the JSON in it.

    Raises:
        NamesError: It is no JSON of records, or the records cannot be.
    """
    try:
        return _document(files.json_of(data, Path(source)))
    except ValueError as error:
        raise NamesError(f"no records: {error}", source=source, where=where) from error
    except NamesError as error:
        raise NamesError(error.message, source=source, where=where) from error


def _plain(value: object) -> object:
    match value:
        case None | bool() | int():
            return value
        case str() | Path():
            return str(value)
        case datetime():
            return value.isoformat()
        case tuple():
            return [_plain(item) for item in value]
        case Mapping():
            return dict(value)
        case _:
            told = (
                (each.name, getattr(value, each.name), _default(each)) for each in _fields(value)
            )
            return {name: _plain(item) for name, item, default in told if item != default}


def _fields(value: Any) -> Iterable[Field[Any]]:  # noqa: ANN401 - a dataclass
    return fields(value)


def _default(each: Field[Any]) -> object:
    return each.default if each.default_factory is MISSING else each.default_factory()


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{shown(value)} is no text")  # noqa: TRY004 - of a value in JSON
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{shown(value)} is neither true nor false")  # noqa: TRY004 - as above
    return value


def _whole(least: int, most: int) -> _Kind:
    def whole(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError(f"{shown(value)} is no number from {least} to {most}")
        return value

    return whole


def _state(value: object) -> State:
    try:
        return State(_text(value))
    except ValueError:
        raise ValueError(f"{shown(value)} is no state") from None


def _moment(value: object) -> datetime:
    try:
        found = datetime.fromisoformat(_text(value))
    except ValueError:
        raise ValueError(f"{shown(value)} is no time") from None
    if found.tzinfo is None:
        raise ValueError(f"{shown(value)} has no time zone")
    return found


def _labels(value: object) -> Mapping[str, str]:
    if not isinstance(value, dict):
        raise ValueError(f"{shown(value)} is no object")  # noqa: TRY004 - as above
    return MappingProxyType({key: _text(word) for key, word in value.items()})


def _many(kind: _Kind) -> _Kind:
    def many(value: object) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise ValueError(f"{shown(value)} is no list")  # noqa: TRY004 - as above
        return tuple(map(kind, value))

    return many


def _optional(kind: _Kind) -> _Kind:
    return lambda value: None if value is None else kind(value)


def _struct(made: type, kinds: Mapping[str, _Kind]) -> _Kind:
    required = {
        each.name
        for each in fields(made)
        if each.default is MISSING and each.default_factory is MISSING
    }

    def struct(value: object) -> object:
        if not isinstance(value, dict):
            raise ValueError(f"{shown(value)} is no object")  # noqa: TRY004 - as above
        if missing := required - value.keys():
            raise ValueError(f"no `{min(missing)}`")
        if unknown := value.keys() - kinds.keys():
            raise ValueError(f"{shown(min(unknown))} is not known")
        return made(**{name: kinds[name](item) for name, item in value.items()})

    return struct


_U64 = _whole(0, (1 << 64) - 1)
_SECTORS_OF_U64 = (1 << 73) - 1
_BYTES = _whole(0, _SECTORS_OF_U64)
_MANAGERS_BYTES = _whole(-_SECTORS_OF_U64, _SECTORS_OF_U64)

_KINDS: Mapping[type, Mapping[str, _Kind]] = {
    Record: {
        "device": _whole(0, MAX_DEVICE),
        "where": _text,
        "object": _optional(_text),
        "part": _text,
        "name": _text,
        "state": _state,
        "reason": _optional(_text),
        "transaction_id": _optional(_U64),
        "virtual_bytes": _optional(_BYTES),
        "external_origin": _optional(_text),
    },
    Object: {
        "key": _text,
        "kind": _text,
        "name": _text,
        "aliases": _many(_text),
        "parent": _optional(_text),
        "uses": _many(_text),
        "is_collected": _flag,
        "is_kept": _flag,
        "is_running": _flag,
        "refused": _optional(_text),
        "labels": _labels,
        "created": _optional(_moment),
        "manager_usage_bytes": _optional(_MANAGERS_BYTES),
        "manager_base_bytes": _optional(_MANAGERS_BYTES),
        "removal": _many(_many(_text)),
    },
    Unread: {"where": _text, "why": _text},
    Upkeep: {
        "metadata_device": _text,
        "profile": _text,
        "extent_bytes": _optional(_BYTES),
        "free_extents": _optional(_U64),
        "threshold": _optional(_U64),
        "percent": _optional(_U64),
        "settings": _text,
        "settings_unread": _text,
        "is_full_an_error": _optional(_flag),
        "low_water_blocks": _optional(_U64),
    },
}
_NAMES: Mapping[str, _Kind] = {
    "manager": _text,
    "source": lambda value: Path(_text(value)),
    "version": _text,
    "pool": _text,
    "dm_pool": _text,
    "mode": _text,
    "transaction_id": _optional(_U64),
    "is_pending": _flag,
    "is_complete": _flag,
    "is_unmanaged": _flag,
    "block_bytes": _optional(_U64),
    "objects": _many(_struct(Object, _KINDS[Object])),
    "records": _many(_struct(Record, _KINDS[Record])),
    "unread": _many(_struct(Unread, _KINDS[Unread])),
    "metadata": _optional(lambda value: Path(_text(value))),
    "hint": _optional(_text),
    "upkeep": _struct(Upkeep, _KINDS[Upkeep]),
}


def _document(value: object) -> tuple[tuple[Names, ...], str | None]:
    if not isinstance(value, dict) or value.keys() != {"pool", "records"}:
        raise ValueError("no `pool` and `records`")
    return _many(_names)(value["records"]), _optional(_text)(value["pool"])


def _names(value: object) -> Names:
    names: Names = _struct(Names, _NAMES)(value)
    keys = {object_.key for object_ in names.objects}
    if len(keys) < len(names.objects):
        raise ValueError("two objects of the same key")
    ids = [record.device for record in names.records]
    if any(id_ > after for id_, after in pairwise(ids)):
        raise ValueError("records that are not by ascending device")
    named = {key for object_ in names.objects for key in (object_.parent, *object_.uses)}
    named |= {record.object for record in names.records}
    if unknown := named - keys - {None}:
        raise ValueError(f"no object has the key {shown(min(filter(None, unknown)))}")
    if in_loops({object_.key: object_.parent for object_ in names.objects}):
        raise ValueError("an object is its own ancestor")
    if _use_each_other(names.objects):
        raise ValueError("objects use each other in a circle")
    return names


def _use_each_other(objects: Iterable[Object]) -> bool:
    """Whether taking away what nothing uses, again and again, leaves something."""
    uses = {object_.key: set(object_.uses) for object_ in objects}
    users = dict.fromkeys(uses, 0)
    for used in uses.values():
        for key in used:
            users[key] += 1
    unused = [key for key, count in users.items() if not count]
    gone = 0
    while unused:
        gone += 1
        for key in uses[unused.pop()]:
            users[key] -= 1
            if not users[key]:
                unused.append(key)
    return gone < len(uses)
