"""What a doctor says of captured pools, with the names that were captured beside them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

import thinscope
from tests.conftest import CAPTURES, FIXTURES, SAMPLES
from tests.oracle import answers
from tests.truth.case import Case, Workshop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from thinscope import Diagnosis

EXPECTED = {
    # A program forgot its metadata snapshot; the devices promise more than there is.
    "churn-6.12/end": "metadata-snapshot over-provisioned",
    "churn-b": "metadata-snapshot",
    "containerd-6.1/image-less": "over-provisioned",
    "containerd-b": "",
    # containerd's own states tell what is half made or half removed. Its pool stays at transaction 0.
    "containerd-faulty-6.1/taken": "orphans",
    "containerd-faulty-6.1/around": "orphans",
    "containerd-faulty-6.1/removing": "orphans",
    "containerd-faulty-6.1/faulty": "orphans",
    "containerd-faulty-6.1/creating": "orphans",
    # What the machine lost when it was killed was never committed: nothing leaked.
    "crash-6.12": "over-provisioned",
    # 924 of 1,024 blocks: 90.2 %.
    "data-full-6.12/room": "!data-nearly-full over-provisioned",
    "docker-b": "",
    # Docker on an LVM pool: LVM's text has transaction 0, and Docker's is the pool's. No false alarm.
    "docker-direct-6.1/whole": "autoextend-not-known over-provisioned",
    # A device whose deletion is put off is an orphan until it is gone.
    "docker-direct-6.1/deferred": "autoextend-not-known over-provisioned orphans",
    "docker-direct-6.1/let-go": "autoextend-not-known over-provisioned",
    "docker-interrupted-6.1/before": "over-provisioned",
    # Killed while it made, and while it deleted a device: a transaction is open.
    "docker-interrupted-6.1/creating": "transaction-open orphans",
    "docker-interrupted-6.1/rolled-back": "over-provisioned",
    "docker-interrupted-6.1/deleting": "transaction-open orphans",
    # A container that Docker lists as dead has a device that is gone.
    "docker-interrupted-6.1/recovered": "names-not-read",
    "docker-loop-6.1/image-less": "",
    "empty-6.1/emptied": "",
    "fragmented-6.1": "",
    "full-b/full": "!data-full",
    "full-b/needs-check": "!needs-check !data-full",
    "growth-6.1/more-metadata": "over-provisioned",
    # The highest id that there is; no manager that gives out the next one.
    "large-blocks-6.1": "device-id over-provisioned",
    # LVM: no lvm.conf was captured, so nobody knows whether it extends these pools.
    "lvm-192k-6.1": "autoextend-not-known over-provisioned",
    "lvm-512k-6.1": "autoextend-not-known over-provisioned",
    "lvm-64k-6.12/again": "autoextend-not-known over-provisioned",
    "lvm-b": "autoextend-not-known over-provisioned",
    "lvm-external-6.1/pool": "autoextend-not-known over-provisioned",
    "lvm-mismatch-6.1/agreed": "autoextend-not-known over-provisioned",
    # LVM refused both (vgchange.txt): an older text, then older metadata; either lacks two volumes.
    "lvm-mismatch-6.1/text-behind": "!transaction-mismatch autoextend-not-known orphans",
    "lvm-mismatch-6.1/text-ahead": (
        "!transaction-mismatch autoextend-not-known over-provisioned orphans"
    ),
    "lvm-names-6.1/fast": "autoextend-not-known over-provisioned",
    "lvm-proxmox-6.1/rolled-back": "autoextend-not-known over-provisioned",
    "lvm-queued-6.1/before": "autoextend-not-known over-provisioned",
    # Messages are queued, or were sent and not yet struck out: what LVM has to delete is an orphan.
    "lvm-queued-6.1/deletions": "messages-waiting autoextend-not-known orphans",
    "lvm-queued-6.1/sent": "autoextend-not-known over-provisioned",
    "lvm-queued-6.1/answered": "messages-waiting autoextend-not-known over-provisioned",
    "lvm-queued-6.1/unmade": "messages-waiting autoextend-not-known over-provisioned",
    "lvm-queued-6.1/following": "autoextend-not-known over-provisioned",
    "lvm-queued-6.1/half": "messages-waiting autoextend-not-known over-provisioned",
    "lvm-queued-6.1/last": "autoextend-not-known over-provisioned",
    "lvm-resized-6.1/again": "autoextend-not-known over-provisioned",
    # Its last data block could not be entered any more: docs/concepts.md.
    "metadata-full-6.1": "!metadata-full !leaked over-provisioned",
    "metadata-snapshot-6.1/released": "",
    "needs-check-6.1/failed": "!needs-check",
    "reclaim-6.12/released": "",
    "thinned-5.10/pool": "",
    "walkthrough-6.12": "",
    # Its table has a low-water mark as large as the pool.
    "walkthrough-b": "data-low-water",
    "wrapped-6.12": "over-provisioned",
}
"""Codes that are not fine, by capture, with an exclamation mark before those that need attention."""


@pytest.fixture(scope="module", autouse=True)
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A place where records are unpacked."""
    with Workshop.begin(tmp_path_factory.mktemp("doctor")):
        yield


def names(case: Case) -> list[Path]:
    """The records of the managers, else the table of the device mapper."""
    found = [case.path("lvm_text")] if case.has("lvm_text") else []
    found += [case.records] if case.records else []
    return found or ([case.path("table")] if case.has("table") else [])


def looked_over(name: str) -> Diagnosis:
    case = Case(CAPTURES[name])
    return thinscope.doctor(FIXTURES / CAPTURES[name]["metadata"], names=names(case))


def test_every_sample_is_expected() -> None:
    assert SAMPLES.keys() <= EXPECTED.keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_codes(name: str) -> None:
    found = looked_over(name)
    codes = [
        "!" * (each.severity == "attention") + each.code
        for each in found.advice
        if each.severity != "fine"
    ]
    assert " ".join(codes) == EXPECTED[name]
    assert found.needs_attention == ("!" in EXPECTED[name])
    assert bool(found.avoid) == found.needs_attention or name == "metadata-full-6.1"
    # Whatever is not fine has a meaning, and the first with a command is what is next.
    assert all(each.meaning for each in found.advice if each.severity != "fine")
    commands = [
        each.commands[0]
        for each in found.advice
        if each.commands and (each.severity == "attention" or not found.needs_attention)
    ]
    assert (found.next_step.command if found.next_step else None) == next(iter(commands), None)


@pytest.mark.parametrize("name", [name for name in EXPECTED if "docker" in name])
def test_normal_differences_of_docker(name: str) -> None:
    """A transaction that is equal, none, or one that is open: never damage."""
    of_transactions = {
        each.code: each for each in looked_over(name).advice if "transaction" in each.code
    }
    assert {each.severity for each in of_transactions.values()} <= {"fine", "note"}
    assert ("transaction-of-another" in of_transactions) == name.startswith("docker-direct")


def test_containerd_counts_no_transactions() -> None:
    for name in [name for name in EXPECTED if "containerd" in name]:
        assert not [each for each in looked_over(name).advice if "transaction" in each.code]


LVM = [name for name, entry in CAPTURES.items() if "lvs" in entry["answers"]]


@pytest.mark.parametrize("name", LVM)
def test_what_lvm_says(name: str) -> None:
    """Free extents: what the volumes on disks leave, by LVM's own report; and what else it tells."""
    case = Case(CAPTURES[name])
    volumes = answers.lvm_volumes(json.loads(case.text("lvs")))
    table = answers.pool_table(case.text("table"))
    [pool] = [
        lv
        for lv in volumes
        if lv["segtype"] == "thin-pool"
        and f"/dev/mapper/{table.name}" in {lv["lv_dm_path"], f"{lv['lv_dm_path']}-tpool"}
    ]
    group = pool["lv_full_name"].partition("/")[0]
    on_disks = {
        lv["lv_full_name"]: int(lv["lv_size"].rstrip("B"))
        for lv in volumes
        if lv["segtype"] in {"linear", "striped"} and lv["lv_full_name"].startswith(f"{group}/")
    }
    with thinscope.open(FIXTURES / CAPTURES[name]["metadata"], names=names(case)[:1]) as opened:
        told = opened.names[0]
    upkeep = told.upkeep
    assert upkeep.extent_bytes
    extents = sum(map(int, re.findall(r"\bpe_count = (\d+)", case.text("lvm_text"))))
    taken = sum(on_disks.values())
    assert taken > 0
    assert upkeep.free_extents == extents - taken // upkeep.extent_bytes
    assert upkeep.profile == pool["lv_profile"]
    assert upkeep.is_full_an_error == (pool["lv_when_full"] == "error")
    assert f"/dev/mapper/{table.name.removesuffix('-tpool')}_tmeta" == upkeep.metadata_device
    assert told.dm_pool == table.name


def test_the_kernels_low_water_mark_for_metadata() -> None:
    """A quarter of all blocks, at most 1,024: as the kernel tells it in its status."""
    marks = {}
    for entry in CAPTURES.values():
        try:
            said = answers.truth(entry).pool
        except answers.NoAnswer:
            continue
        if said.metadata_low_water is not None:
            marks[said.metadata_total] = said.metadata_low_water
    assert len(marks) > 5
    assert marks == {total: min(1024, total // 4) for total in marks}
