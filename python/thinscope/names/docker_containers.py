"""Docker's containers: what each is called, and how it is deleted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from os.path import lexists
from typing import TYPE_CHECKING

from thinscope.names.fields import labels, mapping, moment, string

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from thinscope.names.folder import Folder

__all__ = ["CONTAINERS", "Container", "read"]

CONTAINERS = "containers"

_NAME = re.compile("[a-zA-Z0-9][a-zA-Z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class Container:
    """A container.

    Attributes:
        id: The name of its folder.
        where: The record of it.
        name: What its user calls it.
        image: The id of its image, empty if there is none.
        labels: Its labels.
        created: When it was made.
        is_running: Whether it was running when that was recorded.
        removal: The commands that delete it.
    """

    id: str
    where: str
    name: str
    image: str
    labels: Mapping[str, str]
    created: datetime | None
    is_running: bool
    removal: tuple[tuple[str, ...], ...]


def read(folder: Folder) -> tuple[dict[str, Container], set[str]]:
    """Read the containers.

    Returns:
        Those of this graph driver that could be read by id, and the ids of all.
    """
    found: dict[str, Container] = {}
    names = [name for name in folder.entries(CONTAINERS) if not name.startswith(".")]
    for name in names:
        where = f"{CONTAINERS}/{name}/config.v2.json"
        older = f"{CONTAINERS}/{name}/config.json"
        if lexists(folder.root / older) and not lexists(folder.root / where):
            where = older
        config = folder.mapping(where)
        if config is None:
            continue
        if string(config.get("ID")) not in ("", name):
            folder.tell(where, "it is the record of another container")
            continue
        # The first versions with a choice of drivers did not write which.
        if string(config.get("Driver")) in ("", "devicemapper"):
            found[name] = _container(name, where, config)
    return found, set(names)


def _container(id_: str, where: str, config: dict[str, object]) -> Container:
    name = string(config.get("Name")).removeprefix("/") or id_[:12]
    state = mapping(config.get("State"))
    # Docker deletes no container that runs, and stops none that is paused.
    words = ["unpause"] if state.get("Paused") is True else []
    is_running = state.get("Running") is True
    words += ["stop"] if is_running else []
    word = name if _NAME.fullmatch(name) else id_
    return Container(
        id=id_,
        where=where,
        name=name,
        image=string(config.get("Image")).removeprefix("sha256:"),
        labels=labels(mapping(config.get("Config")).get("Labels")),
        created=moment(config.get("Created")),
        is_running=is_running,
        removal=tuple(("docker", verb, word) for verb in [*words, "rm"]),
    )
