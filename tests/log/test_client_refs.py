"""`client_ref`: a write that is sent again takes effect once."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from chat.actions.messages import delete_message, edit_message, send_message
from chat.actions.projects import create_project
from chat.models import Message
from realtime.models import ClientRef
from realtime.protocol.errors import Conflict, NotFound
from tests.log.world import World, head, together, types

pytestmark = pytest.mark.django_db(transaction=True)


def test_same_write_again_gives_the_message_as_it_is_now(world: World) -> None:
    """And the seq of the first write."""
    first = send_message(world.ada, world.project.pk, body="hello", client_ref="r")
    edit_message(world.ada, first.message.pk, body="edited")
    before = head(world.stream)
    again = send_message(world.ada, world.project.pk, body="hello", client_ref="r")
    assert (again.message.pk, again.seq, again.created) == (first.message.pk, first.seq, False)
    assert again.message.body == "edited"
    assert head(world.stream) == before


def test_other_content_under_the_same_reference_is_a_conflict(world: World) -> None:
    """Another body, stream or command; another author may use the same reference."""
    sent = send_message(world.ada, world.project.pk, body="hello", client_ref="r")
    other = create_project(world.ada, name="Other")
    before = head(world.stream)
    writes: list[Callable[[], Any]] = [
        lambda: send_message(world.ada, world.project.pk, body="other", client_ref="r"),
        lambda: send_message(world.ada, other.pk, body="hello", client_ref="r"),
        lambda: edit_message(world.ada, sent.message.pk, body="hello", client_ref="r"),
        lambda: delete_message(world.ada, sent.message.pk, client_ref="r"),
    ]
    for write in writes:
        with pytest.raises(Conflict, match="client_ref"):
            write()
    assert head(world.stream) == before
    send_message(world.bob, world.project.pk, body="other", client_ref="r")
    assert Message.objects.count() == 2


def test_edit_and_delete_take_effect_once(world: World) -> None:
    """The second one gives the seq of the first."""
    message = send_message(world.ada, world.project.pk, body="hello").message.pk
    before = head(world.stream)
    edits = [edit_message(world.ada, message, body="new", client_ref="e") for _ in range(2)]
    ends = [delete_message(world.ada, message, client_ref="d") for _ in range(2)]
    assert [one.seq for one in edits + ends] == [before + 1, before + 1, before + 2, before + 2]
    assert types(world.stream, before) == ["message_updated", "message_deleted"]


def test_refused_write_keeps_no_reference(world: World) -> None:
    """Its author may try again with the same one."""
    with pytest.raises(NotFound):
        send_message(world.ada, world.project.pk, body="x", client_ref="r", reply_to=999)
    assert not ClientRef.objects.exists()
    send_message(world.ada, world.project.pk, body="x", client_ref="r")


def test_reference_of_a_message_that_is_gone(world: World) -> None:
    """Bug: once an administrator had deleted the row, every retry was a fault of ours."""
    sent = send_message(world.ada, world.project.pk, body="hello", client_ref="r")
    sent.message.delete()
    with pytest.raises(NotFound, match="client_ref"):
        send_message(world.ada, world.project.pk, body="hello", client_ref="r")


def _sends(world: World, *projects: int, ref: str) -> list[Callable[[], Any]]:
    return [
        lambda project=project: send_message(  # type: ignore[misc]
            world.ada, project, body="hello", client_ref=ref
        )
        for project in projects
    ]


def test_same_write_at_once_makes_one_message(world: World) -> None:
    """Threads that begin together, one stream: one makes it, the others get it."""
    key = world.project.pk
    for number in range(5):
        results = together(*_sends(world, key, key, key, ref=f"r{number}"))
        assert Counter(one.created for one in results) == {True: 1, False: 2}
        assert len({(one.message.pk, one.seq) for one in results}) == 1
    assert Message.objects.count() == 5


def test_same_reference_at_once_in_two_streams_makes_one_message(world: World) -> None:
    """Bug: on PostgreSQL the loser met the message's own constraint, an IntegrityError. It is a
    conflict, because the stream is part of the content."""
    other = create_project(world.ada, name="Other")
    for number in range(5):
        results = together(*_sends(world, world.project.pk, other.pk, ref=f"r{number}"))
        conflicts = [one for one in results if isinstance(one, Conflict)]
        assert len(conflicts) == 1, results
        assert Message.objects.filter(client_ref=f"r{number}").count() == 1


def test_message_made_elsewhere_bears_its_reference(world: World) -> None:
    """Bug: a message of an import, a shell or a bulk write held the reference without the row of
    the write: sending with it met the unique constraint, an IntegrityError."""
    Message.objects.bulk_create([world.message("hello", client_ref="r")])
    other = create_project(world.ada, name="Other")
    row, before = Message.objects.get(), head(world.stream)
    with pytest.raises(Conflict, match="client_ref"):
        send_message(world.ada, world.project.pk, body="other", client_ref="r")
    with pytest.raises(Conflict, match="client_ref"):
        send_message(world.ada, other.pk, body="hello", client_ref="r")
    for _ in range(2):
        sent = send_message(world.ada, world.project.pk, body="hello", client_ref="r")
        assert (sent.message.pk, sent.seq, sent.created) == (row.pk, before, False)
    assert head(world.stream) == before
    send_message(world.bob, world.project.pk, body="other", client_ref="r")
    assert Message.objects.count() == 2
