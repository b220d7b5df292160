"""The text of a deleted message is nowhere, however it was deleted."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from chat import events
from chat.models import Message
from chat.queries.snapshot import project_snapshot
from realtime.models import Event
from realtime.protocol.streams import StreamName
from tests.log.world import World, head, types

pytestmark = pytest.mark.django_db


def saved(**how: Any) -> None:
    message = Message.objects.get()
    message.deleted_at = timezone.now()
    message.save(**how)


DELETIONS: dict[str, Callable[[], Any]] = {
    "save": saved,
    "save_field": lambda: saved(update_fields=["deleted_at"]),
    "update": lambda: Message.objects.update(deleted_at=timezone.now()),
    "update_expression": lambda: Message.objects.update(deleted_at=Now()),
    "relation": lambda: Message.objects.get().project.messages.update(deleted_at=timezone.now()),
}


@pytest.mark.parametrize("deletion", DELETIONS.values(), ids=DELETIONS)
def test_message_marked_as_deleted_loses_its_text(
    world: World, deletion: Callable[[], Any]
) -> None:
    """Bug: the row kept it, and snapshots and the API went on showing it as deleted, with text."""
    world.message("secret").save()
    before = head(world.stream)
    deletion()
    assert Message.objects.get().body == ""
    assert types(world.stream, before) == ["message_deleted"]
    [shown] = project_snapshot(world.ada, StreamName.parse(world.stream))["messages"]
    assert (shown["body"], shown["deleted"]) == ("", True)
    assert not any(b"secret" in bytes(event.frame) for event in Event.objects.all())


def test_deleted_message_made_in_bulk_has_no_text(world: World) -> None:
    """What our own writers cannot clear without losing other rows' texts, the table refuses."""
    row = world.message("secret", deleted_at=timezone.now())
    with pytest.raises(IntegrityError), transaction.atomic():
        Message.objects.bulk_create([row])
    world.message("secret").save()
    message = Message.objects.get()
    message.deleted_at = timezone.now()
    with pytest.raises(IntegrityError), transaction.atomic():
        Message.objects.bulk_update([message], ["deleted_at"])
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE chat_message SET deleted_at = created_at")
    assert Message.objects.get().deleted_at is None


def test_builder_never_shows_a_deleted_text(world: World) -> None:
    """Also of a row in memory that nobody has saved."""
    row = world.message("secret", deleted_at=timezone.now(), created_at=timezone.now())
    assert events.message(row)["body"] == ""


def test_other_updates_keep_the_text(world: World) -> None:
    """Undoing a mark, or one that is none, takes nothing away."""
    world.message("kept").save()
    Message.objects.update(deleted_at=None)
    assert Message.objects.get().body == "kept"
