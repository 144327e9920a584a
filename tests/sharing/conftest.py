"""One pool after the other for all tests of sharing."""

from __future__ import annotations

import pytest

from tests.sharing import pools


@pytest.fixture(scope="session", params=pools.VIEWS)
def case(request: pytest.FixtureRequest, testkit: str) -> pools.Case:
    """Every pool, and every pool as its metadata snapshot shows it."""
    return pools.case(request.param, testkit)
