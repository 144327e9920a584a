"""What the peer's thin_restore makes of what its thin_dump writes: the nodes of all mapping trees.

``make oracle`` writes ``fixtures/restored.json``. The pools are those of ``oracle.json``, which has their hashes.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from . import answers, asked
from .reader import BLOCK, Image, Role

if TYPE_CHECKING:
    from collections.abc import Iterable

    from . import peer

TABLE = answers.FIXTURES / "restored.json"

ROOM = 8
"""The new metadata has so many times the blocks of the old: what was shared may come out several times."""
LEAST = 8192


def load() -> dict[str, int]:
    """The nodes of each pool that the peer could dump, by its name."""
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    nodes: dict[str, int] = table["nodes"]
    return nodes


def derive(program: Path, version: str, folders: peer.Folders, names: Iterable[str]) -> None:
    """Ask, and write."""
    nodes = {name: restored(program, folders.of(name) / asked.POOL) for name in names}
    table = {
        "version": version,
        "nodes": {name: found for name, found in nodes.items() if found is not None},
    }
    TABLE.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


def restored(program: Path, pool: Path) -> int | None:
    """The nodes of mapping trees after a dump and a restore; None: it cannot be dumped."""
    with tempfile.TemporaryDirectory() as name:
        xml, metadata = Path(name) / "pool.xml", Path(name) / "pool.bin"
        dump = [str(program), "thin_dump", "--quiet", "-o", str(xml), str(pool)]
        if subprocess.run(dump, check=False, capture_output=True).returncode:
            return None
        with metadata.open("wb") as file:
            file.truncate(max(pool.stat().st_size // BLOCK * ROOM, LEAST) * BLOCK)
        restore = [str(program), "thin_restore", "--quiet", "-i", str(xml), "-o", str(metadata)]
        subprocess.run(restore, check=True, capture_output=True)
        return mapping_nodes(Image(metadata.read_bytes()))


def mapping_nodes(image: Image) -> int:
    """The distinct nodes of all mapping trees of the live pool."""
    return sum(role is Role.MAPPING for role in image.live.roles.values())
