"""LVM's text and its report of captured pools: the same is read of both."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

import thinscope
from tests.conftest import CAPTURES, FIXTURES
from tests.names import managers
from tests.oracle import answers
from thinscope.names import State
from thinscope.names.lvm_pool import from_dm_name

if TYPE_CHECKING:
    from thinscope import Pool
    from thinscope.names import Names

NAMES = {name: entry for name, entry in CAPTURES.items() if "lvm_text" in entry["answers"]}
BOTH = pytest.mark.parametrize("source", ["lvm_text", "lvs"])


class Kept(NamedTuple):
    """A pool that was kept with what LVM says of it."""

    entry: dict[str, Any]
    folder: Path

    @property
    def pool(self) -> str:
        """The pool as LVM calls it."""
        table = answers.content(FIXTURES / self.entry["answers"]["table"]).decode()
        return "/".join(from_dm_name(answers.pool_table(table).name)[:2])

    def path(self, source: str) -> Path:
        """The text or the report, unpacked."""
        packed = FIXTURES / self.entry["answers"][source]
        path = self.folder / packed.name.removesuffix(".zst")
        path.write_bytes(answers.content(packed))
        return path

    def names(self, source: str) -> Names:
        [found] = [names for names in managers.read(self.path(source)) if names.pool == self.pool]
        return found

    def open(self, *sources: str) -> Pool:
        names = [f"{self.path(source)}#{self.pool}" for source in sources]
        return thinscope.open(FIXTURES / self.entry["metadata"], names=names)


@pytest.fixture
def kept(tmp_path: Path, request: pytest.FixtureRequest) -> Kept:
    """The pool that `of` names, else each."""
    return Kept(CAPTURES[request.param], tmp_path)


def of(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("kept", names, indirect=True)


@of(*NAMES)
def test_text_and_report_say_the_same(kept: Kept) -> None:
    """But for messages, and what an origin was called that was removed: only the text has those."""
    text, report = kept.names("lvm_text"), kept.names("lvs")
    assert text.unread == report.unread == ()
    volumes = [record for record in text.records if record.name]
    assert [replace(record, where="") for record in report.records] == [
        replace(record, where="", state="in use", reason=None) for record in volumes
    ]
    assert (text.transaction_id, text.block_bytes) == (report.transaction_id, report.block_bytes)
    assert {each.key: each for each in report.objects} == {
        each.key: replace(
            each,
            labels={key: word for key, word in each.labels.items() if key != "removed origin"},
        )
        for each in text.objects
    }


@BOTH
@of("lvm-external-6.1/pool")
def test_external_origins(kept: Kept, source: str) -> None:
    """A snapshot of a volume with one has it as well, though `lvs` tells its origin only."""
    with kept.open(source) as pool:
        read = {number: pool.objects.external_origin(number) for number in pool.devices}
        golden = dict.fromkeys([1, 2, 3, 4], "vg/golden")
        assert read == golden | {5: "vg/plain-was", 6: None}
        assert pool.objects.of(pool.objects.parent(4)).name == "vg/clone"


@BOTH
@of("lvm-external-6.1/pool")
def test_the_external_origin_of_another_pools_volume(kept: Kept, source: str) -> None:
    """LVM would remove the volume that reads it as well."""
    with kept.open(source) as pool:
        sharing = pool.sharing()
        [refusal] = sharing.reclaim(["vg/base", "vg/clone"]).refusals
        assert refusal.object.name == "vg/base"
        assert refusal.why == "it is the external origin of vg/far, in another pool"
        planned = sharing.plan(130 * 65536)  # all that is in use
        assert "vg/base" not in {each.name for step in planned.steps for each in step.objects}
        assert not planned.is_reached


@of("lvm-queued-6.1/answered", "lvm-queued-6.1/half", "lvm-queued-6.1/unmade")
def test_a_queued_creation(kept: Kept) -> None:
    """LVM has the volume: it sends again what it does not know to be done."""
    name = kept.entry["metadata"].rpartition("/")[2].removesuffix(".bin.zst")
    [record] = [each for each in kept.names("lvm_text").records if each.state is State.QUEUED]
    assert record.name == name
    with kept.open("lvm_text") as pool:
        assert (record.device in pool.devices) == (name != "unmade")
        assert pool.orphans() == ()
        if record.device in pool.devices:
            assert pool.objects.of(record.device).name == f"vg/{name}"
        told = pool.superblock.transaction_id
        assert kept.names("lvm_text").transaction_id == told + (name != "answered")


@of("lvm-queued-6.1/deletions")
def test_queued_deletions(kept: Kept) -> None:
    with kept.open("lvm_text") as pool:
        found = {orphan.device: str(orphan.sort) for orphan in pool.orphans()}
        assert found == {2: "half removed", 3: "half removed"}
        assert all(orphan.may_be_deleted for orphan in pool.orphans())


@BOTH
@of("lvm-names-6.1/fast")
def test_an_origin_that_is_in_the_history_only(kept: Kept, source: str) -> None:
    with kept.open(source) as pool:
        labels = {"removed origin": "c"} if source == "lvm_text" else {}
        assert pool.objects.of(8).labels == labels
        assert pool.objects.parent(8) == pool.device("vg-two/a").id


@BOTH
@of("lvm-names-6.1/fast", "lvm-names-6.1/bulk")
def test_the_pool_is_found_by_its_devices(kept: Kept, source: str) -> None:
    """Its block size tells which of a volume group's pools it is."""
    with thinscope.open(FIXTURES / kept.entry["metadata"], names=[kept.path(source)]) as pool:
        assert {pool.objects.of(number).name for number in pool.devices} == {
            each.name for each in kept.names(source).objects
        }


@BOTH
@of("lvm-64k-6.1/merging")
def test_a_merge_that_waits(kept: Kept, source: str) -> None:
    with kept.open(source) as pool:
        snapshot, volume = pool.objects.of(7), pool.objects.of(2)
        assert (snapshot.name, snapshot.labels["merging into"]) == ("vg/db-try", "vg/db")
        assert (volume.name, volume.labels["merging from"]) == ("vg/db", "vg/db-try")
        [refusal] = pool.sharing().reclaim("vg/db").refusals
        assert refusal.users == (snapshot,)


@BOTH
@of("lvm-64k-6.1/merged")
def test_a_merge_that_is_done(kept: Kept, source: str) -> None:
    """The volume has the snapshot's device, and no origin."""
    with kept.open(source) as pool:
        assert 2 not in pool.devices
        assert pool.objects.of(7).name == "vg/db"
        assert pool.objects.of(7).labels == {}
        assert pool.objects.parent(7) is None


@BOTH
@of("lvm-64k-6.1/again")
def test_an_id_that_was_used_again(kept: Kept, source: str) -> None:
    older = Kept(CAPTURES["lvm-64k-6.1/late"], kept.folder)
    now = FIXTURES / kept.entry["metadata"]
    with thinscope.open(now, names=[older.path(source)]) as pool:
        assert pool.objects.of(8).kind == "device"
        assert 8 in {orphan.device for orphan in pool.orphans()}
    with kept.open(source) as pool:
        assert pool.objects.of(8).name == "vg/again"
        assert pool.orphans() == ()
