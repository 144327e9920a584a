"""A progress bar: on a terminal only, after half a second, gone at the end."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from tests.cli.conftest import WALKTHROUGH, environment
from tests.conftest import FIXTURES

SLOW = """
import sys, time
import thinscope
from thinscope.cli import main

really_open = thinscope.open

def slowly(source, *, progress, **options):
    for step in range(1, 5):
        time.sleep({pause})
        progress("reading mappings", step, 5)
    pool = really_open(source, progress=progress, **options)
    if {fails}:
        raise MemoryError
    return pool

thinscope.open = slowly
code = main(sys.argv[1:])
print("rich.progress" in sys.modules)
sys.exit(code)
"""


def run(pause: float, *, fails: bool = False, on_terminal: bool = True) -> tuple[int, str, str]:
    """Run a slow overview, and return its code, stdout, and what stderr shows."""
    terminal, end = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", SLOW.format(pause=pause, fails=fails), WALKTHROUGH],
        cwd=FIXTURES,
        env=environment(TERM="xterm"),
        stdout=subprocess.PIPE,
        stderr=end if on_terminal else subprocess.PIPE,
    ) as running:
        os.close(end)
        out, err = running.communicate()
    shown = err or b""
    while on_terminal:
        try:
            shown += os.read(terminal, 65536)
        except OSError:
            break
    os.close(terminal)
    return running.returncode, out.decode(), shown.decode()


def test_slow_on_a_terminal() -> None:
    code, out, shown = run(0.2)
    assert code == 0
    assert "reading mappings" in shown
    assert "80%" in shown
    assert shown.endswith("\x1b[2K")  # the line is erased
    assert out.endswith("True\n")
    assert "\x1b" not in out


def test_quick_on_a_terminal() -> None:
    code, out, shown = run(0.01)
    assert (code, shown) == (0, "")
    assert out.endswith("False\n")


def test_slow_elsewhere() -> None:
    code, out, shown = run(0.2, on_terminal=False)
    assert (code, shown) == (0, "")
    assert out.endswith("False\n")


@pytest.mark.parametrize("pause", [0.01, 0.2])
def test_an_error_has_a_line_of_its_own(pause: float) -> None:
    code, _, shown = run(pause, fails=True)
    assert code == 2
    assert shown.endswith("thinscope: out of memory\r\n")
