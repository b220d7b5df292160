"""Another database server behind the same address: seqs may mean something else now."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from realtime.log.reading import Moved, moved_states, stream_state, stream_states
from realtime.models import Installation, Stream
from tests.log.world import World, together

pytestmark = pytest.mark.django_db(transaction=True)


def fresh_connections(count: int = 1) -> list[str]:
    """New connections to the server, opened at the same time; the epoch that each reads."""

    def read() -> str:
        return stream_state("system").epoch

    connection.close()
    if hasattr(connection, "close_pool"):
        connection.close_pool()
    return [str(epoch) for epoch in together(*[read] * count)]


@pytest.fixture
def failed_over(world: World) -> Iterator[str]:
    """The installation's row says that it was written by another server. Gives the old epoch."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no server that could fail over")
    before = fresh_connections()[0]
    row = Installation.objects.get()
    assert row.fingerprint, "expected the first connection to note the server"
    Installation.objects.update(fingerprint="7000000000000000000.00000001")
    yield before
    Installation.objects.update(fingerprint=row.fingerprint)


def test_other_server_changes_the_epoch_exactly_once(failed_over: str) -> None:
    """However many connections notice at the same time, before any of them reads."""
    found = set(fresh_connections(4))
    assert len(found) == 1
    assert found != {failed_over}
    assert set(fresh_connections(2)) == found


def test_lossless_failover_keeps_the_epoch(failed_over: str) -> None:
    """A synchronous standby lost nothing, and the operator said so."""
    lossless = settings.PM.model_copy(update={"database_failover": "lossless"})
    with override_settings(PM=lossless):
        assert fresh_connections() == [failed_over]


def test_same_server_keeps_the_epoch(world: World) -> None:
    """Opening connections is nothing special."""
    assert len({*fresh_connections(), *fresh_connections(3)}) == 1


def test_epoch_is_of_installation_and_stream(world: World) -> None:
    """Either part changes it; the forms of reading agree."""
    row: Any = Stream.objects.get(name=world.stream)
    whole = Installation.objects.get().epoch + row.epoch
    assert stream_state(world.stream).epoch == whole
    assert [state.epoch for state in stream_states([row.pk])] == [whole]


def test_heads_of_thousands_are_one_statement(world: World) -> None:
    """Those that exist, as they are; none for no key at all."""
    Stream.objects.bulk_create(Stream(name=f"user.{10_000 + number}") for number in range(2_000))
    rows = {row.pk: row for row in Stream.objects.all()}
    with CaptureQueriesContext(connection) as statements:
        states = stream_states([*rows, max(rows) + 1])
    assert len(statements) == 1
    assert {state.id: (state.name, state.head, state.floor) for state in states} == {
        key: (row.name, row.head, row.floor) for key, row in rows.items()
    }
    assert stream_states([]) == []


def test_of_streams_that_stand_as_is_known_nothing_is_told(world: World) -> None:
    """An epoch, a head or a floor that differs is told, and an id that has no row."""
    for number in range(4):
        Stream.objects.create(name=f"user.{10_000 + number}")
    states = {
        state.id: state for state in stream_states(Stream.objects.values_list("pk", flat=True))
    }
    known = {key: (state.epoch, state.head, state.floor) for key, state in states.items()}
    assert moved_states(known) == Moved([], ())
    (a, b, c, d), missing = sorted(states)[-4:], max(states) + 1
    known |= {
        a: ("another", 0, 0),
        b: (known[b][0], 1, 0),
        c: (known[c][0], 0, 1),
        missing: known[d],
    }
    moved = moved_states(known)
    assert sorted(state.id for state in moved.states) == [a, b, c]
    assert [state for state in moved.states if state != states[state.id]] == []
    assert moved.gone == {missing}
