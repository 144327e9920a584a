"""Runs a command once for each read of a file, with a fault at that read.

A process of its own, into which the shim is loaded: it takes a `Plan` as JSON on stdin, and gives
a list of what each run did on stdout.
"""

from __future__ import annotations

import ctypes
import errno
import json
import mmap
import os
import struct
import sys
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Plan", "Ran"]

_TOLD = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_longlong, ctypes.c_longlong)


@dataclass(frozen=True)
class Plan:
    """What is run, and what happens meanwhile.

    Attributes:
        words: The command line.
        source: The file of which the reads are counted, as it is before each run.
        content: A file with what it holds.
        fault: What happens, by the name of a function below.
        number: What it needs: bytes, or a block.
        other: A file that it needs, or None.
        output: A folder in which files may be made, emptied before each run; or None.
        most: Most runs; 0: until there are no more reads.
        step: How many reads further the next fault is.
    """

    words: list[str]
    source: str
    content: str
    fault: str
    number: int = 0
    other: str | None = None
    output: str | None = None
    most: int = 0
    step: int = 1


@dataclass(frozen=True)
class Ran:
    """What one run did.

    Attributes:
        at: Which read met the fault, from 1.
        reads: How many reads there were.
        code: The exit code.
        out: What was on stdout.
        err: What was on stderr.
        left: What was in the folder afterwards, by name.
    """

    at: int
    reads: int
    code: int
    out: str
    err: str
    left: dict[str, str] = field(default_factory=dict)


def _fails(plan: Plan) -> Callable[[int, int], int]:
    del plan
    return lambda *_: errno.EIO


def _shrinks(plan: Plan) -> Callable[[int, int], int]:
    def do(*_: int) -> int:
        os.truncate(plan.source, plan.number)
        return 0

    return do


def _is_replaced(plan: Plan) -> Callable[[int, int], int]:
    """By another file, under the same name."""
    other = Path(plan.other or "").read_bytes()

    def do(*_: int) -> int:
        new = f"{plan.source}.new"
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        os.write(descriptor, other)
        os.close(descriptor)
        os.rename(new, plan.source)  # noqa: PTH104 - nothing that reads
        return 0

    return do


def _commits(plan: Plan) -> Callable[[int, int], int]:
    """All blocks are of another state from now on; the superblock is written last."""
    other = Path(plan.other or "").read_bytes()

    def do(*_: int) -> int:
        descriptor = os.open(plan.source, os.O_WRONLY)
        os.pwrite(descriptor, other[4096:], 4096)
        os.pwrite(descriptor, other[:4096], 0)
        os.ftruncate(descriptor, len(other))
        os.close(descriptor)
        return 0

    return do


_AT_A_READ = {
    "fails": _fails,
    "shrinks": _shrinks,
    "is replaced": _is_replaced,
    "commits": _commits,
}


def _run(plan: Plan, at: int) -> Ran:
    """Run the command in a process that is forked off: imports are done."""
    source = Path(plan.source)
    source.write_bytes(Path(plan.content).read_bytes())
    found = source.stat()
    count = mmap.mmap(-1, 8)
    do = _AT_A_READ[plan.fault](plan)

    @_TOLD
    def tell(offset: int, length: int) -> int:
        [reads] = struct.unpack("q", count[:])
        count[:] = struct.pack("q", reads + 1)
        return do(offset, length) if reads + 1 == at else 0

    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if child == 0:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            from thinscope.cli import main  # noqa: PLC0415 - after the redirection

            watch = ctypes.CDLL(None).watch_reads
            watch.argtypes = [ctypes.c_ulonglong, ctypes.c_ulonglong, _TOLD]
            watch(found.st_dev, found.st_ino, tell)
            code = 99
            try:
                code = main(plan.words)
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode())
    left = {}
    if plan.output is not None:
        for path in Path(plan.output).iterdir():
            left[path.name] = path.read_bytes().hex() if path.stat().st_size < 1 << 20 else "large"
            path.unlink()
    [reads] = struct.unpack("q", count[:])
    return Ran(at, reads, code, *texts, left)


def _main() -> None:
    plan = Plan(**json.load(sys.stdin))
    import thinscope.cli  # noqa: F401, PLC0415 - once for all runs

    done = []
    at = 1
    while True:
        done.append(_run(plan, at))
        if at > done[-1].reads or at == plan.most:
            break
        at += plan.step
    json.dump([asdict(ran) for ran in done], sys.stdout)


if __name__ == "__main__":
    _main()
