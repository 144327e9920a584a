"""Long calls: progress, cancellation, and many threads on one pool."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import zstandard

import thinscope


def long_source(image: bytes) -> bytes:
    """Unpacking it, and fifteen GiB of zeros with it, takes seconds."""
    return zstandard.compress(image) + zstandard.compress(bytes(1 << 28)) * 60


def interrupted_after(packed: bytes) -> float:
    """Seconds from the signal to the exception, in the middle of a call."""
    sent = 0.0
    is_on = threading.Event()

    def interrupt() -> None:
        nonlocal sent
        is_on.wait()  # however busy the machine is, the call has begun and goes on
        time.sleep(0.1)
        sent = time.monotonic()
        os.kill(os.getpid(), signal.SIGINT)

    sender = threading.Thread(target=interrupt)
    sender.start()
    with pytest.raises(KeyboardInterrupt):
        thinscope.open(packed, progress=lambda *_: is_on.set())
    elapsed = time.monotonic() - sent
    sender.join()
    return elapsed


def test_ctrl_c_ends_a_long_call_within_200_ms(walkthrough: bytes) -> None:
    packed = long_source(walkthrough)
    assert min(interrupted_after(packed) for _ in range(3)) < 0.2


def test_progress_is_reported_and_what_it_raises_ends_the_call(walkthrough: bytes) -> None:
    seen = []

    class Enough(Exception):
        pass

    def progress(phase: str, done: int, total: int) -> None:
        seen.append((phase, done, total))
        if len(seen) == 3:
            raise Enough

    with pytest.raises(Enough):
        thinscope.open(long_source(walkthrough), progress=progress)
    assert len(seen) == 3
    assert seen[0][0] == "unpacking"


def test_an_interrupted_read_of_a_file_object_is_an_interrupt(churn: bytes) -> None:
    class Interrupted(io.BytesIO):
        armed = False

        def read(self, size: int | None = -1) -> bytes:
            if self.armed:
                raise KeyboardInterrupt
            return super().read(size)

    source = Interrupted(churn)
    pool = thinscope.open(source)
    source.armed = True
    with pytest.raises(KeyboardInterrupt):
        pool.recount()
    source.armed = False
    assert pool.recount().reached_blocks == 3725


@pytest.mark.parametrize("form", [bytes, io.BytesIO])
def test_sixteen_threads_on_one_pool(form, churn: bytes) -> None:
    pool = thinscope.open(form(churn), threads=2)
    expected = thinscope.open(churn).recount()
    runs = len(list(thinscope.open(churn).mappings()))
    start = threading.Barrier(16)

    def ask(number: int) -> bool:
        start.wait()
        if number % 3 == 0:
            return len(list(pool.mappings())) == runs
        if number % 3 == 1:
            return pool.devices[16].lookup(0) == pool.devices[16].lookup(0)
        return pool.recount() == expected

    with ThreadPoolExecutor(16) as executor:
        assert all(executor.map(ask, range(16)))


def test_threads_share_one_iterator(churn: bytes) -> None:
    pool = thinscope.open(io.BytesIO(churn))
    expected = sorted(map(repr, pool.mappings()))
    shared = iter(pool.mappings())
    with ThreadPoolExecutor(8) as executor:
        parts = list(executor.map(lambda _: list(shared), range(8)))
    assert sorted(repr(run) for part in parts for run in part) == expected


def test_after_an_error_an_iterator_does_not_leave_a_hole(churn: bytes) -> None:
    class Failing(io.BytesIO):
        armed = False

        def read(self, size: int | None = -1) -> bytes:
            if self.armed:
                raise OSError(5, "Input/output error")
            return super().read(size)

    source = Failing(churn)
    pool = thinscope.open(source)
    pool.recount()
    runs = iter(pool.mappings())
    source.armed = True
    with pytest.raises(thinscope.errors.SourceError):
        next(runs)
    source.armed = False
    with pytest.raises(ValueError, match="read the table again"):
        next(runs)
    assert len(list(pool.mappings())) == len(list(thinscope.open(churn).mappings()))


def test_an_iterator_is_not_entered_again_by_its_own_progress(walkthrough: bytes) -> None:
    """It would wait for itself."""
    seen = []

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            time.sleep(0.08)
            return super().read(size)

    def progress(phase: str, done: int, total: int) -> None:
        if armed:
            seen.append((phase, done, total))
            next(runs)

    armed = False
    pool = thinscope.open(Slow(walkthrough), progress=progress)
    runs = iter(pool.mappings())
    armed = True
    with pytest.raises(ValueError, match="iterator already executing"):
        next(runs)
    assert seen


def test_a_signal_handler_that_asks_during_a_read_is_told(churn: bytes) -> None:
    """The file object is in the middle of a read on the same thread."""
    told = []

    class Asking(io.BytesIO):
        armed = False

        def read(self, size: int | None = -1) -> bytes:
            if self.armed:
                self.armed = False
                try:
                    pool.recount()
                except thinscope.errors.SourceError as error:
                    told.append(error.message)
            return super().read(size)

    source = Asking(churn)
    pool = thinscope.open(source)
    source.armed = True
    assert pool.recount().reached_blocks == 3725
    assert len(told) == 1
    assert "being read by this thread" in told[0]


def test_progress_of_a_table_counts_leaves(ten_million: Path) -> None:
    seen = []
    pool = thinscope.open(ten_million, progress=lambda *at: seen.append(at))
    for _ in pool.mappings():
        pass
    tables = [at for at in seen if at[0] == "reading mappings"]
    assert all(0 <= done <= total for _, done, total in tables)


def test_a_fork_in_the_middle_of_an_iteration(ten_million: Path) -> None:
    runs = iter(thinscope.open(ten_million, threads=2).mappings())
    begun = next(runs).length
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        os._exit(0 if begun + sum(run.length for run in runs) == 10_000_000 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert begun + sum(run.length for run in runs) == 10_000_000


def test_no_thread_is_an_error(churn: bytes) -> None:
    probe = """
import resource, sys, thinscope, thinscope.captured, thinscope.locate, thinscope.pool
image = sys.stdin.buffer.read()
in_use = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (in_use, in_use))
try:
    thinscope.open(image)
except thinscope.errors.ThinscopeError as error:
    print(error.message)
"""
    # All that opening takes is loaded before: only threads can be wanting.
    command = [sys.executable, "-c", probe]
    result = subprocess.run(command, input=churn, capture_output=True, check=True)
    assert result.stdout.startswith(b"cannot start threads: ")


def test_a_fork_asks_again(churn: bytes) -> None:
    """Threads do not survive a fork: none may be kept between questions."""
    pool = thinscope.open(churn, threads=2)
    expected = pool.recount()
    child = os.fork()
    if child == 0:
        os._exit(0 if pool.recount() == expected else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
