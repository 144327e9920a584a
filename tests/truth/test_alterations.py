"""The comparisons can fail: one figure of an answer is altered, and it is found."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.names.bolt import File, Tree
from tests.oracle import answers
from tests.truth import databases
from tests.truth.case import Case, Pair, pools
from tests.truth.kinds import KINDS, compared, comparisons, left_aside, unlisted
from tests.truth.record import Row, differing, told

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

POOL = r"thin-pool \d+ "
ALTERED = {
    "kernel": {
        "pool_status": [
            r"thin-pool (\d+)",
            POOL + r"(\d+)/",
            POOL + r"\d+/(\d+)",
            POOL + r"\d+/\d+ (\d+)",
            POOL + r"\d+/\d+ \d+/(\d+)",
            POOL + r"\d+/\d+ \d+/\d+ (\d+) rw",
            r"error_if_no_space (needs_check)|queue_if_no_space (needs_check)",
        ],
        "thin_status": [r" thin (\d+)", r" thin \d+ (\d+)"],
        "table": [r"thin-pool \S+ \S+ (\d+)", r"0 (\d+) thin-pool", r"thin \d+:\d+ (\d+)"],
    },
    "metadata snapshot": {
        "at_snapshot.pool_status": [r"thin-pool (\d+)", POOL + r"\d+/\d+ \d+/(\d+)"],
        "at_snapshot.thin_status": [r" thin (\d+)", r" thin \d+ (\d+)"],
    },
    "volumes": {"sha256": [r"([0-9a-f])[0-9a-f]{63}"]},
    "lvm": {
        "lvs": [
            *(f"thin {column}" for column in ("thin_id", "lv_size", "origin", "lv_uuid")),
            *(f"thin {column}" for column in ("data_percent", "transaction_id")),
            *(f"thin-pool {column}" for column in ("data_percent", "metadata_percent")),
            *(f"thin-pool {column}" for column in ("chunk_size", "lv_size", "lv_metadata_size")),
        ],
        "lvs_history": [r'"lv_attr": ?"V[^}]*"lv_full_ancestors": ?"(?:-[^",]+,)+(\w+)'],
    },
    "docker": {
        "docker_info": [r"Data Space Used: ([\d.]+)", r"Metadata Space Total: ([\d.]+)"],
        "docker_ps": [r"\n[0-9a-f]{63}([0-9a-f])", r"(\S) +\S+ \(virtual"],
        "docker_containers": [r'"DeviceId": "(\d+)"', r'"DeviceSize": "(\d+)"', r'"Name": "/(\w)'],
        "docker_images": [r'"DeviceId": "(\d+)"', r'"RepoTags": \[\s*"(\w)'],
    },
    "containerd": {
        "containerd_snapshots": [r"sha256:\w+ +sha256:(\w)"],
        "containerd_usage": [r" ([1-9][\d.]*) "],
        "containerd_containers": [r"\n(?!namespace|CONTAINER)(\w)"],
    },
    "thin_check": {
        "thin_check": [
            r"TRANSACTION_ID=(\d+)",
            r"FREE_BLOCKS=(\d+)",
            r"(checking space map counts)",
        ]
    },
    "thin_dump": {
        "dump": [
            r'data_block="(\d+)"',
            r'data_begin="(\d+)"',
            r'length="(\d+)"',
            r'origin_begin="\d+" .*time="(\d+)"',
            r'mapped_blocks="(\d+)"',
            r'snap_time="(\d+)"',
            r'nr_data_blocks="(\d+)"',
            r'dev_id="(\d+)"',
        ],
        "dump_snapshot": [r'data_block="(\d+)"', r'creation_time="(\d+)"'],
    },
    "deletion": {
        "pool_status": [POOL + r"\d+/\d+ (\d+)"],
        "thin_status": [r"t0: 0 \d+ thin (\d+)"],
    },
    "release": {"pool_status": [POOL + r"\d+/\d+ (\d+)", POOL + r"\d+/\d+ \d+/\d+ (\d+)"]},
    "growth": {"pool_status": [POOL + r"\d+/\d+ \d+/(\d+)", POOL + r"\d+/(\d+)"]},
}
ELSEWHERE = {"bbolt"}
"""Kinds that are altered in another test."""


def other(word: str) -> str:
    """Another word of the same kind."""
    if word[0].isdecimal():
        return str(int(word[0]) % 9 + 1) + word[1:]
    return {"needs_check": "-"}.get(word, "e" if word[0] == "d" else "d") + word[1:]


def altered(text: str, figure: str, key: str) -> str | None:
    """The answer with one figure altered, or None where it has none such."""
    if key == "lvs":
        segtype, column = figure.split()
        report = json.loads(text)
        found = [
            lv for lv in answers.lvm_volumes(report) if lv["segtype"] == segtype and lv[column]
        ]
        for lv in found:  # whichever pool they are of
            lv[column] = other(lv[column])
        return json.dumps(report) if found else None
    match = re.search(figure, text)
    if match is None:
        return None
    word = match.lastindex or 0
    return text[: match.start(word)] + other(match[word]) + text[match.end(word) :]


def with_altered(kind: str, key: str, figure: str) -> Case | Pair:
    """The smallest captured pool whose answer has such a figure, with another one in its place."""
    found = [
        (before(case), case, kind_)
        for kind_, case in comparisons()
        if kind_.name == kind and before(case).has(key)
    ]
    for own, case, kind_ in sorted(found, key=lambda each: each[0].entry["decoded_bytes"]):
        text = altered(own.text(key), figure, key)
        if text is not None and any(isinstance(row, Row) for row in compared(kind_, case)):
            changed = replace(own, altered={key: text})
            return replace(case, before=changed) if isinstance(case, Pair) else changed
    pytest.fail(f"no capture has a {key} with {figure}")


def before(case: Case | Pair) -> Case:
    return case.before if isinstance(case, Pair) else case


FIGURES = [
    (kind, key, figure)
    for kind, keys in ALTERED.items()
    for key, figures in keys.items()
    for figure in figures
]


def test_every_kind_is_altered() -> None:
    assert {kind.name for kind in KINDS} == ALTERED.keys() | ELSEWHERE


@pytest.mark.parametrize(("kind", "key", "figure"), FIGURES)
def test_an_altered_figure_is_found(kind: str, key: str, figure: str) -> None:
    case = with_altered(kind, key, figure)
    [rows] = [each.rows for each in KINDS if each.name == kind]
    wrong = differing(rows(case))
    assert wrong
    assert f"ours {wrong[0].ours!r}, theirs {wrong[0].theirs!r}" in told(wrong)


def test_an_answer_that_nothing_is_compared_with_is_found() -> None:
    case = pools()[0]
    entry = dict(case.entry)
    entry["answers"] = case.entry["answers"] | {"diary": "churn-b/answers/diary.txt"}
    assert left_aside(case) == set()
    assert left_aside(replace(case, entry=entry)) == {"diary"}


def test_an_answer_that_the_manifest_does_not_name_is_found() -> None:
    case = next(case for case in pools() if "made" in case.capture and case.has("table"))
    entry = dict(case.entry)
    entry["answers"] = {key: said for key, said in case.entry["answers"].items() if key != "table"}
    assert unlisted(replace(case, entry=entry)) == {case.files["table"]}


@pytest.fixture
def database(tmp_path: Path) -> Callable[..., list[Row]]:
    """A database, and what the library says of it, as the guest's program prints it."""
    inner = Tree({b"empty": b"", b"key": b"value", b"\xff": Tree()})
    inner.sequence = 7
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/meta.db").write_bytes(File.of(Tree({b"v1": inner})).data())
    lines: list[dict[str, object]] = [
        {"path": ["djE="], "sequence": 7},
        {"path": ["djE=", "ZW1wdHk="], "value": ""},
        {"path": ["djE=", "a2V5"], "value": "dmFsdWU="},
        {"path": ["djE=", "/w=="], "sequence": 0},
    ]

    def rows(*changes: tuple[int, str, object]) -> list[Row]:
        for index, key, value in changes:
            lines[index][key] = value
        text = "".join(f"{json.dumps(line)}\n" for line in lines)
        key, file = "bolt.meta.db.bolt.jsonl.zst", "made/answers/pool/meta.db.bolt.jsonl.zst"
        case: Any = SimpleNamespace(records=tmp_path, files={key: file}, text=lambda _: text)
        return list(databases.rows(case))

    return rows


def test_a_database_is_as_the_library_says(database: Callable[..., list[Row]]) -> None:
    rows = database()
    assert len(rows) == 5
    assert differing(rows) == []


@pytest.mark.parametrize(
    ("index", "key", "value", "what"),
    [
        (0, "sequence", 8, ["v1"]),
        (1, "value", "eA==", ["v1/empty"]),
        (2, "value", "", ["v1/key"]),
        (2, "path", ["djE=", "a2V4"], ["v1/kex", "v1/key"]),
        (3, "sequence", 1, ["v1/\ufffd"]),
    ],
)
def test_a_database_that_differs_is_found(
    database: Callable[..., list[Row]], index: int, key: str, value: object, what: list[str]
) -> None:
    assert [row.what for row in differing(database((index, key, value)))] == what
