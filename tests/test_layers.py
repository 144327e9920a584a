"""Who may know whom: the rules of docs/design.md, read off the sources."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

CORE = ROOT / "rust/core/src"
PACKAGE = ROOT / "python/thinscope"


def sources(folder: Path, ending: str) -> list[Path]:
    found = sorted(folder.rglob(f"*.{ending}"))
    assert found, f"no {ending} files in {folder}"
    return found


def imported(path: Path) -> set[str]:
    """The modules that a Python file imports, at any depth of it."""
    names = re.findall(r"^\s*(?:from|import) ([\w.]+)", path.read_text(), re.MULTILINE)
    return set(names)


def test_the_core_knows_no_python() -> None:
    tree = subprocess.run(
        ["cargo", "tree", "--package", "thinscope-core", "--edges", "normal", "--offline"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    assert "zerocopy" in tree.stdout
    assert "pyo3" not in tree.stdout


@pytest.mark.parametrize("path", sources(CORE, "rs"), ids=lambda path: path.name)
def test_the_core_prints_nothing_and_writes_to_no_source(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"\be?print(ln)?!", text)
    if path.name != "spool.rs":  # what is unpacked goes to a file without a name
        code = text.split("#[cfg(test)]")[0]
        assert not re.search(r"\.write\(|\.append\(|File::create|write_all", code)


@pytest.mark.parametrize("path", sources(CORE / "raw", "rs"), ids=lambda path: path.name)
def test_raw_knows_only_units(path: Path) -> None:
    known = set(re.findall(r"crate::(\w+)", path.read_text()))
    assert known <= {"units"}


@pytest.mark.parametrize("path", sources(ROOT / "rust/py/src", "rs"), ids=lambda path: path.name)
def test_the_binding_names_no_offset(path: Path) -> None:
    text = path.read_text()
    assert "thinscope_core::raw" not in text
    assert "offset_of!" not in text


@pytest.mark.parametrize("path", sources(PACKAGE / "report", "py"), ids=lambda path: path.name)
def test_reports_know_no_command_line(path: Path) -> None:
    assert not any(name.split(".")[0] == "click" for name in imported(path))


@pytest.mark.parametrize("path", sources(PACKAGE / "block", "py"), ids=lambda path: path.name)
def test_blocks_know_no_report(path: Path) -> None:
    assert not any(
        name.startswith(("thinscope.report", "thinscope.cli")) for name in imported(path)
    )


@pytest.mark.parametrize("path", sources(PACKAGE / "diagnosis", "py"), ids=lambda path: path.name)
def test_a_diagnosis_knows_of_reports_only_numbers_in_words(path: Path) -> None:
    above = {name for name in imported(path) if name.startswith("thinscope.report")}
    assert above <= {"thinscope.report.units"}
    assert not any(name.startswith("thinscope.cli") for name in imported(path))


@pytest.mark.parametrize("path", sources(PACKAGE / "formats", "py"), ids=lambda path: path.name)
def test_formats_open_nothing(path: Path) -> None:
    own = {name for name in imported(path) if name.startswith("thinscope")}
    assert all(name.startswith(("thinscope.formats", "thinscope.errors")) for name in own)
    assert not imported(path) & {"os", "io", "pathlib"}
    assert not re.search(r"\bopen\(|read_bytes|read_text", path.read_text())


@pytest.mark.parametrize("path", sources(PACKAGE / "names", "py"), ids=lambda path: path.name)
def test_names_know_no_pool(path: Path) -> None:
    own = {name for name in imported(path) if name.startswith("thinscope.")}
    known = ("thinscope.formats", "thinscope.names", "thinscope.errors")
    assert all(name.startswith(known) for name in own)
    assert "_core" not in path.read_text()


@pytest.mark.parametrize("path", sources(PACKAGE / "cli", "py"), ids=lambda path: path.name)
def test_commands_know_no_core(path: Path) -> None:
    assert not any("_core" in name for name in imported(path))


@pytest.mark.parametrize("path", sources(PACKAGE / "layout", "py"), ids=lambda path: path.name)
def test_the_layout_shares_only_checksums_with_the_core(path: Path) -> None:
    text = path.read_text()
    own = {name for name in imported(path) if name.startswith("thinscope")}
    assert own <= {"thinscope", "thinscope.layout.structures"}
    assert set(re.findall(r"_core\.(\w+)", text)) <= {"checksums"}


def test_no_module_is_too_long() -> None:
    """250 lines on average, 800 at most."""
    files = [*sources(ROOT / "rust", "rs"), *sources(PACKAGE, "py")]
    lengths = {path: len(path.read_text().splitlines()) for path in files}
    assert max(lengths.values()) <= 800
    assert sum(lengths.values()) / len(lengths) <= 250
