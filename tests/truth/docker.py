"""What Docker said of its containers and images, and of its pool."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from tests.truth.record import Row, Silent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.truth.case import Case
    from thinscope import Pool

KEYS = ("docker_info", "docker_ps", "docker_containers", "docker_images")


def rows(case: Case) -> Iterator[Row | Silent]:
    """Every answer of Docker that there is."""
    assert case.records is not None, f"{case.name} has answers of Docker and no records"
    pool = case.pool(case.records)
    if case.has("docker_containers"):
        said = json.loads(case.text("docker_containers") or "[]")
        yield from _containers(pool, said, set(case.truth.devices))
    if case.has("docker_images"):
        yield from _images(pool, json.loads(case.text("docker_images") or "[]"))
    if case.has("docker_ps"):
        said = [line.split() for line in case.text("docker_ps").splitlines()[1:]]
        names = sorted((words[0], _name(words)) for words in said)
        ours = sorted((each.aliases[-1], each.name) for each in _all(pool, "container"))
        yield Row("docker_ps", "number of containers", len(ours), len(names))
        for own, theirs in zip(ours, names, strict=False):
            yield Row("docker_ps", "id and name", own, theirs)
    if case.has("docker_info"):
        yield from _info(case, pool)


def _name(words: list[str]) -> str:
    """The name of a container: in front of the size, ``0B (virtual 47.3MB)``."""
    return words[-4] if words[-2] == "(virtual" else words[-1]


def _all(pool: Pool, kind: str) -> list[Any]:
    return [object_ for object_ in pool.objects.all if object_.kind == kind]


def _containers(pool: Pool, said: list[dict[str, Any]], alive: set[int]) -> Iterator[Row | Silent]:
    """Containers and their devices; the kernel has those that are alive."""
    key = "docker_containers"
    yield Row(key, "number of containers", len(_all(pool, "container")), len(said))
    for container in said:
        name, driver = container["Name"].removeprefix("/"), container["GraphDriver"]["Data"]
        own = next((each for each in _all(pool, "container") if each.name == name), None)
        if own is None:
            yield Row(key, "container", None, name)
            continue
        if container["State"]["Dead"] and int(driver["DeviceId"]) not in alive:
            yield Silent(key, f"{name} is dead, and the kernel has no device {driver['DeviceId']}")
        else:
            id_ = pool.device(f"container:{name}").id
            yield Row(key, f"device of {name}", id_, int(driver["DeviceId"]))
            yield Row(key, f"label of {id_}", pool.objects.label(id_), f"container {name}")
            size = int(driver["DeviceSize"])
            yield Row(key, f"virtual size of {name}", pool.objects.virtual_bytes(id_), size)
        yield Row(key, f"id of {name}", own.aliases[-1], container["Id"])
        names = pool.objects[own.parent].aliases if own.parent else ()
        image = container["Image"]
        yield Row(key, f"image of {name}", image if image in names else names, image)


def _images(pool: Pool, said: list[dict[str, Any]]) -> Iterator[Row]:
    key = "docker_images"
    yield Row(key, "number of images", len(_all(pool, "image")), len(said))
    for image in said:
        [own] = pool.find(image["Id"])
        layers = [used for used in pool.objects.used(own) if used.kind == "layer"]
        top = [id_ for layer in layers for id_ in pool.objects.devices(layer)]
        id_ = int(image["GraphDriver"]["Data"]["DeviceId"])
        yield Row(key, f"device of {image['Id'][:19]}", top, [id_])
        names = {own.name, *own.aliases}
        for tag in image["RepoTags"] or ():
            yield Row(key, f"tag {tag}", tag if tag in names else sorted(names), tag)


def _info(case: Case, pool: Pool) -> Iterator[Row]:
    text = case.text("docker_info")
    said = dict(re.findall(r"^ +([\w ]+): (.+)$", text, re.MULTILINE))
    taken = case.entry.get("taken_since_docker_info", {})
    for name, space in (("Data", pool.data_space), ("Metadata", pool.metadata_space)):
        assert space.kernel_used is not None
        used = (space.kernel_used - taken.get(name.lower(), 0)) * space.block_bytes
        for what, ours in (("Used", used), ("Total", space.total_bytes)):
            line = f"{name} Space {what}"
            yield Row("docker_info", line, human(ours), said[line])
    block = human(pool.superblock.data_block_bytes)
    yield Row("docker_info", "Pool Blocksize", block, said["Pool Blocksize"])
    number = str(len(_all(pool, "container")))
    yield Row("docker_info", "Containers", number, said["Containers"])


def human(size: float) -> str:
    """A size as Docker prints it, to four digits."""
    units = ["B", "kB", "MB", "GB", "TB"]
    while size >= 1000 and len(units) > 1:
        size /= 1000
        units.pop(0)
    return f"{size:.4g}{units[0]}"
