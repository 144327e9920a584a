"""Docker's records that are broken: each is told, and all others are read."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.names import docker_folder as docker
from tests.names.docker_folder import LOWER, MOUNT_HASH, UPPER, UPPER_HASH, WEB
from thinscope import names
from thinscope.errors import NamesError
from thinscope.names import files
from thinscope.names.model import Names, State

UPPER_RECORD = f"{docker.RECORDS}/{UPPER_HASH}"


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """Interrupt what hangs, even in a system call."""

    def late(*_: object) -> None:
        raise AssertionError(f"not done in {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def read(root: Path) -> Names:
    with within(20):
        [found] = names.read(root)
    return found


def told(root: Path) -> dict[str, str]:
    return {unread.where: unread.why for unread in read(root).unread}


class TestDeviceRecords:
    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("", "not JSON: expecting value: line 1 column 1 (char 0)"),
            ('{"device_id":3', "not JSON: expecting ',' delimiter: line 1 column 15 (char 14)"),
            ("[" * 100_000, "nested too deep"),
            (b'{"device_id":3,"\xff":1}', "not JSON"),
            ('{"device_id":' + "9" * 5000 + "}", "not JSON: exceeds the limit"),
            ("[3]", "not a JSON object"),
            ("null", "not a JSON object"),
            ("{}", "its device id is not a number from 0 to 16777215"),
            ('{"device_id":16777216}', "its device id is not a number from 0 to 16777215"),
            ('{"device_id":-1}', "its device id is not a number from 0 to 16777215"),
            ('{"device_id":"3"}', "its device id is not a number from 0 to 16777215"),
            ('{"device_id":3.0}', "its device id is not a number from 0 to 16777215"),
            ('{"device_id":true}', "its device id is not a number from 0 to 16777215"),
            ('{"device_id":NaN}', "its device id is not a number from 0 to 16777215"),
        ],
    )
    def test_one_that_is_no_record(self, small: Path, text: str | bytes, why: str) -> None:
        docker.write(small, UPPER_RECORD, text)
        found = read(small)
        [unread] = found.unread
        assert unread.where == UPPER_RECORD
        assert unread.why.startswith(why)
        assert [record.device for record in found.records] == [1, 2, 4, 5]

    @pytest.mark.parametrize("value", ["-1", "18446744073709551616", '"1"', "1e3", "null", "[]"])
    @pytest.mark.parametrize("field", ["size", "transaction_id"])
    def test_a_field_that_is_no_number_costs_no_device(
        self, small: Path, field: str, value: str
    ) -> None:
        docker.write(small, UPPER_RECORD, f'{{"device_id":3,"{field}":{value}}}')
        found = read(small)
        assert {unread.where: unread.why for unread in found.unread} == {
            UPPER_RECORD: f"its `{field}` is not a number of 64 bits"
        }
        [record] = [record for record in found.records if record.device == 3]
        assert (record.virtual_bytes, record.transaction_id) == (None, None)

    def test_the_highest_id_and_a_transaction_of_zero(self, small: Path) -> None:
        docker.write(small, UPPER_RECORD, '{"device_id":16777215,"transaction_id":0}')
        record = read(small).records[-1]
        assert (record.device, record.transaction_id) == (16777215, None)

    def test_one_id_in_two_records(self, small: Path) -> None:
        """Both are kept: whose the device is, the kernel's transaction id tells."""
        docker.device(small, "9" * 64, 3, 2)
        found = read(small)
        assert [(record.device, record.transaction_id) for record in found.records][2:4] == [
            (3, 1),
            (3, 2),
        ]
        [unread] = found.unread
        assert unread.where == f"{docker.RECORDS}/{'9' * 64}"
        assert unread.why == f"device 3 is on record as {UPPER_HASH}, too"

    def test_hashes_that_are_none(self, small: Path) -> None:
        odd = os.fsdecode(b"\xff\x1b[2J odd")
        docker.device(small, odd, 9, 9)
        [record] = [record for record in read(small).records if record.device == 9]
        assert (record.name, record.state) == (odd, State.UNUSED)

    def test_what_docker_is_writing_is_no_record(self, small: Path) -> None:
        docker.write(small, f"{docker.RECORDS}/.tmp123", "{")
        assert read(small).unread == ()

    def test_what_is_no_file(self, small: Path) -> None:
        folder = small / docker.RECORDS
        os.mkfifo(folder / "fifo")
        (folder / "folder").mkdir()
        (folder / "loop").symlink_to("loop")
        (folder / "gone").symlink_to("/nowhere/at/all")
        (folder / "null").symlink_to("/dev/null")
        (folder / "away").symlink_to("/proc/self/status")
        whys = told(small)
        assert {where.rpartition("/")[2] for where in whys} == {
            "fifo",
            "folder",
            "loop",
            "gone",
            "null",
            "away",
        }
        assert whys[f"{docker.RECORDS}/fifo"] == "not a regular file"
        assert whys[f"{docker.RECORDS}/away"].startswith("not JSON")
        assert len(read(small).records) == 5

    def test_one_that_is_too_large(self, small: Path) -> None:
        with (small / UPPER_RECORD).open("r+b") as file:
            file.truncate(1 << 40)
        assert told(small)[UPPER_RECORD].startswith("larger than 16777216 bytes")

    def test_the_folder_of_them_cannot_be_read(
        self, small: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(folder: Path) -> list[Path]:
            raise NamesError("permission denied", source=str(folder))

        monkeypatch.setattr(files, "entries", refuse)
        with pytest.raises(NamesError, match="permission denied"):
            names.read(small)

    def test_a_root_that_cannot_be_searched(
        self, small: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(path: Path) -> os.stat_result:
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setattr(os, "stat", refuse)
        with pytest.raises(NamesError) as caught:
            names.read(str(small))
        assert str(caught.value) == f"{small}: permission denied"

    @pytest.mark.parametrize(
        "text",
        [
            "{",
            "[]",
            "{}",
            '{"open_transaction_id":-1,"device_hash":"a","device_id":5}',
            '{"open_transaction_id":6,"device_hash":7,"device_id":5}',
            '{"open_transaction_id":6,"device_hash":"a","device_id":16777216}',
        ],
    )
    def test_a_broken_transaction(self, small: Path, text: str) -> None:
        docker.write(small, docker.TRANSACTION, text)
        found = read(small)
        assert [unread.where for unread in found.unread] == [docker.TRANSACTION]
        assert found.transaction_id is None
        assert len(found.records) == 5

    @pytest.mark.parametrize("name", ["metadata/deviceset-metadata", "setup-config.json"])
    def test_other_broken_files_of_the_driver(self, small: Path, name: str) -> None:
        docker.write(small, f"devicemapper/{name}", "nothing")
        assert list(told(small)) == [f"devicemapper/{name}"]


class TestLayers:
    def test_a_layer_without_a_hash(self, small: Path) -> None:
        (small / docker.LAYERS / UPPER / "cache-id").unlink()
        found = read(small)
        where = f"{docker.LAYERS}/{UPPER}/cache-id"
        assert {unread.where: unread.why for unread in found.unread} == {
            where: "no such file or directory"
        }
        # It is not called unused: what could not be read may have it.
        [record] = [record for record in found.records if record.device == 3]
        assert (record.state, record.object) == (State.IN_USE, None)
        docker.write(small, where, "\n")
        assert told(small) == {where: "empty"}

    def test_a_layer_of_two_hashes(self, small: Path) -> None:
        docker.write(small, f"{docker.LAYERS}/{UPPER}/cache-id", docker.LOWER_HASH)
        assert told(small) == {
            f"{docker.LAYERS}/{UPPER}": "the device aaaaaaaaaaaa is another's already"
        }

    def test_parents_that_are_none(self, small: Path) -> None:
        where = f"{docker.LAYERS}/{UPPER}/parent"
        docker.write(small, where, f"sha256:{'9' * 64}")
        assert told(small)[where] == "there is no such layer"
        docker.write(small, where, "sha256:../../etc/passwd")
        assert told(small)[where] == "not a digest"
        [upper] = [o for o in read(small).objects if o.key == f"layer/{UPPER}"]
        assert (upper.parent, upper.uses) == (None, ())

    def test_parents_in_a_loop(self, small: Path) -> None:
        docker.write(small, f"{docker.LAYERS}/{LOWER}/parent", f"sha256:{UPPER}")
        docker.layer(small, "9" * 64, UPPER_HASH, UPPER)
        found = read(small)
        whys = {unread.where: unread.why for unread in found.unread}
        assert whys[f"{docker.LAYERS}/{LOWER}/parent"] == "it is among its own parents"
        assert whys[f"{docker.LAYERS}/{UPPER}/parent"] == "it is among its own parents"
        uses = {o.key: o.uses for o in found.objects if o.kind == "layer"}
        assert uses[f"layer/{LOWER}"] == uses[f"layer/{UPPER}"] == ()
        assert uses[f"layer/{'9' * 64}"] == (f"layer/{UPPER}",)

    def test_a_layer_that_is_its_own_parent(self, small: Path) -> None:
        docker.write(small, f"{docker.LAYERS}/{LOWER}/parent", f"sha256:{LOWER}")
        assert told(small) == {f"{docker.LAYERS}/{LOWER}/parent": "it is among its own parents"}

    def test_a_long_chain_is_no_loop(self, small: Path) -> None:
        for at in range(3000):
            below = f"{at - 1:064x}" if at else None
            docker.write(small, f"{docker.LAYERS}/{at:064x}/cache-id", f"{at + (1 << 200):064x}")
            if below:
                docker.write(small, f"{docker.LAYERS}/{at:064x}/parent", f"sha256:{below}")
        whys = told(small)
        assert set(whys.values()) == {
            f"not there, but layer/{at:064x} has it" for at in range(3000)
        }

    def test_names_that_are_no_layers(self, small: Path) -> None:
        (small / docker.LAYERS / "odd").mkdir()
        (small / docker.LAYERS / ("9" * 65)).mkdir()
        (small / docker.LAYERS / ".tmp").mkdir()
        assert told(small) == {
            f"{docker.LAYERS}/odd": "its name is not a layer's",
            f"{docker.LAYERS}/{'9' * 65}": "its name is not a layer's",
        }

    def test_mounts(self, small: Path) -> None:
        where = f"{docker.MOUNTS}/{WEB}"
        docker.write(small, f"{where}/parent", f"sha256:{'9' * 64}")
        docker.write(small, f"{where}/init-id", "../../../etc/passwd")
        whys = told(small)
        assert whys[f"{where}/parent"] == "there is no such layer"
        assert whys[f"{where}/init-id"] == "not a hash"
        (small / where / "mount-id").unlink()
        assert told(small)[f"{where}/mount-id"] == "no such file or directory"

    def test_folders_that_are_files(self, small: Path) -> None:
        shutil.rmtree(small / docker.LAYERS)
        docker.write(small, docker.LAYERS, "")
        assert told(small)[docker.LAYERS] == "not a directory"


class TestImages:
    def test_one_that_is_not_what_its_id_says(self, small: Path) -> None:
        where = f"{docker.IMAGES}/{docker.image(small, docker.CONFIG)}"
        docker.write(small, where, docker.CONFIG + " ")
        whys = told(small)
        assert whys[where] == "its id is not its digest"
        assert whys[f"{docker.REPOSITORIES}: app:1, app:latest"] == "there is no such image"
        # The layers are not called unused, since an image may use them.
        assert {record.state for record in read(small).records} == {State.IN_USE}

    @pytest.mark.parametrize(
        ("config", "why"),
        [
            ("{", "not JSON: expecting property name enclosed in double quotes"),
            ("[]", "not a JSON object"),
            ('{"rootfs":{"diff_ids":["sha256:1"]}}', "its layers are not digests"),
            ('{"rootfs":{"diff_ids":[7]}}', "its layers are not digests"),
            ('{"rootfs":{"diff_ids":"all"}}', "its layers are not digests"),
            (
                f'{{"rootfs":{{"diff_ids":["sha256:{"9" * 64}"]}}}}',
                "there is no layer 999999999999, which is its topmost",
            ),
        ],
    )
    def test_broken_ones(self, small: Path, config: str, why: str) -> None:
        id_ = docker.image(small, config)
        assert told(small)[f"{docker.IMAGES}/{id_}"].startswith(why)

    def test_fields_that_are_not_what_they_should_be(self, small: Path) -> None:
        id_ = docker.image(small, '{"created":7,"config":{"Labels":{"a":1,"b":"c"}},"rootfs":[]}')
        other = docker.image(small, '{"created":"0001-01-01T00:00:00Z","config":{"Labels":[]}}')
        third = docker.image(small, '{"created":"2020-01-01T00:00:00","config":7}')
        found = {object_.key: object_ for object_ in read(small).objects}
        assert found[f"image/{id_}"].labels == {"b": "c"}
        for key in (id_, other, third):
            assert found[f"image/{key}"].created is None

    def test_parents_in_a_loop(self, small: Path) -> None:
        one = docker.image(small, docker.CONFIG.replace("front", "one"))
        two = docker.image(small, docker.CONFIG.replace("front", "two"), one)
        docker.image(small, docker.CONFIG.replace("front", "one"), two)
        whys = told(small)
        for id_ in (one, two):
            assert whys[f"{docker.IMAGES}/{id_}"] == "it is among its own parents"

    def test_a_parent_that_is_gone(self, small: Path) -> None:
        docker.image(small, docker.CONFIG, "9" * 64)
        assert told(small) == {}

    @pytest.mark.parametrize(
        ("text", "where", "why"),
        [
            ("{", "", "not JSON"),
            ("[]", "", "not a JSON object"),
            ('{"Repositories":[1]}', "", "its `Repositories` are not a JSON object"),
            ('{"Repositories":{"app":[]}}', ": app", "not a JSON object"),
            ('{"Repositories":{"app":{"app:1":7}}}', ": app:1", "there is no such image"),
        ],
    )
    def test_broken_names_cost_the_names_only(
        self, small: Path, text: str, where: str, why: str
    ) -> None:
        docker.write(small, docker.REPOSITORIES, text)
        found = read(small)
        [unread] = found.unread
        assert unread.where == docker.REPOSITORIES + where
        assert unread.why.startswith(why)
        [image] = [object_ for object_ in found.objects if object_.kind == "image"]
        assert image.name == image.key.removeprefix("image/")[:12]

    def test_an_image_store_that_is_not_there(self, small: Path) -> None:
        shutil.rmtree(small / "image/devicemapper/imagedb")
        found = read(small)
        assert found.unread[0].where == docker.IMAGES
        assert {record.state for record in found.records} == {State.IN_USE}


class TestContainers:
    def test_one_that_cannot_be_read_keeps_its_devices(self, small: Path) -> None:
        where = f"containers/{WEB}/config.v2.json"
        docker.write(small, where, "{")
        found = read(small)
        assert [unread.where for unread in found.unread] == [where]
        [web] = [object_ for object_ in found.objects if object_.kind == "container"]
        assert (web.name, web.aliases) == (WEB[:12], (WEB,))
        own = [record for record in found.records if record.object == web.key]
        assert [record.state for record in own] == [State.IN_USE] * 2

    def test_the_record_of_another(self, small: Path) -> None:
        docker.write(small, f"containers/{WEB}/config.v2.json", '{"ID":"other"}')
        assert told(small) == {
            f"containers/{WEB}/config.v2.json": "it is the record of another container"
        }

    def test_fields_that_are_not_what_they_should_be(self, small: Path) -> None:
        text = '{"Name":[],"Config":7,"State":"up","Image":{},"Created":"soon","Driver":null}'
        docker.write(small, f"containers/{WEB}/config.v2.json", text)
        found = read(small)
        assert found.unread == ()
        [web] = [object_ for object_ in found.objects if object_.kind == "container"]
        assert (web.name, web.labels, web.created) == (WEB[:12], {}, None)
        assert web.removal == (("docker", "rm", WEB[:12]),)

    def test_no_containers_at_all(self, small: Path) -> None:
        """Then whose the mounts are is not known, rather than nobody's."""
        shutil.rmtree(small / "containers")
        found = read(small)
        assert [unread.where for unread in found.unread] == ["containers"]
        assert {record.state for record in found.records} == {State.IN_USE}
        assert {record.object for record in found.records if record.name == MOUNT_HASH} == {
            f"container/{WEB}"
        }

    def test_names_are_kept_as_they_are(self, small: Path) -> None:
        docker.container(small, WEB, "\\ud800\\u001b[31m\\u202e", "0" * 64)
        [web] = [object_ for object_ in read(small).objects if object_.kind == "container"]
        assert web.name == "\ud800\x1b[31m\u202e"


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory, docker_b: Path) -> Path:
    """A copy of the captured folder, for changes that are taken back."""
    root = tmp_path_factory.mktemp("changed") / "docker"
    shutil.copytree(docker_b, root)
    return root


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_damage_anywhere_ends_in_an_answer_or_an_error(changed: Path, data: st.DataObject) -> None:
    paths = sorted(path for path in changed.rglob("*") if path.is_file() and path.stat().st_size)
    damaged = data.draw(st.lists(st.sampled_from(paths), min_size=1, max_size=4, unique=True))
    before = {path: path.read_bytes() for path in damaged}
    try:
        for path, content in before.items():
            length = data.draw(st.integers(0, len(content)))
            bits = data.draw(st.lists(st.integers(0, len(content) * 8 - 1), max_size=3))
            flipped = bytearray(content)
            for bit in bits:
                flipped[bit // 8] ^= 1 << bit % 8
            is_cut = data.draw(st.booleans())
            path.write_bytes(flipped[:length] if is_cut else flipped)
        with within(20):
            try:
                [found] = names.read(changed)
            except NamesError:
                return
        keys = [object_.key for object_ in found.objects]
        assert len(set(keys)) == len(keys)
        assert {record.object for record in found.records} - {None} <= set(keys)
        assert [record.device for record in found.records] == sorted(
            record.device for record in found.records
        )
    finally:
        for path, content in before.items():
            path.write_bytes(content)
