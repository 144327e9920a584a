"""Sixteen threads on one pool: each has the answer that one thread alone has, or an error of its own."""

from __future__ import annotations

import errno
import io
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

import thinscope
from tests.faults.questions import OF_POOLS
from thinscope.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

    from thinscope import Pool

THREADS = 16
ROUNDS = 3

ASKED = [name for name in OF_POOLS if name != "export"]
"""All but what writes a file object of its own for every call."""


class NowAndThen(io.BytesIO):
    """Every so many reads one fails, whoever asked."""

    every = 0
    reads = failed = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        if self.every and self.reads % self.every == 0:
            self.failed += 1
            raise OSError(errno.EIO, "Input/output error")
        return super().read(size)


@pytest.fixture(scope="module")
def pool(earlier: Path) -> bytes:
    return earlier.read_bytes()


@pytest.fixture(scope="module")
def right(pool: bytes) -> dict[str, str]:
    """What one thread is told, of a pool of its own for each question."""
    return {name: OF_POOLS[name](thinscope.open(pool)) for name in ASKED}


def asked_by_all(opened: Pool) -> list[tuple[str, str | SourceError]]:
    """Ask everything of one pool from all threads, each beginning somewhere else."""
    start = threading.Barrier(THREADS)

    def ask(number: int) -> list[tuple[str, str | SourceError]]:
        start.wait()
        answers: list[tuple[str, str | SourceError]] = []
        for at in range(len(ASKED) * ROUNDS):
            name = ASKED[(number + at) % len(ASKED)]
            try:
                answers.append((name, OF_POOLS[name](opened)))
            except SourceError as error:
                answers.append((name, error))
        return answers

    with ThreadPoolExecutor(THREADS) as executor:
        return [each for answers in executor.map(ask, range(THREADS)) for each in answers]


@pytest.mark.parametrize("form", [bytes, io.BytesIO])
def test_all_have_the_same_answers(form: type, pool: bytes, right: dict[str, str]) -> None:
    answers = asked_by_all(thinscope.open(form(pool), threads=2))
    assert len(answers) == THREADS * ROUNDS * len(ASKED)
    for name, answer in answers:
        assert answer == right[name]


def test_a_file_on_a_disk(earlier: Path, right: dict[str, str]) -> None:
    for name, answer in asked_by_all(thinscope.open(earlier, threads=2)):
        assert answer == right[name]


def test_reads_that_fail_now_and_then(pool: bytes, right: dict[str, str]) -> None:
    """No thread has another one's error, and no error stays with the pool."""
    source = NowAndThen(pool)
    opened = thinscope.open(source)
    source.every = 101
    errors = 0
    for name, answer in asked_by_all(opened):
        if isinstance(answer, SourceError):
            errors += 1
            assert type(answer) is SourceError
            assert answer.errno == errno.EIO
        else:
            assert answer == right[name]
    assert 0 < errors <= source.failed
    source.every = 0
    for name in ASKED:
        assert OF_POOLS[name](opened) == right[name]
