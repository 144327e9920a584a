"""The pool's transaction id beside the one that its manager expects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thinscope.diagnosis.advice import Severity, Topic, advice
from thinscope.report.units import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thinscope.diagnosis.advice import Advice
    from thinscope.diagnosis.place import Place
    from thinscope.names import Names

__all__ = ["transaction"]

_COUNTING = ("docker", "containers-storage")
"""Managers that open a transaction for each device that they make or delete."""


def transaction(names: Names, transaction_id: int, place: Place) -> Iterator[Advice]:
    """Compare the transaction ids."""
    if names.manager == "lvm":
        yield from _of_lvm(names, transaction_id, place)
    elif names.manager in _COUNTING:
        yield from _of_docker(names, transaction_id)


def _of_lvm(names: Names, transaction_id: int, place: Place) -> Iterator[Advice]:
    expected = names.transaction_id
    if expected is None:
        if not names.records and names.upkeep.metadata_device:
            yield advice(
                Severity.FINE,
                Topic.TRANSACTION,
                "transaction-of-another",
                f"transaction {transaction_id}, and none in LVM's text: as it should be where "
                "another manager makes the devices, such as Docker or containerd",
                pool=transaction_id,
            )
        return
    numbers = {"recorded": expected, "pool": transaction_id}
    if not names.is_of(transaction_id):
        yield _mismatch(expected, transaction_id, place)
    elif names.is_pending:
        is_sent = expected == transaction_id
        yield advice(
            Severity.NOTE,
            Topic.TRANSACTION,
            "messages-waiting",
            "LVM's text has messages for the pool that it "
            + ("sent already, and has not yet struck out" if is_sent else "has not sent yet"),
            "a command was interrupted; LVM makes up for it when it next creates or removes a "
            "volume of the pool. No damage",
            **numbers,
        )
    else:
        yield advice(
            Severity.FINE,
            Topic.TRANSACTION,
            "transaction",
            f"transaction {transaction_id} in LVM's text, too",
            None,
            **numbers,
        )


def _mismatch(expected: int, transaction_id: int, place: Place) -> Advice:
    group = place.group
    is_text_newer = expected > transaction_id
    said = (
        f"LVM's text is at transaction {expected}, the pool at {transaction_id}: "
        f"the {'text' if is_text_newer else 'pool'} is newer by "
        f"{plural(abs(expected - transaction_id), 'transaction')}"
    )
    why = (
        "older metadata was put in place, or what was committed last was lost; volumes that the "
        "text has since then are not in the pool. Best is a newer copy of the metadata, such as "
        "one that LVM kept as _metaN"
        if is_text_newer
        else "an older text was put in place; volumes that the pool has since then are not in the "
        f"text. Best is a text of transaction {transaction_id}, from those that the first command lists"
    )
    file = f"{group}.vg"
    rest = (
        "take out the volumes that the pool has not"
        if is_text_newer
        else "keep in mind that the volumes it lacks stay in the pool without a name"
    )
    return advice(
        Severity.ATTENTION,
        Topic.TRANSACTION,
        "transaction-mismatch",
        said,
        f"if both were taken at the same time, LVM refuses to activate the pool: {why}. Else, with "
        f"copies of both: write {file}, set the pool's transaction_id in it to {transaction_id}, "
        f"{rest} (`thinscope orphans` tells which), and put it in place",
        ("vgcfgrestore", "--list", group),
        ("vgcfgbackup", "-f", file, group),
        ("vgcfgrestore", "--force", "-f", file, group),
        recorded=expected,
        pool=transaction_id,
    )


def _of_docker(names: Names, transaction_id: int) -> Iterator[Advice]:
    expected = names.transaction_id
    if expected is None:
        return
    numbers = {"recorded": expected, "pool": transaction_id}
    if expected == transaction_id:
        yield advice(
            Severity.FINE,
            Topic.TRANSACTION,
            "transaction",
            f"transaction {transaction_id} in the records of {names.manager}, too",
            None,
            **numbers,
        )
    elif expected == transaction_id + 1:
        yield advice(
            Severity.NOTE,
            Topic.TRANSACTION,
            "transaction-open",
            f"{names.manager} has transaction {expected} open: it was making or deleting a device",
            "it rolls back what it did not finish when it is next started. No damage",
            **numbers,
        )
    else:
        yield advice(
            Severity.NOTE,
            Topic.TRANSACTION,
            "records-of-another-time",
            f"the records of {names.manager} are of transaction {expected}, the pool is at "
            f"{transaction_id}",
            "records and metadata were not copied at the same time, or one of them was put back: "
            "names may be out of date. It opens a transaction for every device that it makes or "
            "tries to delete, so one or two mean nothing",
            **numbers,
        )
