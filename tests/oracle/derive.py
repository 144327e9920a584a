"""Asks thin-provisioning-tools all that `tests.oracle.asked` lists and writes ``fixtures/oracle.json``.

It also has it restore the pools, and what is salvaged of damaged ones, and writes ``fixtures/restored.json`` and
``fixtures/salvaged.json``.

    PDATA_TOOLS=path python -m tests.oracle.derive

Without PDATA_TOOLS, the program that ``cargo install thinp --root target/peer`` made is taken; if it is not there,
that is tried. Some whole outputs go to the ``answers`` folders of the captures; new ones are to be listed in the
MANIFEST by hand.
"""

from __future__ import annotations

import filecmp
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import zstandard

from . import answers, asked, asked_wrongly, hurt, peer, program, restored, salvaged

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

QUIET = {name: value for name, value in os.environ.items() if not name.startswith("RUST_")}
"""An environment in which a panic tells no stack."""

WHOLE_LIMIT = 64 << 10
"""Whole outputs above this size are kept compressed."""


def ran(
    command: Sequence[str],
    folder: Path,
    to: asked.Stdout,
    environment: Mapping[str, str] | None = None,
) -> tuple[int, bytes, bytes]:
    """Run a program in a folder; its exit code, stdout and stderr."""
    if to == "captured":
        done = subprocess.run(
            command, cwd=folder, env=environment, check=False, capture_output=True
        )
        return done.returncode, done.stdout, done.stderr
    if to == "full":
        stdout = os.open("/dev/full", os.O_WRONLY)
    else:
        unread, stdout = os.pipe()
        os.close(unread)
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            check=False,
            stdout=stdout,
            stderr=subprocess.PIPE,
        )
    finally:
        os.close(stdout)
    return done.returncode, b"", done.stderr


class Peer:
    """The peer, asked about pools in their folders."""

    def __init__(self, path: Path, folders: peer.Folders) -> None:
        self._path = path
        self._folders = folders

    def ask(
        self, pool: str, tool: str, arguments: Sequence[str], to: asked.Stdout = "captured"
    ) -> peer.Run:
        """Run a tool once, in a folder in which nothing else writes."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for file in self._folders.of(pool).iterdir():
                (folder / file.name).symlink_to(file)
            image, own = self._folders.of(pool) / asked.POOL, folder / asked.POOL
            if tool == "thin_check":  # which may write
                own.unlink()
                peer.write_sparse(own, image.read_bytes())
            command = [str(self._path), tool, *arguments]
            code, stdout, stderr = ran(command, folder, to, QUIET)
            out = folder / asked.OUT
            written = peer.Output.of(out.read_bytes()) if out.exists() else None
            changed = not filecmp.cmp(own, image, shallow=False)
        whole = whole_path(pool, tool, tuple(arguments)) if to == "captured" else None
        if whole is not None:
            whole = keep(whole, stdout)
        return peer.Run(
            pool=pool,
            tool=tool,
            arguments=tuple(arguments),
            to=to,
            code=code,
            stdout=peer.Output.of(stdout),
            stderr=peer.Output.of(stderr),
            written=written,
            whole=whole,
            changed=changed,
        )


def whole_path(pool: str, tool: str, arguments: tuple[str, ...]) -> Path | None:
    """Where a whole output is kept, if it is."""
    names = {
        ("thin_dump", asked.POOL): "dump{}-1.x.xml",
        ("thin_dump", *asked.HUMAN, asked.POOL): "dump{}-1.x.txt",
        ("thin_dump", "-m", asked.POOL): "dump{}-snapshot-1.x.xml",
        ("thin_ls", "-o", ",".join(asked.COLUMNS), asked.POOL): "ls{}-1.x.txt",
    }
    name = names.get((tool, *arguments))
    if name is None or pool in asked.GENERATED:
        return None
    folder, _, image = pool.partition("/")
    return answers.FIXTURES / folder / "answers" / name.format(image and f"-{image}")


def keep(path: Path, data: bytes) -> Path | None:
    """Write an output where it changed, compressed if it is long; where it is."""
    if not data:
        return None
    if len(data) <= WHOLE_LIMIT:
        path.write_bytes(data)
        return path
    path = path.with_name(f"{path.name}.zst")
    if not path.exists() or zstandard.decompress(path.read_bytes()) != data:
        path.write_bytes(zstandard.compress(data, 19))
    return path


def known_of(path: Path, image: Path) -> asked.Known:
    """What the commands on a pool depend on."""
    dump = [str(path), "thin_dump", "--skip-mappings", str(image)]
    told = subprocess.run(dump, check=True, capture_output=True, text=True).stdout
    held = subprocess.run([*dump, "-m"], check=False, capture_output=True, text=True)
    return asked.Known(device_ids(told), None if held.returncode else device_ids(held.stdout))


def device_ids(dump: str) -> tuple[int, ...]:
    """The devices of a dump."""
    return tuple(int(device) for device in re.findall(r'dev_id="(\d+)"', dump))


def commands(
    path: Path, folders: peer.Folders
) -> Iterator[tuple[str, str, Sequence[str], asked.Stdout]]:
    """Everything to be asked: pool, tool, words after its name, where stdout goes."""
    for name in pools():
        if name in hurt.names():
            folders.of(name)
            yield from ((name, tool, words, "captured") for tool, *words in hurt.commands(name))
            continue
        image = folders.of(name) / asked.POOL
        check = [str(path), "thin_check", "--quiet", str(image)]
        if bool(subprocess.run(check, check=False).returncode) != (name == asked.UNDER_FULL):
            raise SystemExit(f"{name}: the peer's thin_check should say otherwise")
        known = known_of(path, image)
        for tool, *words in asked.on_pool(name, known):
            yield name, tool, words, "captured"
    yield from ((asked.ODD_FILES, *command) for command in asked_wrongly.commands())


def pools() -> list[str]:
    """The names of all pools."""
    captured = (pool["name"] for pool in answers.asked_of_the_peer())
    return [*captured, *asked.GENERATED, *hurt.names()]


def main() -> None:
    """Ask, and write."""
    peer_program = program.found_or_installed()
    version = program.version([str(peer_program), "thin_dump"])
    sys.stderr.write(f"asking thin-provisioning-tools {version}\n")
    with tempfile.TemporaryDirectory() as name:
        folders = peer.Folders(Path(name), program.ROOT / "target/ci/testkit")
        asking = Peer(peer_program, folders)
        # The peer's thin_ls spends half a second asleep.
        with ThreadPoolExecutor(8) as threads:
            runs = list(
                threads.map(lambda each: asking.ask(*each), commands(peer_program, folders))
            )
        made = {name: folders.of(name) / asked.POOL for name in pools()}
        table = peer.Table(
            version=version,
            pools={
                name: peer.Pool(name, peer.how_made(name), peer.hash_of(path))
                for name, path in made.items()
            },
            runs=runs,
        )
        whole = [name for name in made if name not in hurt.names()]
        restored.derive(peer_program, version, folders, whole)
    salvaged.derive(peer_program, version)
    table.save()
    sys.stderr.write(f"{len(runs)} answers are in {peer.TABLE.relative_to(program.ROOT)}\n")


if __name__ == "__main__":
    main()
