"""What goes with what is deleted, and what would be refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.objects import made
from tests.objects.made import objects
from thinscope.deletion import Deletion
from thinscope.names import Object
from thinscope.objects import Objects


def deleted(*chosen: Object) -> Deletion:
    return Deletion.of(objects(), chosen)


def refused(deletion: Deletion) -> list[tuple[str, list[str]]]:
    return [
        (refusal.object.name, [user.name for user in refusal.users])
        for refusal in deletion.refusals
    ]


def test_a_container_is_its_two_devices() -> None:
    deletion = deleted(made.WEB_1)
    assert deletion.devices == (6, 7)
    assert deletion.collected == ()
    assert deletion.refusals == ()


def test_an_image_is_the_layers_that_nothing_else_uses() -> None:
    deletion = deleted(made.JOBS)
    assert deletion.devices == (5,)
    assert [object_.name for object_ in deletion.collected] == ["ddd"]
    assert deletion.refusals == ()


def test_an_image_with_containers_is_refused() -> None:
    deletion = deleted(made.SHOP, made.WEB_1)
    assert refused(deletion) == [("shop:1", ["web-2"])]
    assert deletion.devices == (6, 7)


def test_with_its_containers_it_goes() -> None:
    deletion = deleted(made.SHOP, made.WEB_2, made.WEB_1)
    assert deletion.refusals == ()
    assert deletion.devices == (4, 6, 7, 8, 9)


def test_what_several_images_share_goes_with_the_last() -> None:
    assert deleted(made.JOBS, made.SHOP, made.WEB_1, made.WEB_2).devices == (4, 5, 6, 7, 8, 9)
    everything = deleted(made.BASIS, made.JOBS, made.SHOP, made.WEB_1, made.WEB_2)
    assert everything.devices == (2, 3, 4, 5, 6, 7, 8, 9)  # but for Docker's base
    assert everything.refusals == ()


def test_a_layer_is_refused() -> None:
    assert refused(deleted(made.SHARED)) == [("bbb", ["ccc", "ddd", "basis:1"])]
    left_over = Object(key="l9", kind="layer", name="eee", is_collected=True)
    names = replace(made.NAMES, objects=(*made.NAMES.objects, left_over))
    [refusal] = Deletion.of(Objects(made.devices(1), [names]), [left_over]).refusals
    assert refusal.why == "its manager deletes it by itself, when nothing uses it"


def test_a_layer_goes_with_what_uses_it() -> None:
    assert refused(deleted(made.OTHER, made.JOBS)) == []


def test_what_runs_is_refused() -> None:
    running = replace(made.WEB_1, is_running=True)
    [refusal] = deleted(running).refusals
    assert refusal.why == "it is running, and has to be stopped first"


def test_the_base_is_refused() -> None:
    [refusal] = deleted(made.BASE).refusals
    assert refusal.why == "its manager never deletes it"


@pytest.mark.parametrize("times", [1, 2])
def test_said_twice_is_said_once(times: int) -> None:
    assert deleted(*[made.WEB_1] * times).objects == (made.WEB_1,)
