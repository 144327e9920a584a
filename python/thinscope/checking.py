"""What is wrong with a pool's metadata, by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from thinscope import _core
from thinscope.errors import NamesError, ThinscopeError
from thinscope.locate import locate
from thinscope.source import named

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from thinscope.locate import Located
    from thinscope.objects import Objects
    from thinscope.pool import Progress
    from thinscope.source import Source

__all__ = ["Affected", "Check", "Depth", "Finding", "check"]

_LOSING = frozenset({"superblock", "metadata-snapshot", "node", "unreadable", "device-tree"})
"""Codes of findings whose affected ranges cannot be read."""

Depth = Literal["superblock", "devices", "all"]
"""How far down a check looks: the superblock alone, the trees that list the devices too, or all."""


@dataclass(frozen=True, slots=True)
class Affected:
    """Virtual blocks of a device that a finding is about.

    Attributes:
        device: Its id.
        name: What it is called: ``container web-1``, ``device 5``.
        in_metadata_snapshot: Whether it is the device as the held metadata snapshot keeps it.
        begin: First virtual block, in data blocks.
        end: One behind the last virtual block, or None: whatever the device has from there on.
        mapped_blocks: How many mappings are lost, where the device's record tells; else None.
    """

    device: int
    name: str
    in_metadata_snapshot: bool
    begin: int
    end: int | None
    mapped_blocks: int | None


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with the metadata.

    Attributes:
        code: What it is, in a word that does not change from release to release; docs/cli.md
            lists them.
        severity: ``damage`` where something is lost or will be, ``warning`` where somebody should
            know.
        message: The same as a sentence, without a full stop.
        block: The metadata block, or None.
        offset: Where in the source the field lies, in bytes, or None.
        structure: What the block is, or None.
        field: The field, under its kernel name where it has one, or None.
        expected: What the rule asks for, or None.
        found: What is there, or None.
        path: From the superblock to the block: pairs of what lies there, and its block.
        affected: What is lost of devices.
        more_affected: Ranges of devices beyond those named.
        count: How many of what the code says: blocks of data or metadata, or 1.
        blocks: The first of them, as pairs: first block, number of blocks.
        hint: What to do next, or None.
    """

    code: str
    severity: Literal["damage", "warning"]
    message: str
    block: int | None
    offset: int | None
    structure: str | None
    field: str | None
    expected: str | None
    found: str | None
    path: tuple[tuple[str, int], ...]
    affected: tuple[Affected, ...]
    more_affected: int
    count: int
    blocks: tuple[tuple[int, int], ...]
    hint: str | None

    @property
    def loses_mappings(self) -> bool:
        """Whether what is affected is lost, not just told of."""
        return self.code in _LOSING


@dataclass(frozen=True, slots=True)
class Check:
    """What a check found, and what it looked at.

    Attributes:
        source: What was checked, as messages name it.
        findings: What is wrong, in the order superblock, trees, space maps.
        devices: Ids of the devices looked at, ascending.
        has_metadata_snapshot: Whether a metadata snapshot is held; it was looked at as well.
        nodes: Distinct nodes of mapping trees.
        mappings: Mappings, those of a shared leaf counted once.
        transaction_id: The pool's transaction id, or None where the superblock is lost.
        metadata_free_blocks: Free blocks of the metadata by the superblock, or None likewise.
        may_be_stale: Whether what was read may be older than what the kernel wrote.
        unnamed: Why devices go by their ids though names were given, or None.
    """

    source: str
    findings: tuple[Finding, ...]
    devices: tuple[int, ...]
    has_metadata_snapshot: bool
    nodes: int
    mappings: int
    transaction_id: int | None
    metadata_free_blocks: int | None
    may_be_stale: bool
    unnamed: str | None

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    @property
    def lists_all(self) -> bool:
        """Whether all devices are known: nothing is lost of the live tree that lists them."""
        is_lost = any(map(_loses_devices, self.findings))
        return self.transaction_id is not None and not is_lost

    @property
    def damage(self) -> tuple[Finding, ...]:
        """The findings that are damage."""
        return tuple(each for each in self.findings if each.severity == "damage")


def check(  # noqa: PLR0913 - keywords
    source: Source,
    *,
    names: Iterable[str | os.PathLike[str]] = (),
    more_pvs: Iterable[Source] = (),
    metadata_snapshot: bool = False,
    depth: Depth = "all",
    mapping_root: int | None = None,
    details_root: int | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Check:
    """Check everything that a pool's metadata says of itself, whatever state it is in.

    Nothing that is wrong ends the check; what lies below it is left out, and told.

    Args:
        source: As `thinscope.open` takes it.
        names: As `thinscope.open` takes them.
        more_pvs: As `thinscope.open` takes them.
        metadata_snapshot: Check the trees that the held metadata snapshot has, and no space map:
            the way to check a pool that is in use. Without it, they are looked at as well.
        depth: How far down to look.
        mapping_root: Metadata block of the top-level tree's root, in place of the superblock's.
        details_root: Metadata block of the details tree's root, likewise.
        threads: As `thinscope.open` takes them.
        progress: As `thinscope.open` takes it.

    Returns:
        What was found. Names are those of the records, where the pool can be opened or there is
        only one pool on record.

    Raises:
        OSError: The path cannot be opened.
        SourceError: The source cannot be read at all; `SourceChanged` where it changed meanwhile.
        NotThinMetadata: The source holds something else.
        NoMetadataSnapshot: It was asked for, and the pool holds none.
    """
    located = locate(
        source, names, progress, more_pvs=more_pvs, metadata_snapshot=metadata_snapshot
    )
    metadata_snapshot = metadata_snapshot or located.is_metadata_snapshot
    opened, name = named(located.metadata)
    core = _core.check(
        opened,
        name,
        metadata_snapshot=metadata_snapshot,
        depth=depth,
        mapping_root=mapping_root,
        details_root=details_root,
        threads=threads,
        progress=progress,
    )
    labels = _Labels(located, metadata_snapshot=metadata_snapshot)
    return Check(
        source=name,
        findings=tuple(_finding(each, labels) for each in core.findings),
        devices=tuple(core.devices),
        has_metadata_snapshot=core.has_metadata_snapshot,
        nodes=core.nodes,
        mappings=core.mappings,
        transaction_id=core.transaction_id,
        metadata_free_blocks=core.metadata_free_blocks,
        may_be_stale=core.may_be_stale,
        unnamed=labels.unnamed,
    )


class _Labels:
    """What devices are called, as far as a pool that may be broken lets the records be believed."""

    def __init__(self, located: Located, *, metadata_snapshot: bool) -> None:
        self.unnamed: str | None = None
        self._objects: Objects | None = None
        if not located.names:
            return
        try:
            self._objects = _objects(located, metadata_snapshot=metadata_snapshot)
        except NamesError as error:
            self.unnamed = str(error)

    def __getitem__(self, device: int) -> str:
        if self._objects is None:
            return f"device {device}"
        return self._objects.label_on_record(device)


def _objects(located: Located, *, metadata_snapshot: bool) -> Objects:
    from thinscope.objects import Objects  # noqa: PLC0415 - as above
    from thinscope.pool import Pool  # noqa: PLC0415 - as above

    opened, name = named(located.metadata)
    try:
        core = _core.Pool(opened, name, metadata_snapshot=metadata_snapshot, tolerant=True)
        return Pool(core, name, opened, located).objects
    except NamesError:
        raise
    except ThinscopeError:
        # Without a pool it cannot be told which of several the records are of.
        if any(len(each.found) != 1 for each in located.names):
            message = "records of several pools, and the pool cannot be opened to tell which"
            raise NamesError(message) from None
        return Objects({}, [each.found[0] for each in located.names])


def _loses_devices(finding: Finding) -> bool:
    """Whether it is about the live tree that lists the devices, above the trees of these."""
    if finding.code == "superblock":
        return finding.field == "data_mapping_root"
    if finding.code not in {"node", "unreadable"}:
        return False
    names = [name for name, _ in finding.path]
    is_below = any(name.startswith("mapping tree of device ") for name in names)
    return "top-level tree" in names and "metadata snapshot" not in names and not is_below


def _finding(core: _core.CheckFinding, labels: _Labels) -> Finding:
    return Finding(
        code=core.code,
        severity="damage" if core.is_damage else "warning",
        message=core.message,
        block=core.block,
        offset=core.offset,
        structure=core.structure,
        field=core.field,
        expected=core.expected,
        found=core.found,
        path=tuple(core.path),
        affected=tuple(_affected(each, labels) for each in core.affected),
        more_affected=core.more_affected,
        count=core.count,
        blocks=tuple(core.blocks),
        hint=core.hint,
    )


def _affected(core: tuple[int, bool, int, int, int | None], labels: _Labels) -> Affected:
    from thinscope.gaps import end  # noqa: PLC0415 - most pools are whole

    device, in_snapshot, first, last, mapped = core
    return Affected(device, labels[device], in_snapshot, first, end(last), mapped)
