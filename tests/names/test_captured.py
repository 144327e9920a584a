"""Records that Docker and containerd left in pools that they really filled, with what went wrong there."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import zstandard

import thinscope
from tests.conftest import CAPTURES, FIXTURES, capture_path
from tests.oracle import answers

if TYPE_CHECKING:
    from collections.abc import Callable

    from thinscope import Pool

    Open = Callable[[str], Pool]


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    """Open a captured pool with the records of its manager."""

    def open_(name: str) -> Pool:
        folder = tmp_path / "records"
        folder.mkdir()
        for path in sorted((FIXTURES / CAPTURES[name]["answers"]["records"]).iterdir()):
            data = zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read()
            if path.name == "docker-root.tar.zst":
                with tarfile.open(fileobj=io.BytesIO(data)) as tar:
                    tar.extractall(folder, filter="data")
            else:
                (folder / path.stem).write_bytes(data)
        return thinscope.open(capture_path(name), names=[folder])

    return open_


def told(pool: Pool) -> dict[int, tuple[bool, str, str, str]]:
    """Orphans by device: whether it is in the pool, what it is, how sure that is, and why."""
    return {
        each.device: (each.is_in_pool, str(each.sort), str(each.confidence), each.reason)
        for each in pool.orphans()
    }


class TestContainerd:
    def test_images_of_two_namespaces_with_one_name(self, opened: Open) -> None:
        pool = opened("containerd-6.1/all")
        names = {object_.name for object_ in pool.find("image:*")}
        assert names == {"k8s.io/example/app:1", "tenant/example/app:1", "example/tool:2"}
        with pytest.raises(thinscope.errors.AmbiguousName, match=r"image:tenant/example/app:1"):
            pool.find("image:example/app:1")
        [image] = pool.find("image:tenant/example/app:1")
        assert image.removal == (("ctr", "-n", "tenant", "images", "rm", "example/app:1"),)

    def test_a_device_that_was_there_before_is_not_offered(self, opened: Open) -> None:
        pool = opened("containerd-faulty-6.1/taken")
        why = "the pool had a device of its id before, which is not containerd's: file exists"
        assert told(pool)[6] == (True, "on record, but of no object", "low", why)
        assert not any(each.may_be_deleted for each in pool.orphans())

    def test_nor_is_it_when_its_id_alone_is_on_record(self, opened: Open) -> None:
        pool = opened("containerd-faulty-6.1/around")
        why = "containerd could not use its id, and marked it as faulty"
        assert told(pool) == {6: (True, "on record, but of no object", "low", why)}

    def test_what_it_failed_to_finish(self, opened: Open) -> None:
        pool = opened("containerd-faulty-6.1/creating")
        found = {
            each.name: (each.is_in_pool, str(each.sort), str(each.confidence))
            for each in pool.orphans()
        }
        assert found == {
            "": (True, "on record, but of no object", "low"),
            "pool-snap-11": (False, "half removed", "high"),
            "pool-snap-12": (True, "half removed", "high"),
            "pool-snap-13": (True, "half made", "medium"),
        }

    def test_what_is_collected(self, opened: Open) -> None:
        """What nothing refers to goes with the next removal: a view, unless a label keeps it."""
        pool = opened("containerd-6.1/all")
        used = {key for object_ in pool.objects.all for key in object_.uses}
        doomed = [each for each in pool.objects.all if each.is_collected and each.key not in used]
        assert [each.name for each in doomed] == ["look"]
        deletion, _ = CAPTURES["containerd-6.1/all"]["capture"]["deletion"]
        gone = [device for each in doomed for device in pool.objects.devices(each)]
        gone += pool.objects.devices(pool.find("billing-2")[0])
        assert sorted(gone) == sorted(deletion["devices"])

    def test_a_name_of_kubernetes_keeps_an_image(self, opened: Open) -> None:
        """`ctr images rm` took one of two names: the layers stay, and are of the other."""
        pool = opened("containerd-6.1/image-less")
        assert pool.objects.label(6).startswith("image sha256:9c911b1efb72")
        assert pool.orphans() == ()


class TestDocker:
    def test_a_chain_of_thirty_layers(self, opened: Open) -> None:
        pool = opened("docker-direct-6.1/whole")
        assert pool.orphans() == ()
        layers = [each for each in pool.objects.all if each.kind == "layer"]
        assert len(layers) == 31  # and the one with a shell
        assert {pool.objects.label(id_).partition(" (")[0] for id_ in range(2, 33)} == {
            "image shop/deep:1"
        }

    def test_a_deletion_that_was_deferred(self, opened: Open) -> None:
        """dockerd stood still meanwhile, so records and pool are of one transaction."""
        pool = opened("docker-direct-6.1/deferred")
        assert told(pool) == {38: (True, "half removed", "high", "its deletion was deferred")}
        found = pool.sharing().reclaim("device:38")
        with_it, without = (
            answers.truth(CAPTURES[f"docker-direct-6.1/{name}"]).pool.data_used
            for name in ("deferred", "let-go")
        )
        assert found.freed_blocks == with_it - without == 7

    def test_a_creation_that_was_broken_off(self, opened: Open) -> None:
        pool = opened("docker-interrupted-6.1/creating")
        assert pool.superblock.transaction_id == 9
        [names] = pool.objects.names
        assert (names.transaction_id, names.is_of(9)) == (10, True)
        why = "the last transaction was about to make it, or has deleted it"
        assert told(pool) == {10: (True, "half made", "medium", why)}

    def test_a_deletion_that_was_broken_off(self, opened: Open) -> None:
        pool = opened("docker-interrupted-6.1/deleting")
        why = "the pool has no such device; the last transaction was about to delete it"
        assert told(pool) == {9: (False, "half removed", "high", why)}

    def test_dockerd_undoes_a_creation_when_it_starts(self, opened: Open) -> None:
        pool = opened("docker-interrupted-6.1/rolled-back")
        assert pool.orphans() == ()
        assert pool.objects.names[0].unread == ()

    def test_dockerd_leaves_a_dead_container_of_a_deletion(self, opened: Open) -> None:
        """It forgets the device, and keeps the container, which still has its other device."""
        pool = opened("docker-interrupted-6.1/recovered")
        assert pool.orphans() == ()
        [unread] = pool.objects.names[0].unread
        assert unread.why.startswith("not there, but container/")
        [container] = pool.find("container:api-2")
        assert pool.objects.devices(container) == (8,)
