"""Docker before 1.10: images with a device each, and the one table of the first versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.names import docker_folder as docker
from thinscope import names
from thinscope.names.model import Names, Object, State

LOWER, UPPER, WEB = "a" * 64, "b" * 64, "d" * 64


def image(root: Path, id_: str, parent: str = "", *, more: str = "") -> None:
    text = (
        f'{{"id":"{id_}","parent":"{parent}","created":"2015-01-02T03:04:05Z",'
        f'"config":{{"Labels":{{"tier":"front"}}}}{more}}}\n'
    )
    docker.write(root, f"graph/{id_}/json", text)
    docker.write(root, f"graph/{id_}/layersize", "0")


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """Docker 1.9: two images, one container; `latest` and a digest of the upper one."""
    docker.device(tmp_path, "base", 0, 1)
    docker.device(tmp_path, LOWER, 1, 2)
    docker.device(tmp_path, UPPER, 2, 3)
    docker.device(tmp_path, f"{WEB}-init", 3, 4)
    docker.device(tmp_path, WEB, 4, 5)
    image(tmp_path, LOWER)
    image(tmp_path, UPPER, LOWER)
    (tmp_path / "graph" / "_tmp").mkdir()
    tags = f'{{"latest":"{UPPER}","1":"{UPPER}","sha256:{"7" * 64}":"{UPPER}"}}'
    docker.write(tmp_path, "repositories-devicemapper", f'{{"Repositories":{{"shop/app":{tags}}}}}')
    text = f'{{"State":{{"Running":true}},"ID":"{WEB}","Name":"/web","Image":"{UPPER}"}}'
    docker.write(tmp_path, f"containers/{WEB}/config.json", text)
    return tmp_path


def read(root: Path) -> Names:
    [found] = names.read(root)
    return found


def object_(found: Names, key: str) -> Object:
    return next(object_ for object_ in found.objects if object_.key == key)


class TestGraph:
    def test_images_have_devices(self, older: Path) -> None:
        found = read(older)
        assert found.unread == ()
        assert {record.device: (record.object, record.part) for record in found.records} == {
            0: ("base", ""),
            1: (f"image/{LOWER}", ""),
            2: (f"image/{UPPER}", ""),
            3: (f"container/{WEB}", "init"),
            4: (f"container/{WEB}", ""),
        }
        assert {record.state for record in found.records} == {State.IN_USE}
        assert found.transaction_id is None

    def test_names_and_what_uses_what(self, older: Path) -> None:
        found = read(older)
        upper = object_(found, f"image/{UPPER}")
        digest = f"shop/app@sha256:{'7' * 64}"
        assert upper.name == "shop/app:1"
        assert set(upper.aliases) == {
            UPPER,
            UPPER[:12],
            f"sha256:{UPPER}",
            "shop/app:latest",
            "shop/app",
            digest,
        }
        assert upper.uses == (f"image/{LOWER}",)
        assert upper.labels == {"tier": "front"}
        assert upper.removal == (("docker", "rmi", "shop/app:1", "shop/app:latest"),)
        lower = object_(found, f"image/{LOWER}")
        assert (lower.name, lower.is_collected, lower.uses) == (LOWER[:12], True, ())
        web = object_(found, f"container/{WEB}")
        assert (web.name, web.parent, web.uses) == (
            "web",
            f"image/{UPPER}",
            (f"image/{UPPER}",),
        )
        assert web.removal == (("docker", "stop", "web"), ("docker", "rm", "web"))

    def test_a_parent_by_its_digest(self, older: Path) -> None:
        """1.9 wrote `parent_id` for images that were pulled by their contents."""
        image(older, UPPER, more=f',"parent_id":"sha256:{LOWER}"')
        assert object_(read(older), f"image/{UPPER}").parent == f"image/{LOWER}"

    def test_what_nothing_has(self, older: Path) -> None:
        docker.device(older, "9" * 64, 9, 9)
        [record] = [record for record in read(older).records if record.device == 9]
        assert record.state is State.UNUSED
        assert record.reason == "no image and no container has it"

    def test_bad_images(self, older: Path) -> None:
        image(older, LOWER, UPPER)
        docker.write(older, f"graph/{'5' * 64}/json", "{")
        image(older, "6" * 64, "4" * 64)
        docker.device(older, "6" * 64, 6, 6)
        found = read(older)
        whys = {unread.where: unread.why for unread in found.unread}
        assert whys[f"graph/{LOWER}/json"] == "it is among its own parents"
        assert whys[f"graph/{UPPER}/json"] == "it is among its own parents"
        assert whys[f"graph/{'5' * 64}/json"].startswith("not JSON")
        assert whys[f"graph/{'6' * 64}/json"] == "there is no image 444444444444, its parent"
        assert object_(found, f"image/{UPPER}").uses == ()

    def test_folders_that_were_taken_over_are_not_read(self, older: Path) -> None:
        """1.10 left them where they were."""
        docker.small(older)
        found = read(older)
        assert f"image/{LOWER}" not in {object_.key for object_ in found.objects}


class TestTable:
    def test_the_first_versions_had_one_table(self, older: Path) -> None:
        for path in (older / docker.RECORDS).iterdir():
            path.unlink()
        (older / docker.RECORDS).rmdir()
        text = (
            '{"Devices":{"":{"device_id":0,"size":10737418240,"transaction_id":1,'
            f'"initialized":true}},"{LOWER}":{{"device_id":1,"size":10737418240,'
            f'"transaction_id":2,"initialized":false}},"{"8" * 64}":7}}}}'
        )
        docker.write(older, "devicemapper/devicemapper/json", text)
        assert names.recognised(older) == "docker"
        found = read(older)
        assert [(record.device, record.object) for record in found.records] == [
            (0, "base"),
            (1, f"image/{LOWER}"),
        ]
        assert found.records[0].where == "devicemapper/devicemapper/json: base"
        assert found.records[1].virtual_bytes == 10737418240
        whys = {unread.where: unread.why for unread in found.unread}
        assert whys[f"devicemapper/devicemapper/json: {'8' * 64}"] == "not a JSON object"
        assert f"{docker.RECORDS}/{UPPER}" in whys

    def test_what_was_taken_over_already_counts(self, older: Path) -> None:
        text = f'{{"Devices":{{"{LOWER}":{{"device_id":77}}}}}}'
        docker.write(older, "devicemapper/devicemapper/json", text)
        docker.write(older, "devicemapper/devicemapper/json.migrated", "{")
        docker.write(older, f"{docker.RECORDS}/json.migrated", "{")
        assert [record.device for record in read(older).records] == [0, 1, 2, 3, 4]

    @pytest.mark.parametrize("text", ["[]", '{"Devices":[]}', "{"])
    def test_a_broken_table(self, older: Path, text: str) -> None:
        docker.write(older, "devicemapper/devicemapper/json", text)
        found = read(older)
        assert [unread.where for unread in found.unread] == ["devicemapper/devicemapper/json"]
        assert len(found.records) == 5
