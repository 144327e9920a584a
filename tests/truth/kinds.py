"""The kinds of answers that there are, and what compares each."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.conftest import FIXTURES
from tests.truth import containerd, databases, docker, dump, kernel, lvm, thin_check, volumes
from tests.truth import pairs as befores
from tests.truth.case import Case, Pair, pairs, pools

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.truth.record import Row, Silent


class Kind(NamedTuple):
    """A kind of answer."""

    name: str
    rows: Callable[..., Iterable[Row | Silent]]
    """Compares what answers of this kind say of a case."""
    is_for: Callable[[Case | Pair], bool]
    """Whether a case has such an answer."""


def _with(*keys: str) -> Callable[[Case | Pair], bool]:
    return lambda case: isinstance(case, Case) and case.has(*keys)


def _between(kind: str) -> Callable[[Case | Pair], bool]:
    return lambda case: isinstance(case, Pair) and case.kind == kind


KINDS = (
    Kind("kernel", kernel.live, _with("pool_status")),
    Kind("metadata snapshot", kernel.at_snapshot, _with("at_snapshot.pool_status")),
    Kind("volumes", volumes.rows, _with("sha256")),
    *(Kind(name, befores.rows, _between(name)) for name in ("deletion", "release", "growth")),
    Kind("lvm", lvm.rows, _with("lvs")),
    Kind("docker", docker.rows, _with(*docker.KEYS)),
    Kind("containerd", containerd.rows, _with(*containerd.KEYS)),
    Kind(
        "bbolt",
        databases.rows,
        lambda case: isinstance(case, Case) and any(map(databases.is_answer, case.files)),
    ),
    Kind("thin_check", thin_check.rows, _with("thin_check")),
    Kind("thin_dump", dump.rows, _with(*dump.KEYS)),
)


@cache
def comparisons() -> tuple[tuple[Kind, Case | Pair], ...]:
    """Every kind with every case that it is for, capture by capture."""
    cases: list[Case | Pair] = [*pools(), *pairs()]
    cases.sort(key=lambda case: str(case.capture["folder"]))
    return tuple((kind, case) for case in cases for kind in KINDS if kind.is_for(case))


@cache
def compared(kind: Kind, case: Case | Pair) -> tuple[Row | Silent, ...]:
    """Compare once a run."""
    return tuple(kind.rows(case))


def left_aside(case: Case) -> set[str]:
    """The answers to a pool, by key, that nothing was compared with."""
    said = [row for kind in KINDS if kind.is_for(case) for row in compared(kind, case)]
    return set(case.files) - {row.key for row in said}


KEPT_APART = frozenset(
    {
        *("df.txt", "images.txt"),  # Docker's file walks, and what inspect-images.json has whole
        "blocks-written.txt",  # of the metadata disk, in all
        "roomy.profile",  # the thresholds of a pool, which lvm.vg only names
        "vgchange.txt",  # how LVM refuses a pool
    }
)
"""Answers that the rig's scenarios keep for people: no test compares them with anything."""


def unlisted(case: Case) -> set[str]:
    """Files beside a pool's answers that the manifest does not name: misspelt, or not known to the rig."""
    if "made" not in case.capture:  # by hand
        return set()
    folder = FIXTURES / Path(case.files["pool_status"]).parent
    found = {str(path.relative_to(FIXTURES)): path.name for path in folder.rglob("*")}
    return {
        path
        for path, name in found.items()
        if (FIXTURES / path).is_file()
        and path not in case.files.values()
        and name.removesuffix(".zst") not in KEPT_APART
    }
