"""Publishing: the event's row lives and dies with its transaction."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Concat

from chat.models import Memory, Message
from realtime.log.entries import EventDraft
from realtime.log.locks import OutsideTransaction, lock_streams
from realtime.log.writing import publish, publish_many, publishing_together
from realtime.protocol.catalogue import UndeclaredEvent
from realtime.protocol.errors import BadRequest, NotFound, RealtimeError, TooLarge
from tests.log.conftest import Announced
from tests.log.world import World, frames, head, own_stream, rolled_back, types

pytestmark = pytest.mark.django_db(transaction=True)

DELETED = EventDraft("memory_deleted", {"memory": 1})


def test_publish_outside_a_transaction_raises(world: World) -> None:
    """Without one, row and event would be two commits."""
    before = head(world.stream)
    writes: list[Callable[[], Any]] = [
        lambda: publish(world.stream, DELETED),
        lambda: publish_many(world.stream, [DELETED]),
        lambda: publishing_together().__enter__(),
        lambda: lock_streams(world.stream),
    ]
    for write in writes:
        with pytest.raises(OutsideTransaction, match="expected to run inside"):
            write()
    assert head(world.stream) == before


@pytest.mark.parametrize(
    ("stream", "draft", "error"),
    [
        ("project", EventDraft("no_such_event", {}), UndeclaredEvent),
        ("project", EventDraft("memory_deleted", {"memory": "one"}), UndeclaredEvent),
        ("project", EventDraft("memory_deleted", {"memory": 1, "more": 1}), UndeclaredEvent),
        ("project", EventDraft("memory_deleted", {}), UndeclaredEvent),
        ("project", EventDraft("user_joined", {"user": {"id": 1, "name": "A"}}), UndeclaredEvent),
        ("project", EventDraft("server_shutdown", {"reconnect_after_ms": 1}), UndeclaredEvent),
        ("user", DELETED, UndeclaredEvent),
        ("system", DELETED, UndeclaredEvent),
        ("project.999999", DELETED, NotFound),
        ("nonsense", DELETED, BadRequest),
        (
            "project",
            EventDraft("context_summary_updated", {"project": 1, "summary": "x" * 140_000}),
            TooLarge,
        ),
    ],
)
def test_what_the_catalogue_does_not_allow_leaves_nothing(
    world: World,
    announced: Announced,
    stream: str,
    draft: EventDraft,
    error: type[RealtimeError],
) -> None:
    """The fault is the writer's own, and it is told at the writer."""
    name = {"project": world.stream, "user": own_stream(world.ada)}.get(stream, stream)
    before = [frames(world.stream), frames(own_stream(world.ada)), head("system")]
    with pytest.raises(error), transaction.atomic():
        publish(name, draft)
    assert [frames(world.stream), frames(own_stream(world.ada)), head("system")] == before
    assert not announced


def test_refused_event_that_is_caught_inside_leaves_no_hole(world: World) -> None:
    """Bug: the head had moved already, so a caller that caught TooLarge committed a seq without an
    event, at which every reader waits for ever."""
    large = EventDraft("context_summary_updated", {"project": 1, "summary": "x" * 140_000})
    before = head(world.stream)
    with transaction.atomic(), suppress(TooLarge):  # the transaction is lost all the same
        publish(world.stream, large)
    assert head(world.stream) == before
    with transaction.atomic():
        publish(world.stream, DELETED)
    assert types(world.stream, before) == ["memory_deleted"]


def test_seqs_start_at_1_and_have_no_gaps(world: World, announced: Announced) -> None:
    """The project's stream tells of its members first; `frames` checks that nothing is missing."""
    expected = ["project_joined", "chat_status_update", "project_joined"]
    assert types(world.stream) == expected
    for number in range(3):
        world.message(f"m{number}").save()
    assert [frame["seq"] for frame in frames(world.stream)] == list(range(1, 7))
    assert [[entry.seq for entry in entries] for _, _, entries in announced] == [[4], [5], [6]]
    stored = frames(world.stream, after=3)
    assert [frame["data"]["message"]["body"] for frame in stored] == ["m0", "m1", "m2"]
    assert len({frame["id"] for frame in stored}) == 3


def test_nothing_is_announced_before_the_commit(world: World, announced: Announced) -> None:
    """A hint for what may still be rolled back would be a lie."""
    with transaction.atomic():
        world.message().save()
        assert not announced
    assert len(announced) == 1


@pytest.mark.parametrize("how", ["exception", "set_rollback"])
def test_rollback_leaves_neither_row_nor_event(
    world: World, announced: Announced, how: str
) -> None:
    """One transaction: either both are there or none."""
    before = head(world.stream)
    try:
        with transaction.atomic():
            world.message().save()
            world.memory().save()
            if how == "exception":
                raise ZeroDivisionError
            transaction.set_rollback(True)
    except ZeroDivisionError:
        pass
    assert not Message.objects.exists()
    assert not Memory.objects.exists()
    assert types(world.stream, before) == []
    assert not announced


def test_rolled_back_savepoint_gives_its_seqs_back(world: World, announced: Announced) -> None:
    """What the savepoint wrote is gone, and the next event takes its seq."""
    before = head(world.stream)
    with transaction.atomic():
        world.message("first").save()
        with rolled_back():
            world.message("lost").save()
        world.message("second").save()
    stored = frames(world.stream, after=before)
    assert [frame["data"]["message"]["body"] for frame in stored] == ["first", "second"]
    assert list(Message.objects.order_by("pk").values_list("body", flat=True)) == [
        "first",
        "second",
    ]
    assert [[e.seq for e in entries] for _, _, entries in announced] == [[before + 1], [before + 2]]


def test_together_gives_seqs_at_its_end_in_order(world: World, announced: Announced) -> None:
    """One UPDATE, one INSERT and one hint per stream, whatever was published inside."""
    before = head(world.stream)
    with transaction.atomic(), publishing_together():
        for number in range(5):
            world.message(f"m{number}").save()
            with publishing_together():
                world.memory(f"f{number}").save()
        assert head(world.stream) == before
    assert types(world.stream, before) == ["new_message", "memory_stored"] * 5
    assert [[e.seq for e in entries] for _, _, entries in announced] == [
        list(range(before + 1, before + 11))
    ]


def test_together_forgets_what_a_savepoint_took_back(world: World) -> None:
    """Bug: drafts gathered in a savepoint that was rolled back were published at the end: an event
    of a row that does not exist."""
    before = head(world.stream)
    with transaction.atomic(), publishing_together():
        world.message("kept").save()
        with rolled_back():
            world.message("lost").save()
    bodies = [frame["data"]["message"]["body"] for frame in frames(world.stream, before)]
    assert bodies == list(Message.objects.values_list("body", flat=True)) == ["kept"]


def test_together_that_fails_takes_the_rows_along(world: World) -> None:
    """Bug: an exception inside, caught around it in the same transaction, left rows that nobody
    was told of."""
    before = head(world.stream)
    with transaction.atomic():
        try:
            with publishing_together():
                world.message("silent").save()
                raise ZeroDivisionError
        except ZeroDivisionError:
            pass
    assert not Message.objects.exists()
    assert types(world.stream, before) == []


def test_update_fields_and_expressions_give_the_stored_values(world: World) -> None:
    """The event shows the row as it is in the table, not as it was in somebody's memory."""
    message = world.message("stored")
    message.save()
    other = Message.objects.get(pk=message.pk)
    other.body = "changed elsewhere"
    other.save()
    before = head(world.stream)
    message.edited_at = message.created_at
    message.save(update_fields=["edited_at"])
    message.body = Concat(F("body"), F("body"))
    message.save()
    bodies = [frame["data"]["message"]["body"] for frame in frames(world.stream, before)]
    assert bodies[0] == "changed elsewhere"
    assert bodies[1] == Message.objects.get(pk=message.pk).body
    assert bodies[1] == "changed elsewhere" * 2


def test_deferred_fields_give_the_stored_values(world: World) -> None:
    """A row read in part is shown whole."""
    world.memory("title", body="the body").save()
    part = Memory.objects.only("title").get()
    part.title = "new title"
    before = head(world.stream)
    part.save()
    shown = frames(world.stream, before)[0]["data"]["memory"]
    assert (shown["title"], shown["body"]) == ("new title", "the body")
