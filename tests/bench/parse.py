"""The mappings of a pool as a data frame without thinscope: the peer's dump, parsed as plain Python does it.

python -m tests.bench.parse THIN_DUMP...
"""

from __future__ import annotations

import resource
import subprocess
import sys
from xml.parsers import expat

import polars

MOST = 6 << 30
"""Bytes of memory that it may take: it holds all rows as Python's numbers."""

COLUMNS = ("device", "virtual_begin", "data_begin", "length", "time")


class Rows:
    """The columns, filled element by element; what devices share is put in where it is referred to."""

    def __init__(self) -> None:
        self.columns: tuple[list[int], ...] = ([], [], [], [], [])
        self.shared: dict[str, list[tuple[int, int, int, int]]] = {}
        self.open: list[tuple[int, int, int, int]] | None = None
        self.device = 0

    def start(self, name: str, words: dict[str, str]) -> None:
        """Take an element."""
        if name == "range_mapping":
            self.put(
                (
                    int(words["origin_begin"]),
                    int(words["data_begin"]),
                    int(words["length"]),
                    int(words["time"]),
                )
            )
        elif name == "single_mapping":
            self.put((int(words["origin_block"]), int(words["data_block"]), 1, int(words["time"])))
        elif name == "device":
            self.device, self.open = int(words["dev_id"]), None
        elif name == "def":
            self.open = self.shared.setdefault(words["name"], [])
        elif name == "ref":
            for run in self.shared[words["name"]]:
                self.put(run)

    def put(self, run: tuple[int, int, int, int]) -> None:
        """Take a run, for the device or for what several share."""
        if self.open is not None:
            self.open.append(run)
            return
        for column, value in zip(self.columns, (self.device, *run), strict=True):
            column.append(value)


def main(command: list[str]) -> None:
    """Dump, parse, and make the frame."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST, MOST))
    rows, parser = Rows(), expat.ParserCreate()
    parser.StartElementHandler = rows.start
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as dump:
        assert dump.stdout
        parser.ParseFile(dump.stdout)
    if dump.returncode:
        raise SystemExit(dump.returncode)
    frame = polars.DataFrame(dict(zip(COLUMNS, rows.columns, strict=True)))
    print(frame["length"].sum())


if __name__ == "__main__":
    main(sys.argv[1:])
