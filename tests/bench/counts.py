"""Instructions of the core's passes, counted by valgrind: the same whatever else the machine does."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

from tests.bench.programs import testkit

if TYPE_CHECKING:
    from tests.bench.jobs import Asked

PASSES = (
    *("open", "recount", "exclusive", "check", "sharing", "dump", "mappings", "owners"),
    *("fragmentation", "salvage"),
)
COLLECTED = re.compile(r"Collected : (\d+)")


def instructions(asked: Asked, word: str) -> int:
    """How many a pass executes, with one thread."""
    command = [str(testkit()), "work", word, asked.pool, "--threads", "1"]
    if word == "delta":
        left, right = asked.far
        command += ["--left", left, "--right", right]
    counting = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    told = subprocess.run([*counting, *command], check=True, capture_output=True, text=True)
    found = COLLECTED.search(told.stderr)
    if not found:
        raise RuntimeError(f"valgrind does not tell what it collected: {told.stderr}")
    return int(found[1])


def passes(asked: Asked) -> list[str]:
    """The passes that can be asked of a pool."""
    several = len(asked.made.facts.devices) > 1
    return [*PASSES, *(["delta"] if several else [])]


def is_there() -> bool:
    """Whether valgrind is."""
    return shutil.which("valgrind") is not None
