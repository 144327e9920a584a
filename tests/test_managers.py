"""Captured pools under their managers' names. Figures that the managers said are compared in tests/truth."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import thinscope
from tests.conftest import FIXTURES, capture_path
from tests.oracle import answers
from thinscope.ancestry import parents
from thinscope.errors import NamesError, NotThinMetadata, UnknownDevice
from thinscope.report.devices import Devices
from thinscope.report.render import Page, render

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thinscope import Pool

ANSWERS = FIXTURES / "docker-b/answers"
CONTAINERD = FIXTURES / "containerd-b"


@pytest.fixture
def pool(docker: Path) -> Iterator[Pool]:
    with thinscope.open(docker) as opened:
        yield opened


@pytest.fixture
def containerd() -> Iterator[Pool]:
    with thinscope.open(capture_path("containerd-b"), names=[CONTAINERD / "dbs"]) as opened:
        yield opened


def inspected(what: str) -> list[dict[str, Any]]:
    return json.loads((ANSWERS / f"inspect-{what}.json").read_text())


class TestDocker:
    def test_every_device_has_its_container_or_image(self, pool: Pool) -> None:
        labels = {id_: pool.objects.label(id_) for id_ in pool.devices}
        containers = {
            int(container["GraphDriver"]["Data"]["DeviceId"]): container["Name"].removeprefix("/")
            for container in inspected("containers")
        }
        assert len(containers) == 5
        for id_, name in containers.items():
            assert labels.pop(id_) == f"container {name}"
            assert labels.pop(id_ - 1) == f"container {name} (init)"
        for image in inspected("images"):
            top = int(image["GraphDriver"]["Data"]["DeviceId"])
            if image["RepoTags"]:
                assert labels[top].startswith(f"image {image['RepoTags'][0]} (layer ")
        assert labels.pop(1) == "base base"
        assert all(
            re.fullmatch(r"image \S+ \(layer [0-9a-f]{12}\)", each) for each in labels.values()
        )

    def test_figures_are_those_of_the_kernel(self, pool: Pool) -> None:
        status = answers.pool_status((ANSWERS / "pool-status.txt").read_text())
        assert (pool.data_space.kernel_used, pool.data_space.total) == (1912, 327680)
        assert (pool.metadata_space.kernel_used, pool.metadata_space.total) == (3398, 32768)
        assert (status.data_used, status.metadata_used) == (1912, 3398)
        assert sum(usage.fair_share for usage in pool.sharing().devices.values()) == 1912

    def test_what_was_removed_is_nowhere(self, pool: Pool) -> None:
        assert "jobs-2" in (FIXTURES / "docker-b/scenario.sh").read_text()
        with pytest.raises(UnknownDevice, match="jobs-2"):
            pool.find("jobs-2")
        assert not any("jobs-2" in pool.objects.label(id_) for id_ in pool.devices)

    def test_no_orphans(self, pool: Pool) -> None:
        assert pool.orphans() == ()

    def test_a_record_less_is_an_orphan_more(self, docker: Path, tmp_path: Path) -> None:
        folder = shutil.copytree(docker, tmp_path / "docker")
        [record] = [
            path
            for path in (folder / "devicemapper/metadata").iterdir()
            if json.loads(path.read_text()).get("device_id") == 20 and "-" not in path.name
        ]
        record.unlink()
        with thinscope.open(docker) as whole:
            space = whole.sharing().devices[20].reclaimable_blocks
        with thinscope.open(folder) as pool:
            [orphan] = pool.orphans()
            assert (orphan.device, orphan.is_in_pool) == (20, True)
            freed = pool.sharing().reclaim("device:20").freed_blocks
            assert freed == space == 59

    def test_a_record_of_an_absent_device(self, docker: Path, tmp_path: Path) -> None:
        folder = shutil.copytree(docker, tmp_path / "docker")
        record = {"device_id": 77, "size": 1 << 28, "transaction_id": 40, "initialized": True}
        path = folder / "devicemapper/metadata" / ("e" * 64)
        path.write_text(json.dumps(record))
        with thinscope.open(folder) as pool:
            [orphan] = pool.orphans()
        assert (orphan.device, orphan.is_in_pool) == (77, False)
        assert "the pool has no such device" in orphan.reason

    def test_an_image_with_containers_is_refused(self, pool: Pool) -> None:
        sharing = pool.sharing()
        [refusal] = sharing.reclaim("shop/api:2.0").refusals
        assert {user.name for user in refusal.users} == {"api-1", "api-2", "never-started"}
        both = sharing.reclaim(["shop/jobs:2.0", "jobs-1"])
        assert both.refusals == ()
        assert both.deletion.devices == (18, 23, 24)

    def test_each_alone_is_less_than_all_together(self, pool: Pool) -> None:
        found = pool.sharing().reclaim(["container:jobs-1", "shop/jobs:2.0"])
        alone = [given.alone_blocks for given in found.given]
        assert (alone, found.freed_blocks) == ([231, 0], 343)

    def test_parents_by_records_and_by_inference_agree(self, docker: Path) -> None:
        """What times and shared blocks suggest is what Docker's records say."""
        with thinscope.open(docker) as pool:
            recorded = {
                id_: parent and parent.device
                for id_, parent in parents(pool, with_inferred=False).items()
            }
        with thinscope.open(capture_path("docker-b")) as pool:
            inferred = parents(pool, with_inferred=True)
        assert {id_: parent and parent.device for id_, parent in inferred.items()} == recorded
        assert all(parent is None or parent.is_inferred for parent in inferred.values())


class TestContainerd:
    def test_kubernetes_labels(self, containerd: Pool) -> None:
        found = containerd.find("io.kubernetes.pod.namespace=finance")
        assert {object_.name for object_ in found} == {f"billing-{n}" for n in (1, 2, 3, 5)}
        assert containerd.find("io.kubernetes.pod.name=billing-3")[0].name == "billing-3"

    def test_no_orphans(self, containerd: Pool) -> None:
        assert containerd.orphans() == ()

    def test_a_layer_with_children_is_refused(self, containerd: Pool) -> None:
        [refusal] = containerd.sharing().reclaim("snapshot:sha256:e80414").refusals
        assert [user.name[:13] for user in refusal.users] == ["sha256:e95cf1"]

    def test_everything(self, containerd: Pool) -> None:
        found = containerd.sharing().reclaim(["billing-*", "example/app:1"])
        assert (found.freed_blocks, found.still_held_blocks) == (714, 0)
        assert len(found.deletion.devices) == 8


class TestLvm:
    REPORT = FIXTURES / "lvm-b/answers/lvs.json"

    def test_what_was_removed_is_nowhere(self) -> None:
        with (
            thinscope.open(capture_path("lvm-b"), names=[self.REPORT]) as pool,
            pytest.raises(UnknownDevice),
        ):
            pool.find("cache")

    def test_origins_by_inference(self) -> None:
        with thinscope.open(capture_path("lvm-b"), names=[self.REPORT]) as pool:
            recorded = parents(pool, with_inferred=False)
        with thinscope.open(capture_path("lvm-b")) as pool:
            inferred = parents(pool, with_inferred=True)
        ids = [
            {id_: parent and parent.device for id_, parent in found.items()}
            for found in (recorded, inferred)
        ]
        assert ids[0] == ids[1]

    def test_deleting_an_origin_is_not_refused(self) -> None:
        with thinscope.open(capture_path("lvm-b"), names=[self.REPORT]) as pool:
            found = pool.sharing().reclaim("vgdocker/web")
            assert found.refusals == ()
            assert found.freed_blocks == 40
            assert {holding.object.name for holding in found.holders} == {
                "vgdocker/web-snap1", "vgdocker/web-snap2", "vgdocker/web-snap1-clone"
            }  # fmt: skip


def test_names_only(docker: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(docker, tmp_path / "docker")
    (folder / "devicemapper/devicemapper/metadata").unlink()
    with pytest.raises(NamesError, match="holds names only") as raised:
        thinscope.open(folder)
    assert "--names" in (raised.value.hint or "")


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(NotThinMetadata, match="neither a file nor a block device"):
        thinscope.open(tmp_path)
    with pytest.raises(NamesError, match="no records of any manager that is known"):
        thinscope.open(capture_path("docker-b"), names=[tmp_path])


def test_names_beside_the_metadata(docker: Path) -> None:
    with thinscope.open(capture_path("docker-b"), names=[docker]) as pool:
        assert pool.device("api-1").id == 20
        assert pool.device("api-1").mapped_blocks == 1174


def test_names_of_another_pool(docker: Path) -> None:
    """No transaction agrees, so no record is believed, and all are told."""
    with thinscope.open(capture_path("churn-b"), names=[docker]) as pool:
        found = pool.orphans()
        assert {orphan.device for orphan in found if orphan.is_in_pool} >= set(pool.devices) - {1}
        assert {str(orphan.confidence) for orphan in found} == {"low"}


def test_external_origin(tmp_path: Path) -> None:
    """What a device reads where it maps nothing stands in the records only."""
    text = (FIXTURES / "lvm-b/answers/vgdocker.vg").read_text()
    external = text.replace(
        "\t\t\t\tdevice_id = 8\n", '\t\t\t\tdevice_id = 8\n\t\t\t\texternal_origin = "golden"\n'
    )
    path = tmp_path / "vg"
    path.write_text(external)
    with thinscope.open(capture_path("lvm-b"), names=[path]) as pool:
        assert pool.objects.external_origin(8) == "vgdocker/golden"
        assert pool.objects.external_origin(1) is None
        report = Devices.of(pool, "pool")
        shown = "".join(render(report, "text", Page()))
    assert "8: volume vgdocker/late reads vgdocker/golden, its external origin" in shown
