"""The peer's answers are kept for the pools that captures and testkit still give."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.oracle import answers, asked, asked_wrongly, peer
from tests.oracle.differences import DIFFERENCES

TABLE = peer.Table.load()
CAPTURED = [pool["name"] for pool in answers.manifest()]


def test_every_pool_was_asked_about() -> None:
    assert list(TABLE.pools) == [*CAPTURED, *asked.GENERATED]
    assert {run.pool for run in TABLE.runs} == set(TABLE.pools)
    assert TABLE.version.split(".")[0] == "1"


@pytest.mark.parametrize("name", TABLE.pools)
def test_pools_are_those_that_were_asked_about(name: str, pool_folders: peer.Folders) -> None:
    pool = TABLE.pools[name]
    stale = f"{name} is another pool now: `make oracle` asks again"
    assert pool.how == peer.how_made(name), stale
    assert peer.hash_of(pool_folders.of(name) / asked.POOL) == pool.sha256, stale


def test_the_table_says_what_was_asked() -> None:
    found = [(run.pool, run.tool, run.arguments, run.to) for run in TABLE.runs]
    assert len(set(found)) == len(found)
    # What is asked of the other pools depends on what the peer says of them.
    odd = [(asked.ODD_FILES, *command) for command in asked_wrongly.commands()]
    assert odd == [run for run in found if run[0] == asked.ODD_FILES]


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
    for difference in DIFFERENCES:
        assert any(difference.is_it(run) for run in TABLE.runs), difference.reason
