"""Statements that PostgreSQL plans once for each connection."""

import uuid
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.test.utils import override_settings

from chat.actions.messages import send_message
from realtime.backends.cursors import prepared_cursor
from realtime.log.entries import EventDraft
from realtime.log.writing import publish
from tests.log.world import World, head

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite keeps what it compiled"),
]


@pytest.fixture(autouse=True)
def fresh_connection(world: World) -> Iterator[None]:
    """Nothing is prepared yet; and nothing of a test is left for the next one."""
    forget()
    yield
    forget()


def forget() -> None:
    """The pool's connection is given back, so it is the server that has to forget; psycopg learns
    of it by the same way as from a rollback."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        transaction.set_rollback(True)
    assert kept() == []


def kept() -> list[str]:
    """The first words of what the server keeps for this connection."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements ORDER BY prepare_time")
        return [" ".join(str(text).split()[:2]) for (text,) in cursor.fetchall()]


def written(world: World) -> int:
    """An event in a transaction of its own; its seq."""
    data = {"session": 1, "title": "T", "closed": False, "status": "idle"}
    with transaction.atomic():
        position = publish(world.stream, EventDraft("chat_status_update", data))
    assert position is not None
    return position.seq


def send(world: World) -> None:
    send_message(world.ada, world.project.pk, body="hello", client_ref=uuid.uuid4().hex)


def test_an_event_is_planned_once(world: World) -> None:
    """Whatever its numbers are: psycopg's types for them would make a plan for each size."""
    before = head(world.stream)
    assert [written(world) for _ in range(3)] == [before + 1, before + 2, before + 3]
    assert kept() == ["WITH moved"]


def test_a_message_is_planned_once(world: World) -> None:
    """And nothing that was sent beside it is kept: psycopg would count every other text."""
    send(world)
    once = kept()
    assert sorted(once) == sorted(
        [
            "SELECT 1",
            "INSERT INTO",
            "SELECT (SELECT",
            "INSERT INTO",
            "WITH moved",
            "UPDATE realtime_clientref",
        ]
    )
    for _ in range(3):
        send(world)
    assert kept() == once
    assert connection.connection.prepare_threshold is None


def test_what_is_rolled_back_can_be_written_afterwards(world: World) -> None:
    """psycopg forgets its statements with a transaction, and the server must do so with it."""
    before = written(world)
    for inner in (True, False):
        with transaction.atomic():
            with transaction.atomic():
                written(world)
                transaction.set_rollback(inner)
            transaction.set_rollback(True)
    assert written(world) == before + 1


def test_a_refusal_is_djangos_error_and_the_statement_goes_on(world: World) -> None:
    """A cursor past Django's wrappers would raise psycopg's own, which nobody here catches."""
    text = "SELECT 10 / %s"
    for _ in range(2):
        with pytest.raises(DatabaseError), prepared_cursor() as cursor:
            cursor.execute(text, [0])
        with prepared_cursor() as cursor:
            cursor.execute(text, [5])
            assert cursor.fetchall() == [(2,)]


def test_behind_a_pooler_nothing_is_kept(world: World) -> None:
    """Its next transaction may meet another connection of the server, which knows of no plan."""
    with override_settings(PM=settings.PM.model_copy(update={"database_prepared": False})):
        written(world)
        send(world)
        assert kept() == []
