"""What a scenario's first lines may say, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.capture import kernels, scenario
from fixtures.capture.errors import CaptureError
from tests.conftest import FIXTURES, ROOT

WHAT = '#: what = "Something."\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(scenario, "FOLDER", tmp_path)
    return tmp_path


def test_what_is_not_said_has_its_default(folder: Path) -> None:
    (folder / "made.sh").write_text(f"{WHAT}pool\nkeep pool\n")
    found = scenario.find("made")
    assert (found.name, found.what) == ("made", "Something.")
    assert found.text.endswith("keep pool\n")
    assert (found.kernels, found.keep_data, found.time) == ((kernels.DEFAULT,), False, 600)
    assert (found.metadata_bytes, found.data_bytes) == (16 << 20, 1 << 30)


def test_what_is_said(folder: Path) -> None:
    head = (
        '#: kernels = ["6.12", "5.10"]\n#: metadata = "2M"\n#: data = "3G"\n#: keep_data = true\n'
    )
    (folder / "made.sh").write_text(f"{WHAT}{head}#: time = 7\n# a comment\npool\n")
    [found] = scenario.all_scenarios()
    assert (found.kernels, found.keep_data, found.time) == (("6.12", "5.10"), True, 7)
    assert (found.metadata_bytes, found.data_bytes) == (2 << 20, 3 << 30)


@pytest.mark.parametrize(
    ("head", "problem"),
    [
        ("", 'it does not say what it shows: `#: what = "…"`'),
        ("#: what = 7\n", "it does not say what it shows"),
        ("#: what = \n", "its #: lines are no TOML"),
        (f'{WHAT}#: kernel = "6.1"\n', "unknown: kernel; known are data, keep_data, kernels"),
        (f'{WHAT}#: name = "x"\n', "unknown: name"),
        (f'{WHAT}#: kernels = ["6.1", "2.6", "7"]\n', "no kernel 2.6, 7; there are 5.10, 6.1"),
        (f'{WHAT}#: kernels = "6.1"\n', "kernels is no list"),
        (f'{WHAT}#: metadata = "16K"\n', "metadata is no size such as 16M or 1G"),
        (f'{WHAT}#: data = "0G"\n', "data is no size"),
        (f"{WHAT}#: data = 1024\n", "data is no size"),
        (f'{WHAT}#: data = " 1G"\n', "data is no size"),
    ],
)
def test_a_head_that_is_refused(folder: Path, head: str, problem: str) -> None:
    (folder / "made.sh").write_text(f"{head}pool\n")
    for read in (scenario.all_scenarios, lambda: scenario.find("made")):
        with pytest.raises(CaptureError) as caught:
            read()
        assert str(caught.value).startswith(f"made.sh: {problem}")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "head",
    ['time = "long"', "time = 0", 'keep_data = "no"', "kernels = []", "kernels = [6.1]"],
)
def test_a_value_of_a_wrong_kind_is_refused(folder: Path, head: str) -> None:
    (folder / "made.sh").write_text(f"{WHAT}#: {head}\npool\n")
    with pytest.raises(CaptureError):
        scenario.find("made")


def test_a_scenario_that_is_not_there(folder: Path) -> None:
    (folder / "one.sh").write_text(WHAT)
    (folder / "other.sh").write_text("#: unreadable")
    with pytest.raises(CaptureError, match=r"^no scenario two; there are one, other$"):
        scenario.find("two")


def test_all_that_there_are_can_be_read() -> None:
    found = scenario.all_scenarios()
    assert {"walkthrough", "reclaim"} <= {each.name for each in found}
    for each in found:
        assert each.what.endswith(".")
        assert "kept " in each.text or "keep" in each.text


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--list", "walkthrough"], 0, "walkthrough              5.10"),
        (["nothing"], 1, "fixtures: no scenario nothing; there are "),
        (["--kernel", "2.6"], 1, "fixtures: Invalid value for '--kernel'"),
    ],
)
def test_the_program(words: list[str], code: int, said: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "fixtures.capture", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == code
    assert (run.stderr if code else run.stdout).startswith(said)
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("each", scenario.all_scenarios(), ids=lambda each: each.name)
def test_its_pools_are_here(each: scenario.Scenario) -> None:
    """Made by the scenario as it stands, with every kernel that it names; and README tells of it."""
    for series in each.kernels:
        ran = FIXTURES / f"{each.name}-{series}" / "scenario.sh"
        again = f"make fixtures SCENARIO={each.name} KERNEL={series}"
        assert ran.exists(), again
        assert ran.read_text() == each.text, again
    row = f"| `{each.name}` | {', '.join(each.kernels)} | {each.what} |"
    assert row in (FIXTURES / "README.md").read_text()
