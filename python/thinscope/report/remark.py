"""What a report wants read, besides its figures."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Remark"]


@dataclass(frozen=True, slots=True)
class Remark:
    """A finding, which is something that needs attention, or a note, which is good to know.

    Attributes:
        code: What it is, in a word that does not change from release to release.
        message: The same as a sentence, without a full stop.
        advice: What to do about it, or None.
        numbers: The figures that the message rounds or spells out.
    """

    code: str
    message: str
    advice: str | None = None
    numbers: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
