"""A pool and records of it, made by hand: what a manager like Docker would have."""

from __future__ import annotations

from pathlib import Path

from thinscope.names import Names, Object, Record, State
from thinscope.objects import Objects
from thinscope.pool import Device


def device(id_: int, transaction_id: int | None = None) -> Device:
    """A device that was made in the transaction before its id."""
    made = id_ - 1 if transaction_id is None else transaction_id
    return Device(
        id=id_,
        mapped_blocks=10,
        mapped_bytes=10 << 16,
        transaction_id=made,
        creation_time=id_,
        snapshot_time=id_,
        is_recorded=True,
        _pool=None,  # type: ignore[arg-type]
    )


def devices(*ids: int) -> dict[int, Device]:
    return {id_: device(id_) for id_ in ids}


def record(id_: int, object_: str | None, **more: object) -> Record:
    fields = {"transaction_id": id_ - 1, "where": f"metadata/{id_}", "name": f"hash{id_}"} | more
    return Record(device=id_, object=object_, **fields)  # type: ignore[arg-type]


BASE = Object(key="base", kind="base", name="base", is_kept=True)
BOTTOM = Object(key="l1", kind="layer", name="aaa", parent="base", is_collected=True)
SHARED = Object(key="l2", kind="layer", name="bbb", parent="l1", uses=("l1",), is_collected=True)
OWN = Object(key="l3", kind="layer", name="ccc", parent="l2", uses=("l2",), is_collected=True)
OTHER = Object(key="l4", kind="layer", name="ddd", parent="l2", uses=("l2",), is_collected=True)
SHOP = Object(
    key="i1",
    kind="image",
    name="shop:1",
    aliases=("shop:latest", "sha256:5e0"),
    uses=("l3",),
    removal=(("docker", "rmi", "shop:1", "shop:latest"),),
)
JOBS = Object(
    key="i2", kind="image", name="jobs:1", uses=("l4",), removal=(("docker", "rmi", "jobs:1"),)
)
BASIS = Object(
    key="i3", kind="image", name="basis:1", uses=("l2",), removal=(("docker", "rmi", "basis:1"),)
)
WEB_1 = Object(
    key="c1",
    kind="container",
    name="web-1",
    aliases=("6f3b",),
    parent="i1",
    uses=("l3", "i1"),
    labels={"env": "test", "tier": "front"},
    removal=(("docker", "rm", "web-1"),),
)
WEB_2 = Object(
    key="c2",
    kind="container",
    name="web-2",
    aliases=("6f3c",),
    parent="i1",
    uses=("l3", "i1"),
    labels={"env": "live"},
    removal=(("docker", "rm", "web-2"),),
)

NAMES = Names(
    manager="docker",
    source=Path("/var/lib/docker"),
    transaction_id=30,
    objects=(BASE, BOTTOM, SHARED, OWN, OTHER, SHOP, JOBS, BASIS, WEB_1, WEB_2),
    records=(
        record(1, "base"),
        record(2, "l1"),
        record(3, "l2"),
        record(4, "l3"),
        record(5, "l4"),
        record(6, "c1", part="init"),
        record(7, "c1"),
        record(8, "c2", part="init"),
        record(9, "c2"),
    ),
)


def objects(*more_names: Names, ids: range = range(1, 10)) -> Objects:
    return Objects(devices(*ids), [NAMES, *more_names])


__all__ = ["NAMES", "Objects", "State", "device", "devices", "objects", "record"]
