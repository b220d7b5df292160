"""What is trimmed, what is kept, and what the row says of it."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chat.actions.messages import send_message
from realtime import trimmer
from realtime.log import retention
from realtime.log.locks import held_streams
from realtime.log.reading import entries_after, stream_state
from realtime.models import ClientRef, Event, Stream
from tests.log.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def kept(settings: Any) -> Any:
    """`kept(days=, count=)` sets the limits; everything stays by default."""

    def set_limits(days: int = 30, count: int = 100_000) -> None:
        limits = {"event_retention_days": days, "event_retention_count": count}
        settings.PM = settings.PM.model_copy(update=limits)

    set_limits()
    return set_limits


def grow(world: World, count: int, *, old: timedelta, up_to: int | None = None) -> int:
    """Events of the project; those up to a seq (or all) are made that old. The head."""
    with transaction.atomic():
        for number in range(count):
            world.message(f"m{number}").save()
    events = Event.objects.filter(stream__name=world.stream)
    if up_to is not None:
        events = events.filter(seq__lte=up_to)
    events.update(ts=timezone.now() - old)
    return stream_state(world.stream).head


def seqs(stream: str) -> list[int]:
    return list(
        Event.objects.filter(stream__name=stream).order_by("seq").values_list("seq", flat=True)
    )


def trimmed() -> int:
    return sum(retention.trimming())


def test_old_events_go_and_the_floor_says_so(world: World, kept: Any) -> None:
    """The head stays, seqs go on, and what is left follows the floor."""
    head = grow(world, 10, old=timedelta(days=31), up_to=6)
    assert trimmed() == 6
    state = stream_state(world.stream)
    assert (state.floor, state.head) == (6, head)
    assert seqs(world.stream) == list(range(7, head + 1))
    world.message("next").save()
    assert stream_state(world.stream).head == head + 1
    assert trimmed() == 0


def test_count_is_kept(world: World, kept: Any) -> None:
    """Beyond the newest EVENT_RETENTION_COUNT events, once they are an hour old."""
    head = grow(world, 12, old=timedelta(hours=2))
    kept(count=5)
    trimmed()
    assert seqs(world.stream) == list(range(head - 4, head + 1))
    assert stream_state(world.stream).floor == head - 5


def test_nothing_younger_than_an_hour_is_trimmed(world: World, kept: Any) -> None:
    """Not even far beyond the count: somebody may be catching up with it."""
    head = grow(world, 12, old=timedelta(minutes=59))
    kept(count=1)
    assert trimmed() == 0
    assert seqs(world.stream) == list(range(1, head + 1))


def test_clock_that_went_back_opens_no_hole(world: World, kept: Any) -> None:
    """Of old, young, old only the first goes: what is left must follow the floor."""
    head = grow(world, 6, old=timedelta(days=40))
    Event.objects.filter(stream__name=world.stream, seq=4).update(ts=timezone.now())
    trimmed()
    assert seqs(world.stream) == list(range(4, head + 1))
    assert stream_state(world.stream).floor == 3


def test_whole_log_may_go(world: World, kept: Any) -> None:
    """A quiet stream keeps its head: its next event has the next seq."""
    head = grow(world, 3, old=timedelta(days=31))
    trimmed()
    state = stream_state(world.stream)
    assert (state.floor, state.head) == (head, head)
    assert entries_after(state.id, 0) == []


def test_other_streams_are_left_alone(world: World, kept: Any) -> None:
    """Each stream has its own floor."""
    grow(world, 3, old=timedelta(days=31))
    before = {row.name: (row.floor, row.head) for row in Stream.objects.all()}
    trimmed()
    after = {row.name: (row.floor, row.head) for row in Stream.objects.all()}
    assert {name for name in after if after[name] != before[name]} == {world.stream}


def test_batches_are_small_commits(
    world: World, kept: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No lock is held between two steps, and each leaves floor and rows agreeing."""
    monkeypatch.setattr(retention, "BATCH", 4)
    head = grow(world, 10, old=timedelta(days=31))
    sizes = []
    for size in retention.trimming():
        sizes.append(size)
        assert held_streams() == []
        floor = stream_state(world.stream).floor
        assert seqs(world.stream) == list(range(floor + 1, head + 1))
    assert max(sizes) == 4
    assert sum(sizes) == head


def test_nothing_to_do_locks_nothing(world: World, kept: Any) -> None:
    """Every node trims every 10 minutes: usually that must cost three reads and no lock."""
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert trimmed() == 0
    assert len(captured) <= 4
    assert not any("FOR UPDATE" in one["sql"] for one in captured)
    assert not any(one["sql"].startswith(("UPDATE", "DELETE")) for one in captured)


def test_old_references_are_forgotten(world: World, kept: Any) -> None:
    """With the age of events; younger ones still make a repeated write the same write."""
    for ref in ("old", "new"):
        send_message(world.ada, world.project.pk, body="hello", client_ref=ref)
    aged = timezone.now() - timedelta(days=31)
    ClientRef.objects.filter(ref="old").update(created_at=aged)
    trimmed()
    assert list(ClientRef.objects.values_list("ref", flat=True)) == ["new"]


def test_write_repeated_after_its_reference_was_forgotten(world: World, kept: Any) -> None:
    """The message itself still knows its reference: it is given again, and not made twice."""
    first = send_message(world.ada, world.project.pk, body="hello", client_ref="r")
    ClientRef.objects.update(created_at=timezone.now() - timedelta(days=31))
    trimmed()
    for _ in range(2):
        again = send_message(world.ada, world.project.pk, body="hello", client_ref="r")
        assert again.message.pk == first.message.pk
        assert not again.created


def test_command_says_how_much_went(
    world: World, kept: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """`manage.py trim` is the same, by hand."""
    head = grow(world, 3, old=timedelta(days=31))
    call_command("trim")
    assert capsys.readouterr().out == f"{head} rows trimmed.\n"


@pytest.mark.django_db(transaction=True)
def test_serving_process_trims_by_itself(
    world: World, kept: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Step by step through the threads of the event loop; a second one finds nothing."""
    monkeypatch.setattr(retention, "BATCH", 4)
    head = grow(world, 10, old=timedelta(days=31))
    assert asyncio.run(trimmer.trim()) == head
    assert seqs(world.stream) == []
    assert asyncio.run(trimmer.trim()) == 0
