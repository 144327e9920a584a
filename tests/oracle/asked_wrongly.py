"""Command lines that are wrong or nearly so, files that are no pool, outputs that fail, and sizes to compute."""

from __future__ import annotations

import itertools
import shlex
from typing import TYPE_CHECKING

from .asked import OUT, POOL, Stdout

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    for tool, lines in (("thin_dump", DUMPS), ("thin_ls", LISTS)):
        yield from ((tool, line, "captured") for line in lines)
        yield from ((tool, f"'{name}'", "captured") for name in NO_POOLS)
        yield tool, POOL, "full"
        yield tool, POOL, "closed"
    yield "thin_dump", f"--skip-mappings {POOL}", "full"
    yield "thin_dump", f"-f human_readable {POOL}", "full"
    yield "thin_dump", f"-o {OUT} {POOL}", "full"
    yield "thin_dump", f"-f human_readable {POOL}", "closed"
    yield "thin_ls", f"-o DEV {POOL}", "full"


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
