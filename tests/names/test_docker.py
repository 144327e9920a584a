"""Docker's records: what a real Docker and its `inspect` say of the same devices, and each state."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import thinscope
from tests.conftest import FIXTURES
from tests.names import docker_folder as docker
from tests.names.docker_folder import LOWER, MOUNT_HASH, UPPER, UPPER_HASH, WEB
from thinscope import names
from thinscope.names import docker as reader
from thinscope.names.model import Names, Object, Record, State
from thinscope.objects import Objects


def read(root: Path) -> Names:
    [found] = names.read(root)
    return found


def object_(found: Names, key: str) -> Object:
    return next(object_ for object_ in found.objects if object_.key == key)


def records(found: Names, key: str | None) -> dict[int, Record]:
    return {record.device: record for record in found.records if record.object == key}


def inspected(what: str) -> list[dict[str, Any]]:
    return json.loads((FIXTURES / "docker-b" / "answers" / f"inspect-{what}.json").read_text())


def device_of(answer: dict[str, Any]) -> tuple[int, str, int]:
    data = answer["GraphDriver"]["Data"]
    return int(data["DeviceId"]), data["DeviceName"].rpartition("-")[2], int(data["DeviceSize"])


@pytest.fixture(scope="module")
def captured(docker_b: Path) -> Names:
    return read(docker_b)


class TestCapture:
    def test_nothing_is_left_over(self, captured: Names) -> None:
        assert captured.manager == "docker"
        assert captured.unread == ()
        assert {record.state for record in captured.records} == {State.IN_USE}
        assert all(record.object for record in captured.records)
        keys = [object_.key for object_ in captured.objects]
        assert len(set(keys)) == len(keys)

    def test_every_device_of_the_pool_is_on_record_as_the_kernel_has_it(
        self, captured: Names
    ) -> None:
        with thinscope.open(FIXTURES / "docker-b" / "metadata.bin.zst") as pool:
            kernel = {id_: device.transaction_id for id_, device in pool.devices.items()}
            assert captured.transaction_id == pool.superblock.transaction_id
            joined = Objects(pool.devices, [captured])
        assert {record.device: record.transaction_id for record in captured.records} == kernel
        assert not joined.absent
        assert not joined.stale
        assert joined.label(30) == "container never-started"
        assert joined.label(29) == "container never-started (init)"
        assert joined.label(18) == "image shop/jobs:2.0 (layer ee30f262aecf)"
        assert [joined.parent(30), joined.parent(29), joined.parent(15)] == [29, 15, 12]
        assert [joined.parent(3), joined.parent(1)] == [1, None]

    def test_containers_are_as_docker_inspects_them(self, captured: Names) -> None:
        answers = inspected("containers")
        containers = [object_ for object_ in captured.objects if object_.kind == "container"]
        assert {object_.name for object_ in containers} == {
            answer["Name"].removeprefix("/") for answer in answers
        }
        assert "jobs-2" not in {object_.name for object_ in captured.objects}
        for answer in answers:
            found = object_(captured, f"container/{answer['Id']}")
            name = answer["Name"].removeprefix("/")
            image = f"image/{answer['Image'].removeprefix('sha256:')}"
            assert found.name == name
            assert found.aliases == (answer["Id"][:12], answer["Id"])
            assert found.parent == image
            assert found.uses == (object_(captured, image).uses[0], image)
            assert found.labels == answer["Config"]["Labels"]
            assert found.removal == (("docker", "rm", name),)
            assert found.created is not None
            assert found.created.isoformat()[:23] == answer["Created"][:23]
            own = records(captured, found.key)
            assert {record.part for record in own.values()} == {"", "init"}
            [written] = [record for record in own.values() if not record.part]
            assert (written.device, written.name, written.virtual_bytes) == device_of(answer)
            [init] = [record for record in own.values() if record.part]
            assert init.name == f"{written.name}-init"

    def test_images_are_as_docker_inspects_them(self, captured: Names) -> None:
        answers = inspected("images")
        images = [object_ for object_ in captured.objects if object_.kind == "image"]
        assert len(images) == len(answers)
        built_from = {answer["Parent"] for answer in answers}
        for answer in answers:
            id_ = answer["Id"].removeprefix("sha256:")
            found = object_(captured, f"image/{id_}")
            assert found.name == (answer["RepoTags"] or [id_[:12]])[0]
            assert {id_, answer["Id"]} <= set(found.aliases)
            parent = answer["Parent"] and "image/" + answer["Parent"].removeprefix("sha256:")
            assert found.parent == (parent or None)
            assert found.created is not None
            assert found.created.isoformat()[:23] == answer["Created"][:23]
            is_between = not answer["RepoTags"] and answer["Id"] in built_from
            assert found.is_collected == is_between
            assert found.removal == (
                () if is_between else (("docker", "rmi", *answer["RepoTags"]),)
            )
            assert not records(captured, found.key)
            [top] = records(captured, found.uses[0]).values()
            assert (top.device, top.name, top.virtual_bytes) == device_of(answer)
            chain = [found.uses[0]]
            while uses := object_(captured, chain[-1]).uses:
                chain.extend(uses)
            assert len(chain) == len(answer["RootFS"]["Layers"])
            assert chain[-1] == "layer/" + answer["RootFS"]["Layers"][0].removeprefix("sha256:")

    def test_the_base_is_kept_and_below_all(self, captured: Names) -> None:
        assert [record.device for record in records(captured, "base").values()] == [1]
        assert object_(captured, "base").is_kept
        lowest = [o for o in captured.objects if o.kind == "layer" and not o.uses]
        assert [layer.parent for layer in lowest] == ["base", "base"]

    def test_the_folder_of_the_driver_will_do(self, docker_b: Path, captured: Names) -> None:
        [found] = names.read(docker_b / "devicemapper")
        assert found == captured

    def test_the_folder_of_the_driver_will_do_from_inside(
        self, docker_b: Path, captured: Names, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(docker_b / "devicemapper")
        assert read(Path()).objects == captured.objects
        monkeypatch.chdir(docker_b)
        assert read(Path("devicemapper")).objects == captured.objects
        assert read(Path("containers/..")).objects == captured.objects


class TestPlace:
    def test_a_copy_without_the_loop_files_does_not_say_what_it_was(self, small: Path) -> None:
        found = read(small)
        assert (found.mode, found.pool, found.metadata) == ("", "", None)
        assert found.hint is not None
        assert "/dev/mapper/docker-thinpool_tmeta" in found.hint

    def test_loop_files(self, small: Path) -> None:
        path = docker.write(small, "devicemapper/devicemapper/metadata", b"not read")
        found = read(small)
        assert (found.mode, found.pool, found.metadata) == ("loop-lvm", "", path)

    def test_what_docker_set_up_with_lvm(self, small: Path) -> None:
        docker.write(small, "devicemapper/devicemapper/metadata", b"of a start without options")
        docker.write(small, "devicemapper/setup-config.json", '{"Device":"/dev/sdb"}')
        found = read(small)
        assert (found.mode, found.pool, found.metadata) == ("direct-lvm", "docker-thinpool", None)
        assert found.hint == "it was set up as /dev/mapper/docker-thinpool_tmeta"

    def test_user_namespaces_have_roots_of_their_own(self, tmp_path: Path) -> None:
        root = tmp_path / "docker"
        docker.small(root / "100000.100000")
        docker.small(root / "200000.200000")
        (root / "300000.300000").mkdir()
        assert names.recognised(root) == "docker"
        found = names.read(root)
        assert [one.source.name for one in found] == ["100000.100000", "200000.200000"]
        docker.small(root)
        assert [one.source for one in names.read(root)] == [root, *(one.source for one in found)]

    def test_other_folders_are_not_dockers(self, tmp_path: Path, small: Path) -> None:
        assert not reader.recognises(tmp_path / "none")
        assert not reader.recognises(tmp_path)
        assert not reader.recognises(small / "containers")
        assert not reader.recognises(small / "image" / "devicemapper")
        assert not reader.recognises(small / docker.TRANSACTION)
        (small / "devicemapper-layers").mkdir()
        assert not reader.recognises(small)
        with pytest.raises(thinscope.errors.NamesError, match="no records of docker's devices"):
            reader.read(small)


class TestObjects:
    def test_the_small_folder(self, small: Path) -> None:
        found = read(small)
        assert found.unread == ()
        image = next(object_ for object_ in found.objects if object_.kind == "image")
        id_ = image.key.removeprefix("image/")
        assert image.name == "app:1"
        assert set(image.aliases) == {id_, id_[:12], f"sha256:{id_}", "app:latest", "app"}
        assert image.uses == (f"layer/{UPPER}",)
        assert image.labels == {"tier": "front"}
        assert image.created == datetime(2020, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
        assert image.removal == (("docker", "rmi", "app:1", "app:latest"),)
        upper = object_(found, f"layer/{UPPER}")
        assert upper.name == UPPER[:12]
        assert upper.aliases == (UPPER, f"sha256:{UPPER}", UPPER_HASH)
        assert upper.parent == f"layer/{LOWER}"
        assert upper.uses == (f"layer/{LOWER}",)
        assert upper.is_collected
        assert upper.removal == ()
        web = object_(found, f"container/{WEB}")
        assert web.uses == (f"layer/{UPPER}", f"image/{id_}")
        assert web.labels == {"a.b": "c"}
        device = records(found, web.key)[5]
        assert device.where == f"{docker.RECORDS}/{MOUNT_HASH}"
        assert (device.name, device.transaction_id) == (MOUNT_HASH, 4)

    @pytest.mark.parametrize(
        ("state", "words"),
        [
            ('"Running":false', ["rm"]),
            ('"Running":true', ["stop", "rm"]),
            ('"Running":true,"Paused":true', ["unpause", "stop", "rm"]),
            ('"Running":"yes"', ["rm"]),
        ],
    )
    def test_what_runs_is_stopped_before_it_is_deleted(
        self, small: Path, state: str, words: list[str]
    ) -> None:
        docker.container(small, WEB, "web", "0" * 64, state=state)
        web = object_(read(small), f"container/{WEB}")
        assert web.removal == tuple(("docker", word, "web") for word in words)
        # Its image is gone, its layer is not.
        assert (web.parent, web.uses) == (None, (f"layer/{UPPER}",))

    def test_a_name_that_is_none_is_not_typed(self, small: Path) -> None:
        docker.container(small, WEB, "--force; \\u001b[31m", "0" * 64)
        web = object_(read(small), f"container/{WEB}")
        assert web.name == "--force; \x1b[31m"
        assert web.removal == (("docker", "rm", WEB),)

    def test_containers_of_another_driver_are_not_here(self, small: Path) -> None:
        other = "e" * 64
        text = f'{{"ID":"{other}","Name":"/other","Driver":"overlay2","State":{{}}}}'
        docker.write(small, f"containers/{other}/config.v2.json", text)
        found = read(small)
        assert found.unread == ()
        assert "other" not in {object_.name for object_ in found.objects}

    def test_images_without_names(self, small: Path) -> None:
        """Between: built from. Dangling: has neither a name nor others built from it."""
        between = docker.image(small, docker.CONFIG.replace("front", "between"))
        dangling = docker.image(small, docker.CONFIG.replace("front", "dangling"), between)
        found = read(small)
        assert object_(found, f"image/{between}").is_collected
        assert object_(found, f"image/{between}").removal == ()
        last = object_(found, f"image/{dangling}")
        assert (last.name, last.is_collected) == (dangling[:12], False)
        assert last.removal == (("docker", "rmi", dangling[:12]),)
        assert last.parent == f"image/{between}"
        assert last.uses == (f"layer/{UPPER}", f"image/{between}")

    def test_an_image_with_a_name_is_not_collected_with_those_built_from_it(
        self, small: Path
    ) -> None:
        parent = docker.image(small, docker.CONFIG)
        docker.image(small, docker.CONFIG.replace("front", "child"), parent)
        assert not object_(read(small), f"image/{parent}").is_collected

    def test_digests_are_names_too(self, small: Path) -> None:
        id_ = docker.image(small, docker.CONFIG)
        one, two = f"app@sha256:{'3' * 64}", f"quay.io:443/x@sha256:{'4' * 64}"
        text = {"app": {"app:1": id_, one: id_}, "quay.io:443/x": {two: f"sha256:{id_}"}}
        docker.write(small, docker.REPOSITORIES, json.dumps({"Repositories": text}))
        image = object_(read(small), f"image/{id_}")
        assert image.name == "app:1"
        assert {one, two} <= set(image.aliases)
        # The digest of a repository goes with its last tag.
        assert image.removal == (("docker", "rmi", "app:1", two),)

    def test_an_image_of_nothing_has_no_layer(self, small: Path) -> None:
        id_ = docker.image(small, '{"rootfs":{"type":"layers"},"config":null}')
        found = read(small)
        assert found.unread == ()
        assert object_(found, f"image/{id_}").uses == ()


class TestStates:
    def test_deferred_deletion(self, small: Path) -> None:
        text = '{"device_id":9,"size":1,"transaction_id":9,"deleted":true}'
        docker.write(small, f"{docker.RECORDS}/{'9' * 64}", text)
        record = records(read(small), None)[9]
        assert (record.state, record.reason) == (State.REMOVING, "its deletion was deferred")
        assert record.transaction_id == 8

    def test_what_nothing_has(self, small: Path) -> None:
        docker.device(small, "9" * 64, 9, 9)
        record = records(read(small), None)[9]
        assert (record.state, record.reason) == (
            State.UNUSED,
            "no layer and no container has it",
        )
        assert record.name == "9" * 64

    def test_a_layer_that_nothing_uses(self, small: Path) -> None:
        docker.device(small, "9" * 64, 9, 9)
        docker.layer(small, "9" * 64, "9" * 64, UPPER)
        found = read(small)
        layer = object_(found, f"layer/{'9' * 64}")
        assert not layer.is_collected
        record = records(found, layer.key)[9]
        assert record.state is State.UNUSED
        assert record.reason == "no image, container or other layer uses it"
        assert object_(found, f"layer/{UPPER}").is_collected

    def test_a_layer_that_is_half_removed(self, small: Path) -> None:
        docker.device(small, "9" * 64, 9, 9)
        name = f"{'9' * 64}-{'8' * 64}-removing"
        docker.layer(small, name, "9" * 64, UPPER)
        found = read(small)
        layer = object_(found, f"layer/{name}")
        assert (layer.name, layer.parent, layer.uses) == ("9" * 12, f"layer/{UPPER}", ())
        record = records(found, layer.key)[9]
        assert (record.state, record.reason) == (State.REMOVING, "the layer is half removed")

    def test_a_container_that_is_half_removed(self, small: Path) -> None:
        other = "e" * 64
        docker.device(small, "9" * 64, 9, 9)
        docker.device(small, f"{'9' * 64}-init", 8, 8)
        docker.mount(small, other, "9" * 64)
        found = read(small)
        assert found.unread == ()
        container = object_(found, f"container/{other}")
        assert (container.name, container.removal) == (other[:12], ())
        assert container.uses == (f"layer/{UPPER}",)
        own = records(found, container.key)
        assert {id_: record.part for id_, record in own.items()} == {8: "init", 9: ""}
        assert {record.state for record in own.values()} == {State.UNUSED}
        reason = "docker has no such container: half removed, or left by a build"
        assert own[9].reason == reason

    def test_a_container_without_mounts(self, small: Path) -> None:
        other = "e" * 64
        docker.container(small, other, "dead", "0" * 64)
        found = read(small)
        assert [unread.where for unread in found.unread] == [f"{docker.MOUNTS}/{other}"]
        assert object_(found, f"container/{other}").name == "dead"
        # Nothing that is told here could have something else.
        docker.device(small, "9" * 64, 9, 9)
        assert records(read(small), None)[9].state is State.UNUSED

    def test_a_device_that_is_not_on_record(self, small: Path) -> None:
        (small / docker.RECORDS / UPPER_HASH).unlink()
        found = read(small)
        [unread] = found.unread
        assert unread.where == f"{docker.RECORDS}/{UPPER_HASH}"
        assert unread.why == f"not there, but layer/{UPPER} has it"

    def test_a_base_that_is_not_on_record(self, small: Path) -> None:
        (small / docker.RECORDS / "base").unlink()
        [unread] = read(small).unread
        assert unread.why == "not there, but base has it"

    def test_hashes_alone(self, tmp_path: Path) -> None:
        """Without the layer store, nothing is called unused."""
        docker.device(tmp_path, "base", 1, 1)
        docker.device(tmp_path, "9" * 64, 9, 9)
        found = read(tmp_path)
        assert [record.state for record in found.records] == [State.IN_USE] * 2
        assert [record.object for record in found.records] == ["base", None]
        assert "known by their hashes alone" in found.unread[0].why


class TestBuildCache:
    def test_devices_and_layers_that_only_the_cache_has(self, small: Path) -> None:
        own, mounted = "0123456789abcdefghijklmno", "pqrstuvwxyz0123456789abcd"
        docker.device(small, own, 9, 9)
        docker.device(small, "8" * 64, 8, 8)
        docker.write(small, f"{docker.MOUNTS}/{mounted}/mount-id", "8" * 64)
        docker.device(small, "7" * 64, 7, 7)
        docker.layer(small, "7" * 64, "7" * 64)
        docker.write(small, "buildkit/snapshots.db", b"\0\1sha256:" + b"7" * 64 + b"\xff")
        found = read(small)
        assert found.unread == ()
        cache = object_(found, "cache/buildkit")
        assert (cache.kind, cache.name) == ("cache", "buildkit")
        assert cache.uses == (f"layer/{'7' * 64}",)
        assert cache.removal == (("docker", "builder", "prune", "--all"),)
        assert set(records(found, cache.key)) == {8, 9}
        assert object_(found, f"layer/{'7' * 64}").is_collected
        assert {record.state for record in found.records} == {State.IN_USE}

    def test_a_cache_that_has_nothing_here(self, small: Path) -> None:
        docker.write(small, "buildkit/snapshots.db", b"sha256:" + b"7" * 64)
        assert all(object_.kind != "cache" for object_ in read(small).objects)


class TestLastTransaction:
    def test_without_one(self, small: Path) -> None:
        """Docker removes it when it has undone a transaction, and the first versions had none."""
        (small / docker.TRANSACTION).unlink()
        found = read(small)
        assert found.transaction_id is None
        assert found.unread == ()

    def test_a_device_that_was_made(self, small: Path) -> None:
        found = read(small)
        assert found.transaction_id == 5
        assert {record.state for record in found.records} == {State.IN_USE}
        # Should the pool be at 4, it is the device that says 4, and Docker will delete it.
        assert [r.device for r in found.records if r.transaction_id == 4] == [5]

    def test_a_device_without_a_record(self, small: Path) -> None:
        """Deleted, as a rule; if the pool has it with this transaction id, it was being made."""
        docker.transaction(small, 6, "9" * 64, 9)
        found = read(small)
        assert found.transaction_id == 6
        record = records(found, None)[9]
        assert record.state is State.CREATING
        assert record.reason == "the last transaction was about to make it, or has deleted it"
        assert (record.name, record.transaction_id) == ("9" * 64, 5)
        assert record.where == docker.TRANSACTION

    def test_a_device_that_was_to_be_deleted(self, small: Path) -> None:
        docker.transaction(small, 6, f"{MOUNT_HASH}-init", 4)
        record = records(read(small), f"container/{WEB}")[4]
        assert record.state is State.REMOVING
        assert record.reason == "the last transaction was about to delete it"
        assert record.transaction_id == 3

    def test_an_id_that_another_has_is_that_ones(self, small: Path) -> None:
        docker.transaction(small, 6, "9" * 64, 5)
        found = read(small)
        assert [record.device for record in found.records] == [1, 2, 3, 4, 5]
        assert {record.state for record in found.records} == {State.IN_USE}
