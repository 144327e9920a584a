"""``thin_dump``, ``thin_ls`` and ``thin_metadata_size`` answer as thin-provisioning-tools does, byte by byte."""

from __future__ import annotations

import subprocess
from itertools import zip_longest
from pathlib import Path

import pytest

from tests.cli.conftest import COMMAND, environment
from tests.oracle import asked, derive, peer, program
from tests.oracle.differences import difference
from thinscope.cli import main

RUNS = peer.Table.load().runs
PEER = program.found()
USAGE_ERROR = 2


@pytest.mark.parametrize("run", RUNS, ids=str)
def test_answers_are_the_peers(
    run: peer.Run,
    pool_folders: peer.Folders,
    capfdbinary: pytest.CaptureFixture[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = pool_folders.of(run.pool)
    monkeypatch.chdir(folder)
    out = folder / asked.OUT
    out.unlink(missing_ok=True)
    if run.to == "captured":
        code = main([run.tool, *run.arguments])
        stdout, stderr = capfdbinary.readouterr()
    else:
        command = [*COMMAND, run.tool, *run.arguments]
        code, stdout, stderr = derive.ran(command, folder, run.to, environment())
    written = out.read_bytes() if out.exists() else None

    if differs := difference(run):
        expected = twin(run).stdout if differs.stdout is None else peer.Output.of(differs.stdout)
        assert (code, peer.Output.of(stdout)) == (differs.code, expected), differs.reason
        assert bool(stderr) == (code != 0 and run.to != "closed")
        return
    told = stderr.decode(errors="replace")
    assert peer.Output.of(stdout) == run.stdout, first_difference(run, folder, stdout) + told
    assert code == run.code, told
    if run.code == USAGE_ERROR:
        assert told == run.stderr.text
    else:
        # Failures have words of our own; a pipe that nobody reads, or --quiet, wants none.
        is_quiet = run.to == "closed" or not run.stderr.size
        assert bool(told) == (code != 0 and not is_quiet), told
    if code != 0:
        assert written is None, "what a failure leaves is what was there before"
        return
    assert (None if written is None else peer.Output.of(written)) == run.written


def twin(run: peer.Run) -> peer.Run:
    """The same command on the same devices in nodes that the peer accepts."""
    words = (run.tool, run.arguments)
    of_twin = (each for each in RUNS if each.pool == asked.WELL_FILLED)
    return next(each for each in of_twin if (each.tool, each.arguments) == words)


def first_difference(run: peer.Run, folder: Path, found: bytes) -> str:
    """The first line that differs from the peer's, if its output is kept or the peer is there."""
    expected = run.whole_stdout()
    if expected is None and PEER:
        command = [PEER, run.tool, *run.arguments]
        expected = subprocess.run(command, cwd=folder, capture_output=True, check=False).stdout
    if expected is None:
        return f"{len(found)} bytes, not {run.stdout.size} (PDATA_TOOLS=program would tell more)\n"
    lines = zip_longest(found.splitlines(keepends=True), expected.splitlines(keepends=True))
    for number, (ours, theirs) in enumerate(lines, 1):
        if ours != theirs:
            return f"line {number}: {ours!r}\nthe peer's: {theirs!r}\n"
    return ""
