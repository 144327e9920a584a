"""Who shares which blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thinscope.report.printable import shown
from thinscope.report.render import words
from thinscope.report.render.identity import identity_rows, row
from thinscope.report.render.sections import Sentence, Table
from thinscope.report.units import count, plural, size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thinscope.report.accounting import Accounting
    from thinscope.report.render.sections import Section
    from thinscope.report.sharing import Sharing

__all__ = ["sections"]

_NAMES = 4
"""Objects of a group that are named before it is said how many more there are."""

_EXPLAINED = (
    "exclusive: reached by no other device; fair share: each block divided by the number of "
    "devices that reach it, which adds up"
)


def sections(report: Sharing) -> Iterator[Section]:
    """Yield the identity, the devices, the groups and the matrix."""
    yield Table(("data blocks", "blocks", ""), _identity(report.accounting))
    yield Table(*_devices(report))
    yield Sentence(_EXPLAINED, is_aside=True)
    if report.groups:
        yield Sentence("what devices share with each other and with no other device, largest first")
        rows = (
            (size(group.bytes), _members(group.objects, has_snapshot=group.has_metadata_snapshot))
            for group in report.groups
        )
        yield Table(("shared", "by"), rows, words=(1,))
    if report.matrix is not None:
        pairs = (
            (str(pair.device_a), str(pair.device_b), size(pair.bytes), count(pair.blocks))
            for pair in report.matrix
        )
        yield Table(("device", "and device", "share", "blocks"), pairs, words=())


def _devices(report: Sharing) -> tuple[tuple[str, ...], Iterator[tuple[str, ...]]]:
    has_manager = any(device.manager_bytes is not None for device in report.devices)
    columns = ("device", "exclusive", "fair share", "mapped")
    heads = (*columns, "by the manager") if has_manager else columns

    def rows() -> Iterator[tuple[str, ...]]:
        for device in report.devices:
            sizes = (device.exclusive_bytes, device.fair_share_bytes, device.mapped_bytes)
            manager = "" if device.manager_bytes is None else size(device.manager_bytes)
            cells = (words.device(device.id, device.name), *map(size, sizes), manager)
            yield cells[: len(heads)]
        if len(report.devices) > 1:
            reached = size(report.accounting.reached_bytes)
            cells = (plural(len(report.devices), "device"), "", reached, "", "")
            yield cells[: len(heads)]

    return heads, rows()


def _identity(accounting: Accounting) -> Iterator[tuple[str, str, str]]:
    yield row("one device", accounting.one_device_blocks, accounting.one_device_bytes)
    blocks, size_bytes = accounting.several_devices_blocks, accounting.several_devices_bytes
    yield row("several devices", blocks, size_bytes)
    yield from identity_rows(accounting)


def _members(names: tuple[str, ...], *, has_snapshot: bool) -> str:
    told = [shown(name) for name in names[:_NAMES]]
    if len(names) > _NAMES:
        told.append(f"{count(len(names) - _NAMES)} more")
    if has_snapshot:
        told.append("the metadata snapshot")
    return ", ".join(told)
