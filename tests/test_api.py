"""The public face: documented, typed, and no wider than it says."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import thinscope
from thinscope import _core, block, errors, layout, source

PUBLIC = [
    *(getattr(thinscope, name) for name in thinscope.__all__),
    *(getattr(errors, name) for name in errors.__all__),
    *(getattr(block, name) for name in block.__all__),
    *(thing for thing in map(layout.__dict__.get, layout.__all__) if inspect.isfunction(thing)),
    *(getattr(_core, name) for name in dir(_core) if name[0].isupper() and name != "DEBUG_BUILD"),
]


def members(thing: object) -> list[tuple[str, object]]:
    """The thing, and what it has of its own that is public."""
    own = vars(thing).items() if inspect.isclass(thing) else ()
    return [("", thing), *((name, member) for name, member in own if not name.startswith("_"))]


@pytest.mark.parametrize("thing", PUBLIC, ids=str)
def test_everything_public_has_a_docstring(thing: object) -> None:
    fields = getattr(thing, "__dataclass_fields__", {})
    for name, member in members(thing):
        if name not in fields:
            assert (inspect.getdoc(member) or "").strip(), f"{thing} {name}"
        else:
            assert f"{name}: " in (inspect.getdoc(thing) or "")


def test_the_stub_tells_the_truth() -> None:
    """The stub agrees with the compiled module; that it is fresh, `make check` shows."""
    stubtest = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "thinscope._core"],
        capture_output=True,
        check=False,
        text=True,
    )
    assert stubtest.returncode == 0, stubtest.stdout


def test_all_is_sorted_and_true() -> None:
    for module in (thinscope, block, errors, source):
        assert sorted(module.__all__) == module.__all__
        assert all(hasattr(module, name) for name in module.__all__)


LAZY = """
import sys
import thinscope
loaded = {name for name in sys.modules if name.startswith("thinscope.")}
assert not loaded, loaded
assert {*thinscope.__all__} <= {*dir(thinscope)}
public = {name for name in dir(thinscope) if not name.startswith("_")}
assert public == {*thinscope.__all__, "layout", "names"}, public
assert thinscope.names.read and thinscope.layout.parse and thinscope.errors.ThinscopeError
from thinscope import *
assert salvage is thinscope.salvage is sys.modules["thinscope.salvaging"].salvage
assert public == {name for name in dir(thinscope) if not name.startswith("_")}
try:
    thinscope.opne
except AttributeError as error:
    assert error.name == "opne", error.name
else:
    raise AssertionError("anything passes for a name")
"""


def test_a_name_is_loaded_when_it_is_asked_for() -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", LAZY], check=True)


@pytest.mark.parametrize("name", thinscope.__all__)
def test_any_name_can_be_the_first(name: str) -> None:
    """No module needs another one to have been loaded before."""
    subprocess.run([sys.executable, "-c", f"from thinscope import {name}"], check=True)


def test_values_say_what_they_are(walkthrough: bytes) -> None:
    pool = thinscope.open(walkthrough)
    device, free = pool.fragmentation().devices[1], pool.free_extents(largest=1)
    shown = [repr(pool), repr(pool.superblock), repr(pool.data_space), repr(pool.mappings())]
    shown += [repr(device), repr(device.reads[6]), repr(device.run_lengths[1]), repr(free)]
    shown += [repr(pool.fragmentation().leaves)]
    assert shown == [
        "<Pool '<bytes>'>",
        "<Superblock block 0: transaction 0, time 2, 64 KiB blocks>",
        "<SpaceUsage 620 of 65536 blocks of 65536 bytes>",
        "<Mappings of <bytes>>",
        "<DeviceFragmentation 610 blocks in 14 runs, 9 seeks>",
        "Reads(io_blocks=64, ios=17, pieces=22, seeks=9)",
        "LengthClass(shortest=2, longest=3, count=1, blocks=2)",
        "<FreeExtents 64916 blocks in 1 extents, the longest 64916>",
        "<NodeFill 6 nodes, 959 of 1512 entries in use>",
    ]
    assert repr(pool.devices[1]).startswith("Device(id=1, mapped_blocks=610,")
    assert pool.devices[1].lookup(0) == pool.devices[1].lookup(0)
    pool.close()
    assert repr(pool) == "<closed Pool '<bytes>'>"


def test_values_are_frozen(walkthrough: bytes) -> None:
    pool = thinscope.open(walkthrough)
    run = pool.devices[1].lookup(0)
    for thing, name in [(pool.superblock, "time"), (run, "length"), (pool.devices[1], "id")]:
        with pytest.raises(AttributeError):
            setattr(thing, name, 3)
    with pytest.raises(TypeError):
        pool.devices[1] = None  # type: ignore[index]
