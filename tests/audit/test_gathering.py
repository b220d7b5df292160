"""Refusals in a storm: joined, bounded, counted, and kept while the database is away."""

import json
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.test.utils import CaptureQueriesContext

from realtime.audit import gathering
from realtime.audit.recording import record_nowait
from realtime.protocol.errors import Unavailable
from tests.audit.entries import recorded

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_gathered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "_gathered", gathering.Gathered())


def refuse(number: int = 0) -> None:
    record_nowait(
        "connection_refused",
        actor=None,
        target="/ws",
        result="4401",
        address=f"192.0.2.{number}",
        details={"reason": "no"},
    )


def flush() -> None:
    """As the node's sweep, in the test's own transaction."""
    taken, gathering._gathered = gathering._gathered, gathering.Gathered()
    if taken.times:
        gathering.write(taken)


def test_equal_refusals_are_one_entry() -> None:
    for _ in range(1_000):
        refuse()
    refuse(1)
    flush()
    many, one = recorded()
    assert json.loads(many.details) == {"reason": "no", "times": 1_000}
    assert json.loads(one.details) == {"reason": "no"}
    assert (many.result, many.address, many.target) == ("4401", "192.0.2.0", "/ws")


def test_of_too_many_the_rest_is_counted() -> None:
    """Memory and rows of a second are bounded, whatever clients make up."""
    for number in range(300):
        refuse(number)
    flush()
    entries = recorded()
    assert len(entries) == gathering.LISTED + 1
    assert entries[-1].action == gathering.NOT_LISTED
    assert json.loads(entries[-1].details) == {"times": 300 - gathering.LISTED}


def test_storm_is_one_statement() -> None:
    """Not one for each refused client."""
    for number in range(40):
        refuse(number)
    with CaptureQueriesContext(connection) as caught:
        flush()
        recorded()
    inserts = [one for one in caught if one["sql"].lstrip().startswith("INSERT")]
    assert len([one for one in inserts if "auditentry" in one["sql"]]) == 1


def test_absent_database_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be written is written, with what came meanwhile, the next time."""

    async def away(*_: Any) -> None:
        refuse()
        raise Unavailable("away")

    monkeypatch.setattr(gathering, "in_database", away)
    refuse()
    refuse(1)
    with pytest.raises(Unavailable):
        async_to_sync(gathering.flush)()
    flush()
    first, second = recorded()
    assert json.loads(first.details)["times"] == 2
    assert second.address == "192.0.2.1"
