"""Read cursors: gathered per project, written forward only."""

import pytest
from asgiref.sync import async_to_sync

from chat import reads
from chat.actions.projects import create_project, remove_member
from chat.models import ReadCursor, User
from tests.log.world import World, frames, head

pytestmark = pytest.mark.django_db(transaction=True)


def cursors(world: World) -> dict[int, int]:
    found = ReadCursor.objects.filter(project=world.project)
    return dict(found.values_list("user_id", "seq"))


def test_cursors_move_forward_to_the_head_at_most(world: World) -> None:
    """One event for all who moved; none when nobody did."""
    for number in range(4):
        world.message(f"m{number}").save()
    last = head(world.stream)
    ada, bob, key = world.ada.pk, world.bob.pk, world.project.pk
    assert reads.move_cursors(key, {ada: 2, bob: 999}) == {ada: 2, bob: last}
    assert reads.move_cursors(key, {ada: 1, bob: 3}) == {}
    assert reads.move_cursors(key, {ada: 3}) == {ada: 3}
    assert cursors(world) == {ada: 3, bob: last}
    told = [frame["data"]["reads"] for frame in frames(world.stream, last)]
    assert told == [{str(ada): 2, str(bob): last}, {str(ada): 3}]


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
