"""What to delete so that enough comes free."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thinscope import Pool
    from thinscope.objects import Objects
    from thinscope.planning import Step

__all__ = ["Plan", "StepRow"]


@dataclass(frozen=True, slots=True)
class StepRow:
    """Objects that are deleted together.

    Attributes:
        objects: Titles of the objects, in an order that the manager accepts.
        running: Titles of those of them that run, and have to be stopped first.
        collected: Titles of what the manager then deletes by itself.
        gain_blocks: What comes free, in data blocks.
        gain_bytes: The same in bytes.
        total_blocks: What has come free after this step, in data blocks.
        total_bytes: The same in bytes.
        commands: The manager's commands, each as its words.
    """

    objects: tuple[str, ...]
    running: tuple[str, ...]
    collected: tuple[str, ...]
    gain_blocks: int
    gain_bytes: int
    total_blocks: int
    total_bytes: int
    commands: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, step: Step, objects: Objects, block_bytes: int) -> Self:
        """Take over what was found."""
        return cls(
            objects=tuple(map(objects.title, step.objects)),
            running=tuple(objects.title(each) for each in step.objects if each.is_running),
            collected=tuple(map(objects.title, step.collected)),
            gain_blocks=step.gain_blocks,
            gain_bytes=step.gain_blocks * block_bytes,
            total_blocks=step.total_blocks,
            total_bytes=step.total_blocks * block_bytes,
            commands=tuple(words for object_ in step.objects for words in object_.removal),
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """What to delete. Nothing is deleted.

    Attributes:
        source: What was opened, as it was named.
        is_metadata_snapshot: Whether the pool was read as the metadata snapshot keeps it.
        block_bytes: Bytes in a data block.
        transaction_id: The pool's transaction id.
        time: The pool's time.
        target_blocks: What was asked for, in data blocks, rounded up.
        target_bytes: The same in bytes.
        steps: What to delete, in this order.
        freed_blocks: What comes free in all, as `reclaim` tells of the same objects.
        freed_bytes: The same in bytes.
        is_reached: Whether that is enough.
        most_blocks: What deleting everything that may go would give back.
        most_bytes: The same in bytes.
        kept_by_metadata_snapshot_blocks: What comes free besides when the held metadata snapshot
            is released.
        kept_by_metadata_snapshot_bytes: The same in bytes.
        with_commands: Whether the manager's commands were asked for.
    """

    schema: ClassVar[str] = "thinscope.plan/1"

    source: str
    is_metadata_snapshot: bool
    block_bytes: int
    transaction_id: int
    time: int
    target_blocks: int
    target_bytes: int
    steps: tuple[StepRow, ...]
    freed_blocks: int
    freed_bytes: int
    is_reached: bool
    most_blocks: int
    most_bytes: int
    kept_by_metadata_snapshot_blocks: int
    kept_by_metadata_snapshot_bytes: int
    with_commands: bool

    @property
    def needs_attention(self) -> bool:
        """Whether less comes free than was asked for."""
        return not self.is_reached

    @classmethod
    def of(  # noqa: PLR0913 - keywords
        cls,
        pool: Pool,
        source: str,
        *,
        free: int | str,
        keep: Sequence[str],
        only: Sequence[str],
        oldest_first: bool,
        min_each: int | str,
        with_commands: bool,
    ) -> Self:
        """Plan, and prove the total."""
        sharing = pool.sharing()
        plan = sharing.plan(
            free, keep=keep, only=only, oldest_first=oldest_first, min_each=min_each
        )
        proof = sharing.reclaim_of(plan.objects)
        if proof.freed_blocks != plan.freed_blocks:
            message = (
                f"the plan frees {plan.freed_blocks} blocks, but {proof.freed_blocks} by proof"
            )
            raise AssertionError(message)
        superblock = pool.superblock
        block_bytes = superblock.data_block_bytes
        kept = proof.kept_by_metadata_snapshot_blocks
        return cls(
            source=source,
            is_metadata_snapshot=pool.is_metadata_snapshot,
            block_bytes=block_bytes,
            transaction_id=superblock.transaction_id,
            time=superblock.time,
            target_blocks=plan.target_blocks,
            target_bytes=plan.target_blocks * block_bytes,
            steps=tuple(StepRow.of(step, pool.objects, block_bytes) for step in plan.steps),
            freed_blocks=plan.freed_blocks,
            freed_bytes=plan.freed_blocks * block_bytes,
            is_reached=plan.is_reached,
            most_blocks=plan.most_blocks,
            most_bytes=plan.most_blocks * block_bytes,
            kept_by_metadata_snapshot_blocks=kept,
            kept_by_metadata_snapshot_bytes=kept * block_bytes,
            with_commands=with_commands,
        )
