"""Ranges in the database: merged, written once, each person by themselves."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chat.models import User
from realtime.delivery import writing
from realtime.delivery.ranges import Range, Steps
from realtime.delivery.writing import Whose, flush, steps_of, write
from realtime.log.reading import stream_state
from realtime.models import DeliveredRange, Installation, Stream
from realtime.node import Node
from realtime.protocol.errors import Unavailable

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def nothing_gathered() -> None:
    writing._gathered.clear()


@pytest.fixture
def stream() -> Stream:
    Installation.objects.get_or_create(pk=1)
    return Stream.objects.create(name="project.9", head=100)


@pytest.fixture
def person() -> Callable[[], int]:
    def make() -> int:
        user: User = User.objects.create_user(f"p{User.objects.count()}")
        return user.pk

    return make


def whose(stream: Stream, user: int) -> Whose:
    return Whose(stream.pk, user, stream_state(stream.name).epoch)


def arrived(*ranges: tuple[int, int]) -> Steps:
    return Steps([Range(*one) for one in ranges])


def rows(user: int) -> list[tuple[int, int]]:
    found = DeliveredRange.objects.filter(user_id=user).order_by("lo")
    return list(found.values_list("lo", "hi"))


def test_ranges_are_made_lengthened_and_joined(stream: Stream, person: Callable[[], int]) -> None:
    ada, bob = person(), person()
    write({whose(stream, ada): arrived((1, 4), (8, 9)), whose(stream, bob): arrived((3, 2))})
    assert (rows(ada), rows(bob)) == ([(1, 4), (8, 9)], [(3, 2)])
    write({whose(stream, ada): arrived((5, 7)), whose(stream, bob): arrived((3, 6))})
    assert (rows(ada), rows(bob)) == ([(1, 9)], [(3, 6)])


def test_another_nodes_row_keeps_the_longer_range(
    stream: Stream, person: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both read before either wrote: the shorter claim must not win by coming later."""
    ada = person()
    write({whose(stream, ada): arrived((1, 9))})
    monkeypatch.setattr(writing, "_held", lambda keys: {})
    write({whose(stream, ada): arrived((1, 5))})
    assert rows(ada) == [(1, 9)]
    write({whose(stream, ada): arrived((1, 12))})
    assert rows(ada) == [(1, 12)]


def test_what_is_gone_stops_nobody(stream: Stream, person: Callable[[], int]) -> None:
    """Accounts and streams that were deleted, and seqs of an epoch that has ended."""
    ada, gone = person(), person()
    User.objects.get(pk=gone).delete()
    epoch = stream_state(stream.name).epoch
    steps_of(stream.pk, gone, epoch).arrived(Range(1, 2))
    steps_of(999_999, ada, epoch).arrived(Range(1, 2))
    steps_of(stream.pk, ada, "another").arrived(Range(1, 99))
    steps_of(stream.pk, ada, epoch).arrived(Range(1, 3))
    async_to_sync(flush)()
    assert rows(ada) == [(1, 3)]
    assert DeliveredRange.objects.count() == 1
    assert not writing._gathered


def test_what_could_not_be_written_is_kept_in_order(
    stream: Stream, person: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, epoch = person(), stream_state(stream.name).epoch
    steps_of(stream.pk, ada, epoch).arrived(Range(3, 4))

    def away(gathered: Any, held: float) -> None:
        steps_of(stream.pk, ada, epoch).resumed(6)
        raise Unavailable("expected the database to answer, got none")

    with monkeypatch.context() as patched:
        patched.setattr(writing, "write", away)
        with pytest.raises(Unavailable):
            async_to_sync(flush)()
    assert [steps.taken for steps in writing._gathered.values()] == [[Range(3, 4), 6]]
    async_to_sync(flush)()
    assert rows(ada) == [(3, 6)]


def test_what_follows_a_known_position_does_not_wait(
    stream: Stream, person: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Acknowledgements after any resumed position were held for 2 s, and their counts with them:
    only one that has not arrived yet can be the end of a start that another node is to write."""
    ada, bob, epoch = person(), person(), stream_state(stream.name).epoch
    write({whose(stream, ada): arrived((1, 6)), whose(stream, bob): arrived((1, 2))})
    monkeypatch.setattr(writing, "running_node", object)
    for user in (ada, bob):
        steps = steps_of(stream.pk, user, epoch)
        steps.resumed(6, at=time.monotonic())
        steps.arrived(Range(7, 9))
    async_to_sync(flush)()
    assert (rows(ada), rows(bob)) == ([(1, 9)], [(1, 2)])
    assert [key.user_id for key in writing._gathered] == [bob]
    # The other node's, that was waited for.
    write({whose(stream, bob): arrived((5, 4))})
    steps_of(stream.pk, bob, epoch).arrived(Range(10, 10))
    monkeypatch.setattr(writing, "HOLD_RESUMED_S", -1.0)
    async_to_sync(flush)()
    assert rows(bob) == [(1, 2), (5, 10)]
    assert not writing._gathered


def test_positions_alone_are_not_looked_at_before_their_time(
    stream: Stream, person: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crowd that has just resumed was read again each second, with nothing to write."""
    ada, epoch = person(), stream_state(stream.name).epoch
    monkeypatch.setattr(writing, "running_node", object)
    steps_of(stream.pk, ada, epoch).resumed(6, at=time.monotonic())
    with monkeypatch.context() as patched:
        patched.setattr(writing, "write", lambda *given: pytest.fail("expected no look"))
        async_to_sync(flush)()
    assert [key.user_id for key in writing._gathered] == [ada]
    monkeypatch.setattr(writing, "HOLD_RESUMED_S", -1.0)
    async_to_sync(flush)()
    assert rows(ada) == [(6, 6)]
    assert not writing._gathered


def test_a_crowd_is_a_handful_of_queries(stream: Stream, person: Callable[[], int]) -> None:
    """A second of acknowledgements costs the same for one person and for many."""
    people = [person() for _ in range(50)]
    write({whose(stream, user): arrived((1, 4)) for user in people})
    keys = {whose(stream, user): arrived((1, 8)) for user in people}
    with CaptureQueriesContext(connection) as queries:
        write(keys)
    assert len(queries) <= 6, [query["sql"] for query in queries]
    assert all(rows(user) == [(1, 8)] for user in people)


def test_the_last_sweep_is_behind_the_one_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stop that began while acknowledgements were being written found nothing gathered, and ended
    the writing."""
    told: list[str] = []

    async def sweep() -> None:
        told.append("begun")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        told.append("done")

    async def run() -> None:
        node = Node.__new__(Node)  # of a node only what sweeps need
        node._sweeping = asyncio.Lock()
        await asyncio.gather(node._sweep_once(), node._sweep_once())

    monkeypatch.setattr("realtime.node.registered_sweeps", lambda: [sweep])
    asyncio.run(run())
    assert told == ["begun", "done"] * 2
