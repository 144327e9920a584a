"""Pools with lists destroyed; and what the peer says of the XML that is salvaged from them.

``make oracle`` writes ``fixtures/salvaged.json``: of each, the hash of an XML that the peer's thin_restore
took and whose result its thin_check found nothing wrong with.
"""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from . import answers
from .reader import BLOCK, Image, Role

if TYPE_CHECKING:
    from collections.abc import Iterable

TABLE = answers.FIXTURES / "salvaged.json"

POOLS = ("walkthrough-b", "churn-b", "docker-b", "lvm-b")

LOST = {
    "superblock": frozenset({Role.SUPERBLOCK}),
    "top level": frozenset({Role.TOP_LEVEL}),
    "details": frozenset({Role.DETAILS}),
    "top level and details": frozenset({Role.TOP_LEVEL, Role.DETAILS}),
}
"""What is destroyed of the live state, by what it is called."""

FILLS = ("zeros", "random")

_ROOM = 8192
"""Blocks of the new metadata: all of these pools fit."""


def blocks_of(image: Image, lost: str) -> list[int]:
    """The blocks of the live state that are destroyed; of superblocks block 0 alone."""
    if lost == "superblock":
        return [0]
    return sorted(block for block, role in image.live.roles.items() if role in LOST[lost])


def destroyed(data: bytes, blocks: Iterable[int], fill: str) -> bytes:
    """An image with some blocks of zeros, or of noise, which is always the same."""
    noise, damaged = random.Random(7), bytearray(data)  # noqa: S311 - the same each time
    for block in blocks:
        new = bytes(BLOCK) if fill == "zeros" else noise.randbytes(BLOCK)
        damaged[block * BLOCK : (block + 1) * BLOCK] = new
    return bytes(damaged)


def cases() -> dict[str, tuple[str, str]]:
    """The cases by name: pool, and what it lost."""
    return {f"{pool}: {lost}": (pool, lost) for pool in POOLS for lost in LOST}


def xml_of(path: Path, target: Path) -> bytes:
    """What thin_dump --repair writes."""
    words = ["thin_dump", "--repair", "--quiet", "--data-block-size", "128", "-o", str(target)]
    command = [sys.executable, "-m", "thinscope", *words, str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return target.read_bytes()


def load() -> dict[str, str]:
    """The hash of each XML that the peer accepted, by the case's name."""
    hashes: dict[str, str] = json.loads(TABLE.read_text(encoding="utf-8"))["accepted"]
    return hashes


def derive(program: Path, version: str) -> None:
    """Ask, and write."""
    pools = {pool["name"]: answers.image(pool) for pool in answers.manifest()}
    accepted = {}
    for name, (pool, lost) in cases().items():
        with tempfile.TemporaryDirectory() as folder_name:
            folder = Path(folder_name)
            path, xml, new = folder / "pool.bin", folder / "pool.xml", folder / "new.bin"
            path.write_bytes(destroyed(pools[pool], blocks_of(Image(pools[pool]), lost), "random"))
            written = xml_of(path, xml)
            with new.open("wb") as file:
                file.truncate(_ROOM * BLOCK)
            restore = [str(program), "thin_restore", "--quiet", "-i", str(xml), "-o", str(new)]
            subprocess.run(restore, check=True, capture_output=True)
            check = [str(program), "thin_check", "--quiet", str(new)]
            subprocess.run(check, check=True, capture_output=True)
        accepted[name] = hashlib.sha256(written).hexdigest()
    table = {"version": version, "accepted": accepted}
    TABLE.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
