"""What containerd's garbage collection follows: labels of blobs, images, containers and leases.

It deletes each blob and snapshot that it does not reach from an image, a container, a lease, or
from anything with a label that says so. A snapshot's parent is reached through the snapshot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from thinscope.errors import NamesError
from thinscope.names.containerd.tables import SNAPSHOTTER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from thinscope.names.containerd.tables import Clients

__all__ = ["Followed", "held", "pointed_snapshots"]

_CONTENT = "containerd.io/gc.ref.content"
_SNAPSHOT = f"containerd.io/gc.ref.snapshot.{SNAPSHOTTER}"
_KEPT = ("containerd.io/gc.root", "containerd.io/gc.bref.", "containerd.io/gc.expire")
"""What labels that keep a snapshot or a blob without anything that points at it begin with. The last
two do so for a time that cannot be told from a copy of the records."""

_MOST_STEPS = 1 << 22
"""Blobs to be passed for all images together, and labels of theirs: each image could be sent through
all of them."""


class Followed:
    """The way through the labels of blobs."""

    def __init__(self, clients: Clients, source: str) -> None:
        """Begin with the labels of all namespaces; the source is what errors call them."""
        self._blobs = clients.blobs
        self._source = source
        self._left = _MOST_STEPS

    def snapshots(self, namespace: str, digest: str) -> tuple[set[str], set[str]]:
        """Return the snapshots that a blob leads to, and the blobs that point at them.

        Raises:
            NamesError: The labels make it too long a way.
        """
        found: set[str] = set()
        last: set[str] = set()
        seen = {digest}
        waiting = [digest]
        while waiting:
            blob = waiting.pop()
            labels = self._blobs.get((namespace, blob), {})
            self._left -= 1 + len(labels)
            if self._left < 0:
                message = f"labels of blobs lead through more than {_MOST_STEPS} of them"
                raise NamesError(message, source=self._source)
            pointed = pointed_snapshots(labels)
            if pointed:
                found |= pointed
                last.add(blob)
            following = set(_pointed(labels, _CONTENT)) - seen
            seen |= following
            waiting += following
        return found, last


def held(clients: Clients, followed: Followed) -> set[tuple[str, str]]:
    """Return namespaces and client keys of snapshots that are kept by what is no object.

    Raises:
        NamesError: The labels make it too long a way.
    """
    found: set[tuple[str, str]] = set()
    for namespace, labels in clients.pointing:
        found |= _in(namespace, pointed_snapshots(labels))
    for reference in clients.references.values():
        found |= _in(reference.namespace, pointed_snapshots(reference.labels))
        if _is_kept(reference.labels):
            found.add((reference.namespace, reference.name))
    for namespace, is_snapshot, name in clients.leased:
        keys = {name} if is_snapshot else followed.snapshots(namespace, name)[0]
        found |= _in(namespace, keys)
    for (namespace, digest), labels in clients.blobs.items():
        if _is_kept(labels):
            found |= _in(namespace, followed.snapshots(namespace, digest)[0])
    return found


def pointed_snapshots(labels: Mapping[str, str]) -> set[str]:
    """Return the client keys of the snapshots that labels point at."""
    return set(_pointed(labels, _SNAPSHOT))


def _is_kept(labels: Mapping[str, str]) -> bool:
    return any(label.startswith(_KEPT) for label in labels)


def _in(namespace: str, keys: Iterable[str]) -> set[tuple[str, str]]:
    return {(namespace, key) for key in keys}


def _pointed(labels: Mapping[str, str], label: str) -> Iterator[str]:
    """Return where a label points at, whatever name stands behind it: ``.m.0``, ``/0``."""
    for name, value in labels.items():
        rest = name.removeprefix(label)
        if name.startswith(label) and (not rest or rest[0] in "./"):
            yield value
