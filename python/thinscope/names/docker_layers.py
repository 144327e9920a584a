"""Docker's layer store: which hash is which layer, and which container's."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from hashlib import sha256
from os.path import lexists
from typing import TYPE_CHECKING

from thinscope.names.fields import in_loops

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thinscope.names.folder import Folder

__all__ = ["HEX", "IMAGE", "LAYERS", "MOUNTS", "Layer", "Layers", "Mount", "read", "top_of"]

IMAGE = "image/devicemapper"
LAYERS = f"{IMAGE}/layerdb/sha256"
MOUNTS = f"{IMAGE}/layerdb/mounts"

HEX = re.compile("[0-9a-f]{64}")
_PREFIX = "sha256:"
_REMOVING = "-removing"
_MOUNT_HASH = re.compile("[0-9a-f]{64}(-init)?")


@dataclass(frozen=True, slots=True)
class Layer:
    """A read-only layer.

    Attributes:
        chain: Its chain id, as 64 hex digits.
        hash: What its device is on record as, or None if that could not be read.
        parent: The chain id of the layer below, or None if there is none or it is not known.
        is_lowest: Whether there is none.
        where: Its folder.
    """

    chain: str
    hash: str | None
    parent: str | None
    is_lowest: bool
    where: str


@dataclass(frozen=True, slots=True)
class Mount:
    """What a container writes to.

    Attributes:
        id: The container.
        hash: What the writable device is on record as, or None if that could not be read.
        init: What the device between it and the image is on record as, or None.
        parent: The chain id of the layer below, or None.
        where: Its folder.
    """

    id: str
    hash: str | None
    init: str | None
    parent: str | None
    where: str


@dataclass(slots=True)
class Layers:
    """The layer store.

    Attributes:
        layers: By chain id.
        removing: Layers that are half removed, by the names of their folders.
        mounts: By the container's id.
    """

    layers: dict[str, Layer] = field(default_factory=dict)
    removing: dict[str, Layer] = field(default_factory=dict)
    mounts: dict[str, Mount] = field(default_factory=dict)


def read(folder: Folder) -> Layers:
    """Read the layer store."""
    store = Layers()
    for name in folder.entries(LAYERS, optional=True):
        chain, is_removing = name[:64], name.endswith(_REMOVING)
        if name.startswith("."):
            continue
        if not HEX.fullmatch(chain) or not (is_removing or name == chain):
            folder.tell(f"{LAYERS}/{name}", "its name is not a layer's", is_gap=False)
            continue
        (store.removing if is_removing else store.layers)[name] = _layer(folder, name, chain)
    for name in folder.entries(MOUNTS, optional=True):
        if not name.startswith("."):
            store.mounts[name] = _mount(folder, name)
    _mend(folder, store)
    return store


def top_of(diffs: Sequence[object]) -> str | None:
    """Return the chain id of the topmost of layers that are known by their contents.

    Args:
        diffs: Their digests, the lowest first.

    Returns:
        The chain id, or None where one is not a digest.
    """
    chain = ""
    for diff in diffs:
        if not isinstance(diff, str) or not is_digest(diff):
            return None
        if chain:
            diff = _PREFIX + sha256(f"{chain} {diff}".encode()).hexdigest()  # noqa: PLW2901
        chain = diff
    return chain.removeprefix(_PREFIX)


def is_digest(text: str) -> bool:
    """Return whether a text is a digest as Docker writes it."""
    return text.startswith(_PREFIX) and HEX.fullmatch(text[len(_PREFIX) :]) is not None


def digest(folder: Folder, where: str) -> str | None:
    """Return the hex digits of a digest in a file, or None; it need not be there."""
    text = folder.text(where, optional=True)
    if text is None:
        return None
    if not is_digest(text):
        folder.tell(where, "not a digest")
        return None
    return text.removeprefix(_PREFIX)


def _layer(folder: Folder, name: str, chain: str) -> Layer:
    where = f"{LAYERS}/{name}"
    hash_ = folder.text(f"{where}/cache-id")
    if hash_ == "":
        folder.tell(f"{where}/cache-id", "empty")
    is_lowest = not lexists(folder.root / where / "parent")
    return Layer(chain, hash_ or None, digest(folder, f"{where}/parent"), is_lowest, where)


def _mount(folder: Folder, name: str) -> Mount:
    where = f"{MOUNTS}/{name}"
    hash_ = _hash(folder, f"{where}/mount-id", folder.text(f"{where}/mount-id"))
    init = _hash(folder, f"{where}/init-id", folder.text(f"{where}/init-id", optional=True))
    return Mount(name, hash_, init, digest(folder, f"{where}/parent"), where)


def _hash(folder: Folder, where: str, text: str | None) -> str | None:
    if text is None or _MOUNT_HASH.fullmatch(text):
        return text
    folder.tell(where, "not a hash")
    return None


def _mend(folder: Folder, store: Layers) -> None:
    """Drop parents that are not there, or that lead back to where one comes from."""
    looping = in_loops({chain: layer.parent for chain, layer in store.layers.items()})
    for chain, layer in store.layers.items():
        if layer.parent and layer.parent not in store.layers:
            folder.tell(f"{layer.where}/parent", "there is no such layer", is_gap=False)
        elif chain in looping:
            folder.tell(f"{layer.where}/parent", "it is among its own parents")
        else:
            continue
        store.layers[chain] = replace(layer, parent=None)
    for name, mount in store.mounts.items():
        if mount.parent and mount.parent not in store.layers:
            folder.tell(f"{mount.where}/parent", "there is no such layer", is_gap=False)
            store.mounts[name] = replace(mount, parent=None)
    for name, layer in store.removing.items():
        if layer.parent not in store.layers:
            store.removing[name] = replace(layer, parent=None)
