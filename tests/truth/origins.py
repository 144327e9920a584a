"""External origins: what devices read where they map nothing."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from tests.oracle import answers

if TYPE_CHECKING:
    from tests.truth.case import Case

_SECTOR = 512


class Piece(NamedTuple):
    """Neighbouring bytes of a volume."""

    image: str | None
    """The disk that has them: ``data``, ``pv``, one that was not captured; None for zeros."""
    begin: int
    length: int


Origin: TypeAlias = "int | tuple[Piece, ...]"
"""A device of the pool, or pieces of disks."""

ZEROS: tuple[Piece, ...] = ()
_NOT_CAPTURED = (Piece("elsewhere", 0, 1),)


class Origins:
    """The external origins of a pool's devices.

    The device mapper's table has their numbers. LVM tells which volume that is and where it lies; without LVM
    any other device of the pool may have the number.
    """

    def __init__(self, case: Case) -> None:
        self._case = case
        self._external = answers.external_origins(case.text("table") if case.has("table") else "")
        report = json.loads(case.text("lvs")) if self._external and case.has("lvs") else None
        self._rows: list[dict[str, Any]] = answers.lvm_volumes(report) if report else []
        # A snapshot has the number of its origin's external origin, but the name of its origin.
        ids = {int(row["thin_id"]): row for row in self._rows if row["thin_id"] and self._own(row)}
        self._names = {
            number: ids[id_]["origin"]
            for id_, number in self._external.items()
            if id_ in ids and ids[id_]["origin"] not in {row["lv_name"] for row in ids.values()}
        }

    def _own(self, row: dict[str, Any]) -> bool:
        """Whether a volume is one that the pool's table has."""
        name = row["lv_dm_path"].rpartition("/")[2]
        return answers.thin_ids(self._case.text("table")).get(name) == int(row["thin_id"])

    @property
    def are_elsewhere(self) -> bool:
        """Whether anything is read that is not on the pool's own data device."""
        return bool(self._names)

    def of(self, device: int) -> list[Origin]:
        """What a device may read where it maps nothing."""
        number = self._external.get(device)
        if number is None:
            return [ZEROS]
        if number in self._names:
            return [self._lying(self._names[number])]
        if self._rows:
            return [_NOT_CAPTURED]
        return [id_ for id_ in self._case.truth.devices if id_ != device]

    def _lying(self, name: str) -> tuple[Piece, ...]:
        """Where LVM has a volume on the physical volume."""
        text = self._case.text("lvm_text") if self._case.has("lvm_text") else ""
        found = [re.search(rf"\b{word} = (\d+)", text) for word in ("pe_start", "extent_size")]
        rows = [row for row in self._rows if row["lv_name"] == name]
        if not all(found) or any(row["segtype"] != "linear" for row in rows):
            return _NOT_CAPTURED
        start, extent = (int(match[1]) * _SECTOR for match in found if match)
        return tuple(
            Piece(
                "pv",
                start + int(re.split("[:-]", row["seg_pe_ranges"])[1]) * extent,
                int(row["seg_size"].removesuffix("B")),
            )
            for row in sorted(rows, key=lambda row: int(row["seg_start"].removesuffix("B")))
        )
