"""Where thinscope differs from thin-provisioning-tools on purpose, and what it does instead."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

from . import models
from .asked import UNDER_FULL, UNKNOWN_DEVICE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from .peer import Run
    from .reader import Image

MOST_METADATA = b"33292800 sectors\n"
"""4,161,600 blocks, as many as a metadata space map can count."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Runs that end otherwise, and why."""

    reason: str
    is_it: Callable[[Run], bool]
    code: int
    stdout: bytes | Literal["peer", "well-filled"]
    """What the peer says, here or of the pool `WELL_FILLED`."""


@dataclass(frozen=True, slots=True)
class Defect:
    """Runs whose output has a defect that a model has as well: then it differs in nothing else."""

    reason: str
    is_it: Callable[[Run], bool]
    model: Callable[[Run, Image], str]
    """What should be said."""
    defective_model: Callable[[Run, Image], str]
    """What the peer says."""


_SHALLOW = frozenset({"--skip-mappings", "--super-block-only"})

_UNSEEN: dict[str, tuple[Collection[str], Collection[str]]] = {
    "what is wrong with the superblock beside its checksum is damage; the peer goes by it": (
        (),
        (
            *("superblock-magic", "superblock-number", "superblock-version"),
            *("superblock-incompatible", "data-block-size", "metadata-block-size"),
            "data-allocated-beyond",
            *("metadata-allocated-beyond", "mapping-root-nowhere", "details-root-nowhere"),
            *("data-bitmap-root-nowhere", "data-ref-count-root-nowhere"),
            *("metadata-bitmap-root-nowhere", "metadata-ref-count-root-nowhere"),
            "held-root-nowhere",
        ),
    ),
    "metadata that goes on behind the end of the file is damage; the peer reads as far as it has to": (
        {"--super-block-only"},
        (
            *("more-metadata-than-the-file", "truncated-behind-what-is-used"),
            "truncated-within-what-is-used",
        ),
    ),
    "a broken copy of the superblock is told at once; the peer forgets it, or goes by it": (
        {"--super-block-only"},
        (
            *("held-root-elsewhere", "held-copy-checksum", "held-copy-in-anothers-place"),
            *("held-mapping-root-nowhere", "held-details-tree"),
        ),
    ),
    "the same where the copy alone is looked at": (
        {"--clear-needs-check-flag", "--skip-mappings"},
        {"held-copy-in-anothers-place -m", "held-mapping-root-nowhere -m"},
    ),
    "a mapping beyond the data device is damage; the peer takes it for a leak": (
        _SHALLOW,
        {"leaf-data-block-walkthrough-b"},
    ),
    "what bitmaps, index and overflow tree say has to fit; the peer reads over it": (
        _SHALLOW,
        {
            *("metadata-bitmap-number", "bits-behind-the-end", "index-entry-of-no-bitmap"),
            "overflow-entry-missing",
        },
    ),
}
"""Damage that the peer does not see, or not always, by what is different: with which words we do
not see it either, and the recipes."""


def _is_unseen(run: Run, words: Collection[str], recipes: Collection[str]) -> bool:
    recipe = run.pool.removeprefix("hurt-")
    if "-m" in run.arguments and f"{recipe} -m" in recipes:
        return run.code == 0
    return run.code == 0 and recipe in recipes and not set(words) & set(run.arguments)


def _is_check(run: Run) -> bool:
    return run.tool == "thin_check"


DIFFERENCES = (
    Difference(
        "what would be written is refused; the peer writes",
        lambda run: run.changed,
        64,
        "peer",
    ),
    Difference(
        "the flag needs_check is left alone; the peer tries to clear it, though it may not write",
        lambda run: (
            _is_check(run)
            and "--skip-mappings" in run.arguments
            and "--clear-needs-check-flag" not in run.arguments
            and "Bad file descriptor" in (run.stderr.text or "")
        ),
        0,
        "peer",
    ),
    Difference(
        "a node that is less than a third full is no damage",
        lambda run: _is_check(run) and run.pool == UNDER_FULL and "-m" not in run.arguments,
        0,
        "peer",
    ),
    Difference(
        "a sum that goes below zero is 0, and damage; the peer's wraps around",
        lambda run: run.pool == "hurt-metadata-allocated-beyond" and "-q" not in run.arguments,
        64,
        b"TRANSACTION_ID=0\nMETADATA_FREE_BLOCKS=0\n",
    ),
    *(
        Difference(reason, partial(_is_unseen, words=words, recipes=recipes), 64, "peer")
        for reason, (words, recipes) in _UNSEEN.items()
    ),
    Difference(
        "an output that fails is an error like any other; the peer panics",
        lambda run: _is_check(run) and run.to != "captured" and "-q" not in run.arguments,
        64,
        b"",
    ),
    Difference(
        "a device that is asked for and not there is an error; the peer leaves it out in silence",
        lambda run: run.tool == "thin_dump" and str(UNKNOWN_DEVICE) in run.arguments,
        64,
        b"",
    ),
    Difference(
        "the block of a metadata snapshot that is not the held one is an error; the peer ignores it",
        lambda run: (
            any(word.startswith(("-m=", "--metadata-snap=")) for word in run.arguments)
            and run.code == 0
        ),
        64,
        b"",
    ),
    Difference(
        "a node that is less than a third full is read, as by the kernel; the peer rejects it",
        lambda run: run.pool == UNDER_FULL and run.tool != "thin_check",
        0,
        "well-filled",
    ),
    Difference(
        "a huge number of thins needs the most metadata that can be; the peer's sum wraps around",
        lambda run: run.tool == "thin_metadata_size" and run.arguments[-1:] == (str(2**64 - 1),),
        0,
        MOST_METADATA,
    ),
    Difference(
        "an output that fails is an error; the peer loses what it could not write, and says nothing",
        lambda run: run.tool in {"thin_delta", "thin_rmap"} and run.to != "captured",
        64,
        b"",
    ),
    Difference(
        "an output that fails is an error like any other; the peer panics",
        lambda run: run.tool == "thin_metadata_size" and run.to != "captured",
        64,
        b"",
    ),
)


def _reverse_map(run: Run, image: Image, *, loses_sharers: bool = False) -> str:
    regions = [tuple(map(int, word.split(".."))) for word in run.arguments if ".." in word]
    return models.reverse_map(
        image, [range(*region) for region in regions], loses_sharers=loses_sharers
    )


def _verbose(run: Run, image: Image, *, over_breaks: bool = False) -> str:
    left, right = (int(word) for word in run.arguments if word.isdecimal())
    in_snapshot = "-m" in run.arguments
    return models.verbose_delta(
        image, (left, right), in_snapshot=in_snapshot, over_breaks=over_breaks
    )


DEFECTS = (
    Defect(
        "all devices that share a block are told; the peer tells each node's mappings of one device",
        lambda run: run.tool == "thin_rmap" and run.code == 0 and run.to == "captured",
        _reverse_map,
        partial(_reverse_map, loses_sharers=True),
    ),
    Defect(
        "a range ends where the data does not go on; the peer's goes on, with wrong data blocks",
        lambda run: "--verbose" in run.arguments and run.code == 0 and run.to == "captured",
        _verbose,
        partial(_verbose, over_breaks=True),
    ),
)


def defect(run: Run) -> Defect | None:
    """The defect that a run may show, if there is one."""
    return next((each for each in DEFECTS if each.is_it(run)), None)


def difference(run: Run) -> Difference | None:
    """The difference that a run is about, if it is about one."""
    return next((each for each in DIFFERENCES if each.is_it(run)), None)
