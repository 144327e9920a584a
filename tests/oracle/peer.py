"""What thin-provisioning-tools answers, as ``fixtures/oracle.json`` keeps it, and the pools that it was asked of.

Every command ran in a folder of its pool, where the metadata is called ``pool.bin``; its words say no other path.
``make oracle`` writes the table (`tests.oracle.derive`), `tests.oracle.asked` says what is asked.
"""

from __future__ import annotations

import hashlib
import json
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zstandard

from . import answers, asked, hurt

TABLE = answers.FIXTURES / "oracle.json"
SHOWN = 500
"""Bytes of an output that the table holds as text."""


@dataclass(frozen=True, slots=True)
class Output:
    """What a command wrote."""

    size: int
    sha256: str
    text: str | None
    """All of it, if it is short."""

    @classmethod
    def of(cls, data: bytes) -> Output:
        """What describes these bytes."""
        text = data.decode(errors="replace")
        is_shown = len(data) <= SHOWN and text.encode() == data
        return cls(len(data), hashlib.sha256(data).hexdigest(), text if is_shown else None)

    @classmethod
    def parse(cls, entry: str | dict[str, Any]) -> Output:
        """What the table says."""
        return (
            cls.of(entry.encode())
            if isinstance(entry, str)
            else cls(entry["size"], entry["sha256"], None)
        )

    def entry(self) -> str | dict[str, Any]:
        """What the table is to say."""
        return {"size": self.size, "sha256": self.sha256} if self.text is None else self.text


EMPTY = Output.of(b"")


@dataclass(frozen=True, slots=True)
class Run:
    """A command and how it ended."""

    pool: str
    """The name of the pool in whose folder it ran."""
    tool: str
    arguments: tuple[str, ...]
    to: asked.Stdout
    code: int
    stdout: Output
    stderr: Output
    written: Output | None
    """What it wrote to the file ``out``; None: there was none."""
    whole: Path | None
    """A file that holds all of its stdout."""
    changed: bool
    """Whether it wrote to the metadata itself, a copy of it."""

    def __str__(self) -> str:
        """The command line, with the pool before it."""
        into = "" if self.to == "captured" else f" ({self.to})"
        return f"{self.pool}: {self.command}{into}"

    @property
    def command(self) -> str:
        """The command line, as a shell reads it."""
        return shlex.join([self.tool, *self.arguments])

    def whole_stdout(self) -> bytes | None:
        """All that was written to stdout, if it is kept."""
        if self.whole is None:
            return None if self.stdout.text is None else self.stdout.text.encode()
        data = self.whole.read_bytes()
        return zstandard.decompress(data) if self.whole.suffix == ".zst" else data

    @classmethod
    def parse(cls, pool: str, entry: dict[str, Any]) -> Run:
        """A line of the table."""
        tool, *arguments = shlex.split(entry["run"])
        return cls(
            pool=pool,
            tool=tool,
            arguments=tuple(arguments),
            to=entry.get("to", "captured"),
            code=entry.get("code", 0),
            stdout=Output.parse(entry.get("stdout", "")),
            stderr=Output.parse(entry.get("stderr", "")),
            written=Output.parse(entry["written"]) if "written" in entry else None,
            whole=answers.FIXTURES / entry["whole"] if "whole" in entry else None,
            changed=entry.get("changed", False),
        )

    def entry(self) -> dict[str, Any]:
        """A line of the table, without what goes without saying."""
        entry: dict[str, Any] = {"run": self.command}
        if self.to != "captured":
            entry["to"] = self.to
        if self.code:
            entry["code"] = self.code
        for name, output in (("stdout", self.stdout), ("stderr", self.stderr)):
            if output != EMPTY:
                entry[name] = output.entry()
        if self.written is not None:
            entry["written"] = self.written.entry()
        if self.whole is not None:
            entry["whole"] = str(self.whole.relative_to(answers.FIXTURES))
        if self.changed:
            entry["changed"] = True
        return entry


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool that the peer was asked about."""

    name: str
    how: str
    """``capture``, the command that builds it, or how it is damaged."""
    sha256: str
    """Of the metadata."""


@dataclass(frozen=True, slots=True)
class Table:
    """All that is kept of the peer."""

    version: str
    pools: dict[str, Pool]
    runs: list[Run]

    @classmethod
    def load(cls) -> Table:
        """What is committed."""
        table = json.loads(TABLE.read_text(encoding="utf-8"))
        pools = {name: Pool(name, **pool) for name, pool in table["pools"].items()}
        runs = [Run.parse(pool, run) for pool, runs in table["runs"].items() for run in runs]
        return cls(table["version"], pools, runs)

    def save(self) -> None:
        """Write it, one line for each pool and each command."""
        runs: dict[str, list[str]] = {name: [] for name in self.pools}
        for run in self.runs:
            runs[run.pool].append(json.dumps(run.entry()))
        pools = [
            f"{json.dumps(pool.name)}: {json.dumps({'how': pool.how, 'sha256': pool.sha256})}"
            for pool in self.pools.values()
        ]
        lists = [f"{json.dumps(name)}: [\n{_lines(lines)}\n]" for name, lines in runs.items()]
        text = (
            f'{{\n"version": {json.dumps(self.version)},\n'
            f'"pools": {{\n{_lines(pools)}\n}},\n"runs": {{\n{_lines(lists)}\n}}\n}}\n'
        )
        TABLE.write_text(text, encoding="utf-8")


def _lines(entries: list[str]) -> str:
    return ",\n".join(entries)


class Folders:
    """A folder for each pool, made when first asked for."""

    def __init__(self, parent: Path, testkit: Path) -> None:
        self._parent = parent
        self._testkit = testkit
        self._made: dict[str, Path] = {}

    def of(self, name: str) -> Path:
        """The folder of a pool, in which its metadata is ``pool.bin``."""
        if name not in self._made:
            folder = self._parent / name.replace("/", "-")
            folder.mkdir()
            self._make(name, folder / asked.POOL)
            if name == asked.ODD_FILES:
                asked.write_odd_files(folder)
            self._made[name] = folder
        return self._made[name]

    def _make(self, name: str, path: Path) -> None:
        if name in asked.GENERATED:
            arguments = shlex.split(asked.GENERATED[name])
            command = [str(self._testkit), "build", *arguments, "-o", str(path)]
            subprocess.run(command, check=True, capture_output=True)
            return
        if name in hurt.names():
            write_sparse(path, hurt.image(name, str(self._testkit)))
            return
        [capture] = [pool for pool in answers.asked_of_the_peer() if pool["name"] == name]
        write_sparse(path, answers.image(capture))


def write_sparse(path: Path, data: bytes, piece: int = 1 << 16) -> None:
    """Write a file without the room of its zeros."""
    with path.open("wb") as file:
        for begin in range(0, len(data), piece):
            if data.count(0, begin, begin + piece) < len(data[begin : begin + piece]):
                file.seek(begin)
                file.write(data[begin : begin + piece])
        file.truncate(len(data))


def how_made(name: str) -> str:
    """What the table says of a pool's origin."""
    if name in hurt.names():
        return hurt.how_made(name)
    return f"testkit build {asked.GENERATED[name]}" if name in asked.GENERATED else "capture"


def hash_of(path: Path) -> str:
    """The sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
