"""Ranges of blocks as they are typed: ``BEGIN..END``, half-open."""

from __future__ import annotations

import re

import click

from thinscope.planning import bytes_of

__all__ = ["BlockRange", "ByteRange", "SectorRange"]

_LIMIT = 1 << 64
_SECTOR_BYTES = 512


class BlockRange(click.ParamType):  # type: ignore[type-arg] # generic only in new releases of click
    """``BEGIN..END``, half-open; without END it has no limit."""

    name = "BEGIN..END"

    _form = re.compile(r"([0-9]{1,20})\.\.([0-9]{1,20})?")

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int | None]:
        """Return where the range begins and ends.

        Raises:
            click.BadParameter: It is none, or holds nothing.
        """
        match = self._form.fullmatch(str(value))
        if match is None:
            self.fail(f"'{value}' is not of the form {self.name}", param, ctx)
        begin, end = int(match[1]), int(match[2]) if match[2] else None
        if max(begin, end or 0) >= _LIMIT:
            self.fail(f"'{value}' ends beyond any device", param, ctx)
        if end is not None and begin >= end:
            self.fail(f"'{value}' holds no block", param, ctx)
        return begin, end


class _Places(click.ParamType):  # type: ignore[type-arg] # as above
    """One place, or a range of them, in bytes."""

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int | None]:
        """Return where the range begins and ends, in bytes.

        Raises:
            click.BadParameter: It is none, or holds nothing.
        """
        begin_text, dots, end_text = str(value).partition("..")
        try:
            begin = self._bytes(begin_text)
            end = self._bytes(end_text) if end_text else None
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if not dots:
            end = begin + self._unit
        if max(begin, end or 0) >= _LIMIT:
            self.fail(f"'{value}' ends beyond any device", param, ctx)
        if end is not None and begin >= end:
            self.fail(f"'{value}' holds nothing", param, ctx)
        return begin, end

    _unit = 1

    def _bytes(self, text: str) -> int:
        return bytes_of(text)


class ByteRange(_Places):
    """An offset in bytes or with a unit, or ``BEGIN..END`` of them."""

    name = "OFFSET|BEGIN..END"


class SectorRange(_Places):
    """A sector of 512 bytes, or ``BEGIN..END`` of them; returned in bytes."""

    name = "SECTOR|BEGIN..END"
    _unit = _SECTOR_BYTES

    def _bytes(self, text: str) -> int:
        if not (text.isascii() and text.isdecimal() and len(text) <= 20):  # noqa: PLR2004 - 64 bits
            raise ValueError(f"'{text}' is no number of a sector")
        return int(text) * _SECTOR_BYTES
