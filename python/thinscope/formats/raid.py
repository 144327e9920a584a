"""The superblock that the kernel's dm-raid keeps with each image of a mirror (``_rmeta_N``)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

__all__ = ["SIZE", "Superblock", "superblock"]

SIZE = 512
_MAGIC = b"DmRd"
_FIELDS = struct.Struct("<4sIIIQQQQ")
_WHOLE = (1 << 64) - 1
_MOST_IMAGES = 64


@dataclass(frozen=True, slots=True)
class Superblock:
    """What an image's superblock says.

    Attributes:
        image: Which image it is, from 0.
        events: Changes of the array that it has seen; the more, the newer.
        failed: Images that had failed when it was written.
        is_whole: Whether the image had been filled up, and not only a part of it.
    """

    image: int
    events: int
    failed: frozenset[int]
    is_whole: bool


def superblock(data: bytes) -> Superblock | None:
    """Return what the first `SIZE` bytes of a ``_rmeta`` volume say; None where it is none."""
    if len(data) < _FIELDS.size or not data.startswith(_MAGIC):
        return None
    _, _, _, image, events, failed, recovered, _ = _FIELDS.unpack_from(data)
    images = frozenset(bit for bit in range(_MOST_IMAGES) if failed >> bit & 1)
    return Superblock(image, events, images, recovered == _WHOLE)
