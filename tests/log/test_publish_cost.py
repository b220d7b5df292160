"""What one event and one message cost in statements, and what many cost."""

from collections.abc import Callable
from contextlib import nullcontext, suppress

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from chat.actions.messages import send_message
from chat.models import Message
from realtime.log.entries import EventDraft
from realtime.log.writing import publish, publish_many
from realtime.models import Event
from tests.log.conftest import Announced
from tests.log.world import World, frames, head

pytestmark = pytest.mark.django_db(transaction=True)

TITLE = 'Zürich "north" \\ {"seq":5} %s'


def statements(write: Callable[[], object]) -> list[str]:
    """The first words of what the database was told, without BEGIN and COMMIT."""
    with CaptureQueriesContext(connection) as captured, transaction.atomic():
        write()
    texts = [query["sql"].removeprefix("1 times:").split() for query in captured.captured_queries]
    return [words[0] for words in texts if words[0] not in {"BEGIN", "COMMIT"}]


def drafts(count: int) -> list[EventDraft]:
    data = {"session": 1, "title": TITLE, "closed": False, "status": "idle"}
    return [EventDraft("chat_status_update", data, subject=f"message.{n}") for n in range(count)]


def test_an_event_is_one_statement_where_the_database_can(world: World) -> None:
    """The lock of the stream is held for one round trip less."""
    told = statements(lambda: publish(world.stream, drafts(1)[0]))
    assert told == (["WITH"] if connection.vendor == "postgresql" else ["UPDATE", "INSERT"])


@pytest.mark.parametrize("count", [1, 2, 1_500])
def test_stored_and_announced_are_the_same_bytes(
    world: World, announced: Announced, count: int
) -> None:
    """The seq is put into the frame by the database or by the writer; both must give one text."""
    before = head(world.stream)
    with transaction.atomic():
        position = publish_many(world.stream, drafts(count))
    assert position is not None
    assert position.seq == before + count
    ((stream, epoch, entries),) = announced
    assert (stream, epoch) == (world.stream, position.epoch)
    stored = Event.objects.filter(stream__name=stream, seq__gt=before).order_by("seq")
    assert [entry.frame for entry in entries] == [bytes(row.frame) for row in stored]
    assert [entry.seq for entry in entries] == [row.seq for row in stored]
    assert [row.subject for row in stored] == [f"message.{n}" for n in range(count)]
    for row, frame in zip(stored, frames(stream, before), strict=True):
        assert frame["data"]["title"] == TITLE
        assert (frame["type"], frame["id"]) == (row.type, str(row.uid))


def test_many_events_cost_as_many_statements_as_two(world: World) -> None:
    """One UPDATE, and rows that travel together."""
    few, many = (
        statements(lambda n=count: publish_many(world.stream, drafts(n)))  # type: ignore[misc]
        for count in (2, 50)
    )
    assert few[0] == many[0] == "UPDATE"
    if connection.vendor == "postgresql":
        assert len(few) == len(many)  # psycopg is told once
    else:
        assert len(many) == 2


def test_a_message_is_stored_with_few_statements(world: World) -> None:
    """Bug: a savepoint around each saved row, two round trips of every message; the whole author,
    project and message were read where one column is asked for."""
    told = statements(lambda: send_message(world.ada, world.project.pk, body="x", client_ref="r"))
    lock = ["SELECT"] if connection.vendor == "postgresql" else []
    event = ["WITH"] if connection.vendor == "postgresql" else ["UPDATE", "INSERT"]
    claim, standing, message, done = ("INSERT", "SELECT", "INSERT", "UPDATE")
    inner = [*lock, claim, standing, message, *event, done]
    assert [word for word in told if word not in {"SAVEPOINT", "RELEASE"}] == inner
    # `send_message` inside this test's own transaction is one block more.
    assert told.count("SAVEPOINT") == 1


@pytest.mark.parametrize("own_savepoint", [True, False])
def test_row_that_cannot_be_written_takes_along_what_is_around_it(
    world: World, own_savepoint: bool
) -> None:
    """As Django's own save: who wants to go on after a refusal opens a block around the row."""
    before = head(world.stream)
    with transaction.atomic():
        world.message("kept", client_ref="r").save()
        block = transaction.atomic() if own_savepoint else nullcontext()
        with suppress(IntegrityError), block:
            world.message("refused", client_ref="r").save()
    assert Message.objects.count() == head(world.stream) - before == (1 if own_savepoint else 0)
