"""Locks of streams: their order, and how long the record of them lives."""

import pytest
from django.db import transaction

from chat.actions.projects import set_member
from realtime.log.locks import LockOrder, create_stream, held_streams, lock_streams
from tests.log.world import World, own_stream, rolled_back

pytestmark = pytest.mark.django_db


def test_order_that_could_deadlock_raises_in_development(world: World) -> None:
    """Two streams in two orders deadlock two writers; the second call must not sort before."""
    with transaction.atomic():
        lock_streams(own_stream(world.ada))
        with pytest.raises(LockOrder, match="lock both in one call"):
            lock_streams(world.stream)


def test_one_call_sorts_and_held_ones_are_skipped(world: World) -> None:
    """Locking again what is held already is no wrong order."""
    with transaction.atomic():
        lock_streams(own_stream(world.ada), world.stream)
        assert held_streams() == [world.stream, own_stream(world.ada)]
        lock_streams(world.stream)
        lock_streams(own_stream(world.ada), world.stream)
        assert held_streams() == [world.stream, own_stream(world.ada)]


def test_row_written_before_its_streams_were_locked_together_raises(world: World) -> None:
    """The base model locks; an action that began with a later stream is told so."""
    with transaction.atomic():
        lock_streams(own_stream(world.ada))
        with pytest.raises(LockOrder):
            world.message().save()


def test_savepoint_rollback_forgets_its_locks(world: World) -> None:
    """PostgreSQL releases them there, so the next write must lock again."""
    with transaction.atomic():
        with rolled_back():
            lock_streams(world.stream)
        assert held_streams() == []
        with transaction.atomic():
            lock_streams(world.stream)
        assert held_streams() == [world.stream]


@pytest.mark.django_db(transaction=True)
def test_commit_and_rollback_forget_all_locks(world: World) -> None:
    """The record is of one transaction."""
    with transaction.atomic():
        lock_streams(world.stream)
    with transaction.atomic():
        assert held_streams() == []
        lock_streams(world.stream)
        transaction.set_rollback(True)
    with transaction.atomic():
        assert held_streams() == []


def test_same_action_twice_in_a_test_case_is_two_transactions(world: World) -> None:
    """Bug: within a test's own transaction the second call of a decorated action believed that it
    still held the locks of the first, and its own were then in the wrong order."""
    set_member(world.ada, world.project.pk, user_id=world.bob.pk, role="viewer")
    set_member(world.ada, world.project.pk, user_id=world.ada.pk, role="owner")
    set_member(world.ada, world.project.pk, user_id=world.bob.pk, role="member")


def test_stream_just_made_is_held(world: World) -> None:
    """Nobody else can see it, so its place in the order does not matter."""
    with transaction.atomic():
        lock_streams("system")
        create_stream("project.999")
        assert held_streams() == ["system", "project.999"]
        lock_streams("project.999")
