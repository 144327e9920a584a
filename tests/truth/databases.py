"""A manager's databases, key by key, beside what bbolt's own library read in them."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING

from tests.truth.record import Row
from thinscope.formats import bbolt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.truth.case import Case

Way = tuple[bytes, ...]


def rows(case: Case) -> Iterator[Row]:
    """Every key of every database that the library was asked about: its value, or its sequence."""
    assert case.records is not None, f"{case.name} has answers of bbolt and no records"
    for key in filter(is_answer, case.files):
        name = Path(case.files[key]).name.partition(".bolt.jsonl")[0]
        [path] = case.records.rglob(name)
        ours = dict(_walk(bbolt.Database(path.read_bytes(), name).root))
        theirs = dict(map(_line, case.text(key).splitlines()))
        yield Row(key, "keys", len(ours), len(theirs))
        for way in {**theirs, **ours}:
            shown = "/".join(part.decode(errors="replace") for part in way)
            yield Row(key, shown, ours.get(way), theirs.get(way))


def is_answer(key: str) -> bool:
    """Whether a key of answers stands for a database."""
    return key.startswith("bolt.")


def _line(line: str) -> tuple[Way, bytes | int]:
    said = json.loads(line)
    way = tuple(base64.b64decode(part or "") for part in said["path"])
    return way, said["sequence"] if "sequence" in said else base64.b64decode(said["value"] or "")


def _walk(bucket: bbolt.Bucket, above: Way = ()) -> Iterator[tuple[Way, bytes | int]]:
    for key, value in bucket:
        way = (*above, key)
        if isinstance(value, bbolt.Bucket):
            yield way, value.sequence
            yield from _walk(value, way)
        else:
            yield way, value
