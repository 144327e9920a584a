"""BuildKit's cache inside Docker: the devices that are neither a layer's nor a container's.

BuildKit keeps its own table of them, a bbolt database. What is read of it here is only which layers
it mentions. Pages that bbolt gave up may mention more than it still has: so the cache may be
said to hold a layer that it has let go of, but not the reverse.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from thinscope.names.model import Object

if TYPE_CHECKING:
    from collections.abc import Collection

    from thinscope.names.folder import Folder

__all__ = ["KEY", "is_own", "object_of"]

KEY = "cache/buildkit"

_DATABASE = "buildkit/snapshots.db"
_LARGEST = 64 << 20
_ID = re.compile("[0-9a-z]{25}")
_CHAIN = re.compile(b"sha256:([0-9a-f]{64})")


def is_own(id_: str) -> bool:
    """Return whether BuildKit gave out an id; no other part of Docker writes them to base 36."""
    return _ID.fullmatch(id_) is not None


def object_of(folder: Folder, layers: Collection[str], *, is_there: bool) -> Object | None:
    """Return the cache as one object, if it has devices of its own or mentions a layer."""
    data = folder.data(_DATABASE, _LARGEST, optional=True) or b""
    mentioned = {chain.decode() for chain in _CHAIN.findall(data)}
    uses = tuple(f"layer/{chain}" for chain in layers if chain in mentioned)
    if not uses and not is_there:
        return None
    return Object(
        key=KEY,
        kind="cache",
        name="buildkit",
        aliases=("build cache",),
        uses=uses,
        removal=(("docker", "builder", "prune", "--all"),),
    )
