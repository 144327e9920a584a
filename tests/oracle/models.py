"""What ``thin_rmap`` and ``thin_delta --verbose`` should say by the second reader, and with their defects.

With its defect the text is the peer's to the byte: what thinscope does otherwise is that and nothing else.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

from .reader import Role

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .reader import Image, Mapping, Superblock, Trees


class Line(NamedTuple):
    """A line of ``thin_rmap``, in the order of its lines."""

    data: int
    data_end: int
    device: int
    virtual: int

    def __str__(self) -> str:
        end = self.virtual + self.data_end - self.data
        return f"data {self.data}..{self.data_end} -> thin({self.device}) {self.virtual}..{end}\n"


def reverse_map(image: Image, regions: Sequence[range], *, loses_sharers: bool = False) -> str:
    """What ``thin_rmap`` says; the defect tells each node's mappings only of the first device."""
    lines: list[Line] = []
    told: set[int] = set()
    for device, root in sorted(image.live.roots.items()):
        open_line: Line | None = None
        for virtual, data in _walk(image, root, told if loses_sharers else set()):
            if not any(data in region for region in regions):
                continue
            if open_line is not None:
                line = open_line
                behind = (line.data_end, line.virtual + line.data_end - line.data)
                if behind == (data, virtual):
                    open_line = line._replace(data_end=data + 1)
                    continue
                lines.append(line)
            open_line = Line(data, data + 1, device, virtual)
        if open_line is not None:
            lines.append(open_line)
    return "".join(map(str, sorted(lines)))


def _walk(image: Image, number: int, told: set[int]) -> Iterator[tuple[int, int]]:
    """The mappings of a tree, without those of nodes that were told."""
    if number in told:
        return
    told.add(number)
    node = image.node(number, Role.MAPPING)
    for key, (value,) in zip(node.keys, node.values, strict=True):
        if node.internal:
            yield from _walk(image, value, told)
        else:
            yield key, value >> 24


class Entry(NamedTuple):
    """A virtual block that at least one side maps."""

    kind: str
    virtual: int
    left: int | None
    right: int | None


def entries(left: dict[int, Mapping], right: dict[int, Mapping]) -> Iterator[Entry]:
    """Compare two devices block by block."""
    for virtual in sorted(left.keys() | right.keys()):
        one = left[virtual].data if virtual in left else None
        other = right[virtual].data if virtual in right else None
        if other is None:
            yield Entry("left_only", virtual, one, None)
        elif one is None:
            yield Entry("right_only", virtual, None, other)
        else:
            yield Entry("same" if one == other else "different", virtual, one, other)


def verbose_delta(
    image: Image, devices: tuple[int, int], *, in_snapshot: bool, over_breaks: bool = False
) -> str:
    """What ``thin_delta --verbose`` says; the defect joins what does not go on on the data device."""
    trees = image.snapshot if in_snapshot else image.live
    assert trees
    left, right = devices
    lines = [
        _superblock(trees.superblock, 0 if in_snapshot else _total(image)),
        f'  <diff left="{left}" right="{right}">\n',
    ]
    ranges = _ranges(trees, devices, over_breaks=over_breaks)
    for kind, of_kind in itertools.groupby(ranges, lambda each: each[0].kind):
        lines.append(f"    <{kind}>\n")
        for first, length in of_kind:
            if kind == "different":
                data = f'left_data_begin="{first.left}" right_data_begin="{first.right}"'
            else:
                data = f'data_begin="{first.right if first.left is None else first.left}"'
            lines.append(f'      <range begin="{first.virtual}" {data} length="{length}"/>\n')
        lines.append(f"    </{kind}>\n")
    return "".join([*lines, "  </diff>\n</superblock>"])


def _ranges(
    trees: Trees, devices: tuple[int, int], *, over_breaks: bool
) -> Iterator[tuple[Entry, int]]:
    left, right = (trees.mappings[device] for device in devices)
    found: list[tuple[Entry, int]] = []
    for entry in entries(left, right):
        if found:
            first, length = found[-1]
            sides = ((first.left, entry.left), (first.right, entry.right))
            goes_on = over_breaks or all(
                one is None or other is None or one + length == other for one, other in sides
            )
            if goes_on and (first.kind, first.virtual + length) == (entry.kind, entry.virtual):
                found[-1] = first, length + 1
                continue
        found.append((entry, 1))
    return iter(found)


def _total(image: Image) -> int:
    return image.superblock.data_space_map.nr_blocks


def _superblock(superblock: Superblock, total: int) -> str:
    flags = ' flags="1"' if superblock.flags & 1 else ""
    return (
        f'<superblock uuid="" time="{superblock.time}" transaction="{superblock.transaction_id}"'
        f'{flags} data_block_size="{superblock.data_block_size}" nr_data_blocks="{total}">\n'
    )
