"""Metadata and data of a pool, and images that hold them."""

from __future__ import annotations

import random

import pytest

from tests.conftest import CAPTURES
from tests.images.made import KIB, MIB, Group, Volume, linear, physical, put, thin, thin_pool
from tests.oracle import answers

DATA_BYTES = 2 * MIB


@pytest.fixture(scope="session")
def metadata() -> bytes:
    """4 MiB of metadata of a pool with blocks of 128 KiB and device 1."""
    found = answers.image(CAPTURES["lvm-external-6.1/second"])
    assert len(found) == 4 * MIB
    return found


@pytest.fixture(scope="session")
def data() -> bytes:
    """Something to tell places apart by."""
    return random.Random(6).randbytes(DATA_BYTES)  # noqa: S311 - no secret


def flat() -> Group:
    """A pool that lies in one piece: data from extent 0 on, metadata from 40 on."""
    return Group(
        [
            Volume("pool", [thin_pool("pool_tmeta", "pool_tdata")], id="pool-id"),
            Volume("far", [thin(1, "pool")]),
            Volume("pool_tdata", [linear("pv0", 0, DATA_BYTES // (64 * KIB))]),
            Volume("pool_tmeta", [linear("pv0", 40, 64)]),
        ],
        seqno=7,
    )


@pytest.fixture(scope="session")
def image(metadata: bytes, data: bytes) -> bytes:
    """A physical volume with one pool in one piece."""
    made = physical([flat().text()])
    put(made, 0, data)
    put(made, 40, metadata)
    return bytes(made)
