"""Rows that are read while they are written: there may be more than memory holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Stream"]

_Row = TypeVar("_Row")
_Total = TypeVar("_Total")


class Stream(Generic[_Row, _Total]):
    """Rows, to be iterated once; afterwards the `total` is known."""

    _total: _Total | None = None

    def __iter__(self) -> Iterator[_Row]:
        """Yield the rows, and count."""
        raise NotImplementedError

    @property
    def total(self) -> _Total:
        """What all rows add up to.

        Raises:
            RuntimeError: The stream has not been read to its end.
        """
        if self._total is None:
            raise RuntimeError("a stream's total is known at its end")
        return self._total
