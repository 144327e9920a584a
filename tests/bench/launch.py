"""Runs a command, and tells how long it took, what it took of memory, and how it ended.

A process of its own that imports nothing: the kernel counts what a process was before it became the command, and
that is this one.

    python -IS launch.py COMMAND...
"""

import os
import sys
import time


def main(command: list[str]) -> None:
    """Run it; tell seconds, KiB, KiB of this process, and the exit status."""
    nowhere = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1, 2)]
    with open("/proc/self/status") as file:  # noqa: PTH123 - pathlib would be counted
        own = [line.split()[1] for line in file if line.startswith("VmHWM:")]
    start = time.perf_counter()
    child = os.posix_spawn(command[0], command, os.environ, file_actions=nowhere)
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - start
    print(seconds, usage.ru_maxrss, *own, os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main(sys.argv[1:])
