"""Read cursors: gathered per project, written forward only."""

from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.db.models import F
from django.utils import timezone

from chat import reads
from chat.actions.projects import create_project, remove_member
from chat.models import ReadCursor, ReadNotice, User
from tests.log.world import World, frames, head

pytestmark = pytest.mark.django_db(transaction=True)


def cursors(world: World) -> dict[int, int]:
    found = ReadCursor.objects.filter(project=world.project)
    return dict(found.values_list("user_id", "seq"))


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events may follow each other without waiting."""
    monkeypatch.setattr(reads, "TELL_EVERY", timedelta(0))


def test_cursors_move_forward_to_the_head_at_most(world: World, at_once: None) -> None:
    """One event for all who moved; none when nobody did."""
    for number in range(4):
        world.message(f"m{number}").save()
    last = head(world.stream)
    ada, bob, key = world.ada.pk, world.bob.pk, world.project.pk
    none = timedelta(0)
    assert reads.move_cursors(key, {ada: 2, bob: 999}) == ({ada: 2, bob: last}, none)
    assert reads.move_cursors(key, {ada: 1, bob: 3}) == ({}, none)
    assert reads.move_cursors(key, {ada: 3}) == ({ada: 3}, none)
    assert cursors(world) == {ada: 3, bob: last}
    told = [frame["data"]["reads"] for frame in frames(world.stream, last)]
    assert told == [{str(ada): 2, str(bob): last}, {str(ada): 3}]


def test_second_node_within_the_second_writes_and_waits(world: World) -> None:
    """What came too early to be told is told with the next event, whoever makes that one."""
    for number in range(4):
        world.message(f"m{number}").save()
    last = head(world.stream)
    ada, bob, key = world.ada.pk, world.bob.pk, world.project.pk
    assert reads.move_cursors(key, {ada: 2})[0] == {ada: 2}
    moved, left = reads.move_cursors(key, {bob: 3})
    assert moved == {}
    assert timedelta(0) < left <= reads.TELL_EVERY
    assert cursors(world) == {ada: 2, bob: 0}
    assert head(world.stream) == last + 1
    ReadNotice.objects.update(told_at=F("told_at") - reads.TELL_EVERY)
    assert reads.move_cursors(key, {ada: 4}) == ({ada: 4, bob: 3}, timedelta(0))
    assert cursors(world) == {ada: 4, bob: 3}
    assert head(world.stream) == last + 2


def test_wait_ends_when_the_databases_clock_was_set_back(world: World) -> None:
    world.message().save()
    key, ada = world.project.pk, world.ada.pk
    ReadNotice.objects.create(project_id=key, told_at=timezone.now() + timedelta(hours=1))
    assert reads.move_cursors(key, {ada: 1})[0] == {ada: 1}


def test_flush_owes_what_it_could_not_tell(world: World) -> None:
    """A later flush without new marks tells it."""
    world.message().save()
    ada, bob, key = world.ada.pk, world.bob.pk, world.project.pk
    for user in (ada, bob):
        reads.note(key, user, 1)
        async_to_sync(reads.flush)()
    assert cursors(world) == {ada: 1, bob: 0}
    ReadNotice.objects.update(told_at=F("told_at") - reads.TELL_EVERY)
    async_to_sync(reads.flush)()
    assert cursors(world) == {ada: 1, bob: 1}
    assert not reads._owed


def test_marks_of_people_who_are_gone_stop_nobody(world: World) -> None:
    """Bug: the mark of an account deleted meanwhile failed at the commit, was gathered again, and
    so no cursor of any project was written any more."""
    gone: User = User.objects.create_user("gone")
    key = gone.pk
    gone.delete()
    other = create_project(world.bob, name="Other")
    world.message().save()
    remove_member(world.ada, world.project.pk, world.bob.pk)
    for project, user in (
        (world.project.pk, key),
        (world.project.pk, world.ada.pk),
        (world.project.pk, world.bob.pk),
        (other.pk, world.bob.pk),
        (999_999, world.ada.pk),
    ):
        reads.note(project, user, 1)
    async_to_sync(reads.flush)()
    assert cursors(world) == {world.ada.pk: 1}
    assert ReadCursor.objects.filter(project=other).count() == 1
    assert not reads._gathered
