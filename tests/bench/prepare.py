"""Makes what some jobs need, and tells what a pool has.

A process of its own: what it takes of memory would be counted with the commands that are timed.

    python -m tests.bench.prepare facts POOL
    python -m tests.bench.prepare unpack PACKED POOL
    python -m tests.bench.prepare content POOL BLOCKS DATA PLAIN
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import thinscope

PIECE = 1 << 20


def facts(pool: Path) -> None:
    """Tell what a pool has, as JSON."""
    checked = thinscope.check(pool)
    with thinscope.open(pool) as opened:
        found = {
            "devices": list(opened.devices),
            "data_blocks": opened.data_space.total,
            "block_bytes": opened.superblock.data_block_bytes,
            "mappings": checked.mappings,
            "nodes": checked.nodes,
            "live_blocks": opened.metadata_space.used,
        }
    json.dump(found, sys.stdout)


def unpack(packed: Path, pool: Path) -> None:
    """Unpack a capture; runs of zeros take no space, as in what testkit builds."""
    import zstandard  # noqa: PLC0415 - nothing else needs it

    with packed.open("rb") as source, pool.open("wb") as file:
        reader = zstandard.ZstdDecompressor().stream_reader(source)
        while piece := reader.read(PIECE):
            file.seek(len(piece), 1) if not any(piece) else file.write(piece)
        file.truncate()


def content(pool: Path, blocks: int, data: Path, plain: Path) -> None:
    """Write a data device with content for the first blocks of a pool's first device, and that content alone."""
    with thinscope.open(pool) as opened:
        total, size = opened.data_space.total, opened.superblock.data_block_bytes
        runs = list(next(iter(opened.devices.values())).mappings(0, blocks))
    draws = random.Random(1)  # noqa: S311 - the same each time
    with data.open("wb") as pieces, plain.open("wb") as alone:
        pieces.truncate(total * size)
        for run in runs:
            pieces.seek(run.data_begin * size)
            for _ in range(run.length):
                noise = draws.randbytes(size)
                pieces.write(noise)
                alone.write(noise)


if __name__ == "__main__":
    word, *words = sys.argv[1:]
    if word == "facts":
        facts(Path(words[0]))
    elif word == "unpack":
        unpack(Path(words[0]), Path(words[1]))
    else:
        content(Path(words[0]), int(words[1]), Path(words[2]), Path(words[3]))
