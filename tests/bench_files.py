"""Makes what some questions of tests/bench.py need beside a pool, and tells of it in JSON.

A process of its own: what it takes of memory would be counted with the commands that are timed.

    python -m tests.bench_files POOL EXPORTED
"""

from __future__ import annotations

import json
import random
import shutil
import sys
from pathlib import Path

import thinscope

SUPERBLOCK = 4096
"""Bytes that a wiped superblock has lost."""


def main(pool: Path, exported: int) -> None:
    """Write a pool without superblock, a data device with content of its first device, and that content alone."""
    with thinscope.open(pool) as opened:
        total, size = opened.data_space.total, opened.superblock.data_block_bytes
        devices = list(opened.devices)
        runs = list(opened.devices[devices[0]].mappings(0, exported))
    wiped = pool.with_name("wiped.bin")
    shutil.copyfile(pool, wiped)
    with wiped.open("r+b") as file:
        file.write(bytes(SUPERBLOCK))
    draws = random.Random(1)  # noqa: S311 - the same each time
    with (
        pool.with_name("data.img").open("wb") as pieces,
        pool.with_name("plain.img").open("wb") as plain,
    ):
        pieces.truncate(total * size)
        for run in runs:
            pieces.seek(run.data_begin * size)
            for _ in range(run.length):
                noise = draws.randbytes(size)
                pieces.write(noise)
                plain.write(noise)
    json.dump({"data_blocks": total, "block_bytes": size, "devices": devices}, sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
