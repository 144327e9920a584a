"""What words stand for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.objects import made
from tests.objects.made import NAMES, devices, objects
from thinscope import who
from thinscope.errors import AmbiguousName, UnknownDevice
from thinscope.names import Object
from thinscope.objects import Objects


def found(*words: str | int, among: Objects | None = None) -> list[str]:
    pool = among or objects()
    return [f"{object_.kind}:{object_.name}" for object_ in who.find(pool, words, "pool")]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("web-1", ["container:web-1"]),
        ("6f3b", ["container:web-1"]),
        ("shop:1", ["image:shop:1"]),
        ("shop:latest", ["image:shop:1"]),
        ("sha256:5e", ["image:shop:1"]),
        ("jo", ["image:jobs:1"]),
        ("7", ["container:web-1"]),
        (7, ["container:web-1"]),
        ("device:6", ["container:web-1"]),
        ("3", ["layer:bbb"]),
        ("bbb", ["layer:bbb"]),
        ("web-*", ["container:web-1", "container:web-2"]),
        ("container:*", ["container:web-1", "container:web-2"]),
        ("container:web-2", ["container:web-2"]),
        ("image:s*", ["image:shop:1"]),
        ("layer:*", ["layer:aaa", "layer:bbb", "layer:ccc", "layer:ddd"]),
        ("env=test", ["container:web-1"]),
        ("env=*", ["container:web-1", "container:web-2"]),
        ("container:env=l*", ["container:web-2"]),
    ],
)
def test_a_word(word: str | int, meant: list[str]) -> None:
    assert found(word) == meant


def test_a_pattern_takes_nothing_that_goes_by_itself_or_stays() -> None:
    kinds = {word.partition(":")[0] for word in found("*")}
    assert kinds == {"container", "image"}


def test_each_once_in_the_order_of_the_words() -> None:
    assert found("web-2", "web-*", "jobs:1", "9") == [
        "container:web-2",
        "container:web-1",
        "image:jobs:1",
    ]


def test_no_words() -> None:
    assert found() == []


@pytest.mark.parametrize("word", ["web", "6f3", "container:web", "w"])
def test_several_begin_so(word: str) -> None:
    with pytest.raises(AmbiguousName) as raised:
        found(word)
    assert raised.value.candidates == ("container:web-1", "container:web-2")
    assert raised.value.who == word


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("wep-1", 'did you mean "web-1"?'),
        ("99", "`thinscope devices SOURCE` lists the devices"),
        ("99999999999999999999", "`thinscope devices SOURCE` lists the devices"),
        ("x*", "`thinscope devices SOURCE` lists the devices"),
        ("env=none", None),
        ("container:99", None),
        ("device:99", None),
        ("", None),
    ],
)
def test_nothing_answers(word: str, hint: str | None) -> None:
    with pytest.raises(UnknownDevice) as raised:
        found(word)
    assert raised.value.who == word
    if hint:
        assert raised.value.hint == hint


def test_without_names() -> None:
    pool = Objects(devices(1, 5, 12), [])
    assert found("5", among=pool) == ["device:5"]
    assert found("1", among=pool) == ["device:1"]  # also the beginning of 12
    assert found("1*", among=pool) == ["device:1", "device:12"]
    with pytest.raises(UnknownDevice) as raised:
        found("web-1", among=pool)
    assert raised.value.hint == "names come from a manager's records: give them with --names"


def test_a_name_that_is_an_id() -> None:
    """A container called 5, and the device 5 of another object: nobody can tell which is meant."""
    named = replace(made.WEB_1, name="5")
    names = replace(NAMES, objects=(*NAMES.objects[:-2], named, made.WEB_2))
    pool = Objects(devices(*range(1, 10)), [names])
    with pytest.raises(AmbiguousName) as raised:
        found("5", among=pool)
    assert raised.value.candidates == ("container:5", "layer:ddd")
    assert found("container:5", among=pool) == ["container:5"]
    assert found("device:5", among=pool) == ["layer:ddd"]


def test_a_name_that_is_the_id_of_its_own_device() -> None:
    named = replace(made.WEB_1, name="7")
    names = replace(NAMES, objects=(*NAMES.objects[:-2], named, made.WEB_2))
    pool = Objects(devices(*range(1, 10)), [names])
    assert found("7", among=pool) == ["container:7"]


def test_same_name_of_two_kinds() -> None:
    image = Object(key="i9", kind="image", name="web-1")
    pool = Objects(devices(1, 7), [replace(NAMES, objects=(*NAMES.objects, image))])
    with pytest.raises(AmbiguousName):
        found("web-1", among=pool)
