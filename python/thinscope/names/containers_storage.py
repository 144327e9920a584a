"""The records of containers/storage: Podman, CRI-O, Buildah.

The folder is the graph root, normally ``/var/lib/containers/storage``. Devices are on record like
Docker's, each under the id of a layer; a container's is a layer like any other, that only the
container has. Containers of CRI-O are all volatile; with the option of a transient store they
are on record below ``/run``, where they are not looked for.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from os.path import lexists
from typing import TYPE_CHECKING

from thinscope.errors import NamesError
from thinscope.names import devmapper_records as devmapper
from thinscope.names.containers_storage_crio import Pods
from thinscope.names.devmapper_pool import Owners
from thinscope.names.devmapper_records import BASE, Owner
from thinscope.names.fields import in_loops, mapping, moment, string, strings
from thinscope.names.folder import Folder, is_file, is_folder
from thinscope.names.model import Names, Object, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["read", "recognises"]

_THIN_POOL = "storage-thinpool"
_PREFIX = "devicemapper-"
_HEX = re.compile("[0-9a-f]{64}")
_LOCAL = ("docker.io/library/", "localhost/")
"""What Podman lets its users leave out of an image's name."""


def recognises(path: Path) -> bool:
    """Return whether these are records of the graph driver ``devicemapper``."""
    return _root(path) is not None


def read(path: Path) -> tuple[Names, ...]:
    """Read the records of the one pool.

    Raises:
        NamesError: They are not of containers/storage, or those of the devices cannot be read.
    """
    root = _root(path)
    if root is None:
        raise NamesError("no records of containers/storage's devices", source=str(path))
    owners = Owners(Folder(root))
    is_new = not owners.devices.entries.keys() - {BASE}
    store = _Store(owners.folder, is_new=is_new)
    _add_layers(owners, store)
    _add_images(owners, store)
    _add_containers(owners, store)
    nobody = Owner(state=State.UNUSED, reason="no layer has it")
    return (owners.names("containers-storage", _THIN_POOL, nobody),)


def _root(path: Path) -> Path | None:
    named = path if path.name not in ("", "..") else path.resolve()
    roots = [path, named.parent] if named.name == "devicemapper" else [path]
    return next((root for root in roots if _is_root(root, path)), None)


def _is_root(root: Path, asked: Path) -> bool:
    if is_file(root / "devicemapper-layers" / "layers.json", asked):
        return True
    has_records = is_folder(root / devmapper.RECORDS, asked)
    return has_records and is_folder(root / "devicemapper-layers", asked)


class _Store:
    """The tables.

    Attributes:
        layers: Layers by id.
        images: Images by id.
        containers: Containers by id.
        where: The record of each, by its table and its id.
        of_container: The container that a layer is of, by the layer's id.
        pods: What CRI-O wrote about its containers.
    """

    def __init__(self, folder: Folder, *, is_new: bool) -> None:
        self.where: dict[tuple[str, str], str] = {}
        self.layers = self._table(folder, "layers", optional=is_new)
        self.images = self._table(folder, "images", optional=is_new)
        # Without it, that nothing uses a layer cannot be known: the store may be transient.
        self.containers = self._table(folder, "containers", optional=is_new)
        self._drop_bad_parents(folder)
        self.of_container = self._of_container(folder)
        self.pods = Pods({id_: self._metadata(folder, id_) for id_ in self.containers})

    def key(self, layer: str) -> str | None:
        """Return the key of the object that a layer is of, or None if there is no such layer."""
        if layer in self.of_container:
            return f"container/{self.of_container[layer]}"
        return f"layer/{layer}" if layer in self.layers else None

    def _of_container(self, folder: Folder) -> dict[str, str]:
        found: dict[str, str] = {}
        for id_, container in self.containers.items():
            layer, where = string(container.get("layer")), self.where["containers", id_]
            if layer not in self.layers:
                why = f"there is no layer `{layer[:12]}`, which is its own"
                folder.tell(where, why, is_gap=False)
            elif layer in found:
                why = f"its layer {layer[:12]} is another container's"
                folder.tell(where, why, is_gap=False)
            else:
                found[layer] = id_
        return found

    def _table(self, folder: Folder, kind: str, *, optional: bool) -> dict[str, dict[str, object]]:
        found: dict[str, dict[str, object]] = {}
        both = [f"{_PREFIX}{kind}/{volatile}{kind}.json" for volatile in ("", "volatile-")]
        if not optional and not any(lexists(folder.root / where) for where in both):
            folder.tell(both[0], "no such file or directory")
        for where in both:
            for at, row in enumerate(folder.rows(where)):
                id_ = string(mapping(row).get("id"))
                if not id_:
                    folder.tell(f"{where}: {at}", "without an id")
                elif id_ in found:
                    folder.tell(f"{where}: {at}", f"{id_[:12]} is on record already")
                else:
                    found[id_] = mapping(row)
                    self.where[kind, id_] = f"{where}: {id_}"
        return found

    def _drop_bad_parents(self, folder: Folder) -> None:
        parents = {id_: string(layer.get("parent")) or None for id_, layer in self.layers.items()}
        looping = in_loops(parents)
        for id_, parent in parents.items():
            if parent and parent not in self.layers:
                why = f"there is no layer {parent[:12]}"
                folder.tell(self.where["layers", id_], why, is_gap=False)
            elif id_ in looping:
                folder.tell(self.where["layers", id_], "it is among its own parents")
            else:
                continue
            self.layers[id_] = {**self.layers[id_], "parent": None}

    def _metadata(self, folder: Folder, id_: str) -> dict[str, object]:
        """Return what whoever made a container wrote about it, which is JSON in a string."""
        text = string(self.containers[id_].get("metadata"))
        if not text.startswith("{"):
            return {}
        try:
            return mapping(json.loads(text))
        except (ValueError, RecursionError):
            folder.tell(self.where["containers", id_], "its metadata is not JSON", is_gap=False)
            return {}


def _add_layers(owners: Owners, store: _Store) -> None:
    used = {string(layer.get("parent")) for layer in store.layers.values()}
    for image in store.images.values():
        used.update(_tops(image))
    for id_, layer in store.layers.items():
        owner = Owner(store.key(id_))
        is_of_container = id_ in store.of_container
        if mapping(layer.get("flags")).get("incomplete") is True:
            reason = "its layer is incomplete, so it is to be deleted"
            owner = replace(owner, state=State.REMOVING, reason=reason)
        elif id_ not in used and not is_of_container:
            reason = "no image, container or other layer uses it"
            owner = replace(owner, state=State.UNUSED, reason=reason)
        owners.own(id_, owner, store.where["layers", id_])
        if not is_of_container:
            owners.add(_layer(store, id_, is_used=id_ in used))


def _layer(store: _Store, id_: str, *, is_used: bool) -> Object:
    layer = store.layers[id_]
    # A parent that was not believed is None here, and empty where there was none.
    parent = layer.get("parent", "")
    below = store.key(string(parent))
    return Object(
        key=f"layer/{id_}",
        kind="layer",
        name=id_[:12],
        aliases=_others(id_[:12], (id_, *strings(layer.get("names")))),
        parent=BASE if parent == "" else below,
        uses=tuple(filter(None, [below])),
        is_collected=is_used,
        created=moment(layer.get("created")),
    )


def _tops(image: Mapping[str, object]) -> tuple[str, ...]:
    """Return the topmost layer, and those that differ from it in the owners of files only."""
    return (*filter(None, [string(image.get("layer"))]), *strings(image.get("mapped-layers")))


def _add_images(owners: Owners, store: _Store) -> None:
    manager = "crictl" if store.pods else "podman"
    for id_, image in store.images.items():
        names = strings(image.get("names"))
        for layer in _tops(image):
            if layer not in store.layers:
                why = f"there is no layer {layer[:12]}"
                owners.folder.tell(store.where["images", id_], why, is_gap=False)
        name = names[0] if names else id_[:12]
        local = [other.removeprefix(part) for other in names for part in _LOCAL]
        digest = string(image.get("digest"))
        aliases = (id_[:12], id_, f"sha256:{id_}", *names, *local, *filter(None, [digest]))
        object_ = Object(
            key=f"image/{id_}",
            kind="image",
            name=name,
            aliases=_others(name, aliases),
            uses=tuple(filter(None, map(store.key, _tops(image)))),
            created=moment(image.get("created")),
            removal=((manager, "rmi", *_safe(names, id_[:12])),),
        )
        owners.add(object_)


def _add_containers(owners: Owners, store: _Store) -> None:
    for id_, container in store.containers.items():
        layer = store.layers.get(string(container.get("layer")), {})
        names = strings(container.get("names"))
        name = names[0] if names else id_[:12]
        below = store.key(string(layer.get("parent")))
        image = string(container.get("image"))
        from_image = f"image/{image}" if image in store.images else None
        object_ = Object(
            key=f"container/{id_}",
            kind="container",
            name=name,
            aliases=_others(name, (id_[:12], id_, *names)),
            parent=from_image,
            uses=tuple(filter(None, [below, from_image])),
            labels=store.pods.labels(id_),
            created=moment(container.get("created")),
            removal=(_removal(owners.folder, store, id_, names),),
        )
        owners.add(object_)


def _removal(folder: Folder, store: _Store, id_: str, names: tuple[str, ...]) -> tuple[str, ...]:
    if store.pods.is_of(id_):
        return ("crictl", "rmp" if store.pods.is_pod(id_) else "rm", id_)
    # Only Buildah keeps this file, and Podman does not take Buildah's containers for its own.
    state = f"{_PREFIX}containers/{id_}/userdata/buildah.json"
    is_built = _HEX.fullmatch(id_) and lexists(folder.root / state)
    return ("buildah" if is_built else "podman", "rm", *_safe(names[:1], id_))


def _safe(names: tuple[str, ...], id_: str) -> tuple[str, ...]:
    """Return names that can be typed after a command, or an id that can."""
    return names if names and not any(name.startswith("-") for name in names) else (id_,)


def _others(name: str, aliases: Iterable[str]) -> tuple[str, ...]:
    return tuple(alias for alias in dict.fromkeys(aliases) if alias != name)
