"""The peer's answers are kept for the pools that captures and testkit still give."""

from __future__ import annotations

from pathlib import Path

import pytest

import thinscope
from tests.oracle import answers, asked, asked_wrongly, hurt, peer
from tests.oracle.differences import DEFECTS, DIFFERENCES
from thinscope.errors import NoMetadataSnapshot

TABLE = peer.Table.load()
CAPTURED = [pool["name"] for pool in answers.asked_of_the_peer()]


def test_every_pool_was_asked_about() -> None:
    assert list(TABLE.pools) == [*CAPTURED, *asked.GENERATED, *hurt.names()]
    assert {run.pool for run in TABLE.runs} == set(TABLE.pools)
    assert TABLE.version.split(".")[0] == "1"


@pytest.mark.parametrize("name", TABLE.pools)
def test_pools_are_those_that_were_asked_about(name: str, pool_folders: peer.Folders) -> None:
    pool = TABLE.pools[name]
    stale = f"{name} is another pool now: `make oracle` asks again"
    assert pool.how == peer.how_made(name), stale
    assert peer.hash_of(pool_folders.of(name) / asked.POOL) == pool.sha256, stale


@pytest.mark.parametrize("name", TABLE.pools)
def test_the_table_says_what_was_asked(name: str, pool_folders: peer.Folders) -> None:
    found = [(run.tool, run.arguments, run.to) for run in TABLE.runs if run.pool == name]
    assert len(set(found)) == len(found)
    if name in hurt.names():
        on_pool = hurt.commands(name)
    else:
        on_pool = asked.on_pool(name, known_of(pool_folders.of(name) / asked.POOL))
    commands = [(tool, tuple(words), "captured") for tool, *words in on_pool]
    if name == asked.ODD_FILES:
        commands += asked_wrongly.commands()
    assert found == commands, f"other things are asked of {name} now: `make oracle` asks them"


def known_of(pool: Path) -> asked.Known:
    """What the commands on a pool depend on; the peer itself said so when it was asked."""
    devices = device_ids(pool)
    try:
        return asked.Known(devices, device_ids(pool, metadata_snapshot=True))
    except NoMetadataSnapshot:
        return asked.Known(devices, None)


def device_ids(path: Path, *, metadata_snapshot: bool = False) -> tuple[int, ...]:
    with thinscope.open(path, metadata_snapshot=metadata_snapshot) as pool:
        return tuple(pool.devices)


def test_the_table_is_written_as_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer, "TABLE", tmp_path / "oracle.json")
    TABLE.save()
    committed = (answers.FIXTURES / "oracle.json").read_text(encoding="utf-8")
    assert peer.TABLE.read_text(encoding="utf-8") == committed


def test_whole_outputs_are_those_of_the_table() -> None:
    kept = [run for run in TABLE.runs if run.whole is not None]
    assert {run.pool for run in kept} == set(CAPTURED)
    for run in kept:
        whole = run.whole_stdout()
        assert whole is not None
        assert (len(whole), peer.Output.of(whole).sha256) == (run.stdout.size, run.stdout.sha256)


def test_every_difference_is_about_something() -> None:
    for difference in (*DIFFERENCES, *DEFECTS):
        assert any(difference.is_it(run) for run in TABLE.runs), difference.reason
