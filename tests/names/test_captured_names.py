"""Names in a capture: what is read back is equal to what was read, or is refused in one line."""

from __future__ import annotations

import json
from dataclasses import MISSING, fields
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import FIXTURES
from thinscope import names
from thinscope.errors import NamesError
from thinscope.names import captured
from thinscope.names.model import Names, Object, Record, State, Unread, Upkeep

OF_FIXTURES = [
    "containerd-b/dbs",
    "containerd-b/answers/table.txt",
    "docker-b/answers/table.txt",
    "lvm-b/answers/lvs.json",
    "lvm-b/answers/vgdocker.vg",
    "../tests/cli/names.csv",
]

EVERY_FIELD = Names(
    manager="docker",
    source=Path("/var/lib/docker"),
    version="2",
    pool="vg/pool",
    dm_pool="vg-pool-tpool",
    mode="loop-lvm",
    transaction_id=(1 << 64) - 1,
    is_pending=True,
    is_complete=False,
    is_unmanaged=True,
    block_bytes=65536,
    objects=(
        Object(key="a", kind="image", name="\udcff\x1b[31m\u2028 app:1"),
        Object(
            key="b",
            kind="container",
            name="web",
            aliases=("w", ""),
            parent="a",
            uses=("a",),
            is_collected=True,
            is_kept=True,
            is_running=True,
            refused="another pool needs it",
            labels=MappingProxyType({"k": "v", "": "\ud800"}),
            created=datetime(2020, 1, 2, 3, 4, 5, 678901, timezone(timedelta(hours=-3))),
            manager_usage_bytes=-1500,
            manager_base_bytes=0,
            removal=(("docker", "rm", "web"), ()),
        ),
    ),
    records=(
        Record(device=0, where="x", object="a"),
        Record(
            device=7,
            where="metadata/1",
            object="b",
            part="init",
            name="h",
            state=State.REMOVING,
            reason="it was about to go",
            transaction_id=0,
            virtual_bytes=10 << 30,
            external_origin="/dev/vg/origin",
        ),
        Record(device=7, where="metadata/2"),
    ),
    unread=(Unread(where="y", why="torn"),),
    metadata=Path("/var/lib/docker/devicemapper/devicemapper/metadata"),
    hint="look there",
    upkeep=Upkeep(
        metadata_device="/dev/mapper/vg-pool_tmeta",
        profile="roomy",
        extent_bytes=4 << 20,
        free_extents=0,
        threshold=70,
        percent=20,
        settings="/etc/lvm/lvm.conf",
        settings_unread="torn",
        is_full_an_error=False,
        low_water_blocks=0,
    ),
)


def again(*found: Names, pool: str | None = None) -> tuple[tuple[Names, ...], str | None]:
    return captured.read(captured.written(found, pool), "pool.tar", "names/1.json")


@pytest.mark.parametrize("path", OF_FIXTURES)
def test_of_captured_pools(path: str) -> None:
    found = names.read(FIXTURES / path)
    assert again(*found) == (found, None)


def test_of_docker(docker_b: Path) -> None:
    found = names.read(docker_b)
    assert found[0].objects
    assert again(*found, pool="docker-0:38-1") == (found, "docker-0:38-1")


def test_every_field_comes_back() -> None:
    parts = (*EVERY_FIELD.objects[1:], *EVERY_FIELD.records[1:2], EVERY_FIELD.upkeep)
    for made in (EVERY_FIELD, *parts):
        for each in fields(made):
            default = each.default if each.default_factory is MISSING else each.default_factory()
            assert getattr(made, each.name) != default, each.name
    assert again(EVERY_FIELD) == ((EVERY_FIELD,), None)
    assert again() == ((), None)


def test_what_is_written_is_ascii_and_no_larger_than_it_must_be() -> None:
    least = Names(manager="lvm", source=Path("vg"))
    data = captured.written([least], None)
    assert json.loads(data)["records"] == [{"manager": "lvm", "source": "vg"}]
    assert captured.written([EVERY_FIELD], None).isascii()


TEXT = st.text(st.characters(), max_size=8)


@given(
    st.lists(TEXT, unique=True, max_size=5),
    st.dictionaries(TEXT, TEXT, max_size=3),
    st.lists(st.integers(0, (1 << 24) - 1), max_size=5),
    st.none() | st.datetimes(timezones=st.just(UTC)),
)
def test_whatever_they_say(
    keys: list[str], labels: dict[str, str], ids: list[int], created: datetime | None
) -> None:
    found = Names(
        manager="table",
        source=Path("t"),
        objects=tuple(
            Object(key=key, kind="volume", name=key, labels=labels, created=created) for key in keys
        ),
        records=tuple(
            Record(device=id_, where=str(at), object=keys[at % len(keys)] if keys else None)
            for at, id_ in enumerate(sorted(ids))
        ),
    )
    assert again(found) == ((found,), None)


def changed(change: str, value: object) -> bytes:
    """The JSON of all fields, with one of them changed: `objects.1.name`."""
    document: Any = json.loads(captured.written([EVERY_FIELD], None))
    *path, last = (int(word) if word.isdecimal() else word for word in change.split("."))
    at = document["records"][0]
    for word in path:
        at = at[word]
    at[last] = value
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("change", "value", "why"),
    [
        ("manager", 1, "1 is no text"),
        ("manager", None, "None is no text"),
        ("objects", {}, "{} is no list"),
        ("objects.0", [], "[] is no object"),
        ("objects.0", {"key": "a", "kind": "image"}, "no `name`"),
        ("objects.1.labels", [], "[] is no object"),
        ("objects.1.labels", {"k": 1}, "1 is no text"),
        ("objects.1.is_kept", 1, "1 is neither true nor false"),
        ("objects.1.created", "2020-01-02T03:04:05", "'2020-01-02T03:04:05' has no time zone"),
        ("objects.1.created", "monday", "'monday' is no time"),
        ("objects.1.created", "x" * 999, f"'{'x' * 55}... is no time"),
        ("objects.1.removal", ["rm -rf /"], "'rm -rf /' is no list"),
        ("objects.1.key", "a", "two objects of the same key"),
        ("objects.1.parent", "x", "no object has the key 'x'"),
        ("objects.1.parent", "b", "an object is its own ancestor"),
        ("objects.1.uses", ["b"], "objects use each other in a circle"),
        ("objects.0.uses", ["b"], "objects use each other in a circle"),
        ("objects.0.more", 1, "'more' is not known"),
        ("records.0.device", 1 << 24, "16777216 is no number from 0 to 16777215"),
        ("records.0.device", -1, "-1 is no number from 0 to 16777215"),
        ("records.0.device", 1.5, "1.5 is no number from 0 to 16777215"),
        ("records.0.device", True, "True is no number from 0 to 16777215"),
        ("records.0.device", 9, "records that are not by ascending device"),
        ("records.0.object", "x", "no object has the key 'x'"),
        ("records.0.state", "gone", "'gone' is no state"),
        ("records.0.state", "x" * 999, f"'{'x' * 55}... is no state"),
        ("transaction_id", 1 << 64, f"{1 << 64} is no number from 0 to {(1 << 64) - 1}"),
    ],
)
def test_what_cannot_be(change: str, value: object, why: str) -> None:
    with pytest.raises(NamesError) as raised:
        captured.read(changed(change, value), "pool.tar", "names/1.json")
    assert str(raised.value) == f"pool.tar: names/1.json: no records: {why}"


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{}", b"null", b'{"pool": 1, "records": []}', b'{"pool": null}', b"[" * 100_000]
    + [b'{"pool": null, "records": ' + word + b"}" for word in (b"1", b"[1]", b"[{}]", b"NaN")],
    ids=lambda data: data[:30].decode(),
)
def test_what_is_none(data: bytes) -> None:
    with pytest.raises(NamesError) as raised:
        captured.read(data, "pool.tar", "names/1.json")
    assert str(raised.value).startswith("pool.tar: names/1.json: ")
    assert "\n" not in str(raised.value)
