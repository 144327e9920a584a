"""What goes when a manager is told to delete objects: theirs, and what nothing uses any more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from thinscope.names.model import Object
    from thinscope.objects import Objects

__all__ = ["Deletion", "Refusal"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """An object that its manager would not delete.

    Attributes:
        object: The object.
        users: Those that use it and are to stay.
        why: Why it would not be deleted, as half a sentence.
    """

    object: Object
    users: tuple[Object, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Deletion:
    """Objects, and what goes with them.

    Attributes:
        objects: The objects that were chosen.
        collected: What their manager deletes by itself since only these used it, such as layers.
        devices: The devices of both, by ascending id.
        refusals: What the manager would refuse. The other fields are as if it did not.
    """

    objects: tuple[Object, ...]
    collected: tuple[Object, ...]
    devices: tuple[int, ...]
    refusals: tuple[Refusal, ...]

    @classmethod
    def of(cls, objects: Objects, chosen: Iterable[Object]) -> Deletion:
        """Tell what goes with the chosen objects."""
        going = {object_.key: object_ for object_ in chosen}
        chosen = tuple(going.values())
        waiting = list(chosen)
        while waiting:
            for used in objects.used(waiting.pop()):
                if used.key in going or not used.is_collected or used.is_kept:
                    continue
                if all(user.key in going for user in objects.users(used)):
                    going[used.key] = used
                    waiting.append(used)
        devices = [device for object_ in going.values() for device in objects.devices(object_)]
        refusals = (_refusal(objects, object_, going) for object_ in chosen)
        return cls(
            objects=chosen,
            collected=tuple(going.values())[len(chosen) :],
            devices=tuple(sorted(devices)),
            refusals=tuple(filter(None, refusals)),
        )


def _refusal(objects: Objects, object_: Object, going: dict[str, Object]) -> Refusal | None:
    never = "its manager never deletes it" if object_.is_kept else object_.refused
    if never:
        return Refusal(object_, (), never)
    users = tuple(user for user in objects.users(object_) if user.key not in going)
    if users:
        return Refusal(object_, users, "it is in use")
    if object_.is_running:
        return Refusal(object_, (), "it is running, and has to be stopped first")
    if object_.removal or (object_.is_collected and objects.users(object_)):
        return None  # what its manager deletes by itself goes with what uses it
    if object_.is_collected:
        return Refusal(object_, (), "its manager deletes it by itself, when nothing uses it")
    return Refusal(object_, (), "its manager has no command for it")
