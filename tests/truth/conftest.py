"""The table of what was compared, at the end of a run that compared something."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.truth import record as records
from tests.truth.case import Workshop

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def record(pytestconfig: pytest.Config) -> records.Record:
    """Where each figure that was compared goes."""
    return pytestconfig.stash.setdefault(records.KEY, records.Record())


@pytest.fixture(scope="session", autouse=True)
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A place where records and data are unpacked, and pools that stay open; gone in the end."""
    with Workshop.begin(tmp_path_factory.mktemp("truth")):
        yield


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the table."""
    found = config.stash.get(records.KEY, None)
    if found is not None:
        terminalreporter.section("figures compared with what the kernel and the managers said")
        for line in found.table():
            terminalreporter.write_line(line)
