"""Podman's, CRI-O's and Buildah's records: what each table says, and what is broken in it."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.names.docker_folder import RECORDS, TRANSACTION, device, transaction, write
from thinscope import names
from thinscope.errors import NamesError
from thinscope.names import containers_storage as reader
from thinscope.names import docker
from thinscope.names.model import Names, Object, Record, State

LAYERS = "devicemapper-layers/layers.json"
VOLATILE_LAYERS = "devicemapper-layers/volatile-layers.json"
IMAGES = "devicemapper-images/images.json"
CONTAINERS = "devicemapper-containers/containers.json"
VOLATILE = "devicemapper-containers/volatile-containers.json"

LOWER, UPPER, MAPPED, OWN = "1" * 64, "2" * 64, "3" * 64, "4" * 64
IMAGE, WEB = "a" * 64, "b" * 64


@pytest.fixture
def podman(tmp_path: Path) -> Path:
    """Two layers and one that is mapped, an image, and a container on it."""
    for at, hash_ in enumerate(["base", LOWER, UPPER, MAPPED, OWN], 1):
        device(tmp_path, hash_, at, at)
    transaction(tmp_path, 5, OWN, 5)
    write(
        tmp_path,
        LAYERS,
        f'[{{"id":"{LOWER}","created":"2020-01-02T03:04:05.5Z","diff-digest":"sha256:{"9" * 64}"}},'
        f'{{"id":"{UPPER}","parent":"{LOWER}","names":["upper"]}},'
        f'{{"id":"{MAPPED}","parent":"{LOWER}"}},'
        f'{{"id":"{OWN}","parent":"{MAPPED}","flags":{{}}}}]',
    )
    write(
        tmp_path,
        IMAGES,
        f'[{{"id":"{IMAGE}","digest":"sha256:{"8" * 64}","layer":"{UPPER}",'
        f'"mapped-layers":["{MAPPED}"],"created":"2020-01-02T03:04:05Z",'
        '"names":["docker.io/library/app:1","localhost/mine:latest"]}]',
    )
    write(
        tmp_path,
        CONTAINERS,
        f'[{{"id":"{WEB}","names":["web"],"image":"{IMAGE}","layer":"{OWN}",'
        '"metadata":"{\\"image-name\\":\\"app:1\\",\\"name\\":\\"web\\"}",'
        '"created":"2020-01-02T03:04:05Z"}]',
    )
    return tmp_path


@pytest.fixture
def crio(tmp_path: Path) -> Path:
    """A pod of two containers, one of them the pod's own; all volatile."""
    pod, nginx = "c" * 64, "d" * 64
    wrote = {
        "pod-name": "k8s_web-0_shop_0f5e-42_1",
        "pod-id": pod,
        "image-name": "registry/nginx:1",
        "image-id": IMAGE,
        "name": "k8s_nginx_web-0_shop_0f5e-42_1",
        "metadata-name": "nginx",
        "created-at": 1577934245,
        "attempt": 1,
    }
    own = {
        **wrote,
        "name": "k8s_POD_web-0_shop_0f5e-42_1",
        "metadata-name": "web-0",
        "uid": "0f5e-42",
        "namespace": "shop",
        "pod": True,
    }
    for at, hash_ in enumerate(["base", LOWER, UPPER, OWN], 1):
        device(tmp_path, hash_, at, at)
    layers = [{"id": LOWER}, {"id": UPPER, "parent": LOWER, "names": ["k8s_POD_x-layer"]}]
    write(tmp_path, LAYERS, json.dumps(layers))
    write(tmp_path, VOLATILE_LAYERS, json.dumps([{"id": OWN, "parent": LOWER}]))
    write(tmp_path, IMAGES, json.dumps([{"id": IMAGE, "names": [], "layer": LOWER}]))
    rows = [
        {"id": pod, "names": [own["name"], own["pod-name"]], "image": IMAGE, "layer": UPPER},
        {"id": nginx, "names": [wrote["name"]], "image": IMAGE, "layer": OWN},
    ]
    rows[0]["metadata"], rows[1]["metadata"] = json.dumps(own), json.dumps(wrote)
    write(tmp_path, CONTAINERS, "[]")
    write(tmp_path, VOLATILE, json.dumps(rows))
    return tmp_path


def read(root: Path) -> Names:
    [found] = names.read(root)
    return found


def object_(found: Names, key: str) -> Object:
    return next(object_ for object_ in found.objects if object_.key == key)


def record(found: Names, id_: int) -> Record:
    return next(record for record in found.records if record.device == id_)


def told(root: Path) -> dict[str, str]:
    return {unread.where: unread.why for unread in read(root).unread}


class TestPodman:
    def test_whose_each_device_is(self, podman: Path) -> None:
        found = read(podman)
        assert (found.manager, found.unread) == ("containers-storage", ())
        assert found.transaction_id == 5
        assert {record.device: record.object for record in found.records} == {
            1: "base",
            2: f"layer/{LOWER}",
            3: f"layer/{UPPER}",
            4: f"layer/{MAPPED}",
            5: f"container/{WEB}",
        }
        assert {record.state for record in found.records} == {State.IN_USE}
        assert {record.part for record in found.records} == {""}
        assert record(found, 5).transaction_id == 4
        assert record(found, 5).name == OWN
        assert f"layer/{OWN}" not in {object_.key for object_ in found.objects}

    def test_objects(self, podman: Path) -> None:
        found = read(podman)
        image = object_(found, f"image/{IMAGE}")
        assert image.name == "docker.io/library/app:1"
        assert set(image.aliases) == {
            IMAGE,
            IMAGE[:12],
            f"sha256:{IMAGE}",
            f"sha256:{'8' * 64}",
            "app:1",
            "localhost/mine:latest",
            "mine:latest",
        }
        assert image.uses == (f"layer/{UPPER}", f"layer/{MAPPED}")
        words = ("podman", "rmi", "docker.io/library/app:1", "localhost/mine:latest")
        assert image.removal == (words,)
        web = object_(found, f"container/{WEB}")
        assert (web.name, web.aliases) == ("web", (WEB[:12], WEB))
        assert web.parent == f"image/{IMAGE}"
        assert web.uses == (f"layer/{MAPPED}", f"image/{IMAGE}")
        assert web.removal == (("podman", "rm", "web"),)
        assert web.labels == {}
        lower = object_(found, f"layer/{LOWER}")
        assert (lower.parent, lower.uses, lower.is_collected) == ("base", (), True)
        assert lower.created == datetime(2020, 1, 2, 3, 4, 5, 500000, tzinfo=UTC)
        upper = object_(found, f"layer/{UPPER}")
        assert upper.aliases == (UPPER, "upper")
        assert (upper.parent, upper.uses) == (f"layer/{LOWER}", (f"layer/{LOWER}",))

    def test_an_image_without_a_name(self, podman: Path) -> None:
        write(podman, IMAGES, f'[{{"id":"{IMAGE}","layer":"{UPPER}"}}]')
        image = object_(read(podman), f"image/{IMAGE}")
        assert (image.name, image.is_collected) == (IMAGE[:12], False)
        assert image.removal == (("podman", "rmi", IMAGE[:12]),)

    def test_containers_of_buildah(self, podman: Path) -> None:
        write(podman, f"devicemapper-containers/{WEB}/userdata/buildah.json", "{}")
        web = object_(read(podman), f"container/{WEB}")
        assert web.removal == (("buildah", "rm", "web"),)

    def test_a_name_that_is_none_is_not_typed(self, podman: Path) -> None:
        write(podman, CONTAINERS, f'[{{"id":"../x","names":["--all"],"layer":"{OWN}"}}]')
        web = object_(read(podman), "container/../x")
        assert (web.name, web.removal) == ("--all", (("podman", "rm", "../x"),))


class TestCrio:
    def test_pods_are_labels_as_everywhere(self, crio: Path) -> None:
        found = read(crio)
        assert found.unread == ()
        nginx = object_(found, f"container/{'d' * 64}")
        assert nginx.name == "k8s_nginx_web-0_shop_0f5e-42_1"
        assert nginx.labels == {
            "io.kubernetes.pod.name": "web-0",
            "io.kubernetes.pod.namespace": "shop",
            "io.kubernetes.container.name": "nginx",
        }
        pod = object_(found, f"container/{'c' * 64}")
        assert pod.labels["io.kubernetes.container.name"] == "POD"
        assert pod.labels["io.kubernetes.pod.name"] == "web-0"
        assert "k8s_web-0_shop_0f5e-42_1" in pod.aliases

    def test_commands(self, crio: Path) -> None:
        found = read(crio)
        assert object_(found, f"container/{'d' * 64}").removal == (("crictl", "rm", "d" * 64),)
        assert object_(found, f"container/{'c' * 64}").removal == (("crictl", "rmp", "c" * 64),)
        assert object_(found, f"image/{IMAGE}").removal == (("crictl", "rmi", IMAGE[:12]),)

    def test_volatile_layers_count(self, crio: Path) -> None:
        found = read(crio)
        assert record(found, 4).object == f"container/{'d' * 64}"
        assert record(found, 3).object == f"container/{'c' * 64}"

    def test_the_pods_name_without_its_own_container(self, crio: Path) -> None:
        rows = json.loads((crio / VOLATILE).read_text())[1:]
        write(crio, VOLATILE, json.dumps(rows))
        assert object_(read(crio), f"container/{'d' * 64}").labels == {
            "io.kubernetes.pod.name": "web-0",
            "io.kubernetes.pod.namespace": "shop",
            "io.kubernetes.container.name": "nginx",
        }

    def test_a_pods_name_of_another_form(self, crio: Path) -> None:
        [_, row] = json.loads((crio / VOLATILE).read_text())
        row["metadata"] = '{"pod-name":"plain","metadata-name":7,"pod-id":[]}'
        write(crio, VOLATILE, json.dumps([row]))
        labels = object_(read(crio), f"container/{'d' * 64}").labels
        assert labels == {"io.kubernetes.pod.name": "plain"}


class TestStates:
    def test_a_layer_that_nothing_uses(self, podman: Path) -> None:
        device(podman, "9" * 64, 9, 9)
        rows = [*json.loads((podman / LAYERS).read_text()), {"id": "9" * 64, "parent": UPPER}]
        write(podman, LAYERS, json.dumps(rows))
        found = read(podman)
        assert record(found, 9).state is State.UNUSED
        assert record(found, 9).reason == "no image, container or other layer uses it"
        assert not object_(found, f"layer/{'9' * 64}").is_collected

    def test_a_layer_that_is_incomplete(self, podman: Path) -> None:
        device(podman, "9" * 64, 9, 9)
        layer = {"id": "9" * 64, "flags": {"incomplete": True}}
        rows = [*json.loads((podman / LAYERS).read_text()), layer]
        write(podman, LAYERS, json.dumps(rows))
        found = record(read(podman), 9)
        assert (found.state, found.object) == (State.REMOVING, f"layer/{'9' * 64}")
        assert found.reason == "its layer is incomplete, so it is to be deleted"

    def test_what_nothing_has(self, podman: Path) -> None:
        device(podman, "9" * 64, 9, 9)
        found = record(read(podman), 9)
        assert (found.state, found.reason) == (State.UNUSED, "no layer has it")

    def test_without_containers_nothing_is_called_unused(self, podman: Path) -> None:
        """A transient store keeps them elsewhere."""
        (podman / CONTAINERS).unlink()
        found = read(podman)
        assert [unread.where for unread in found.unread] == [CONTAINERS]
        assert {record.state for record in found.records} == {State.IN_USE}

    def test_a_device_that_was_to_be_deleted(self, podman: Path) -> None:
        transaction(podman, 6, MAPPED, 4)
        found = record(read(podman), 4)
        assert found.state is State.REMOVING

    def test_an_empty_store(self, tmp_path: Path) -> None:
        device(tmp_path, "base", 1, 1)
        (tmp_path / "devicemapper-layers").mkdir()
        found = read(tmp_path)
        assert found.unread == ()
        assert [object_.key for object_ in found.objects] == ["base"]


class TestPlace:
    def test_whose_the_folder_is(
        self, podman: Path, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        assert names.recognised(podman) == "containers_storage"
        assert not docker.recognises(podman)
        assert not docker.recognises(podman / "devicemapper")
        assert names.read(podman / "devicemapper") == names.read(podman)
        empty = tmp_path_factory.mktemp("empty")
        assert not reader.recognises(empty)
        with pytest.raises(NamesError, match="no records of containers/storage's devices"):
            reader.read(empty)

    def test_from_inside(self, podman: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(podman / "devicemapper")
        assert read(Path()).objects == read(podman).objects

    def test_loop_files_and_lvm(self, podman: Path) -> None:
        found = read(podman)
        assert found.hint is not None
        assert "/dev/mapper/storage-thinpool_tmeta" in found.hint
        path = write(podman, "devicemapper/devicemapper/metadata", b"")
        found = read(podman)
        assert (found.mode, found.metadata) == ("loop-lvm", path)
        write(podman, "devicemapper/setup-config.json", '{"Device":"/dev/sdb"}')
        found = read(podman)
        assert (found.mode, found.pool) == ("direct-lvm", "storage-thinpool")


class TestDamage:
    @pytest.mark.parametrize("table", [LAYERS, IMAGES, CONTAINERS])
    @pytest.mark.parametrize(
        ("text", "why"), [("[", "not JSON"), ("{}", "not a JSON array"), ("", "not JSON")]
    )
    def test_a_broken_table(self, podman: Path, table: str, text: str, why: str) -> None:
        write(podman, table, text)
        found = read(podman)
        assert found.unread[0].where == table
        assert found.unread[0].why.startswith(why)
        assert len(found.records) == 5
        assert {record.state for record in found.records} == {State.IN_USE}

    @pytest.mark.parametrize("table", [LAYERS, IMAGES, CONTAINERS])
    def test_broken_rows_cost_no_others(self, podman: Path, table: str) -> None:
        rows = json.loads((podman / table).read_text())
        at = len(rows)
        write(podman, table, json.dumps([*rows, 7, {}, {"id": ""}, {"id": []}, rows[0]]))
        assert told(podman) == {
            **{f"{table}: {at + extra}": "without an id" for extra in range(4)},
            f"{table}: {at + 4}": f"{rows[0]['id'][:12]} is on record already",
        }

    def test_fields_that_are_not_what_they_should_be(self, podman: Path) -> None:
        write(
            podman,
            IMAGES,
            f'[{{"id":"{IMAGE}","names":[7,""],"layer":[],"mapped-layers":{{}},"created":1}}]',
        )
        write(podman, CONTAINERS, f'[{{"id":"{WEB}","names":"web","layer":"{OWN}","metadata":7}}]')
        found = read(podman)
        assert found.unread == ()
        assert object_(found, f"image/{IMAGE}").name == IMAGE[:12]
        assert object_(found, f"image/{IMAGE}").uses == ()
        assert object_(found, f"container/{WEB}").name == WEB[:12]

    def test_parents(self, podman: Path) -> None:
        rows = [
            {"id": LOWER, "parent": UPPER},
            {"id": UPPER, "parent": LOWER},
            {"id": MAPPED, "parent": "7" * 64},
            {"id": OWN, "parent": MAPPED},
        ]
        write(podman, LAYERS, json.dumps(rows))
        assert told(podman) == {
            f"{LAYERS}: {LOWER}": "it is among its own parents",
            f"{LAYERS}: {UPPER}": "it is among its own parents",
            f"{LAYERS}: {MAPPED}": "there is no layer 777777777777",
        }
        layers = [object_ for object_ in read(podman).objects if object_.kind == "layer"]
        assert {layer.parent for layer in layers} == {None}

    def test_layers_that_are_not_there(self, podman: Path) -> None:
        write(podman, IMAGES, f'[{{"id":"{IMAGE}","layer":"{"7" * 64}"}}]')
        write(podman, CONTAINERS, f'[{{"id":"{WEB}","layer":"{"6" * 64}"}},{{"id":"{UPPER}"}}]')
        assert told(podman) == {
            f"{IMAGES}: {IMAGE}": "there is no layer 777777777777",
            f"{CONTAINERS}: {WEB}": "there is no layer `666666666666`, which is its own",
            f"{CONTAINERS}: {UPPER}": "there is no layer ``, which is its own",
        }

    def test_two_containers_of_one_layer(self, podman: Path) -> None:
        rows = [*json.loads((podman / CONTAINERS).read_text()), {"id": "f" * 64, "layer": OWN}]
        write(podman, CONTAINERS, json.dumps(rows))
        why = f"its layer {OWN[:12]} is another container's"
        assert told(podman) == {f"{CONTAINERS}: {'f' * 64}": why}

    @pytest.mark.parametrize("text", ["{", "{" + "[" * 100_000])
    def test_metadata_that_is_none(self, podman: Path, text: str) -> None:
        rows = json.loads((podman / CONTAINERS).read_text())
        rows[0]["metadata"] = text
        write(podman, CONTAINERS, json.dumps(rows))
        assert told(podman) == {f"{CONTAINERS}: {WEB}": "its metadata is not JSON"}
        rows[0]["metadata"] = "of another kind"
        write(podman, CONTAINERS, json.dumps(rows))
        assert told(podman) == {}

    def test_a_device_that_is_not_on_record(self, podman: Path) -> None:
        (podman / RECORDS / OWN).unlink()
        (podman / TRANSACTION).unlink()
        assert told(podman) == {f"{RECORDS}/{OWN}": f"not there, but container/{WEB} has it"}

    def test_a_layer_called_base(self, podman: Path) -> None:
        rows = [*json.loads((podman / LAYERS).read_text()), {"id": "base"}]
        write(podman, LAYERS, json.dumps(rows))
        assert told(podman) == {f"{LAYERS}: base": "the device base is another's already"}

    def test_a_fifo(self, podman: Path) -> None:
        (podman / IMAGES).unlink()
        os.mkfifo(podman / IMAGES)
        assert told(podman) == {IMAGES: "not a regular file"}


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_damage_anywhere_ends_in_an_answer_or_an_error(crio: Path, data: st.DataObject) -> None:
    paths = sorted(path for path in crio.rglob("*") if path.is_file() and path.stat().st_size)
    damaged = data.draw(st.lists(st.sampled_from(paths), min_size=1, max_size=3, unique=True))
    before = {path: path.read_bytes() for path in damaged}
    try:
        for path, content in before.items():
            flipped = bytearray(content)
            for bit in data.draw(st.lists(st.integers(0, len(content) * 8 - 1), max_size=3)):
                flipped[bit // 8] ^= 1 << bit % 8
            path.write_bytes(flipped[: data.draw(st.integers(0, len(content)))])
        try:
            found = read(crio)
        except NamesError:
            return
        keys = {object_.key for object_ in found.objects}
        assert {record.object for record in found.records} - {None} <= keys
    finally:
        for path, content in before.items():
            path.write_bytes(content)
