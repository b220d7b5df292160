"""People and a project; what was announced after commits."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from chat.actions.projects import create_project, set_member
from chat.models import User
from realtime import publisher
from realtime.log.entries import Entry
from realtime.models import Installation, Stream
from tests.log.world import World

Announced = list[tuple[str, str, Sequence[Entry]]]


@pytest.fixture(autouse=True)
def quick_passwords(settings: Any) -> None:
    """The real hasher takes a third of a second for each person made here."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def installation() -> None:
    """What the migrations leave behind, also after a flushed (transaction=True) test."""
    Installation.objects.get_or_create(pk=1)
    for name in ("status", "system"):
        Stream.objects.get_or_create(name=name)


@pytest.fixture
def world(installation: None) -> World:
    ada: User = User.objects.create_user("ada", first_name="Ada")
    bob: User = User.objects.create_user("bob", first_name="Bob")
    project = create_project(ada, name="Apollo")
    set_member(ada, project.pk, user_id=bob.pk, role="member")
    return World(ada, bob, project)


@pytest.fixture
def announced(world: World) -> Iterator[Announced]:
    """What the process's own hub would have been told since the world was made.

    A fake hub behind the real seam: `attach_local_hub`.
    """
    heard: Announced = []
    publisher.attach_local_hub(
        lambda stream, epoch, entries: heard.append((stream, epoch, entries)),
        lambda stream, after, frame: None,
    )
    yield heard
    publisher.detach_local_hub()
