"""The commands of thin-provisioning-tools answer as thin-provisioning-tools does, byte by byte."""

from __future__ import annotations

import functools
import subprocess
from itertools import zip_longest
from pathlib import Path

import pytest

from tests.cli.conftest import COMMAND, environment
from tests.oracle import asked, derive, differences, peer, program
from tests.oracle.differences import difference
from tests.oracle.reader import Image
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
        expected = expected_stdout(run, differs.stdout)
        assert (code, peer.Output.of(stdout)) == (differs.code, expected), differs.reason
        is_quiet = run.to == "closed" or "-q" in run.arguments
        assert bool(stderr) == (code != 0 and not is_quiet)
        return
    if defect := differences.defect(run):
        image = second_reader(folder / asked.POOL)
        expected = peer.Output.of(defect.model(run, image).encode())
        assert (code, peer.Output.of(stdout), stderr) == (0, expected, b""), defect.reason
        assert peer.Output.of(defect.defective_model(run, image).encode()) == run.stdout
        return
    told = stderr.decode(errors="replace")
    assert peer.Output.of(stdout) == run.stdout, first_difference(run, folder, stdout) + told
    assert code == run.code, told
    if run.code == USAGE_ERROR:
        assert told == run.stderr.text
    elif sentence := sentence_of(run):
        assert sentence in told
    else:
        # Failures have words of our own; a pipe that nobody reads, or --quiet, wants none.
        is_quiet = run.to == "closed" or not run.stderr.size
        # Leaks that are passed over are told all the same.
        is_told = code != 0 or "leaked" in told
        assert bool(told) == (is_told and not is_quiet), told
    if code != 0:
        assert written is None, "what a failure leaves is what was there before"
        return
    assert (None if written is None else peer.Output.of(written)) == run.written


XML = "This looks like XML.  This tool only supports the binary metadata format."
SENTENCES = (
    "Couldn't find input file '",
    "Metadata device/file too small.  Is this binary metadata?",
    "Not a block device or regular file '",
    "bad checksum in superblock",
    "no current metadata snap",
)
"""How begins what the peer's own tests look for where something goes wrong."""


def sentence_of(run: peer.Run) -> str | None:
    """What has to be told in the peer's words, if anything has."""
    told = (run.stderr.text or "").removeprefix("metadata snap: ").strip()
    if not told.startswith((XML, *SENTENCES)):
        return None
    # What is XML is told by all commands, there by thin_check alone.
    return XML if run.arguments[-1].endswith(".xml") else told.removesuffix(".")


@functools.lru_cache(maxsize=1)
def second_reader(path: Path) -> Image:
    """Read a pool by brute force; runs come pool by pool."""
    return Image(path.read_bytes())


def expected_stdout(run: peer.Run, told: bytes | str) -> peer.Output:
    """What a run that is different writes to stdout."""
    if isinstance(told, bytes):
        return peer.Output.of(told)
    return run.stdout if told == "peer" else twin(run).stdout


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
