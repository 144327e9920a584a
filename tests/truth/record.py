"""What was compared with whose answer, and the table that a run of the tests ends with."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Row(NamedTuple):
    """A figure that was compared, or a word."""

    key: str
    """Which of a pool's answers says theirs."""
    what: str
    ours: object
    theirs: object


class Silent(NamedTuple):
    """An answer that has nothing to be compared with."""

    key: str
    why: str


def differing(rows: Iterable[Row | Silent]) -> list[Row]:
    """The figures that are not equal."""
    return [row for row in rows if isinstance(row, Row) and row.ours != row.theirs]


def told(rows: Iterable[Row]) -> str:
    """Differences, for a person."""
    lines = [f"{row.key}: {row.what}: ours {row.ours!r}, theirs {row.theirs!r}" for row in rows]
    return "\n".join(["", *lines[:20], *(["..."] if len(lines) > 20 else [])])


@dataclass
class Record:
    """All comparisons of a run, by capture and kernel, then by kind."""

    compared: dict[tuple[str, str], Counter[str]] = field(
        default_factory=lambda: defaultdict(Counter)
    )
    equal: dict[tuple[str, str], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    silent: list[str] = field(default_factory=list)

    def add(self, capture: str, kernel: str, kind: str, rows: Iterable[Row | Silent]) -> None:
        """Take over what was compared."""
        place = capture, kernel
        for row in rows:
            if isinstance(row, Silent):
                self.silent.append(f"{capture}: {kind}: {row.key}: {row.why}")
            else:
                self.compared[place][kind] += 1
                self.equal[place][kind] += row.ours == row.theirs

    def table(self) -> Iterator[str]:
        """A line for each capture: figures equal, figures compared, by kind."""
        width = max((len(capture) for capture, _ in self.compared), default=0)
        kernels = max((len(kernel) for _, kernel in self.compared), default=0)
        for (capture, kernel), compared in sorted(self.compared.items()):
            equal = self.equal[capture, kernel]
            kinds = ", ".join(f"{kind} {_of(equal[kind], compared[kind])}" for kind in compared)
            sums = f"{equal.total():6} of {compared.total():6}"
            yield f"{capture:{width}}  {kernel:{kernels}}  {sums} equal: {kinds}"
        equal_sum = sum(counts.total() for counts in self.equal.values())
        compared_sum = sum(counts.total() for counts in self.compared.values())
        yield f"{'all':{width}}  {'':{kernels}}  {equal_sum:6} of {compared_sum:6} equal"
        yield from (f"nothing to compare with: {line}" for line in self.silent)


def _of(equal: int, compared: int) -> str:
    return str(equal) if equal == compared else f"{equal} of {compared}"


KEY = pytest.StashKey[Record]()
