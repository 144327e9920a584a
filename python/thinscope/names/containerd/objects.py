"""containerd's snapshots, containers and images as objects.

A snapshot that a container has is that container; the others are snapshots: the layers of images,
which are committed, and whatever was prepared without a container.

What removal needs: containerd refuses to remove a snapshot with children, so a snapshot uses its
parent. Nothing refuses to remove an image; it uses its top snapshot, because that one is not
collected while the image is there. All snapshots but those of containers are collected once
nothing uses them: committed ones without an image, too. Those that a lease or a label of their own
keeps are not.

What `ctr snapshots usage` says: a committed snapshot has on record what its device mapped when it
was committed, all that it shares with its parent included; of an active one containerd asks the
device. From either it takes off what the parent has on record. Views have nothing on record, and so
a figure below zero.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from thinscope.names.containerd import collection
from thinscope.names.containerd.tables import ACTIVE, SNAPSHOTTER, Clients
from thinscope.names.fields import operand
from thinscope.names.model import Object, Unread

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from thinscope.names.containerd.tables import (
        Container,
        Device,
        Image,
        Reference,
        Snapshot,
        Snapshots,
    )

__all__ = ["Found", "by_device", "by_snapshot"]

_KUBERNETES = "k8s.io"
_POD = "io.kubernetes.pod.name"
_POD_NAMESPACE = "io.kubernetes.pod.namespace"
_POD_CONTAINER = "io.kubernetes.container.name"
_NERDCTL_NAME = "nerdctl/name"
_CRI_KIND = "io.cri-containerd.kind"
_CRI_IMAGE = "io.cri-containerd.image"

_KEY = re.compile(r"[^/]+/[0-9]+/(.+)", re.DOTALL)
"""How containerd makes a snapshot's key in ``metadata.db`` from the one that its client gave."""


@dataclass(slots=True)
class Found:
    """Objects, the keys of those that have devices by the devices' names, and what is wrong."""

    objects: list[Object] = field(default_factory=list)
    owners: dict[str, str] = field(default_factory=dict)
    unread: list[Unread] = field(default_factory=list)


def by_device(devices: Iterable[Device], where: str) -> Found:
    """Make objects of what ``<pool>.db`` alone tells: devices, and what they were made from.

    Args:
        devices: Those that should be in the pool.
        where: What the database is called.
    """
    found = Found()
    parents = {device.name: device.parent_name for device in devices}
    for name in _looped(parents):
        parents[name] = ""
        found.unread.append(Unread(where=f"{where}: devices/{name}", why="comes from itself"))
    for name in sorted(parents):
        parent = f"snapshot/{parents[name]}" if parents[name] in parents else None
        key = found.owners[name] = f"snapshot/{name}"
        uses = (parent,) if parent else ()
        found.objects.append(Object(key=key, kind="snapshot", name=name, parent=parent, uses=uses))
    return found


def by_snapshot(
    names: Mapping[str, str],
    snapshots: Snapshots,
    clients: Clients | None,
    where: tuple[str, str],
) -> Found:
    """Make objects of snapshots, and of what clients know of them.

    Args:
        names: Names of devices, by the keys of their snapshots.
        snapshots: What ``metadata.db`` says.
        clients: What ``meta.db`` says, if it can be read.
        where: What ``metadata.db`` and ``meta.db`` are called.

    Raises:
        NamesError: The labels of ``meta.db`` make too long a way.
    """
    found = Found(owners={name: f"snapshot/{key}" for key, name in names.items()})
    parents = {key: snapshots.by_key[key].parent for key in names}
    for key in _looped(parents):
        parents[key] = ""
        found.unread.append(Unread(where=f"{where[0]}: snapshots/{key}", why="comes from itself"))
    known = _Known(clients, where[1])
    shown = Counter(known.name(key) for key in names)
    for key in sorted(names):
        snapshot = snapshots.by_key[key]
        parent = snapshots.by_key[parents[key]] if parents[key] in names else None
        is_clear = shown[known.name(key)] == 1
        found.objects.append(known.snapshot(snapshot, parent, is_clear=is_clear))
    found.objects += known.images(set(names))
    return found


class _Known:
    """What clients know of snapshots."""

    def __init__(self, clients: Clients | None, source: str) -> None:
        self._is_all = clients is not None
        clients = clients or Clients()
        self._clients = clients
        self._followed = collection.Followed(clients, source)
        self._held = collection.held(clients, self._followed)
        self._containers: dict[tuple[str, str], list[Container]] = {}
        for container in clients.containers:
            place = (container.namespace, container.snapshot)
            self._containers.setdefault(place, []).append(container)
        references = clients.references.values()
        self._keys = {(each.namespace, each.name): each.key for each in references}

    def name(self, key: str) -> str:
        """Return what clients call a snapshot, as ``ctr snapshots ls`` prints it."""
        reference = self._clients.references.get(key)
        match = _KEY.fullmatch(key)
        return reference.name if reference else match[1] if match else key

    def snapshot(self, snapshot: Snapshot, parent: Snapshot | None, *, is_clear: bool) -> Object:
        """Return the object of a snapshot."""
        key, name = snapshot.key, self.name(snapshot.key)
        reference = self._clients.references.get(key)
        place = (reference.namespace, reference.name) if reference else ("", "")
        containers = self._containers.get(place, []) if reference else []
        above = f"snapshot/{parent.key}" if parent else None
        base = parent.size if parent else None if snapshot.parent else 0
        aliases = [word for each in containers for word in _aliases(each)]
        if not is_clear and reference:
            full = "/".join(place)
            # A layer is shown with its image, which tells the namespace.
            aliases.append(full if _is_digest(name) else name)
            name = name if _is_digest(name) else full
        labels = dict(snapshot.labels)
        for each in (reference, *containers):
            labels |= each.labels if each else {}
        times = [each.created for each in (*containers, reference, snapshot) if each]
        return Object(
            key=f"snapshot/{key}",
            kind="container" if containers else "snapshot",
            name=name,
            aliases=_distinct([*aliases, key], name),
            parent=above,
            uses=(above,) if above else (),
            is_collected=self._is_all and not containers and place not in self._held,
            labels=MappingProxyType(labels),
            created=next(filter(None, times), None),
            manager_usage_bytes=None if snapshot.kind == ACTIVE else _less(snapshot.size, base),
            manager_base_bytes=base if snapshot.kind == ACTIVE else None,
            removal=_removal(reference, containers),
        )

    def images(self, keys: set[str]) -> list[Object]:
        """Return the images that have a snapshot among those of the keys."""
        groups: dict[tuple[object, ...], list[Image]] = {}
        tops: dict[tuple[object, ...], set[str]] = {}
        for image in self._clients.images:
            client_keys, blobs = self._followed.snapshots(image.namespace, image.target)
            client_keys |= collection.pointed_snapshots(image.labels)
            places = ((image.namespace, key) for key in client_keys)
            used = {self._keys[place] for place in places if place in self._keys} & keys
            # The Kubernetes interface deletes all names of an image together, and gives each
            # image one more name: the digest of its configuration.
            group: tuple[object, ...] = (image.namespace, image.name)
            if blobs and _is_kubernetes(image.namespace, image.labels, _CRI_IMAGE):
                group = (image.namespace, frozenset(blobs))
            if used:
                groups.setdefault(group, []).append(image)
                tops.setdefault(group, set()).update(used)
        found = [_image(groups[group], tops[group]) for group in groups]
        shown = Counter(image.name for image in found)
        clear = (
            image if shown[image.name] == 1 else _with_namespace(image, namespace=group[0])
            for image, group in zip(found, groups, strict=True)
        )
        return sorted(clear, key=lambda image: image.key)


def _image(names: list[Image], tops: set[str]) -> Object:
    first, *others = sorted(names, key=lambda each: (*_plainness(each.name), each.name))
    command: tuple[str, ...] = ("ctr", "-n", first.namespace, "images", "rm", *operand(first.name))
    if _is_kubernetes(first.namespace, first.labels, _CRI_IMAGE):
        command = ("crictl", "rmi", *operand(first.name))
    return Object(
        key=f"image/{first.namespace}/{first.name}",
        kind="image",
        name=first.name,
        aliases=_distinct([each.name for each in others], first.name),
        uses=tuple(f"snapshot/{key}" for key in sorted(tops)),
        labels=MappingProxyType(first.labels),
        created=first.created,
        removal=(command,),
    )


def _with_namespace(image: Object, namespace: object) -> Object:
    name = f"{namespace}/{image.name}"
    return replace(image, name=name, aliases=_distinct([image.name, *image.aliases], name))


def _is_digest(name: str) -> bool:
    return name.startswith("sha256:")


def _plainness(name: str) -> tuple[bool, bool]:
    """Sort names with tags before names with digests, and mere digests last."""
    return _is_digest(name), "@" in name


def _less(size: int, base: int | None) -> int | None:
    return None if base is None else size - base


def _aliases(container: Container) -> Iterable[str]:
    labels = container.labels
    pod, namespace = labels.get(_POD, ""), labels.get(_POD_NAMESPACE, "")
    yield container.identifier
    yield labels.get(_NERDCTL_NAME, "")
    yield pod
    if pod and namespace:
        yield f"{namespace}/{pod}"
        if labels.get(_POD_CONTAINER):
            yield f"{namespace}/{pod}/{labels[_POD_CONTAINER]}"


def _distinct(words: Iterable[str], name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for word in words if word and word != name))


def _removal(
    reference: Reference | None, containers: list[Container]
) -> tuple[tuple[str, ...], ...]:
    """Return the commands; without a client key there is none, and the next collection comes."""
    if reference is None:
        return ()
    space = ("ctr", "-n", reference.namespace)
    if not containers:
        return (
            (*space, "snapshots", "--snapshotter", SNAPSHOTTER, "rm", *operand(reference.name)),
        )
    found: list[tuple[str, ...]] = []
    for each in containers:
        if not _is_kubernetes(each.namespace, each.labels, _CRI_KIND):
            # It removes the snapshot, too.
            found.append((*space, "containers", "rm", *operand(each.identifier)))
        elif each.labels[_CRI_KIND] == "sandbox":
            found.append(("crictl", "rmp", *operand(each.identifier)))
        else:
            found.append(("crictl", "rm", *operand(each.identifier)))
    return tuple(found)


def _is_kubernetes(namespace: str, labels: Mapping[str, str], label: str) -> bool:
    """Say whether the Kubernetes interface manages it: what `ctr` made there, `crictl` does not know."""
    return namespace == _KUBERNETES and label in labels


def _looped(parents: Mapping[str, str]) -> list[str]:
    """Return one of each circle of parents."""
    done: set[str] = set()
    found: list[str] = []
    for start in parents:
        way: dict[str, None] = {}
        each = start
        while each in parents and each not in done and each not in way:
            way[each] = None
            each = parents[each]
        if each in way:
            found.append(each)
        done.update(way)
    return found
