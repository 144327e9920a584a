"""What a doctor says: what is so, what it means, and a command."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Advice", "Severity", "Topic", "advice"]


class Severity(StrEnum):
    """How much something matters."""

    ATTENTION = "attention"
    """It should be seen to."""
    NOTE = "note"
    """It is good to know."""
    FINE = "fine"
    """It was looked at, and is as it should be."""


class Topic(IntEnum):
    """What something is about: the lower, the more urgent."""

    DAMAGE = 1
    NEEDS_CHECK = 2
    FULL = 3
    TRANSACTION = 4
    GROWTH = 5
    FORECAST = 6
    METADATA_SNAPSHOT = 7
    LIMITS = 8
    LEAKS = 9
    PROMISED = 10
    ORPHANS = 11
    NAMES = 12


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing that was looked at.

    Attributes:
        code: What it is, in a word that does not change from release to release.
        severity: How much it matters.
        topic: What it is about.
        message: What is so, as a sentence without a full stop.
        meaning: What it means, likewise, or None.
        commands: What to type, one after the other, each as its words.
        numbers: The figures that the message rounds or spells out.
    """

    code: str
    severity: Severity
    topic: Topic
    message: str
    meaning: str | None = None
    commands: tuple[tuple[str, ...], ...] = ()
    numbers: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def urgency(self) -> tuple[int, int]:
        """The lower, the more urgent: severity first, then the topic."""
        return list(Severity).index(self.severity), self.topic


def advice(
    severity: Severity,
    topic: Topic,
    code: str,
    message: str,
    meaning: str | None = None,
    *commands: tuple[str, ...],
    **numbers: int,
) -> Advice:
    """Make advice from what it says and its figures."""
    return Advice(code, severity, topic, message, meaning, commands, MappingProxyType(numbers))
