"""Command lines that are wrong or nearly so, files that are no pool, outputs that fail, and sizes to compute."""

from __future__ import annotations

import itertools
import shlex
from typing import TYPE_CHECKING

from .asked import OUT, POOL, Stdout

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECK_CONFLICTS = {
    "--auto-repair": (
        "--ignore-non-fatal-errors",
        "-m",
        "--override-mapping-root 5",
        "--override-details-root 5",
        "--super-block-only",
        "--skip-mappings",
    ),
    "--clear-needs-check-flag": ("-m", "--override-mapping-root 5", "--override-details-root 5"),
}
"""Options of ``thin_check`` that cannot go with others."""

NO_POOLS = (
    *("none", "folder", "empty", "short", "noise-4k", "noise-1m", "zeros"),
    *("short.xml", "long.xml", "", "/dev/null", "folder/none", f"{POOL}/none"),
)

DUMPS = (
    "",
    f"{POOL} {POOL}",
    f"{POOL} other third",
    f"--foo {POOL}",
    f"--foo=1 {POOL}",
    f"-x {POOL}",
    f"-qx {POOL}",
    f"-qm {POOL}",
    f"-mq {POOL}",
    f"-- {POOL}",
    f"-- {POOL} -q",
    "-- -q",
    f"-f foo {POOL}",
    f"-f XML {POOL}",
    f"-f '' {POOL}",
    f"--format= {POOL}",
    f"--format=xml {POOL}",
    f"-f=xml {POOL}",
    f"-f xml -f xml {POOL}",
    f"-f xml --format human_readable {POOL}",
    f"--form xml {POOL}",
    f"--formats xml {POOL}",
    f"{POOL} -f",
    "-f",
    f"-o {POOL}",
    f"{POOL} -o",
    f"-o {OUT} -o {OUT} {POOL}",
    f"-o '' {POOL}",
    f"-o folder {POOL}",
    f"-o none/{OUT} {POOL}",
    f"-o /dev/full {POOL}",
    f"-o /dev/null {POOL}",
    f"-q -q {POOL}",
    f"-qq {POOL}",
    f"--quiet=yes {POOL}",
    f"--quiet= {POOL}",
    f"--skip-mappings --skip-mappings {POOL}",
    f"--skip-mapping {POOL}",
    f"--skipmappings {POOL}",
    f"-m -m {POOL}",
    f"-m=1 --metadata-snap {POOL}",
    f"-m 7 {POOL}",
    f"-m7 {POOL}",
    f"-m=abc {POOL}",
    f"-m= {POOL}",
    f"-m=-1 {POOL}",
    f"-m=18446744073709551616 {POOL}",
    f"--metadata-snap=x {POOL}",
    f"--metadata-snapshot {POOL}",
    f"-r -m {POOL}",
    f"-m -r {POOL}",
    f"-m=3 --repair {POOL}",
    "-r -m",
    f"-r -r {POOL}",
    f"-r -r -m {POOL}",
    f"--dev-id x {POOL}",
    f"--dev-id '' {POOL}",
    f"--dev-id -1 {POOL}",
    f"--dev-id=-1 {POOL}",
    f"--dev-id 1.5 {POOL}",
    f"--dev-id 0x1 {POOL}",
    f"--dev-id +1 --skip-mappings {POOL}",
    f"--dev-id ' 1' {POOL}",
    f"--dev-id 1,2 {POOL}",
    f"--dev-id 18446744073709551616 {POOL}",
    "--dev-id",
    f"--dev-id {POOL}",
    f"--transaction-id x {POOL}",
    f"--transaction-id -1 {POOL}",
    f"--transaction-id 1 --transaction-id 2 {POOL}",
    f"--transaction-id 18446744073709551615 --skip-mappings {POOL}",
    f"--transaction-id 18446744073709551616 {POOL}",
    f"--nr-data-blocks x {POOL}",
    f"--nr-data-blocks 1 --nr-data-blocks 1 {POOL}",
    f"--nr-data-blocks 18446744073709551615 --skip-mappings {POOL}",
    f"--data-block-size x {POOL}",
    f"--data-block-size 0 --skip-mappings {POOL}",
    f"--data-block-size 4294967295 --skip-mappings {POOL}",
    f"--data-block-size 4294967296 {POOL}",
    f"--data-block-size 128 --data-block-size 128 {POOL}",
    f"-V {POOL}",
    "-V -q",
    f"--version --skip-mappings {POOL}",
    "-VV",
    f"--io-engine foo {POOL}",
    f"--io-engine sync --skip-mappings {POOL}",
    f"--io-engine sync --io-engine sync {POOL}",
    "--foo",
    "--foo --bar",
    f"--dev-id x --foo {POOL}",
    f"-f foo -f foo {POOL}",
    f"-f foo --dev-id x {POOL}",
    f"{POOL} {POOL} --foo",
    f"--dev-id=x --foo {POOL}",
    f"-ffoo --foo {POOL}",
    f"-f foo --foo {POOL}",
    f"--format=xml --format= {POOL}",
    f"--transaction-id=1 --transaction-id=x {POOL}",
    f"-o --foo {POOL}",
    *(f"--{slip} {POOL}" for slip in ("skip", "dev", "verbose", "output-file", "metadata", "xml")),
    f"{POOL}/ -q -q",
    f"-o newfile/ {POOL}",
    f"-o loop {POOL}",
    f"-q none {POOL}",
    "-q none",
    "-q folder",
    "-q noise-1m",
    f"-q -m {POOL}",
    "-m none",
    "-m noise-1m",
    "-f human_readable noise-1m",
    "--skip-mappings noise-1m",
    f"-o {OUT} noise-1m",
    f"-o {OUT} none",
)

LISTS = (
    "",
    f"{POOL} {POOL}",
    f"--foo {POOL}",
    f"-x {POOL}",
    f"-q {POOL}",
    f"-f DEV {POOL}",
    f"-mo DEV {POOL}",
    f"-- {POOL}",
    "-- -m",
    f"-o '' {POOL}",
    f"-o dev {POOL}",
    f"-o FOO {POOL}",
    f"-o DEV, {POOL}",
    f"-o ,DEV {POOL}",
    f"-o DEV,,DEV {POOL}",
    f"-o 'DEV, MAPPED' {POOL}",
    f"-o DEV,FOO,BAR {POOL}",
    f"-o DEV -o DEV {POOL}",
    f"-o=DEV {POOL}",
    f"--format=DEV {POOL}",
    f"--format= {POOL}",
    f"-o DEV --format DEV {POOL}",
    f"{POOL} -o",
    f"-o {POOL}",
    f"--no-headers --no-headers {POOL}",
    f"--no-headers=1 {POOL}",
    f"--no-header {POOL}",
    f"--headers {POOL}",
    f"-m -m {POOL}",
    f"-m=5 {POOL}",
    f"-m5 {POOL}",
    f"--metadata-snap=5 {POOL}",
    f"--metadata-snapshot {POOL}",
    f"-m 5 {POOL}",
    f"-V {POOL}",
    "-V -m",
    f"--io-engine foo {POOL}",
    f"--io-engine sync -o DEV {POOL}",
    "--foo",
    f"-o FOO --foo {POOL}",
    f"-oFOO --foo {POOL}",
    f"--no-head {POOL}",
    "-m noise-1m",
    "-m none",
    "-o DEV noise-1m",
)

DELTAS = (
    "",
    POOL,
    f"--thin1 0 {POOL}",
    f"--thin2 0 {POOL}",
    f"--thin1 7 --thin2 13 {POOL} {POOL}",
    "--thin1 7 --thin2 13",
    f"--thin1 1 --root1 5 --thin2 2 {POOL}",
    f"--root2 1 --thin2 1 {POOL}",
    f"--snap1 1 --root1 1 {POOL}",
    f"--thin1 7 --thin2 13 --root1 1 --root2 2 {POOL}",
    f"--thin1 1 --thin1 7 --thin2 13 {POOL}",
    f"--thin1 1 --snap1 1 --thin2 2 {POOL}",
    f"--verbose --verbose {POOL}",
    f"--root1 0 --root2 1 {POOL}",
    f"--root1 99999999 --root2 1 {POOL}",
    f"--root1 4294967296 --root2 1 {POOL}",
    f"--root1 x --thin2 1 {POOL}",
    f"--thin1 x --thin2 1 {POOL}",
    f"--snap1 x {POOL}",
    f"--thin1 '' {POOL}",
    f"--thin1 -1 {POOL}",
    f"--thin1 99999999999 --thin2 1 {POOL}",
    f"--thin1 18446744073709551616 --thin2 1 {POOL}",
    "--thin1",
    f"{POOL} --snap1",
    f"-v --thin1 7 --thin2 13 {POOL}",
    f"-q {POOL}",
    f"-x {POOL}",
    f"-mm {POOL}",
    f"-m=1 {POOL}",
    f"-m -m {POOL}",
    f"--metadata-snap=1 {POOL}",
    *(f"--{slip} {POOL}" for slip in ("foo", "thi", "snap", "root", "thin3", "verbos", "metadata")),
    *(f"{given} 1 --thi 1 {POOL}" for given in ("--thin1", "--thin2", "--root2", "--verbose -m")),
    f"--root1 1 --verbos {POOL}",
    f"--thin1 1 --verbose=1 {POOL}",
    f"--thin1 1 --metadata-snapshot --thin2 1 {POOL}",
    f"--thin1 1 --foo {POOL}",
    f"--thin1 1 -x {POOL}",
    "-V -m",
    f"--thin1 1 --version {POOL}",
    f"--io-engine foo --thin1 7 --thin2 13 {POOL}",
    f"-- {POOL}",
    "-m --thin1 1 --thin2 1 none",
    "--thin1 1 --thin2 1 noise-1m",
)

MAPS = (
    "",
    POOL,
    "--region",
    "--region 0..5",
    f"--region {POOL}",
    *(
        f"--region '{region}' {POOL}"
        for region in (
            *("0", "5..5", "6..5", "5..x", "x..5", "..", "5..", "..5", "1..2..3", "1...3", "-1..3"),
            *("", " 1..3", "3..2..1", "1..x..1", "x", "1..2..x", "x..y", "1,2", "0..1.5", "0-5"),
            *("9..99999999999999999999", "99999999999..9999999999999999999", "+1000000..2000000"),
        )
    ),
    f"--region 5..5 --region 6..7 {POOL}",
    f"--region 6..7 --region 5..5 {POOL}",
    f"--region 5..5 --foo {POOL}",
    f"--region=5..5 --foo {POOL}",
    f"--region 6..7 --foo {POOL}",
    f"--region 6..7 --reg 5 {POOL}",
    f"--region 6..7 {POOL} {POOL}",
    f"--region 6..7 8..9 {POOL}",
    f"-m --region 0..5 {POOL}",
    f"-v --region 0..5 {POOL}",
    f"-q --region 0..5 {POOL}",
    *(f"--{slip} 0..5 {POOL}" for slip in ("foo", "regio", "regions", "range")),
    "--foo",
    f"-V {POOL}",
    "--version --region 0..1",
    f"--io-engine foo --region 0..1 {POOL}",
    "--region 0..1 none",
    "--region 0..1 noise-1m",
)

CHECKS = (
    "",
    f"{POOL} {POOL}",
    f"{POOL} other third",
    f"--foo {POOL}",
    f"--foo=1 {POOL}",
    f"-x {POOL}",
    f"-qx {POOL}",
    f"-qm {POOL}",
    f"-mq {POOL}",
    f"-- {POOL}",
    "-- -q",
    f"-v {POOL}",
    f"-vv -q {POOL}",
    f"-q -q {POOL}",
    f"-qq {POOL}",
    f"--quiet=yes {POOL}",
    f"-m -m {POOL}",
    f"-m=1 {POOL}",
    f"-m 1 {POOL}",
    f"--metadata-snap=1 {POOL}",
    f"--metadata-snapshot {POOL}",
    f"--skip-mappings --skip-mappings {POOL}",
    f"--skip-mappings --super-block-only {POOL}",
    f"--super-block-only --super-block-only {POOL}",
    f"--super-block-only=1 {POOL}",
    f"--ignore-non-fatal-errors --skip-mappings {POOL}",
    f"--ignore-non-fatal-errors --super-block-only {POOL}",
    f"--auto-repair --auto-repair {POOL}",
    f"--auto-repair=1 {POOL}",
    f"--auto-repair --clear-needs-check-flag {POOL}",
    f"--auto-repair --clear-needs-check-flag --foo {POOL}",
    *(
        f"{first} {second} {POOL}"
        for one, others in CHECK_CONFLICTS.items()
        for other in others
        for first, second in ((one, other), (other, one))
    ),
    *(f"{one} {' '.join(others)} {POOL}" for one, others in CHECK_CONFLICTS.items()),
    *(f"{' '.join(others[:2])} {one} {POOL}" for one, others in CHECK_CONFLICTS.items()),
    f"--auto-repair --clear-needs-check-flag -m {POOL}",
    "--auto-repair -m",
    f"--auto-repair -m --foo {POOL}",
    f"--auto-repair -m {POOL} {POOL}",
    f"--auto-repair -m -q {POOL}",
    f"-q --auto-repair --skip-mappings {POOL}",
    *(
        f"{option} {number} {POOL}"
        for option in ("--override-mapping-root", "--override-details-root")
        for number in (
            *("0", "1", "26", "27", "999", "4294967295", "4294967296", "18446744073709551615"),
            *("18446744073709551616", "x", "''", "-1", "+1", "1.5", "0x1", "--foo"),
        )
    ),
    "--override-mapping-root",
    f"--override-details-root {POOL}",
    f"--override-mapping-root=5 --super-block-only {POOL}",
    f"--override-mapping-root 5 --override-mapping-root 5 {POOL}",
    f"--override-mapping-root 5 --override-details-root 6 -m {POOL}",
    f"--override-mapping-root x --foo {POOL}",
    "--foo",
    "--foo --bar",
    *(
        f"--{slip} {POOL}"
        for slip in (
            *("skip", "auto", "repair", "clear", "clear-needs-check", "ignore-non-fatal"),
            *("override", "override-root", "superblock-only", "super-block", "quie", "verbose"),
        )
    ),
    *(f"-q --{slip} {POOL}" for slip in ("auto-repai", "metadata", "super-block-onl")),
    f"-V {POOL}",
    "-V -q",
    f"--version --skip-mappings {POOL}",
    f"--io-engine foo {POOL}",
    f"--io-engine sync {POOL}",
    f"--io-engine sync --io-engine sync {POOL}",
    f"{POOL}/ -q -q",
    "-q none",
    "-q folder",
    "-q noise-1m",
    "-m noise-1m",
    "--super-block-only noise-1m",
    "--skip-mappings none",
    "--auto-repair noise-1m",
    "--clear-needs-check-flag none",
)

SIZES_WRONG = (
    "",
    "-b 64k",
    "-b 64k -s 1t",
    "-s 1t",
    "-m 1",
    "-s 1t -m 1",
    "-b 64k -m 1",
    "pool",
    "-b x pool",
    "-bx pool",
    *(f"-b 64k --{slip}=1" for slip in ("pool", "max", "numeric", "blocksize", "sizes")),
    "-b 64k -s 1t -m 1 pool",
    "-b 64k -s 1t -m 1 --foo",
    "-b 64k -s 1t -m 1 -x",
    "-b 64k -b 64k -s 1t -m 1",
    "-b 64k -s 1t -s 1t -m 1",
    "-b 64k -s 1t -m 1 -m 1",
    "-b 64k -s 1t -m 1 -u k -u k",
    "-b 64k -s 1t -m 1 -n -n",
    "-b 64k -s 1t -m 1 -u",
    "-b 64k -s 1t -m",
    "-b -s 1t -m 1",
    "-b 64k -s 1t -m 1 -u foo",
    "-b 64k -s 1t -m 1 -u ''",
    "-b 64k -s 1t -m 1 -u kk",
    "-b 64k -s 1t -m 1 -nlong",
    "-b 64k -s 1t -m 1 -n long",
    "-b 64k -s 1t -m 1 -n=foo",
    "-b 64k -s 1t -m 1 -n=",
    "-b 64k -s 1t -m 1 --numeric-only=foo",
    "-b 64k -s 1t -m x",
    "-b 64k -s 1t -m 1M",
    "-b 64k -s 1t -m -1",
    "-b 64k -s 1t -m 1.5",
    "-b 64k -s 1t -m 18446744073709551616",
    "-b '' -s 1t -m 1",
    "-b x -s 1t -m 1",
    "-b k -s 1t -m 1",
    "-b 64x -s 1t -m 1",
    "-b '64 k' -s 1t -m 1",
    "-b -64k -s 1t -m 1",
    "-b 64.5k -s 1t -m 1",
    "-b 99999999999999999999 -s 1t -m 1",
    "-b 18446744073709551615 -s 1t -m 1",
    "-b 64k -s 16e -m 1",
    "-b 64k -s 18446744073709551616b -m 1",
    "-b 64k -s 1.5t -m 1",
    "-b 64k -s '' -m 1",
    "-b 0 -s 1t -m 1",
    "-b 1b -s 1t -m 1",
    "-b 65k -s 1t -m 1",
    "-b 96k -s 1t -m 1",
    "-b 64K -s 1t -m 1",
    "-b 2g -s 1t -m 1",
    "-b 1025m -s 1t -m 1",
    "-b 3t -s 1t -m 1",
    "-b 1g -s 1m -m 1",
    "-b 64k -s 0 -m 1",
    "-b 64k -s 63k -m 1",
    "-V -b 64k",
)

SIZES_EDGE = (
    "-b 64k -s 64k -m 1",
    "-b 64k -s 64k -m 0",
    "-b 64k -s 129 -m 1",
    "-b 1g -s 1g -m 1",
    "-b 1g -s 15e -m 1",
    "-b 64k -s 15e -m 1",
    "-b 64k -s 1000000000000 -m 1",
    "-b 64k -s 1t -m 18446744073709551615",
    "-b 64k -s 1t -m 18446744073708551615",
    "-b 64k -s 1t -m +5",
    "-b +64k -s 1t -m 5",
    "-b 064k -s 01t -m 007",
    "--block-size=64k --pool-size=1t --max-thins=5 --unit=m --numeric-only=long",
    "-b64k -s1t -m5 -um",
    "-n -m 5 -s 1t -b 64k",
)


def commands() -> Iterator[tuple[str, tuple[str, ...], Stdout]]:
    """Tool, words, and where stdout goes; in the folder that holds `asked.write_odd_files`."""
    lines = dict.fromkeys(itertools.chain(_odd_files(), _sizes()))
    yield from ((tool, tuple(shlex.split(line)), to) for tool, line, to in lines)


def _odd_files() -> Iterator[tuple[str, str, Stdout]]:
    for tool, lines in (("thin_dump", DUMPS), ("thin_ls", LISTS), ("thin_check", CHECKS)):
        yield from ((tool, line, "captured") for line in lines)
        yield from ((tool, f"'{name}'", "captured") for name in NO_POOLS)
        yield tool, POOL, "full"
        yield tool, POOL, "closed"
    for tool, lines, words in (
        ("thin_delta", DELTAS, "--thin1 7 --thin2 13"),
        ("thin_rmap", MAPS, "--region 0..9"),
    ):
        yield from ((tool, line, "captured") for line in lines)
        yield from ((tool, f"{words} '{name}'", "captured") for name in NO_POOLS)
        yield from ((tool, f"{words} {POOL}", to) for to in ("captured", "full", "closed"))
    yield "thin_dump", f"--skip-mappings {POOL}", "full"
    yield "thin_dump", f"-f human_readable {POOL}", "full"
    yield "thin_dump", f"-o {OUT} {POOL}", "full"
    yield "thin_dump", f"-f human_readable {POOL}", "closed"
    yield "thin_ls", f"-o DEV {POOL}", "full"
    yield "thin_check", f"-q {POOL}", "full"
    yield "thin_check", f"-q {POOL}", "closed"
    yield "thin_check", f"--super-block-only {POOL}", "full"


def _sizes() -> Iterator[tuple[str, str, Stdout]]:
    for line in itertools.chain(_grid(), _units(), SIZES_EDGE, SIZES_WRONG):
        yield "thin_metadata_size", line, "captured"
    yield "thin_metadata_size", "-b 64k -s 1t -m 1", "full"
    yield "thin_metadata_size", "-b 64k -s 1t -m 1", "closed"


def _grid() -> Iterator[str]:
    blocks = ("64k", "128", "192k", "64KiB", "1m", "4m", "512m", "1g")
    pools = ("1g", "10g", "1t", "20T", "3p", "10000000")
    for block, pool, thins in itertools.product(blocks, pools, ("1", "1000", "5000000")):
        yield f"-b {block} -s {pool} -m {thins}"


def _units() -> Iterator[str]:
    units = list("bskmgtpeBSKMGTPE")
    words = "byte bytes sector sectors kilobyte kibibyte kibibytes mebibyte gibibyte tebibyte"
    words += " megabyte gigabyte terabyte petabyte exabyte pebibyte exbibyte"
    words += " kB KB KiB kib Kib MB MiB GB GiB TB TiB PB PiB EB EiB"
    for unit in [*units, *words.split()]:
        yield f"-b 64k -s 1t -m 10 -u {unit}"
        yield f"-b 1m -s 9000{unit} -m 1"
        yield f"-b 65536{unit} -s 1t -m 1"
    for unit, form in itertools.product(units[:12], ("-n", "-n=short", "-n=long")):
        yield f"-b 128k -s 100t -m 1234 -u {unit} {form}"
    for size, unit in itertools.product(("100g", "1t", "1p"), "bskmgKMG"):
        yield f"-b 256k -s {size} -m 100 --unit {unit}"
