"""Docker's records: its folder, normally ``/var/lib/docker``.

All layouts are read: layers apart from images (since 1.10), images with a device each (before),
and one table of all devices (the first versions). With user namespaces, each mapping of ids has a
root of its own below the folder, and so a pool of its own.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from thinscope.errors import NamesError
from thinscope.names import devmapper_records as devmapper
from thinscope.names import docker_build_cache as build_cache
from thinscope.names import docker_containers as containers
from thinscope.names import docker_images as images
from thinscope.names import docker_layers as layers
from thinscope.names.devmapper_pool import Owners
from thinscope.names.devmapper_records import BASE, Owner
from thinscope.names.folder import Folder, is_file, is_folder
from thinscope.names.model import Names, Object, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from thinscope.names.docker_containers import Container
    from thinscope.names.docker_layers import Layer, Layers, Mount

__all__ = ["read", "recognises"]

_THIN_POOL = "docker-thinpool"
_REMAPPED = re.compile(r"\d+\.\d+")
_OTHERS = ("devicemapper-layers", "devicemapper-images", "devicemapper-containers")
"""What containers/storage has beside the same records."""


def recognises(path: Path) -> bool:
    """Return whether these are Docker's records, made with the graph driver ``devicemapper``."""
    return bool(_roots(path))


def read(path: Path) -> tuple[Names, ...]:
    """Read the records of each root.

    Raises:
        NamesError: They are not Docker's, or the records of the devices cannot be read.
    """
    roots = _roots(path)
    if not roots:
        raise NamesError("no records of docker's devices", source=str(path))
    return tuple(_names(root) for root in roots)


def _roots(path: Path) -> list[Path]:
    named = path if path.name not in ("", "..") else path.resolve()
    if _is_root(path, path):
        return [path, *_remapped(path)]
    if named.name == "devicemapper" and _is_root(named.parent, path):
        return [named.parent]
    return _remapped(path)


def _is_root(root: Path, asked: Path) -> bool:
    has_records = is_folder(root / devmapper.RECORDS, asked)
    if not has_records and not is_file(root / devmapper.TABLE, asked):
        return False
    return not any(is_folder(root / name, asked) for name in _OTHERS)


def _remapped(path: Path) -> list[Path]:
    try:
        with os.scandir(path) as entries:
            found = sorted(entry.name for entry in entries if _REMAPPED.fullmatch(entry.name))
    except OSError:
        return []
    return [path / name for name in found if _is_root(path / name, path)]


def _names(root: Path) -> Names:
    folder = Folder(root)
    owners = Owners(folder)
    if is_folder(root / layers.IMAGE, root):
        _add_layers(owners)
        nobody = Owner(state=State.UNUSED, reason="no layer and no container has it")
    elif is_folder(root / images.GRAPH, root):
        _add_graph(owners)
        nobody = Owner(state=State.UNUSED, reason="no image and no container has it")
    else:
        folder.tell(layers.IMAGE, "not there, so devices are known by their hashes alone")
        nobody = Owner()
    return owners.names("docker", _THIN_POOL, nobody)


def _add_layers(owners: Owners) -> None:
    folder = owners.folder
    store = layers.read(folder)
    found = images.read(folder, store.layers)
    known, ids = containers.read(folder)
    owners.add(*images.objects(found))
    mounts = dict(store.mounts)
    for id_, container in known.items():
        mount = mounts.pop(id_, None)
        owners.add(_container(container, found, mount.parent if mount else None))
        if mount:
            _own_mount(owners, mount, Owner(f"container/{id_}"))
        else:
            where = f"{layers.MOUNTS}/{id_}"
            folder.tell(where, f"not there, but container/{id_} is", is_gap=False)
    for id_ in [id_ for id_ in mounts if not build_cache.is_own(id_)]:
        mount = mounts.pop(id_)
        owners.add(_nameless(mount))
        owner = Owner(f"container/{id_}")
        if id_ not in ids:
            reason = "docker has no such container: half removed, or left by a build"
            owner = replace(owner, state=State.UNUSED, reason=reason)
        _own_mount(owners, mount, owner)
    _add_cache(owners, store, mounts)
    _add_read_only(owners, store)


def _own_mount(owners: Owners, mount: Mount, owner: Owner) -> None:
    owners.own(mount.hash, owner, mount.where)
    owners.own(mount.init, replace(owner, part="init"), mount.where)


def _add_cache(owners: Owners, store: Layers, mounts: Mapping[str, Mount]) -> None:
    entries = [entry for entry in owners.devices.entries.values() if build_cache.is_own(entry.hash)]
    is_there = bool(entries or mounts)
    cache = build_cache.object_of(owners.folder, store.layers, is_there=is_there)
    owners.add(*filter(None, [cache]))
    for entry in entries:
        owners.own(entry.hash, Owner(build_cache.KEY, entry.hash[:12]), entry.where)
    for id_, mount in mounts.items():
        _own_mount(owners, mount, Owner(build_cache.KEY, id_[:12]))


def _add_read_only(owners: Owners, store: Layers) -> None:
    used = {key for object_ in owners.objects.values() for key in object_.uses}
    used |= {f"layer/{layer.parent}" for layer in store.layers.values() if layer.parent}
    for chain, layer in store.layers.items():
        key = f"layer/{chain}"
        owner = Owner(key)
        if key not in used:
            # Docker deletes a layer when the last that uses it goes, and none goes any more.
            reason = "no image, container or other layer uses it"
            owner = replace(owner, state=State.UNUSED, reason=reason)
        owners.add(_layer(layer, key, is_used=key in used))
        owners.own(layer.hash, owner, layer.where)
    for name, layer in store.removing.items():
        key = f"layer/{name}"
        owners.add(replace(_layer(layer, key, is_used=False), uses=()))
        owner = Owner(key, state=State.REMOVING, reason="the layer is half removed")
        owners.own(layer.hash, owner, layer.where)


def _add_graph(owners: Owners) -> None:
    folder = owners.folder
    found = images.read_graph(folder)
    known, _ = containers.read(folder)
    owners.add(*images.objects(found))
    for id_, image in found.items():
        owners.own(id_, Owner(f"image/{id_}"), image.where)
    for id_, container in known.items():
        owners.add(_container(container, found, None))
        owners.own(id_, Owner(f"container/{id_}"), container.where)
        # The first versions had no device between image and container.
        init = f"{id_}-init"
        if init in owners.devices.entries:
            owners.own(init, Owner(f"container/{id_}", "init"), container.where)


def _container(container: Container, known: Mapping[str, object], layer: str | None) -> Object:
    image = f"image/{container.image}" if container.image in known else None
    return Object(
        key=f"container/{container.id}",
        kind="container",
        name=container.name,
        aliases=_others(container.name, (container.id[:12], container.id)),
        parent=image,
        uses=tuple(filter(None, [layer and f"layer/{layer}", image])),
        labels=container.labels,
        created=container.created,
        is_running=container.is_running,
        removal=container.removal,
    )


def _nameless(mount: Mount) -> Object:
    return Object(
        key=f"container/{mount.id}",
        kind="container",
        name=mount.id[:12],
        aliases=_others(mount.id[:12], (mount.id,)),
        uses=(f"layer/{mount.parent}",) if mount.parent else (),
    )


def _layer(layer: Layer, key: str, *, is_used: bool) -> Object:
    lowest = BASE if layer.is_lowest else None
    return Object(
        key=key,
        kind="layer",
        name=layer.chain[:12],
        aliases=(layer.chain, f"sha256:{layer.chain}", *filter(None, [layer.hash])),
        parent=f"layer/{layer.parent}" if layer.parent else lowest,
        uses=(f"layer/{layer.parent}",) if layer.parent else (),
        is_collected=is_used,
    )


def _others(name: str, aliases: Iterable[str]) -> tuple[str, ...]:
    return tuple(alias for alias in dict.fromkeys(aliases) if alias != name)
