"""Many writers at once: no gap, no duplicate, and commit order is seq order."""

import threading
from collections import Counter
from collections.abc import Callable

import pytest
from django.db import connection, transaction

from chat.actions.messages import send_message
from chat.actions.projects import create_project
from chat.models import Message
from realtime import publisher
from realtime.database import snapshot
from realtime.log.reading import entries_after, stream_state
from tests.log.world import World, frames, head, together

pytestmark = pytest.mark.django_db(transaction=True)

WRITERS = 4
EACH = 15


def writer(world: World, projects: list[int], name: str) -> Callable[[], None]:
    def write() -> None:
        for number in range(EACH):
            project = projects[number % len(projects)]
            send_message(world.ada, project, body=f"{name}.{number}")

    return write


@pytest.mark.parametrize("streams", [1, 3])
def test_concurrent_writers_leave_no_gap(world: World, streams: int) -> None:
    """In one stream they take turns; in several they do not meet."""
    others = [create_project(world.ada, name=f"p{n}") for n in range(streams - 1)]
    projects = [world.project.pk, *(row.pk for row in others)]
    known = {project: head(f"project.{project}") for project in projects}
    results = together(*(writer(world, projects, f"w{n}") for n in range(WRITERS)))
    assert results == [None] * WRITERS
    bodies: Counter[str] = Counter()
    for project in projects:
        stored = frames(f"project.{project}", known[project])  # checks that the seqs are unbroken
        mine = [frame["data"]["message"]["body"] for frame in stored]
        for name in {body.split(".")[0] for body in mine}:
            numbers = [int(body.split(".")[1]) for body in mine if body.split(".")[0] == name]
            assert numbers == sorted(numbers)
        bodies.update(mine)
    assert bodies == Counter(f"w{n}.{m}" for n in range(WRITERS) for m in range(EACH))


def test_whoever_sees_a_seq_can_read_all_before_it(world: World) -> None:
    """The row's lock is held until the commit, so seqs become visible in their order."""
    state = stream_state(world.stream)
    over = threading.Event()
    looks = 0

    def write(name: str) -> Callable[[], None]:
        return writer(world, [world.project.pk], name)

    def read() -> None:
        nonlocal looks
        while not over.is_set():
            seen = stream_state(world.stream).head
            present = [entry.seq for entry in entries_after(state.id, state.head)]
            assert present[: seen - state.head] == list(range(state.head + 1, seen + 1))
            with snapshot():
                seen = stream_state(world.stream).head
                count = Message.objects.count()
                present = [entry.seq for entry in entries_after(state.id, state.head)]
            assert present == list(range(state.head + 1, seen + 1))
            assert count == seen - state.head
            looks += 1

    def write_all() -> None:
        try:
            assert together(*(write(f"w{n}") for n in range(3))) == [None] * 3
        finally:
            over.set()

    assert together(write_all, read) == [None, None]
    assert looks > 3


def test_announcements_of_concurrent_commits_are_complete(world: World) -> None:
    """They may be handed over in another order than committed, but each exactly once."""
    heard: list[int] = []
    publisher.attach_local_hub(
        lambda stream, epoch, entries: heard.extend(entry.seq for entry in entries),
        lambda *_: None,
    )
    before = head(world.stream)
    try:
        together(*(writer(world, [world.project.pk], f"w{n}") for n in range(WRITERS)))
    finally:
        publisher.detach_local_hub()
    assert sorted(heard) == list(range(before + 1, before + 1 + WRITERS * EACH))


def test_snapshot_sees_one_commit_and_stops_no_writer(world: World) -> None:
    """On SQLite a plain reading transaction would hold the only write lock."""
    inside, written = threading.Event(), threading.Event()

    def read() -> tuple[int, int, int]:
        with snapshot():
            first = Message.objects.count()
            inside.set()
            assert written.wait(5), "expected the writer not to wait for the reader"
            again = Message.objects.count()
        return first, again, Message.objects.count()

    def write() -> None:
        assert inside.wait(5)
        send_message(world.ada, world.project.pk, body="hello")
        written.set()

    assert together(read, write) == [(0, 0, 1), None]


def test_snapshot_inside_a_transaction_is_its_view(world: World) -> None:
    """What the transaction has written is there."""
    with transaction.atomic():
        world.message().save()
        with snapshot():
            assert Message.objects.count() == 1
        world.message().save()
    assert Message.objects.count() == 2


def test_write_after_a_failed_snapshot_still_takes_its_turn(world: World) -> None:
    """Bug: on SQLite, when the reading transaction could not begin, the next writing one began
    as a reading one, without a turn and bound to fail beside another writer."""
    if connection.vendor != "sqlite":
        pytest.skip("turns are a matter of SQLite")
    connection.close()
    name = connection.settings_dict["NAME"]
    connection.settings_dict["NAME"] = "/nowhere/at/all.sqlite3"
    try:
        with pytest.raises(Exception, match="unable to open"), snapshot():
            pass
    finally:
        connection.settings_dict["NAME"] = name
    with transaction.atomic():
        assert connection._has_turn  # type: ignore[attr-defined]
    assert not connection._has_turn  # type: ignore[attr-defined]


def test_turn_ends_with_the_connection(world: World) -> None:
    """A connection closed within its transaction, and a failed commit, give the turn back."""
    if connection.vendor != "sqlite":
        pytest.skip("turns are a matter of SQLite")

    def close_inside() -> None:
        with transaction.atomic():
            world.message("lost").save()
            connection.close()

    def fail_at_commit() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO realtime_event (stream_id, seq, uid, type, ts, frame) "
                "VALUES (999999, 1, 'x', 'x', 'x', 'x')"
            )

    assert isinstance(together(fail_at_commit)[0], Exception)
    together(close_inside)
    assert together(writer(world, [world.project.pk], "w")) == [None]
