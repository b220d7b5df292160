"""However the right to `status` is taken away: one event with `ends`, in the same transaction."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import transaction

from chat.models import User
from realtime.models import Event
from realtime.protocol.streams import STATUS_STREAM

pytestmark = pytest.mark.django_db


def ends() -> list[str | None]:
    rows: Any = Event.objects.filter(stream__name=STATUS_STREAM).order_by("seq")
    return list(rows.values_list("ends", flat=True))


class Scene:
    """Ada has the right by two groups, Bob by the first of them and by himself, Cyd is staff."""

    def __init__(self) -> None:
        self.right = Permission.objects.get(codename="view_status")
        self.first, self.second = (Group.objects.create(name=name) for name in ("one", "two"))
        for group in (self.first, self.second):
            group.permissions.add(self.right)
        self.ada, self.bob = (User.objects.create_user(name) for name in ("ada", "bob"))
        self.cyd = User.objects.create_user("cyd", is_staff=True)
        self.ada.groups.add(self.first, self.second)
        self.bob.groups.add(self.first)
        self.bob.user_permissions.add(self.right)
        self.cyd.groups.add(self.first)


LAST: dict[str, Callable[[Scene], object]] = {
    "left by the person": lambda scene: scene.ada.groups.remove(scene.second),
    "left by the group": lambda scene: scene.second.user_set.remove(scene.ada),
    "all left": lambda scene: scene.ada.groups.clear(),
    "replaced": lambda scene: scene.ada.groups.set([]),
    "emptied": lambda scene: scene.second.user_set.clear(),
    "permission taken from the group": lambda scene: scene.second.permissions.remove(scene.right),
    "group taken from the permission": lambda scene: scene.right.group_set.remove(scene.second),
    "permissions cleared": lambda scene: scene.second.permissions.clear(),
    "group deleted": lambda scene: scene.second.delete(),
    "groups deleted": lambda scene: Group.objects.filter(pk=scene.second.pk).delete(),
}


@pytest.mark.parametrize("how", LAST)
def test_last_way_to_the_right_ends_it(how: str) -> None:
    """Not before the last one is gone, for nobody else, and not for staff."""
    scene = Scene()
    scene.first.delete()
    assert ends() == []
    LAST[how](scene)
    assert ends() == [f"user.{scene.ada.pk}"]


def test_several_people_lose_it_at_once() -> None:
    """By the permission itself, which everybody had it from."""
    scene = Scene()
    scene.right.delete()
    assert ends() == [f"user.{scene.ada.pk}", f"user.{scene.bob.pk}"]


def test_own_permission_counts() -> None:
    """Given to the person and not by a group."""
    scene = Scene()
    scene.first.delete()
    scene.bob.user_permissions.clear()
    assert ends() == [f"user.{scene.bob.pk}"]


def test_rolled_back_change_ends_nothing() -> None:
    """The event stands and falls with the change."""
    scene = Scene()
    with transaction.atomic():
        scene.ada.groups.clear()
        assert ends() == [f"user.{scene.ada.pk}"]
        transaction.set_rollback(True)
    assert ends() == []
