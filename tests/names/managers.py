"""The managers whose records are files of one kind, asked one by one: no two may want the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from thinscope.errors import NamesError
from thinscope.names import Names, dmsetup, lvm, stratis, table

MODULES: tuple[Any, ...] = (lvm, stratis, dmsetup, table)


def recognised(path: Path) -> str | None:
    """Return the only one that recognises what is there, or None."""
    found = [module.__name__.rpartition(".")[2] for module in MODULES if module.recognises(path)]
    assert len(found) <= 1
    return found[0] if found else None


def read(path: Path) -> tuple[Names, ...]:
    """Read what is there, with the only one that recognises it."""
    name = recognised(path)
    assert name is not None
    (module,) = (module for module in MODULES if module.__name__.endswith(f".{name}"))
    return module.read(path)


def failure(call: Callable[..., object], *words: object) -> NamesError | None:
    """Call, and return the one error that is allowed, which is one line, or None."""
    found = None
    try:
        call(*words)
    except NamesError as error:
        found = error
    assert found is None or "\n" not in str(found)
    return found
