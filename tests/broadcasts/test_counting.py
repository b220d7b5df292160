"""What a count reads, when it is made, and that none is forgotten."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from realtime.broadcasts import counting, moved
from realtime.broadcasts.composing import create_broadcast
from realtime.broadcasts.counting import Turn, count_broadcasts, count_forgotten
from realtime.broadcasts.drafts import BroadcastDraft
from realtime.delivery.ranges import Range
from realtime.delivery.writing import Arrival
from realtime.models import Broadcast
from realtime.protocol.errors import Unavailable
from tests.api.conftest import ApiClient, Team
from tests.broadcasts.conftest import arrive, path

Publish = Callable[[int], Broadcast]


@pytest.fixture(autouse=True)
def nothing_moved() -> Iterator[None]:
    moved._changed.clear()
    yield
    moved._changed.clear()


@pytest.fixture
def stands(team: Team, publish: Publish) -> Callable[..., Broadcast]:
    def make(number: int = 0, **fields: Any) -> Broadcast:
        draft = BroadcastDraft(title=f"Number {number}", body="*all* of you", **fields)
        return publish(create_broadcast(team.owner, team.stream, draft).row.pk)

    return make


Stands = Callable[..., Broadcast]


def long_ago(minutes: float = 2) -> Any:
    return timezone.now() - timedelta(minutes=minutes)


def counts(row: Broadcast) -> tuple[int, int, int]:
    row.refresh_from_db()
    return row.delivered, row.acknowledged, row.late


# What has moved


def test_only_news_moves_a_count(team: Team, stands: Stands) -> None:
    """An acknowledgement of something else, or of the same again, costs no counting."""
    row = stands()
    assert row.seq is not None
    news = arrive(team.stream, team.member.pk, row.seq, row.seq)
    again = arrive(team.stream, team.member.pk, 1, row.seq)
    assert arrive(team.stream, team.member.pk, 1, row.seq) == []
    moved.on_arrivals(again)
    assert not moved._changed
    moved.on_arrivals(news)
    assert list(moved._changed) == [row.pk]


def test_only_what_came_is_looked_up(team: Team, stands: Stands) -> None:
    """Each write read every broadcast that stands in its streams, of which there may be thousands:
    what came is asked for by its seqs."""
    rows = [stands(number) for number in range(4)]
    seqs = [row.seq or 0 for row in rows]
    came = [
        Arrival(rows[0].stream_id, [], [Range(seqs[1], seqs[1])]),
        Arrival(rows[0].stream_id, [Range(seqs[1], seqs[2])], [Range(seqs[1], seqs[3])]),
    ]
    with CaptureQueriesContext(connection) as queries:
        moved.on_arrivals(came)
    [query] = queries
    assert "seq" in query["sql"].split("WHERE", 1)[1]
    assert list(moved._changed) == [rows[1].pk, rows[3].pk]
    with CaptureQueriesContext(connection) as queries:
        moved.on_arrivals([Arrival(rows[0].stream_id, [Range(1, 9)], [Range(1, 9)])])
    assert len(queries) == 0


def test_what_came_in_many_pieces_is_found(team: Team, stands: Stands) -> None:
    """More pieces than are asked for one by one: nothing between them counts as moved."""
    rows = [stands(number) for number in range(2)]
    before = Range(rows[1].seq or 0, rows[1].seq or 0)
    pieces = [Range(1_000 + 10 * number, 1_001 + 10 * number) for number in range(moved.SPANS)]
    first = Range(1, rows[0].seq or 0)
    assert first.hi < before.lo
    moved.on_arrivals([Arrival(rows[0].stream_id, [before], [first, before, *pieces])])
    assert list(moved._changed) == [rows[0].pk]


# Counting


def test_stored_counts_never_fall(team: Team, stands: Stands) -> None:
    """An account that is deleted had it all the same; a count that was made too soon says so."""
    row = stands()
    assert row.seq is not None
    arrive(team.stream, team.member.pk, 1, row.seq)
    assert count_broadcasts([row.pk]).again == []
    Broadcast.objects.update(counted_at=timezone.now() + timedelta(hours=1))
    assert count_broadcasts([row.pk]).again == [row.pk]
    team.member.delete()
    Broadcast.objects.update(counted_at=None)
    assert count_broadcasts([row.pk]).again == []
    assert counts(row) == (1, 0, 0)


def test_many_are_counted_as_each_alone(team: Team, stands: Stands) -> None:
    """Each from its own seq and its own people, however many in one reading."""
    rows = [stands(number, must_acknowledge=True) for number in range(5)]
    seqs = [row.seq or 0 for row in rows]
    arrive(team.stream, team.member.pk, 1, seqs[1])
    arrive(team.stream, team.member.pk, seqs[3], seqs[3])
    arrive(team.stream, team.viewer.pk, seqs[2], seqs[4])
    ApiClient(team.owner).post(path(f"{rows[0].pk}/acknowledge"))
    Broadcast.objects.update(delivered=0, acknowledged=0, counted_at=None)
    with CaptureQueriesContext(connection) as queries:
        count_broadcasts([row.pk for row in rows])
    read = [one["sql"] for one in queries if "deliveredrange" in one["sql"]]
    assert len(read) == 1
    found = [counts(row) for row in rows]
    assert found == [(2, 1, 0), (1, 0, 0), (1, 0, 0), (2, 0, 0), (1, 0, 0)]


# As the sweep of a node does it


def run_counting(monkeypatch: pytest.MonkeyPatch, turn: Callable[[list[int]], Turn]) -> list[float]:
    """Count what has moved with `turn` in place of the database; the pauses that were made."""
    pauses: list[float] = []

    async def at_once(function: Any, taken: list[int]) -> Turn:
        assert function is count_broadcasts
        return turn(taken)

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(moved, "in_database", at_once)
    monkeypatch.setattr("realtime.broadcasts.moved.asyncio.sleep", pause)
    async_to_sync(moved._count_all)(moved.IDLE)
    return pauses


def test_only_the_reading_is_rested_from(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nine times what a call took was rested: a wait of 0.4 s for the database, which is no work,
    made counts 4 s late."""
    moved._note([1])
    pauses = run_counting(monkeypatch, lambda taken: Turn([], 0.01))
    assert pauses == [pytest.approx(0.09)]


def test_refused_ones_are_asked_for_again_behind_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those counted a moment ago never keep others from their turn."""
    monkeypatch.setattr(moved, "TOGETHER", 2)
    turns: list[list[int]] = []

    def turn(taken: list[int]) -> Turn:
        turns.append(taken)
        return Turn([1] if turns == [[1, 2]] else [], 0.0)

    moved._note([1, 2, 3, 4])
    pauses = run_counting(monkeypatch, turn)
    assert turns == [[1, 2], [3, 4], [1]]
    assert pauses == [moved.AGAIN_S, 0.0, 0.0]


def test_absent_database_loses_no_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be counted is counted by the next sweep."""

    def away(taken: list[int]) -> Turn:
        raise Unavailable("away")

    moved._note([1, 2])
    run_counting(monkeypatch, away)
    assert list(moved._changed) == [1, 2]


def test_stop_in_the_middle_counts_what_had_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """A planned stop left the count that was under way, or in its pause, to the loop's end."""
    counted: list[list[int]] = []
    begun = []

    async def slow(function: Any, taken: list[int]) -> Turn:
        begun.append(taken)
        if len(begun) == 1:
            await asyncio.sleep(60)
        counted.append(taken)
        return Turn([], 60.0)  # and what comes later would wait for nine minutes

    async def run() -> None:
        monkeypatch.setattr(moved, "running_node", object)
        moved._note([1])
        await moved.count_changed()
        while not begun:
            await asyncio.sleep(0)
        moved._note([2])
        monkeypatch.setattr(moved, "running_node", lambda: None)
        await moved.count_changed()

    monkeypatch.setattr(moved, "in_database", slow)
    asyncio.run(run())
    assert [sorted(one) for one in counted] == [[1, 2]]
    assert not moved._changed


# For nodes that died


def test_forgotten_counts_are_made_up_for(team: Team, stands: Stands) -> None:
    """A node that died between an acknowledgement and the count: a minute later it is right."""
    row = stands(must_acknowledge=True)
    arrive(team.stream, team.viewer.pk, 1, row.seq or 0)
    ApiClient(team.member).post(path(f"{row.pk}/acknowledge"))
    Broadcast.objects.update(delivered=0, acknowledged=0, counted_at=timezone.now())
    assert count_forgotten() == 0
    Broadcast.objects.update(counted_at=long_ago())
    assert count_forgotten() == 1
    assert counts(row) == (2, 1, 0)


def test_finished_ones_are_rarely_looked_at(team: Team, stands: Stands) -> None:
    """One that asks for no acknowledgement was never finished, and was counted every minute as long
    as it stood. Only who comes later can be missing: that is looked up more rarely."""
    row = stands()
    people = (team.owner, team.member, team.viewer)
    for user in people:
        arrive(team.stream, user.pk, 1, row.seq or 0)
    count_broadcasts([row.pk])
    Broadcast.objects.update(counted_at=long_ago(2))
    assert count_forgotten() == 0
    Broadcast.objects.update(must_acknowledge=True)
    assert count_forgotten() == 1
    Broadcast.objects.update(must_acknowledge=False, counted_at=long_ago(16))
    assert count_forgotten() == 1


def test_thousands_forgotten_are_a_few_statements_each_batch(
    team: Team, stands: Stands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred a minute, one by one: after a node's death 5,000 took most of an hour."""
    rows = [stands(number) for number in range(7)]
    arrive(team.stream, team.member.pk, 1, rows[-1].seq or 0)
    Broadcast.objects.update(counted_at=long_ago())
    Broadcast.objects.filter(pk=rows[5].pk).update(counted_at=long_ago(9))
    monkeypatch.setattr(counting, "TOGETHER", 4)
    with CaptureQueriesContext(connection) as queries:
        assert count_forgotten() == 4
    one_by_one = [one for one in queries if one["sql"].startswith("SELECT")]
    assert len(one_by_one) <= 5
    assert counts(rows[5]) == (1, 0, 0), "expected the longest forgotten first"
    assert [count_forgotten(), count_forgotten()] == [3, 0]
    assert [counts(row) for row in rows] == [(1, 0, 0)] * 7
