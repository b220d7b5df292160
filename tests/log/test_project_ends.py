"""Deleting and renaming projects: which streams are locked, when, and what is left of the log."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction

from chat.actions import projects
from chat.actions.projects import create_project, delete_project, set_member, update_project
from chat.models import Membership, Project, User
from realtime.log.locks import held_streams, lock_streams
from realtime.log.reading import stream_state
from realtime.models import Event
from realtime.protocol.errors import NotFound
from tests.log.world import World, frames, head, own_stream, together, types

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def lock_order_is_checked(settings: Any) -> None:
    """As in development: a wrong order of locks raises instead of deadlocking some day."""
    settings.DEBUG = True


def test_renaming_locks_the_project_alone(world: World) -> None:
    """Bug: the stream of every member was locked, so that nobody of sixty could sign in, or be
    told of anything, while one of their projects was renamed."""
    with transaction.atomic():
        update_project(world.ada, world.project.pk, name="New")
        assert held_streams() == [world.stream]


def test_bulk_renaming_locks_the_projects_alone(world: World) -> None:
    """The same by the queryset."""
    with transaction.atomic():
        Project.objects.update(description="new")
        assert held_streams() == [world.stream]


def test_deleting_locks_its_members_too(world: World) -> None:
    """They are told in their own streams."""
    name = world.stream
    with transaction.atomic():
        world.project.delete()
        assert held_streams() == sorted([name, own_stream(world.ada), own_stream(world.bob)])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("how", ["action", "row", "rows"])
def test_member_who_joins_before_the_lock_is_told(
    world: World, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Bug: members were listed before the lock; who joined in between was told under no lock, or
    in the wrong order of locks."""
    if connection.vendor == "sqlite":
        pytest.skip("on SQLite nobody writes once the deleting transaction has begun")
    carl: User = User.objects.create_user("carl")
    given = lock_streams

    def late(*names: str) -> None:
        """The first lock of the deletion: until it is taken, another person may join."""
        monkeypatch.undo()
        assert together(Membership(project=world.project, user=carl).save) == [None]
        given(*names)

    monkeypatch.setattr("chat.models.project.lock_streams", late)
    monkeypatch.setattr(projects, "lock_streams", late)
    with transaction.atomic():
        if how == "action":
            delete_project(world.ada, world.project.pk)
        elif how == "row":
            world.project.delete()
        else:
            Project.objects.all().delete()
        assert own_stream(carl) in held_streams()
    assert types(own_stream(carl)) == ["project_joined", "project_deleted"]


@pytest.mark.django_db(transaction=True)
def test_two_owners_delete_at_once(world: World) -> None:
    """Bug: both passed the check, and the second met a row that was gone: `internal`."""
    for number in range(5):
        project = create_project(world.ada, name=f"p{number}")
        set_member(world.ada, project.pk, user_id=world.bob.pk, role="owner")
        results = together(*(_deletion(user, project.pk) for user in (world.ada, world.bob)))
        assert sorted(type(one).__name__ for one in results) == ["NoneType", "NotFound"], results
        assert types(f"project.{project.pk}") == ["project_deleted"]


def _deletion(user: User, project_id: int) -> Callable[[], None]:
    return lambda: delete_project(user, project_id)


@pytest.mark.django_db(transaction=True)
def test_second_deletion_waits_before_it_checks(world: World) -> None:
    """The same without luck: the first has deleted and not yet committed."""
    if connection.vendor == "sqlite":
        pytest.skip("on SQLite no second writer begins before the first has ended")
    project = world.project.pk
    set_member(world.ada, project, user_id=world.bob.pk, role="owner")
    deleted, waiting = threading.Event(), threading.Event()

    def first() -> None:
        with transaction.atomic():
            delete_project(world.ada, project)
            deleted.set()
            assert waiting.wait(10)

    def second() -> None:
        assert deleted.wait(10)
        threading.Timer(0.2, waiting.set).start()  # while it waits for the lock
        delete_project(world.bob, project)

    results = together(first, second)
    assert results[0] is None
    assert isinstance(results[1], NotFound), results


@pytest.mark.parametrize("how", ["row", "rows"])
def test_deleted_project_leaves_no_text_in_its_log(world: World, how: str) -> None:
    """Bug: messages and memories of a deleted project stayed in the log for ever."""
    world.message("secret words").save()
    world.memory("secret fact").save()
    name, last = world.stream, head(world.stream)
    if how == "row":
        world.project.delete()
    else:
        Project.objects.all().delete()
    state = stream_state(name)
    assert (state.floor, state.head) == (last, last + 1)
    assert [(one["seq"], one["type"]) for one in frames(name)] == [(last + 1, "project_deleted")]
    assert not any(b"secret" in bytes(event.frame) for event in Event.objects.all())


def test_deletion_that_is_rolled_back_keeps_the_log(world: World) -> None:
    """Rows, events and floor are one transaction."""
    name, before = world.stream, frames(world.stream)
    with transaction.atomic():
        world.project.delete()
        transaction.set_rollback(True)
    assert frames(name) == before
    assert stream_state(name).floor == 0
