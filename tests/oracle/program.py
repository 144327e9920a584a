"""The peer's program, thin-provisioning-tools: where it is, and which version it is."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
INSTALLED = ROOT / "target/peer"
NOT_FOUND = """\
thin-provisioning-tools was not found, and `cargo install thinp` cannot install it here.
Give its program: make oracle PDATA_TOOLS=path/to/pdata_tools
Distributions have it as usr/sbin/pdata_tools in their package thin-provisioning-tools, from version 1.0 on
(Debian since 13); it need not be installed: `dpkg-deb -x thin-provisioning-tools_*.deb folder` unpacks it.
"""


def found() -> Path | None:
    """The program that PDATA_TOOLS names, or that cargo installed; its first argument is the tool."""
    if given := os.environ.get("PDATA_TOOLS"):
        return Path(given).resolve()
    places = (INSTALLED / "bin" / name for name in ("pdata_tools", "thinp"))
    return next(filter(Path.exists, places), None)


def found_or_installed() -> Path:
    """The same; cargo is asked to install it where it is not there."""
    if program := found():
        return program
    install = ["cargo", "install", "thinp", "--root", str(INSTALLED)]
    sys.stderr.write(f"{shlex.join(install)}\n")
    subprocess.run(install, check=False, cwd=ROOT)
    if program := found():
        return program
    raise SystemExit(NOT_FOUND)


def version(tool: list[str]) -> str:
    """The version that a tool tells of itself."""
    asking = [*tool, "--version"]
    return subprocess.run(asking, check=True, capture_output=True, text=True).stdout.strip()
