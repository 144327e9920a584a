"""What is wrong with a pool's metadata, and whom it hits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

if TYPE_CHECKING:
    import thinscope

__all__ = ["AffectedRow", "BlockRow", "Check", "FindingRow", "HitRow", "StepRow"]


@dataclass(frozen=True, slots=True)
class StepRow:
    """A step on the way from the superblock to a block.

    Attributes:
        name: What lies there.
        block: The metadata block.
    """

    name: str
    block: int


@dataclass(frozen=True, slots=True)
class BlockRow:
    """Blocks that follow each other.

    Attributes:
        begin: First block.
        length: Number of blocks.
    """

    begin: int
    length: int


@dataclass(frozen=True, slots=True)
class AffectedRow:
    """Virtual blocks of a device that a finding is about.

    Attributes:
        device: Its id.
        name: What it is called.
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
class FindingRow:
    """Something wrong with the metadata.

    Attributes:
        code: What it is, in a word that does not change from release to release.
        severity: ``damage`` or ``warning``.
        message: The same as a sentence.
        block: The metadata block, or None.
        offset: Where in the source the field lies, in bytes, or None.
        structure: What the block is, or None.
        field: The field, under its kernel name where it has one, or None.
        expected: What the rule asks for, or None.
        found: What is there, or None.
        count: How many of what the code says.
        path: From the superblock to the block.
        affected: What is lost of devices.
        more_affected: Ranges of devices beyond those named.
        blocks: The first of the blocks that it is about.
        hint: What to do next, or None.
    """

    code: str
    severity: str
    message: str
    block: int | None
    offset: int | None
    structure: str | None
    field: str | None
    expected: str | None
    found: str | None
    count: int
    path: tuple[StepRow, ...]
    affected: tuple[AffectedRow, ...]
    more_affected: int
    blocks: tuple[BlockRow, ...]
    hint: str | None


@dataclass(frozen=True, slots=True)
class HitRow:
    """A device of which something is lost.

    Attributes:
        device: Its id.
        name: What it is called.
        ranges: Ranges of virtual blocks that are lost.
        mapped_blocks: How many mappings, where its record tells; else None.
    """

    device: int
    name: str
    ranges: int
    mapped_blocks: int | None


@dataclass(frozen=True, slots=True)
class Check:
    """A check of a pool's metadata.

    Attributes:
        source: What was checked, as it was named.
        is_metadata_snapshot: Whether only the trees of the metadata snapshot were checked.
        has_metadata_snapshot: Whether a metadata snapshot is held.
        transaction_id: The pool's transaction id, or None where the superblock is lost.
        devices: Devices looked at.
        nodes: Distinct nodes of mapping trees.
        mappings: Mappings, those of a shared leaf counted once.
        damage: Findings that are damage.
        warnings: Findings that are not.
        findings: All of them, in the order superblock, trees, space maps.
        hit: Devices of which something is lost.
        unhit: Devices looked at of which nothing is lost, or None where not all that are hit are
            named.
        lists_all: Whether all devices are known: nothing is lost of the tree that lists them.
        unnamed: Why devices go by their ids though names were given, or None.
    """

    schema: ClassVar[str] = "thinscope.check/1"

    source: str
    is_metadata_snapshot: bool
    has_metadata_snapshot: bool
    transaction_id: int | None
    devices: int
    nodes: int
    mappings: int
    damage: int
    warnings: int
    findings: tuple[FindingRow, ...]
    hit: tuple[HitRow, ...]
    unhit: int | None
    lists_all: bool
    unnamed: str | None

    @property
    def needs_attention(self) -> bool:
        """Whether there are findings."""
        return bool(self.findings)

    @classmethod
    def of(cls, check: thinscope.Check, source: str, *, is_metadata_snapshot: bool) -> Self:
        """Take over what was found."""
        hit = tuple(_hit(check))
        damage = len(check.damage)
        return cls(
            source=source,
            is_metadata_snapshot=is_metadata_snapshot,
            has_metadata_snapshot=check.has_metadata_snapshot,
            transaction_id=check.transaction_id,
            devices=len(check.devices),
            nodes=check.nodes,
            mappings=check.mappings,
            damage=damage,
            warnings=len(check.findings) - damage,
            findings=tuple(map(_row, check.findings)),
            hit=hit,
            unhit=_unhit(check, hit),
            lists_all=check.lists_all,
            unnamed=check.unnamed,
        )


def _row(finding: thinscope.Finding) -> FindingRow:
    return FindingRow(
        code=finding.code,
        severity=finding.severity,
        message=finding.message,
        block=finding.block,
        offset=finding.offset,
        structure=finding.structure,
        field=finding.field,
        expected=finding.expected,
        found=finding.found,
        count=finding.count,
        path=tuple(StepRow(name, block) for name, block in finding.path),
        affected=tuple(
            AffectedRow(
                device=each.device,
                name=each.name,
                in_metadata_snapshot=each.in_metadata_snapshot,
                begin=each.begin,
                end=each.end,
                mapped_blocks=each.mapped_blocks,
            )
            for each in finding.affected
        ),
        more_affected=finding.more_affected,
        blocks=tuple(BlockRow(begin, length) for begin, length in finding.blocks),
        hint=finding.hint,
    )


def _unhit(check: thinscope.Check, hit: tuple[HitRow, ...]) -> int | None:
    losing = [finding for finding in check.findings if finding.loses_mappings]
    # A finding that stands for many of its kind names no block.
    if any(finding.more_affected or finding.block is None for finding in losing):
        return None
    return len(set(check.devices) - {row.device for row in hit})


def _hit(check: thinscope.Check) -> list[HitRow]:
    """Tell of each device what all findings lose of it; not of what only the snapshot keeps."""
    found: dict[int, HitRow] = {}
    for finding in check.findings:
        if not finding.loses_mappings:
            continue
        for each in finding.affected:
            if each.in_metadata_snapshot:
                continue
            before = found.get(each.device, HitRow(each.device, each.name, 0, 0))
            known = None not in (before.mapped_blocks, each.mapped_blocks)
            blocks = (before.mapped_blocks or 0) + (each.mapped_blocks or 0) if known else None
            found[each.device] = HitRow(each.device, each.name, before.ranges + 1, blocks)
    return [found[id_] for id_ in sorted(found)]
