"""Deletion as the kernel does it: nothing but reference counts, taken from the space maps and counted down.

Who holds a block is never asked. A device's entry is taken out of the top-level tree, copy-on-write, and its root
is given up. A block that is given up loses one reference. With the last one it is free, and a node gives up all
that it points to. That predictions from who holds what come to the same is the point.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.oracle.reader import Role

if TYPE_CHECKING:
    from tests.oracle.reader import Image, Node


@dataclass(frozen=True, slots=True)
class TopLevelNode:
    """A node of the top-level tree as it is being changed: keys, and children or roots."""

    internal: bool
    entries: dict[int, int]


class Deletion:
    """A pool that devices are deleted from."""

    def __init__(self, image: Image) -> None:
        """Take the counts of both space maps as they are on disk."""
        image.read_all()
        self._nodes = {
            number: image.node(number, role)
            for number, role in image.roles.items()
            if role is Role.MAPPING
        }
        self._top = {
            number: _top_level(image.node(number, role))
            for number, role in image.roles.items()
            if role is Role.TOP_LEVEL
        }
        self._root = image.superblock.mapping_root
        held = image.held_superblock
        self._held_root = held.mapping_root if held else None
        self._metadata = list(image.metadata_space.counts)
        self._data = list(image.data_space.counts)
        self.freed_blocks = 0
        self.freed_metadata_blocks = 0
        """Only those of mapping trees: the rest depends on what else is written."""

    def delete(self, device: int) -> None:
        """Delete a device."""
        self._root = self._own(self._root)
        node = self._top[self._root]
        while node.internal:
            key = max(key for key in node.entries if key <= device)
            node.entries[key] = self._own(node.entries[key])
            node = self._top[node.entries[key]]
        self._give_up(node.entries.pop(device))

    def release(self) -> None:
        """Release the metadata snapshot."""
        assert self._held_root is not None
        self._give_up_top_level(self._held_root)
        self._held_root = None

    def _own(self, number: int) -> int:
        """Copy a node of the top-level tree, if others have it too."""
        if self._metadata[number] == 1:
            return number
        node = self._top[number]
        copy = len(self._metadata)  # behind the end: what is free is of no interest
        self._metadata.append(1)
        self._top[copy] = TopLevelNode(node.internal, dict(node.entries))
        self._metadata[number] -= 1
        for child in node.entries.values():
            self._metadata[child] += 1
        return copy

    def _give_up_top_level(self, number: int) -> None:
        if self._take(self._metadata, number):
            node = self._top[number]
            for child in node.entries.values():
                if node.internal:
                    self._give_up_top_level(child)
                else:
                    self._give_up(child)

    def _give_up(self, number: int) -> None:
        """Take one reference from a node of a mapping tree."""
        if not self._take(self._metadata, number):
            return
        self.freed_metadata_blocks += 1
        node = self._nodes[number]
        for (value,) in node.values:
            if node.internal:
                self._give_up(value)
            else:
                self.freed_blocks += self._take(self._data, value >> 24)

    @staticmethod
    def _take(counts: list[int], block: int) -> bool:
        """Take one reference; whether it was the last."""
        assert counts[block] > 0, f"block {block} is free already"
        counts[block] -= 1
        return counts[block] == 0


def _top_level(node: Node) -> TopLevelNode:
    return TopLevelNode(
        node.internal, {key: child for key, (child,) in zip(node.keys, node.values, strict=True)}
    )
