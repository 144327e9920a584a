"""What is gathered of a pool, one entry at a time, so that no two contradict each other.

A device has one record, every key that an object names exists, and no object is its own
ancestor. What would break that is told as `Unread` instead.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from thinscope.names.fields import in_loops
from thinscope.names.model import MAX_DEVICE, Object, Record, Unread

__all__ = ["Ledger", "moment", "not_a_device", "shown", "whole"]


def whole(value: object) -> int | None:
    """Return a whole number of at most 64 bits, from a number or from its digits, or None."""
    if isinstance(value, str):
        text = value.strip()
        if not (text.isascii() and text.isdecimal() and len(text) <= 20):  # noqa: PLR2004 - 64 bits
            return None
        value = int(text)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value < 1 << 64 else None


def moment(seconds: object) -> datetime | None:
    """Return the time that is told in seconds; None for none, or for none that can be."""
    found = whole(seconds)
    try:
        return datetime.fromtimestamp(found, UTC) if found else None
    except (OverflowError, ValueError, OSError):
        return None


def shown(value: object) -> str:
    """Return a value as messages show it: short, in one line, in ASCII."""
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:56]}..."  # noqa: PLR2004 - fits a line


def not_a_device(value: object) -> str:
    """Return why a value is no device id, as half a sentence."""
    return f"{shown(value)} is no device id: they go from 0 to {MAX_DEVICE}"


class Ledger:
    """The objects, the records and the unread of one pool, as they are found.

    Objects are those of volume managers: each uses one other at most.

    Attributes:
        unread: What could not be read so far.
    """

    def __init__(self) -> None:
        """Begin without entries."""
        self.unread: list[Unread] = []
        self._objects: dict[str, Object] = {}
        self._records: dict[int, Record] = {}

    def refuse(self, where: str, why: str) -> None:
        """Tell that a record could not be read."""
        self.unread.append(Unread(where=where, why=why))

    def add(self, record: Record, made: Object | None = None) -> None:
        """Take a record and, if it is the first of its object, the object."""
        there = self._records.get(record.device)
        if made is not None:
            self._objects.setdefault(made.key, made)
        if there is None:
            self._records[record.device] = record
        else:
            who = f", as {there.name}" if there.name else ""
            self.refuse(record.where, f"device {record.device} is on record already{who}")

    def finish(self) -> tuple[tuple[Object, ...], tuple[Record, ...], tuple[Unread, ...]]:
        """Return objects, records by device, and what was not read."""
        known = self._objects
        parents = {key: each.parent for key, each in known.items() if each.parent in known}
        uses = {key: each.uses[0] for key, each in known.items() if known.keys() & each.uses}
        rootless = in_loops(parents)
        looped = in_loops(uses)
        objects = [
            replace(
                each,
                parent=None if key in rootless else parents.get(key),
                uses=(uses[key],) if key in uses and key not in looped else (),
            )
            for key, each in known.items()
        ]
        for record in self._records.values():
            if record.object in rootless or record.object in looped:
                self.refuse(record.where, "following its origins leads back to itself")
        records = tuple(self._records[device] for device in sorted(self._records))
        return tuple(objects), records, tuple(self.unread)
