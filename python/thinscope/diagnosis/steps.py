"""The next safe step, and what not to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from thinscope.diagnosis.advice import Severity, Topic

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from thinscope.diagnosis.advice import Advice
    from thinscope.diagnosis.place import Place

__all__ = ["Step", "avoid", "next_step"]

_DANGEROUS = {Topic.DAMAGE, Topic.NEEDS_CHECK, Topic.TRANSACTION}
"""What must not be touched before there is a copy."""

_FULL = {"data-full", "data-nearly-full", "metadata-full", "metadata-nearly-full"}

_UNOPENED = {"superblock-damaged", "truncated"}

_CAPTURE = "pool.tar"


@dataclass(frozen=True, slots=True)
class Step:
    """What to do next.

    Attributes:
        command: What to type, as its words.
        why: What it does, as a sentence without a full stop.
    """

    command: tuple[str, ...]
    why: str


def next_step(told: Sequence[Advice], place: Place) -> Step | None:
    """Return the one thing to do next, or None where nothing is to be done.

    Args:
        told: The advice, the most urgent first.
        place: What the pool is called.
    """
    pressing = [each for each in told if each.severity is Severity.ATTENTION]
    if any(each.code in _UNOPENED for each in pressing):
        return Step(pressing[0].commands[0], "looks for what can be saved, and writes nothing")
    is_dangerous = any(
        each.topic in _DANGEROUS or each.code == "metadata-full" for each in pressing
    )
    if is_dangerous and not place.is_copy:
        command = place.thinscope("capture", "-o", _CAPTURE)
        return Step(
            command, "copies the metadata before anything touches it; it writes nothing else"
        )
    snapshot = [
        each
        for each in told
        if each.topic is Topic.METADATA_SNAPSHOT and each.numbers.get("blocks")
    ]
    if snapshot and any(each.code in _FULL for each in pressing) and not is_dangerous:
        freed = "gives back at once what the metadata snapshot keeps, if nothing reads it"
        return Step(snapshot[0].commands[0], freed)
    for each in pressing or told:
        if each.severity is not Severity.FINE and each.commands:
            return Step(each.commands[0], each.message)
    return None


def avoid(told: Sequence[Advice], place: Place) -> Iterator[str]:
    """Yield what would make it worse."""
    pressing = [each for each in told if each.severity is Severity.ATTENTION]
    topics = {each.topic for each in pressing}
    codes = {each.code for each in pressing}
    if topics & _DANGEROUS or "metadata-full" in codes:
        yield (
            "do not write to the metadata device before there is a copy of it: no thin_repair onto "
            "it, no dd"
        )
        yield "do not activate the pool on two hosts, or on a host and in its guest"
    if topics & (_DANGEROUS - {Topic.TRANSACTION}) or "metadata-full" in codes:
        yield "do not run thin_repair or thin_check on the data device: they are for metadata only"
        yield "do not delete _meta0 or _pmspare volumes: the damaged original is what experts need"
    if Topic.TRANSACTION in topics:
        yield (
            "do not restore an older text (vgcfgrestore) to undo something: it brings no thin "
            "volume back, and parts text and pool"
        )
    if codes & _FULL:
        yield (
            "do not delete the devices of a manager with dmsetup: it would not know; "
            "use its own commands"
            if place.managers
            else "do not delete devices by guess: `thinscope reclaim` tells what it would free"
        )
    if "data-full" in codes:
        yield "do not run fsck on its volumes before the pool has room: repairs write, too"
