"""A deleted message's text goes from everything that was stored."""

from typing import Any

import pytest
from django.conf import settings
from django.test import override_settings

from chat.actions.messages import delete_message, edit_message, send_message
from realtime.models import Event
from tests.log.world import World, frames, head

pytestmark = pytest.mark.django_db


def events_of(world: World) -> Any:
    return Event.objects.filter(stream__name=world.stream).order_by("seq")


def test_deleting_blanks_all_earlier_frames(world: World) -> None:
    """The new one and the edits, in place; other messages keep their text."""
    sent = send_message(world.ada, world.project.pk, body="secret one")
    send_message(world.bob, world.project.pk, body="kept")
    edited = edit_message(world.ada, sent.message.pk, body="secret two")
    seqs = list(events_of(world).values_list("seq", "uid", "ts"))
    deleted = delete_message(world.ada, sent.message.pk)
    assert not any(b"secret" in bytes(event.frame) for event in events_of(world))
    assert list(events_of(world).values_list("seq", "uid", "ts"))[:-1] == seqs
    first, kept, edit, last = frames(world.stream)[-4:]
    assert first["data"]["message"] | {"body": "", "deleted": True} == first["data"]["message"]
    assert edit["data"]["message"]["deleted"] is True
    assert kept["data"]["message"]["body"] == "kept"
    assert last["data"]["message"] == sent.message.pk
    row = events_of(world).get(seq=deleted.seq)
    assert row.blanks == edited.seq
    assert list(events_of(world).exclude(seq=deleted.seq).values_list("blanks", flat=True)) == [
        None
    ] * (head(world.stream) - 1)


def test_deleting_in_the_transaction_of_the_writing_blanks_too(world: World) -> None:
    """Gathered frames that have no row yet are no exception."""
    from django.db import transaction

    from chat.models import Message
    from realtime.log.writing import publishing_together

    with transaction.atomic(), publishing_together():
        message = world.message("secret")
        message.save()
        message.delete()
    assert not Message.objects.exists()
    assert not any(b"secret" in bytes(event.frame) for event in events_of(world))
    assert events_of(world).last().blanks == head(world.stream) - 1


def test_deleting_blanks_where_chat_events_are_switched_off(world: World) -> None:
    """Bug: with REALTIME_CHAT_BROADCASTING=false no event was made, and the text stayed stored, and
    in the rings of every node: deletions are told whatever is switched off."""
    sent = send_message(world.ada, world.project.pk, body="secret")
    before = head(world.stream)
    quiet = settings.PM.model_copy(update={"realtime_chat_broadcasting": False})
    with override_settings(PM=quiet):
        delete_message(world.ada, sent.message.pk)
    assert head(world.stream) == before + 1
    assert events_of(world).last().type == "message_deleted"
    assert not any(b"secret" in bytes(event.frame) for event in events_of(world))
