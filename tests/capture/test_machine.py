"""Booting, watching and killing a machine, with a shell script in the place of QEMU."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fixtures.capture import machine
from fixtures.capture.errors import CaptureError
from fixtures.capture.kernels import Kernel
from fixtures.capture.machine import Disk, Ended, Machine

Run = Callable[..., Ended]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a script as the machine; what it was called with is in `words`, its id in `pid`."""
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)

    def boot(
        script: str,
        limit: float = 30,
        told: list[str] | None = None,
        accelerator: str = "tcg",
        **disks: bool,
    ) -> Ended:
        qemu = programs / "qemu-system-x86_64"
        qemu.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > words; echo $$ > pid\n{script}\n')
        qemu.chmod(0o755)
        kernel = Kernel("6.1", "6.1.0-made", Path("vmlinuz"), Path("modules"))
        made = Machine(kernel, Path("initramfs"), accelerator, tmp_path / "console")
        images = [Disk(tmp_path / name, is_kept=is_kept) for name, is_kept in disks.items()]
        return made.run(images, limit, ([] if told is None else told).append)

    return boot


def is_gone() -> bool:
    return not Path(f"/proc/{Path('pid').read_text().strip()}").exists()


def says(*lines: str) -> str:
    return "".join(f"printf '{line}\\r\\n'\n" for line in lines)


def test_a_run_that_ends_well(run: Run) -> None:
    told: list[str] = []
    lines = [
        "[ 0.1] booting",
        "guest: up 6.1.0-made",
        "guest: kept one",
        "xguest: no",
        "guest: two",
    ]
    ended = run(says(*lines, "guest: ended 0"), told=told)
    assert (ended.release, ended.is_crashed) == ("6.1.0-made", False)
    assert told == ["kept one", "two"]
    assert b"booting" in Path("console").read_bytes()


def test_the_console_of_the_run_before_is_forgotten(run: Run) -> None:
    run(says("guest: up 5.10", "guest: ended 0"))
    assert run(says("guest: up 6.12", "guest: ended 0")).release == "6.12"


def test_what_the_machine_is_given(run: Run, tmp_path: Path) -> None:
    run(says("guest: ended 0"), root=False, **{"data,1": True})
    words = Path("words").read_text().splitlines()
    assert words[words.index("-accel") + 1] == "tcg"
    assert words[words.index("-kernel") + 1] == "vmlinuz"
    assert words[words.index("-initrd") + 1] == "initramfs"
    root, data = (words[at + 1] for at, word in enumerate(words) if word == "-drive")
    assert root.startswith(f"file={tmp_path}/root,format=raw,")
    assert ",snapshot=on," in root
    assert data.startswith(f"file={tmp_path}/data,,1,format=raw,")
    assert ",snapshot=off," in data


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (says("guest: ended 3") + "exec sleep 60", "what the guest ran ended with 3"),
        (says("Kernel panic - not syncing") + "exec sleep 60", "kernel broke: Kernel panic"),
        (says("BUG: unable to handle") + "exec sleep 60", "the guest's kernel broke: BUG: "),
        ("echo KVM internal error >&2; exec sleep 60", "kernel broke: KVM internal error"),
        (says("guest: up 6.1"), "the machine ended by itself"),
        ("exit 1", "the machine ended by itself"),
    ],
)
def test_a_run_that_fails(run: Run, tmp_path: Path, script: str, why: str) -> None:
    begun = time.monotonic()
    with pytest.raises(CaptureError) as caught:
        run(script)
    assert why in str(caught.value)
    assert str(caught.value).endswith(f"; its console is in {tmp_path}/console")
    assert time.monotonic() - begun < 20
    assert is_gone()


def test_a_run_that_takes_too_long_is_killed(run: Run) -> None:
    with pytest.raises(CaptureError, match=r"^not done after 1 s; `--time-limit` gives more; "):
        run(says("guest: up 6.1") + "exec sleep 60", limit=1)
    assert is_gone()


def test_a_guest_that_asks_for_it_is_killed(run: Run) -> None:
    ended = run(says("guest: up 6.1", "guest: crash") + "exec sleep 60")
    assert ended.is_crashed
    assert is_gone()


@pytest.mark.parametrize(
    "script",
    [
        "printf 'guest: up 6'; sleep 0.5; printf '.12\\r\\nguest: ended 0\\r\\n'",
        says("guest: up 6.12") + "printf 'guest: ended '; sleep 0.5; printf '0\\r\\n'",
    ],
)
def test_a_line_is_read_when_it_is_whole(run: Run, script: str) -> None:
    assert run(script).release == "6.12"


def test_a_machine_that_hangs_in_the_end_is_killed(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_TO_END", 0.2)
    ended = run(says("guest: up 6.1", "guest: ended 0") + "exec sleep 60")
    assert (ended.release, ended.is_crashed) == ("6.1", False)


def test_kvm_that_hangs_is_found_out(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes up is waited for; without KVM the time limit decides alone."""
    monkeypatch.setattr(machine, "_TO_COME_UP", 0.2)
    with pytest.raises(CaptureError, match="did not come up within 0 s"):
        run("exec sleep 60", accelerator="kvm")
    assert is_gone()
    assert run("sleep 0.5\n" + says("guest: up 6.1", "guest: ended 0")).release == "6.1"
