"""``thinscope thin_check``: whether the metadata is whole, as one number."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

import thinscope
from thinscope.cli.failure import Failure
from thinscope.cli.output import Output
from thinscope.cli.peers.command import peer_command
from thinscope.cli.peers.failures import BAD_CHECKSUM
from thinscope.cli.peers.words import HIDDEN, Option, Unsigned
from thinscope.cli.progress import ProgressBar
from thinscope.cli.streams import tell, tell_may_be_stale
from thinscope.report.units import plural

if TYPE_CHECKING:
    from thinscope import Check, Finding
    from thinscope.checking import Depth

__all__ = ["command"]

_OVERRIDES = ("override_mapping_root", "override_details_root")
_NOT_WITH_REPAIR = (
    "ignore_non_fatal_errors",
    "metadata_snap",
    *_OVERRIDES,
    "super_block_only",
    "skip_mappings",
)
_NOT_WITH_CLEAR = ("metadata_snap", *_OVERRIDES)
_WRITING = ("auto_repair",)
_BOTH = ("auto_repair", "clear_needs_check_flag")

_UNHEEDED = frozenset(
    {
        "allocated-count",
        "device-time",
        "device-transaction",
        "free-count",
        "free-hint",
        "mapping-time",
        "needs-check",
        "time-limit",
        "unknown-features",
    }
)
"""Findings that thin_check does not look for; `thinscope check` tells them."""

_OF_THE_FILE = "metadata space map's nr_blocks"
"""A field of the superblock that cannot be wrong by itself: there may be more blocks than in the file."""

_NON_FATAL = frozenset({"data-leaked", "metadata-leaked"})
"""Leaks. Where a block is counted more than once and not in use at all, they are fatal."""

_OPTIONS = [
    Option(
        ["--auto-repair"],
        conflicts_with=_NOT_WITH_REPAIR,
        help="Refused where there is something to repair: nothing is ever written.",
    ),
    Option(
        ["--clear-needs-check-flag"],
        conflicts_with=_NOT_WITH_CLEAR,
        help="Refused where the flag is set or blocks are leaked: nothing is ever written.",
    ),
    Option(
        ["--ignore-non-fatal-errors"],
        conflicts_with=_WRITING,
        help="End with 0 where blocks are leaked and nothing else is wrong.",
    ),
    Option(
        ["-m", "--metadata-snap"],
        conflicts_with=_BOTH,
        help="Check the trees of the held metadata snapshot, also of a pool in use.",
    ),
    Option(
        ["--override-mapping-root"],
        metavar="BLOCKNR",
        convert=Unsigned(64),
        conflicts_with=_BOTH,
        help="Take this block for the root of the top-level tree.",
    ),
    Option(
        ["--override-details-root"],
        metavar="BLOCKNR",
        convert=Unsigned(64),
        conflicts_with=_BOTH,
        help="Take this block for the root of the details tree.",
    ),
    Option(["-q", "--quiet"], help="Print nothing; the exit status tells."),
    Option(
        ["--skip-mappings"],
        conflicts_with=_WRITING,
        help="Check the superblock and the trees that list the devices, no mapping, no space map.",
    ),
    Option(
        ["--super-block-only"],
        conflicts_with=_WRITING,
        help="Check the superblock alone.",
    ),
    *HIDDEN,
]


@peer_command(
    "thin_check",
    _OPTIONS,
    """\
  thinscope thin_check tmeta.bin
  thinscope thin_check -q --ignore-non-fatal-errors tmeta.bin && echo whole
  thinscope thin_check /dev/mapper/vg-pool_tmeta -m
""",
)
def command(  # noqa: PLR0913 - the options of thin_check
    source: str,
    *,
    auto_repair: bool,
    clear_needs_check_flag: bool,
    ignore_non_fatal_errors: bool,
    metadata_snap: bool,
    override_details_root: int | None,
    override_mapping_root: int | None,
    quiet: bool,
    skip_mappings: bool,
    super_block_only: bool,
    **_ignored: object,
) -> None:
    """Check the metadata of a pool; the exit status is 0 if it is whole, else 64.

    "thinscope check" tells more, by name, and looks for more. INPUT is the metadata of a pool: a
    metadata device, or a copy of one, also packed.
    """
    output = Output()
    depth: Depth = "superblock" if super_block_only else "devices" if skip_mappings else "all"
    with ProgressBar(is_wanted=not quiet) as progress:
        check = thinscope.check(
            source,
            metadata_snapshot=metadata_snap,
            depth=depth,
            mapping_root=override_mapping_root,
            details_root=override_details_root,
            progress=progress,
        )
    found = [each for each in check.findings if each.code not in _UNHEEDED]
    if super_block_only:
        found = [each for each in found if each.field != _OF_THE_FILE]
    # Where there is no whole superblock to begin with, nothing is printed.
    first = "metadata-snapshot" if metadata_snap else "superblock"
    is_whole = all(each.field != "csum" for each in found if each.code in {"superblock", first})
    if not quiet and is_whole and check.transaction_id is not None:
        lines = (
            f"TRANSACTION_ID={check.transaction_id}\n",
            f"METADATA_FREE_BLOCKS={check.metadata_free_blocks}\n",
        )
        output.write(lines, before=progress.close)
    if not quiet:
        _tell(check, found)
    if any(map(_is_fatal, found)):
        message = "the metadata is damaged" if is_whole else BAD_CHECKSUM
        raise Failure(message, "`thinscope check` tells by name what is hit")
    if auto_repair or clear_needs_check_flag:
        # Either takes leaks away there, and clears the flag.
        if found or any(each.code == "needs-check" for each in check.findings):
            _refuse("--auto-repair" if auto_repair else "--clear-needs-check-flag")
    elif found and not ignore_non_fatal_errors:
        raise Failure("the metadata has leaks", "they cost space, and harm nothing")


def _is_fatal(finding: Finding) -> bool:
    return finding.code not in _NON_FATAL or finding.found != "1"


def _tell(check: Check, found: list[Finding]) -> None:
    for finding in found:
        tell(finding.message)
        for each in finding.affected:
            if finding.loses_mappings and each.mapped_blocks is not None:
                tell(f"device {each.device} is missing {plural(each.mapped_blocks, 'mapping')}")
    if check.may_be_stale:
        tell_may_be_stale()


def _refuse(option: str) -> NoReturn:
    hint = "thin_check of thin-provisioning-tools does, on a device that nothing uses"
    sys.stdout.flush()
    raise Failure(f"{option} would write, and thinscope never does", hint)
