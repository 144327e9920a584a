"""JSON is a contract: docs/json.md names every key, and what is printed has no other."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

import thinscope
from tests.cli.conftest import CHURN, MORE_WORDS, NEEDS_CHECK, WALKTHROUGH, json_document
from tests.conftest import FIXTURES
from thinscope.cli.commands import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.cli.conftest import Run

DOCUMENT = json_document()
ROW = re.compile(r"^\| `([a-z0-9_.\[\]]+)` \| ([a-z ]+) \|", re.MULTILINE)

OPEN_OBJECTS = ("numbers", "entries[].value", "entries[].part_offsets")
"""Objects whose keys are told in words."""

TYPES = {
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "null": lambda value: value is None,
    "object": lambda value: isinstance(value, dict),
    "object of integers": lambda value: {*map(type, value.values())} <= {int},
    "list of objects": lambda value: isinstance(value, list) and {*map(type, value)} <= {dict},
    "list of strings": lambda value: isinstance(value, list) and {*map(type, value)} <= {str},
    "list of lists": lambda value: isinstance(value, list) and {*map(type, value)} <= {list},
    "list of integers": lambda value: isinstance(value, list) and {*map(type, value)} <= {int},
}


def documented(schema: str) -> dict[str, str]:
    (section,) = (part for part in DOCUMENT.split("\n## ") if part.startswith(f"{schema}\n"))
    rows = ROW.findall(section)
    assert len(dict(rows)) == len(rows)
    return dict(rows)


def leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Yield every path with its value, members of objects and items of lists below."""
    if path:
        yield path, value
    if isinstance(value, dict) and not path.endswith(OPEN_OBJECTS):
        for name, member in value.items():
            yield from leaves(member, f"{path}.{name}" if path else name)
    if isinstance(value, list):
        for item in value:
            if isinstance(item, dict):
                for name, member in item.items():
                    yield from leaves(member, f"{path}[].{name}")


def parent(path: str) -> str:
    return path.rpartition(".")[0].removesuffix("[]")


def check(report: dict[str, Any]) -> None:
    """Every key is documented with its type, and every documented key is there."""
    keys = documented(report["schema"]) | (documented("gaps") if "gaps" in report else {})
    found: dict[str, list[object]] = {}
    for path, value in leaves(report):
        found.setdefault(path, []).append(value)
    assert found.keys() <= keys.keys()
    for path, values in found.items():
        for value in values:
            assert any(TYPES[name](value) for name in keys[path].split(" or ")), (path, value)
    for path in keys.keys() - found.keys():
        # Only what lies in an absent object or an empty list may be missing.
        above = parent(path)
        while above and above not in found:
            above = parent(above)
        assert all(not value for value in found[above]), path
    for path, values in found.items():
        items, is_in_list, name = path.rpartition("[].")
        if is_in_list and "." not in name:
            assert len(values) == sum(map(len, found[items])), path


@pytest.mark.parametrize("name", COMMANDS)
def test_contract(command: Run, capture: dict[str, Any], name: str) -> None:
    words = [name, capture["metadata"], *MORE_WORDS.get(name, ())]
    if name == "export":
        [words[2], *_] = map(str, thinscope.open(FIXTURES / capture["metadata"]).devices)
    if name == "delta":
        with thinscope.open(FIXTURES / capture["metadata"]) as pool:
            words[2:] = [str(min(pool.devices)), str(max(pool.devices))]
    report = json.loads(command(*words, "--format", "json").out)
    assert report["schema"] == f"thinscope.{name}/1"
    check(report)


@pytest.mark.parametrize(
    "words",
    [
        ["overview", CHURN, "--metadata-snapshot"],
        ["devices", CHURN, "--metadata-snapshot"],
        ["mappings", CHURN, "--metadata-snapshot", "--device", "0", "--range", "7..9000"],
        ["mappings", CHURN, "--range", "4000000000..5000000000"],
        ["owners", CHURN, "300..400", "65000..", "--bytes", "1GiB"],
        ["owners", CHURN, "--metadata-snapshot", "--sectors", "0..8000000"],
        ["delta", CHURN, "0", "10", "--same"],
        ["delta", CHURN, "0", "--root", "92"],
        ["delta", CHURN, "0", "--other-metadata-snapshot"],
        ["delta", WALKTHROUGH, "0", "--other", CHURN],
        ["fragmentation", CHURN, "--metadata-snapshot"],
        ["fragmentation", CHURN, "--picture"],
        ["fragmentation", CHURN, "--device", "10", "--device", "11", "--free-extents", "3"],
        *(["block", WALKTHROUGH, str(block)] for block in (92, 94, 95, 96, 97, 91, 78, 4095)),
        ["block", WALKTHROUGH, "92", "--kind", "index"],
        ["block", "manifest.py", "0"],
        ["block", NEEDS_CHECK, "0"],
    ],
    ids=" ".join,
)
def test_contract_of_other_questions(command: Run, words: list[str]) -> None:
    check(json.loads(command(*words, "--format", "json").out))


def test_the_contract_is_strict(command: Run) -> None:
    text = command(NEEDS_CHECK, "--format", "json").out
    check(json.loads(text))
    changes: list[Callable[[dict[str, Any]], object]] = [
        lambda report: report.update(more=1),
        lambda report: report["data"].update(more=1),
        lambda report: report["data"].update(used="620"),
        lambda report: report["data"].pop("used"),
        lambda report: report.pop("notes"),
        lambda report: report["findings"][0].pop("advice"),
    ]
    for change in changes:
        report = json.loads(text)
        change(report)
        with pytest.raises((AssertionError, KeyError)):
            check(report)
