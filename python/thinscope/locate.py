"""From what a person calls a pool to its metadata and its names.

A manager's folder can be the source: the names are read from it, and the metadata where the
manager keeps it in a file. So can a capture, which holds both.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from thinscope import captured
from thinscope import names as managers
from thinscope.errors import NamesError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from thinscope.names import Names
    from thinscope.source import Source

__all__ = ["Located", "Wanted", "locate", "wanted"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Records to take names from.

    Attributes:
        found: The records, one for each pool that they are about.
        pool: What the manager calls the pool that is meant, or None if it was not said.
    """

    found: tuple[Names, ...]
    pool: str | None


@dataclass(frozen=True, slots=True)
class Located:
    """Where a pool is.

    Attributes:
        metadata: What its metadata is read from.
        names: Where its names are.
        is_metadata_snapshot: Whether it can only be read as the metadata snapshot holds it.
    """

    metadata: Source
    names: tuple[Wanted, ...]
    is_metadata_snapshot: bool = False


def locate(
    source: Source,
    names: Iterable[str | os.PathLike[str]],
    progress: Callable[[str, int, int], object] | None = None,
) -> Located:
    """Find metadata and names.

    Args:
        source: The metadata, the folder of a manager that keeps it in a file, or a capture.
        names: More records to take names from.
        progress: As `thinscope.open` takes it.

    Raises:
        NamesError: Records cannot be read, or there is no metadata beside them.
        SourceError: A capture is damaged.
    """
    given = tuple(wanted(path) for path in names)
    if captured.is_captured(source):
        found = captured.opened(source, progress)
        own = tuple(Wanted(*records) for records in found.names)
        return Located(found.metadata, (*own, *given), found.is_metadata_snapshot)
    if not isinstance(source, (str, os.PathLike)) or not Path(source).is_dir():
        return Located(source, given)
    if managers.recognised(source) is None:
        return Located(source, given)  # the core tells what it is
    records = managers.read(source)
    with_metadata = [(each.metadata, each) for each in records if each.metadata]
    if len(with_metadata) > 1:
        roots = ", ".join(str(each.source) for _, each in with_metadata)
        raise NamesError(f"holds several pools: {roots}", source=str(source), hint="give one")
    if with_metadata:
        [(metadata, names_of_it)] = with_metadata
        return Located(metadata, (Wanted((names_of_it,), None), *given))
    message = "holds names only, not the metadata of the pool"
    device = next((each.hint for each in records if each.hint), None)
    hint = f"give the metadata device: `thinscope DEVICE --names {source}`"
    raise NamesError(message, source=str(source), hint=f"{hint}; {device}" if device else hint)


def wanted(path: str | os.PathLike[str]) -> Wanted:
    """Read records; ``PATH#POOL`` says which pool of several is meant.

    Raises:
        NamesError: They cannot be read.
    """
    text = os.fspath(path)
    before, sharp, pool = text.rpartition("#")
    if sharp and not Path(text).exists():
        return Wanted(managers.read(before), pool)
    return Wanted(managers.read(text), None)
