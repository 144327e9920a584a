"""Texts of LVM that are as large as can be: what is said again and again is gone through once.

Each would take longer than a test may, if work grew with the square of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.images.made import EXTENT, Group, Volume, linear, physical, thin_pool
from thinscope.disk_image import DiskImage
from thinscope.logical_volumes import VolumeGroup
from thinscope.names import Names, State, lvm

if TYPE_CHECKING:
    from thinscope.formats.lvm_text import Section

MANY = 100_000


def of(volumes: dict[str, object], history: dict[str, object] | None = None) -> tuple[Names, ...]:
    group = {"logical_volumes": volumes, "historical_logical_volumes": history or {}}
    return lvm.of_section({"vg": group}, Path("x"))


def segments(kind: str, count: int, **fields: object) -> dict[str, object]:
    return {
        f"segment{number}": {"type": kind, "device_id": number, **fields} for number in range(count)
    }


def test_pools() -> None:
    found = of({f"pool{number}": segments("thin-pool", 1) for number in range(MANY // 4)})
    assert len(found) == MANY // 4


def test_a_line_of_removed_origins() -> None:
    """Each is of the one before; the last is of a volume that lives."""
    history = {
        f"gone{number}": {"origin": f"-gone{number + 1}", "descendants": [f"web{number}"]}
        for number in range(MANY)
    }
    history[f"gone{MANY}"] = {"origin": "base"}
    volumes = {"pool": segments("thin-pool", 1)}
    for number, name in enumerate(["base", "web0", f"web{MANY - 1}"]):
        volumes[name] = {"segment1": {"type": "thin", "thin_pool": "pool", "device_id": number}}
    (found,) = of(volumes, history)
    assert {each.name: each.parent for each in found.objects} == {
        "vg/base": None,
        "vg/web0": "lv/vg/base",
        f"vg/web{MANY - 1}": "lv/vg/base",
    }


@pytest.mark.parametrize("length", [1, 2, 5])
def test_removed_origins_in_a_circle(length: int) -> None:
    history = {
        f"gone{number}": {"origin": f"-gone{(number + 1) % length}", "descendants": ["web"]}
        for number in range(length)
    }
    volumes = {"pool": segments("thin-pool", 1), "web": segments("thin", 1, thin_pool="pool")}
    (found,) = of(volumes, history)
    (web,) = found.objects
    assert (web.parent, web.labels["removed origin"]) == (None, "gone0")


def test_messages() -> None:
    pool = segments("thin-pool", MANY // 4, message={"create": "web"})
    (found,) = of({"pool": pool, "web": segments("thin", MANY // 4, thin_pool="pool")})
    assert len(found.records) == MANY // 4
    assert State.QUEUED in {record.state for record in found.records}


def test_readers_of_a_volume_in_another_pool() -> None:
    volumes = {name: segments("thin-pool", 1) for name in ("one", "other")}
    volumes["base"] = segments("thin", MANY, thin_pool="one")
    volumes["web"] = segments("thin", MANY, thin_pool="other", external_origin="base")
    one, _ = of(volumes)
    (base,) = one.objects
    assert base.refused is not None
    assert base.refused.count("vg/web") == MANY
    assert len(one.records) == MANY


def test_pools_that_have_their_metadata_in_common(monkeypatch: pytest.MonkeyPatch) -> None:
    put_together = []
    pieces = VolumeGroup._pieces

    def counted(group: VolumeGroup, name: str, section: Section) -> object:
        put_together.append(name)
        return pieces(group, name, section)

    monkeypatch.setattr(VolumeGroup, "_pieces", counted)
    metadata = Volume("m", [linear("pv0", at, 1, at) for at in range(9)])
    pools = [Volume(f"pool{number}", [thin_pool("m", "m")]) for number in range(50)]
    found = DiskImage(bytes(physical([Group([metadata, *pools]).text()]))).pools()
    assert len(found) == 50
    assert {(each.metadata_bytes, each.problem) for each in found} == {(9 * EXTENT, None)}
    assert put_together == ["m"]
