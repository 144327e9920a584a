"""Docker's images, in the layout since 1.10 and in the one before."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING

from thinscope.names import files
from thinscope.names.docker_layers import HEX, IMAGE, digest, top_of
from thinscope.names.fields import in_loops, labels, mapping, moment, string
from thinscope.names.model import Object

if TYPE_CHECKING:
    from collections.abc import Container, Mapping
    from datetime import datetime

    from thinscope.names.folder import Folder

__all__ = ["GRAPH", "Image", "objects", "read", "read_graph", "short"]

GRAPH = "graph"
"""Where images were before 1.10: each had one device, on record under the image's id."""
_GRAPH_TAGS = "repositories-devicemapper"
_CONTENT = f"{IMAGE}/imagedb/content/sha256"
_METADATA = f"{IMAGE}/imagedb/metadata/sha256"
_TAGS = f"{IMAGE}/repositories.json"


def short(id_: str) -> str:
    """Return an id as Docker shortens it."""
    return id_[:12]


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image.

    Attributes:
        id: 64 hex digits.
        where: The record of it.
        parent: The image that it was built from, if that is known.
        created: When it was built.
        labels: Its labels.
        uses: The key of its topmost layer, if it has any.
        tags: ``repository:tag``, in order.
        digests: ``repository@digest``, in order.
    """

    id: str
    where: str
    parent: str | None
    created: datetime | None
    labels: Mapping[str, str]
    uses: str | None = None
    tags: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()


@dataclass(slots=True)
class _References:
    """The names of one image."""

    tags: list[str] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)


def read(folder: Folder, layers: Container[str]) -> dict[str, Image]:
    """Read the images by id, given the chain ids of the layers that are there."""
    found: dict[str, Image] = {}
    for name in folder.entries(_CONTENT):
        where = f"{_CONTENT}/{name}"
        if name.startswith("."):
            continue
        data = folder.data(where)
        if data is None:
            continue
        # Docker takes no notice of an image that is not what its id says.
        if sha256(data).hexdigest() != name:
            folder.tell(where, "its id is not its digest")
            continue
        config = folder.mapping_of(where, data)
        if config is None:
            continue
        parent = digest(folder, f"{_METADATA}/{name}/parent")
        uses = _top(folder, where, config, layers)
        found[name] = _image(name, where, config, parent, uses)
    return _named(folder, _mended(folder, found), _TAGS)


def _image(
    id_: str, where: str, config: dict[str, object], parent: str | None, uses: str | None = None
) -> Image:
    return Image(
        id=id_,
        where=where,
        parent=parent,
        created=moment(config.get("created")),
        labels=labels(mapping(config.get("config")).get("Labels")),
        uses=uses,
    )


def _top(
    folder: Folder, where: str, config: dict[str, object], layers: Container[str]
) -> str | None:
    diffs = mapping(config.get("rootfs")).get("diff_ids")
    if not diffs:
        return None
    top = top_of(diffs) if isinstance(diffs, list) else None
    if top is None:
        folder.tell(where, "its layers are not digests")
    elif top not in layers:
        # Docker does not know the image then.
        why = f"there is no layer {short(top)}, which is its topmost"
        folder.tell(where, why, is_gap=False)
    else:
        return f"layer/{top}"
    return None


def read_graph(folder: Folder) -> dict[str, Image]:
    """Read the images by id as Docker kept them before 1.10."""
    found: dict[str, Image] = {}
    for name in folder.entries(GRAPH):
        where = f"{GRAPH}/{name}/json"
        if not HEX.fullmatch(name):
            continue
        config = folder.mapping(where)
        if config is None:
            continue
        # 1.9 wrote the parent's digest at times.
        parent = config.get("parent") or string(config.get("parent_id")).removeprefix("sha256:")
        found[name] = _image(name, where, config, string(parent) or None)
    for image in found.values():
        if image.parent and image.parent not in found:
            why = f"there is no image {short(image.parent)}, its parent"
            folder.tell(image.where, why, is_gap=False)
    return _named(folder, _mended(folder, found), _GRAPH_TAGS)


def _mended(folder: Folder, images: dict[str, Image]) -> dict[str, Image]:
    """Drop parents that are not there any more, or that lead back to where one comes from."""
    looping = in_loops({image.id: image.parent for image in images.values()})
    for id_ in sorted(looping):
        folder.tell(images[id_].where, "it is among its own parents")
    return {
        id_: image if image.parent in images and id_ not in looping else replace(image, parent=None)
        for id_, image in images.items()
    }


def _named(folder: Folder, images: dict[str, Image], where: str) -> dict[str, Image]:
    named: dict[str, _References] = defaultdict(_References)
    table = folder.mapping(where, files.LIMIT, optional=True)
    repositories = mapping((table or {}).get("Repositories"))
    if table and not repositories and table.get("Repositories") not in ({}, None):
        folder.tell(where, "its `Repositories` are not a JSON object")
    for repository, references in repositories.items():
        if not isinstance(references, dict):
            folder.tell(f"{where}: {repository}", "not a JSON object")
            continue
        for reference, id_ in references.items():
            of = named[string(id_).removeprefix("sha256:")]
            # Before 1.10 the repository was not repeated.
            full = reference.startswith((f"{repository}:", f"{repository}@"))
            mark = "" if full else repository + ("@" if ":" in reference else ":")
            is_digest = "@" in reference or mark.endswith("@")
            (of.digests if is_digest else of.tags).append(mark + reference)
    for id_ in sorted(named.keys() - images.keys()):
        missing = ", ".join(sorted([*named[id_].tags, *named[id_].digests]))
        folder.tell(f"{where}: {missing}", "there is no such image", is_gap=False)
    return {
        id_: replace(
            image, tags=tuple(sorted(named[id_].tags)), digests=tuple(sorted(named[id_].digests))
        )
        for id_, image in images.items()
    }


def objects(images: Mapping[str, Image]) -> list[Object]:
    """Return the images as objects.

    ``docker rmi`` deletes with an image what it was built from, as far as that has no name, and
    no other image and no container needs it: `Object.is_collected`. It refuses an image that
    others were built from. An image that has no name, and that no other was built from, stays
    until it is deleted.
    """
    parents = {image.parent for image in images.values() if image.parent}
    return [_object(image, is_parent=image.id in parents) for image in images.values()]


def _object(image: Image, *, is_parent: bool) -> Object:
    references = (*image.tags, *image.digests)
    name = image.tags[0] if image.tags else short(image.id)
    latest = [tag.removesuffix(":latest") for tag in image.tags if tag.endswith(":latest")]
    aliases = (short(image.id), image.id, f"sha256:{image.id}", *references, *latest)
    parent = f"image/{image.parent}" if image.parent else None
    return Object(
        key=f"image/{image.id}",
        kind="image",
        name=name,
        aliases=tuple(alias for alias in dict.fromkeys(aliases) if alias != name),
        parent=parent,
        uses=tuple(filter(None, [image.uses, parent])),
        is_collected=is_parent and not references,
        labels=image.labels,
        created=image.created,
        removal=() if is_parent and not references else (_removal(image),),
    )


def _removal(image: Image) -> tuple[str, ...]:
    """Return what removes all names, and so the image: digests go with the last tag beside them."""
    tagged = {tag.rpartition(":")[0] for tag in image.tags}
    digests = [digest for digest in image.digests if digest.partition("@")[0] not in tagged]
    names = [*image.tags, *digests]
    is_plain = names and not any(name.startswith("-") for name in names)
    return ("docker", "rmi", *(names if is_plain else [short(image.id)]))
