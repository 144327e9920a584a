"""What cannot be read as records says why."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from thinscope import names
from thinscope.errors import NamesError

if TYPE_CHECKING:
    from pathlib import Path


def refused(path: Path) -> str:
    with pytest.raises(NamesError) as raised:
        names.read(path)
    return raised.value.message


def test_nothing_there(tmp_path: Path) -> None:
    assert refused(tmp_path / "none") == "no such file or directory"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    assert refused(path) == "not a regular file"


def test_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Permissions do not bind root, who may well run the tests."""
    path = tmp_path / "vg"
    path.write_text("vg { }")

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    assert refused(path) == "permission denied"


def test_of_no_manager(tmp_path: Path) -> None:
    assert refused(tmp_path) == "no records of any manager that is known"
    path = tmp_path / "page.html"
    path.write_text("<html></html>")
    assert refused(path) == "no records of any manager that is known"
