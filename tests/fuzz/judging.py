"""What must hold of whatever a parser makes of bytes that anybody could have written."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from thinscope.names import captured
from thinscope.report.printable import printable, shell_line, shown, utf8

if TYPE_CHECKING:
    from collections.abc import Iterable

    from thinscope.errors import ThinscopeError
    from thinscope.names import Names


def judge_error(error: ThinscopeError) -> None:
    """What is told of damage fits a line of a terminal and a document."""
    assert error.message
    text = str(error)
    judge_text(text)
    assert text == printable(text), "a message is shown as it is"


def judge_names(found: Iterable[Names]) -> None:
    """Names can be shown, typed and kept; they keep the promises of the model."""
    found = tuple(found)
    for names in found:
        for text in set(_texts(names)):
            judge_text(text)
        devices = [record.device for record in names.records]
        assert devices == sorted(set(devices))
        keys = {each.key for each in names.objects}
        assert len(keys) == len(names.objects)
        for each in names.objects:
            assert {*each.uses, each.parent or each.key} <= keys
            for command in each.removal:
                line = shell_line(command)
                assert _is_seen(line), line
        assert {record.object for record in names.records} <= keys | {None}
    assert captured.read(captured.written(found, None), "x", "y") == (found, None)


def judge_text(text: str) -> None:
    """Whatever text it is, it can be shown in a line and written to a document."""
    for made in (printable(text), shown(text)):
        assert _is_seen(made), made
    assert printable(printable(text)) == printable(text)
    utf8(text).encode()


def _is_seen(text: str) -> bool:
    return all(each.isprintable() or unicodedata.category(each) == "Zs" for each in text)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, (str, Path)):
        yield str(value)
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _texts(key)
            yield from _texts(each)
    elif isinstance(value, tuple):
        for each in value:
            yield from _texts(each)
    elif is_dataclass(value):
        for each in fields(value):
            yield from _texts(getattr(value, each.name))
