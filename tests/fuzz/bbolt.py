"""Databases of bbolt, and what containerd keeps in its three."""

from __future__ import annotations

import atexit
import struct
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tests.conftest import FIXTURES
from tests.fuzz.judging import judge_error, judge_names
from tests.fuzz.memory_file import MemoryFile
from tests.names import bolt
from tests.names.bolt import File, Tree
from tests.names.test_containerd import Host
from thinscope.errors import NamesError
from thinscope.formats.bbolt import Bucket, Database, is_database
from thinscope.names import containerd

if TYPE_CHECKING:
    from collections.abc import Iterator

CAPTURED = FIXTURES / "containerd-b/dbs"
WORDS = [
    *(
        b"devices",
        b"device_ids",
        b"v1",
        b"snapshots",
        b"containers",
        b"images",
        b"labels",
        b"content",
    ),
    *(
        b"blob",
        b"leases",
        b"sandboxes",
        b"devmapper",
        b"parent",
        b"kind",
        b"id",
        b"size",
        b"inodes",
    ),
    *(b"createdat", b"updatedat", b"target", b"digest", b"name", b"snapshotKey", b"snapshotter"),
    *(b'"device_id":', b'"size":', b'"state":', b'"parent_name":"', b'"error":"', b"-snap-", b"/"),
    *(
        b"containerd.io/gc.ref.snapshot.devmapper",
        b"containerd.io/gc.root",
        b"containerd.io/gc.flat",
    ),
    *(b"containerd.io/gc.ref.content.0", b"containerd.io/gc.expire", b"k8s.io", b"\x80\x80\x01"),
    *(b"\xff\xff\xff\xff", b"\0\0\0\0\0\0\0\0", b"\xed\xda\x0c\xed", b"\x1b[2J", b"\xe2\x80\xae"),
]
MOST = 40960
_FIELDS = (1, 2, 4, 8)


def seeds() -> Iterator[bytes]:
    """A made host's databases in one, the captured ones cut to little, trees of many levels."""
    captured = [_cut(bolt.read(path.read_bytes())) for path in sorted(CAPTURED.glob("*.db"))]
    for tree in (_host(), *captured):
        for most, inlines in ((1 << 16, True), (3, True), (2, False)):
            data = bytes(File.of(tree, page_size=1024, most=most, inlines=inlines).data())
            if len(data) <= MOST:
                yield data
    yield bytes(File.of(captured[0], page_size=2048, freelist=(1 << 64) - 1).data())
    yield bytes(File.of({}, page_size=1024).data())
    deep = {b"devices": {b"%02d" % number: b"{}" for number in range(12)}}
    yield bytes(File.of(deep, page_size=1024, most=2, inlines=False).data())
    many = File.of(deep, page_size=1024)
    many.freelist = many.add(bolt.FREELIST_FLAG, 0xFFFF, struct.pack("<QQQ", 2, 2, 3))
    yield bytes(many.data())


def _host() -> Tree:
    """What all three databases say, and all that their tables have."""
    host = Host()
    base = host.snapshot(1, "sha256:" + "1" * 64, size=9, labels={"containerd.io/gc.root": "x"})
    top = host.snapshot(2, "top", base, size=70)
    host.snapshot(3, "web", top, kind=2, namespace="k8s.io")
    host.snapshot(4, "web", top, kind=1)
    host.device(5, 1, state=13, error="file exists")
    host.ids[b"6"] = b"\x02"
    host.container("web-1", "web", "k8s.io", {"io.cri-containerd.kind": "sandbox"})
    host.container("web-2", "web", labels={"nerdctl/name": "w", "io.kubernetes.pod.name": "p"})
    for namespace in ("ns", "k8s.io"):
        labels = {"io.cri-containerd.image": "managed"}
        host.image("docker.io/a:1", "sha256:a", namespace, labels)
    content, snapshot = (
        "containerd.io/gc.ref.content.m.0",
        "containerd.io/gc.ref.snapshot.devmapper",
    )
    host.blob("sha256:a", {content: "sha256:b", "containerd.io/gc.root": "x"})
    host.blob("sha256:b", {snapshot: "top", content: "sha256:a"})
    lease = {b"content": {b"sha256:a": b""}, b"snapshots": {b"devmapper": {b"top": b""}}}
    host.of("ns", "leases")[b"one"] = lease
    host.of("ns", "sandboxes")[b"pod"] = {b"labels": {b"a": b"b"}}
    clients = {b"snapshots": host.snapshots, b"parents": {}, **host.namespaces}
    return _tree({b"devices": host.devices, b"device_ids": host.ids, b"v1": clients})


def _tree(plain: dict[bytes, Any]) -> Tree:
    return Tree(
        {key: _tree(each) if isinstance(each, dict) else each for key, each in plain.items()}
    )


def _cut(tree: Tree, most: int = 3) -> Tree:
    cut = Tree({key: tree[key] for key in sorted(tree)[:most]})
    cut.sequence = tree.sequence
    for key, value in cut.items():
        cut[key] = _cut(value, most) if isinstance(value, Tree) else value[:140]
    return cut


def trial(data: bytes) -> None:
    """Read all of it, beside a reader that checks nothing, and take it for all of containerd's."""
    try:
        database = Database(data, "x")
        found = _content(database.root)
    except NamesError as error:
        judge_error(error)
    else:
        assert is_database(data)
        assert found == _plain(bolt.read(data))
        for key, value in database.root:
            assert (database.root.get(key) is None) == isinstance(value, Bucket)
            assert (database.root.bucket(key) is None) == isinstance(value, bytes)
    folder, file = _folder()
    file.write(data)
    for path in (folder, folder / "pool.db"):
        try:
            judge_names(containerd.read(path))
        except NamesError as error:
            judge_error(error)


@cache
def _folder() -> tuple[Path, MemoryFile]:
    """Return a folder in which one file is each of the three databases, and the file."""
    keeper = TemporaryDirectory()
    atexit.register(keeper.cleanup)
    folder, file = Path(keeper.name), MemoryFile()
    for name in ("pool.db", "metadata.db", "meta.db"):
        (folder / name).symlink_to(file.path)
    return folder, file


def _content(bucket: Bucket) -> tuple[int, dict[bytes, object]]:
    items = {key: each if isinstance(each, bytes) else _content(each) for key, each in bucket}
    return bucket.sequence, items


def _plain(tree: Tree) -> tuple[int, dict[bytes, object]]:
    items = {key: _plain(each) if isinstance(each, Tree) else each for key, each in tree.items()}
    return tree.sequence, items


def mutated(data: bytes, chosen: int) -> bytes | None:
    """Change a field of a page or an element, with checksums put right."""
    made = bytearray(data)
    size = _page_size(made)
    pages = len(made) // size
    if pages:
        at = chosen % pages * size
        what, chosen = chosen % 8, chosen // 8
        values = (0, 1, 2, 0xFFFF, 16, pages - 1, pages, chosen % pages, (1 << 64) - 1, chosen)
        value, width = values[chosen % len(values)], _FIELDS[chosen // 5 % 4]
        element = 16 * (1 + chosen // 3 % 8) + chosen // 7 % 4 * 4
        place = at + (element if what < 4 else chosen // 3 % 80)
        low = value & (1 << 8 * width) - 1
        if what == 7:
            other = chosen // 3 % pages * size
            made[at : at + size] = made[other : other + size]
            struct.pack_into("<Q", made, at, at // size)
        elif place + width <= len(made):
            made[place : place + width] = low.to_bytes(width, "little")
    return bytes(made)


def repaired(data: bytes) -> bytes:
    """Put the checksums of both meta pages right."""
    made = bytearray(data)
    for at in (0, _page_size(made)):
        if at + 80 <= len(made):
            struct.pack_into("<Q", made, at + 72, bolt.fnv(made[at + 16 : at + 72]))
    return bytes(made)


def _page_size(data: bytearray) -> int:
    size = int.from_bytes(data[24:28], "little")
    return size if size in (1024, 2048, 4096, 8192) else 1024
