"""The programs that are measured: this one, the peer's current release, the distribution's."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from tests.oracle import program

ROOT = program.ROOT
THINSCOPE = Path(sys.executable).with_name("thinscope")
TOOLS = ("thin_dump", "thin_ls", "thin_check", "thin_rmap", "thin_delta")


def testkit() -> Path:
    """The program that builds pools, and reads as a measure."""
    given = os.environ.get("THINSCOPE_TESTKIT")
    return Path(given) if given else ROOT / "target/release/testkit"


@dataclass(frozen=True)
class Peer:
    """A release of thin-provisioning-tools."""

    side: str
    """``peer``: the current release; ``distribution``: the one that a distribution has."""
    version: str
    tools: dict[str, list[str]]
    """How each tool is called."""


def peers() -> list[Peer]:
    """The peers that are there: PDATA_TOOLS or what cargo installed, PEER_DISTRIBUTION or what is on PATH."""
    found: list[Peer] = []
    given = os.environ.get("PEER_DISTRIBUTION")
    places = {"peer": program.found(), "distribution": Path(given).resolve() if given else None}
    for side, path in places.items():
        if path:
            found.append(_peer(side, {tool: [str(path), tool] for tool in TOOLS}))
        elif side == "distribution" and all(map(shutil.which, TOOLS)):
            found.append(_peer(side, {tool: [tool] for tool in TOOLS}))
    return found


def _peer(side: str, tools: dict[str, list[str]]) -> Peer:
    return Peer(side, program.version(tools["thin_dump"]), tools)


def profile() -> str:
    """Which of cargo's profiles the measured core was built with, told by its bytes."""
    installed = Path(sysconfig.get_path("platlib")) / "thinscope/_core.abi3.so"
    if not installed.exists():
        installed = ROOT / "python/thinscope/_core.abi3.so"
    found = _hash(installed)
    built = sorted((ROOT / "target").glob("*/lib_core.so"))
    names = [path.parent.name for path in built if _hash(path) == found]
    return names[0] if names else "unknown"


def _hash(path: Path) -> bytes:
    with path.open("rb") as file:
        digest = sha256()
        while piece := file.read(1 << 20):
            digest.update(piece)
        return digest.digest()
