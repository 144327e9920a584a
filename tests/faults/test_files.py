"""Files of a disk that fails, that shrink, that are replaced: with a command at each of its reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import environment

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.conftest import AtEachRead
    from tests.faults.driver import Ran

STRICT = [
    ["overview", "SOURCE"],
    ["mappings", "SOURCE", "--format", "json"],
    ["export", "SOURCE", "0", "--data", "DATA", "--size", "1M", "-o", "FILE"],
    ["capture", "SOURCE", "--metadata-snapshot", "-o", "FILE"],
    ["thin_dump", "SOURCE", "-o", "FILE"],
    ["thin_ls", "SOURCE"],
]
"""Commands that one failed read leaves without an answer, unless it is read again."""

AROUND = [["check", "SOURCE"], ["thin_check", "SOURCE"], ["salvage", "SOURCE", "--dump", "FILE"]]
"""Commands that go on. Each of their reads fails in test_read_errors.py; here it is every fourth."""


def no_answer(ran: Ran) -> bool:
    """Check that there is no answer, and nothing half of one; an older one was told to go on."""
    assert ran.code in {2, 64}
    message, *hints = ran.err.splitlines()
    assert message.startswith("thinscope: ")
    assert len(hints) <= 1
    assert all(hint.startswith("hint: ") for hint in hints)
    assert not ran.left
    return True


def test_the_shim_is_there(at_each_read: AtEachRead) -> None:
    """Reads are counted, in Python and in the core; environment variables come through."""
    *failed, right = at_each_read(["thin_ls", "SOURCE"], "fails")
    assert len(failed) == right.reads > 10
    assert "LD_PRELOAD" in environment(LD_PRELOAD="x")


@pytest.mark.parametrize("line", STRICT, ids=" ".join)
def test_a_read_that_fails(at_each_read: AtEachRead, line: list[str], data: Path) -> None:
    line = [str(data) if word == "DATA" else word for word in line]
    *failed, right = at_each_read(line, "fails")
    assert right.code == 0
    errors = 0
    for ran in failed:
        if ran.code == 0:
            assert (ran.out, ran.err) == (right.out, right.err) or line[0] == "capture"
            assert ran.left.keys() == right.left.keys()
            continue
        errors += no_answer(ran)
        assert "cannot read block " in ran.err
        assert "input/output error" in ran.err
        assert not ran.out or right.out.startswith(ran.out)
    assert errors


@pytest.mark.parametrize("line", AROUND, ids=" ".join)
def test_a_read_that_fails_and_is_gone_around(at_each_read: AtEachRead, line: list[str]) -> None:
    *failed, right = at_each_read(line, "fails", step=4)
    for ran in failed:
        told = ran.out + ran.err
        if ran.code == 2:
            no_answer(ran)
        elif line[0] == "salvage":
            assert ran.left == right.left or "note: " in ran.err
        else:
            assert (told, ran.code) == (right.out + right.err, right.code) or "cannot read" in told


@pytest.mark.parametrize("blocks", [0, 1, 60])
@pytest.mark.parametrize("line", [*STRICT, ["check", "SOURCE"]], ids=" ".join)
def test_a_file_that_shrinks(
    at_each_read: AtEachRead, line: list[str], data: Path, blocks: int
) -> None:
    """It is not mapped: what is not there any more cannot be read, and no signal ends the process."""
    line = [str(data) if word == "DATA" else word for word in line]
    *shrunk, right = at_each_read(line, "shrinks", number=blocks * 4096, step=9)
    for ran in shrunk:
        assert ran.code >= 0
        if line[0] == "check":
            if (ran.out, ran.err) != (right.out, right.err) and ran.code != 2:
                assert ran.code == 1
                assert "the source ends here" in ran.out or "no superblock" in ran.out
        elif ran.code == 0:
            assert (ran.out, ran.err) == (right.out, right.err) or line[0] == "capture"
        else:
            no_answer(ran)
            assert not ran.out or right.out.startswith(ran.out)


@pytest.mark.parametrize(
    "line", [["overview", "SOURCE"], ["doctor", "SOURCE"], ["thin_dump", "SOURCE"]], ids=" ".join
)
def test_a_file_that_is_replaced(at_each_read: AtEachRead, later: Path, line: list[str]) -> None:
    """Whoever has it open has the old one: the answer is of one of the two."""
    *replaced, before = at_each_read(line, "is replaced", other=str(later), step=16)
    after = at_each_read(line, "commits", other=str(later), most=1)[0]
    assert before.out != after.out
    for ran in replaced:
        assert ran.out in (before.out, after.out)


@pytest.mark.parametrize(
    "line",
    [
        ["check", "SOURCE"],
        ["export", "SOURCE", "0", "--data", "DATA", "--size", "1M", "-o", "FILE"],
        ["thin_dump", "SOURCE"],
    ],
    ids=" ".join,
)
def test_a_pool_that_commits(
    at_each_read: AtEachRead, later: Path, line: list[str], data: Path
) -> None:
    """The command asks again, and the file that it writes is not in its own way."""
    line = [str(data) if word == "DATA" else word for word in line]
    *committed, before = at_each_read(line, "commits", other=str(later), step=6)
    after = committed[0]
    assert after.out != before.out
    for ran in committed:
        if ran.code in {2, 64}:
            assert "the pool changed while it was read" in ran.err
            assert not ran.left
        else:
            assert (ran.out, ran.err, ran.left) in [
                (state.out, state.err, state.left) for state in (before, after)
            ]
