"""Runs beside each other, and what ends one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import click
import pytest

from fixtures.capture import __main__ as program
from fixtures.capture import guest, scenario
from fixtures.capture.errors import CaptureError
from tests.conftest import ROOT

WITHOUT_GUEST = """
import sys
from pathlib import Path
from fixtures.capture import __main__ as program, guest, kernels, scenario
program.WORK = scenario.FOLDER = work = Path.cwd()
kernel = kernels.Kernel("6.1", "6.1.0-made", work / "vmlinuz", work)
made = guest.Guest(work / "root", {"6.1": (kernel, work / "initramfs")}, "tcg")
guest.build = lambda *_: made
program.program()
"""


def test_one_waits_for_the_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lock, order = tmp_path / "made" / "a.lock", list[str]()

    def second() -> None:
        with program._alone(lock, "a"):
            order.append("second")

    with program._alone(lock, "a"):
        other = threading.Thread(target=second)
        other.start()
        other.join(0.2)
        order.append("first")
        with program._alone(tmp_path / "made" / "b.lock", "b"):
            pass
    other.join(20)
    assert order == ["first", "second"]
    assert capsys.readouterr().err == "waiting for another run that works on a\n"


def test_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "WORK", tmp_path)
    monkeypatch.setattr(program, "ROOM", 1 << 80)
    built = guest.Guest(tmp_path / "root", {}, "tcg")
    with pytest.raises(CaptureError, match=f" MiB are free in {tmp_path}$"):
        program._make(built, scenario.find("empty"), "6.1", None, None)
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (CaptureError("it kept nothing"), "it kept nothing"),
        (OSError(28, "No space left on device"), "no space left on device"),
        (OSError(28, "No space left on device", "x/y"), "no space left on device: x/y"),
        (click.UsageError("No such option"), "No such option"),
    ],
)
def test_an_error_is_told_in_a_line(error: Exception, said: str) -> None:
    assert program._told(error) == said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_ends_it_ends_the_machine(tmp_path: Path, number: int) -> None:
    (tmp_path / "made.sh").write_text('#: what = "Made."\n')
    qemu = tmp_path / "qemu-system-x86_64"
    qemu.write_text("#!/bin/sh\necho $$ > pid.new; mv pid.new pid\nexec sleep 60\n")
    qemu.chmod(0o755)
    run = subprocess.Popen(
        [sys.executable, "-c", WITHOUT_GUEST, "made"],
        cwd=tmp_path,
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    pid, end = tmp_path / "pid", time.monotonic() + 30
    while not pid.exists() and time.monotonic() < end:
        time.sleep(0.05)
    run.send_signal(number)
    _, said = run.communicate(timeout=30)
    assert (run.returncode, said.split()[-2:]) == (1, ["fixtures:", "interrupted"])
    assert not Path(f"/proc/{pid.read_text().strip()}").exists()
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]
