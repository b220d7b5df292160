"""Incidents: however many nodes notice, `status` hears of a beginning and an end once each."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from realtime import incidents, reporting
from realtime.incidents import close_incident, end_abandoned, note_attempt, open_incident
from realtime.models import Event, IncidentReport
from realtime.protocol.errors import Unavailable
from realtime.reporting import IncidentReporter

PART = "channel_layer"


def told() -> list[str]:
    """What `status` has heard."""
    return list(
        Event.objects.filter(stream__name="status").order_by("seq").values_list("type", flat=True)
    )


def begin(node: str) -> bool:
    return open_incident(PART, node, code="layer_down", text="away")


def forget(node: str) -> None:
    """As if the node had said nothing for two minutes."""
    long_ago = timezone.now() - timedelta(seconds=2 * incidents.STALE_S)
    IncidentReport.objects.filter(node=node).update(seen_at=long_ago)


@pytest.mark.django_db
def test_first_report_begins_and_last_one_ends() -> None:
    """Three nodes notice and recover, in another order."""
    assert [begin(node) for node in ("a", "b", "c")] == [True, False, False]
    assert [note_attempt(PART, node, text="again") for node in ("b", "a")] == [True, False]
    assert [close_incident(PART, node, text="back") for node in ("b", "a", "c")] == [
        False,
        False,
        True,
    ]
    assert told() == ["warning_issued", "recovery_attempt", "connection_restored"]
    frame = json.loads(bytes(Event.objects.get(type="warning_issued").frame))
    assert frame["data"] == {"code": "layer_down", "text": "away", "part": PART, "detail": None}


@pytest.mark.django_db
def test_first_attempt_is_told_once_although_its_node_has_recovered() -> None:
    """The mark of the attempt outlives the report that it stood in."""
    begin("a")
    begin("b")
    note_attempt(PART, "a", text="again")
    close_incident(PART, "a", text="back")
    assert not note_attempt(PART, "b", text="again")


@pytest.mark.django_db
def test_node_that_died_does_not_keep_an_incident_open() -> None:
    """Its report counts for nothing a minute later, in each of the three ways to look."""
    begin("dead")
    begin("alive")
    forget("dead")
    assert close_incident(PART, "alive", text="back")
    begin("dead")
    forget("dead")
    assert begin("alive"), "expected a new incident: the dead one's is over"
    forget("alive")
    assert end_abandoned(text="gone") == [PART]
    assert end_abandoned(text="gone") == []
    assert told()[-1] == "connection_restored"


@pytest.mark.django_db
def test_parts_are_incidents_of_their_own() -> None:
    """One being away says nothing of the other."""
    assert open_incident("one", "a", code="x", text="away")
    assert open_incident("two", "a", code="x", text="away")
    assert close_incident("one", "a", text="back")


@pytest.mark.django_db(transaction=True)
def test_nodes_that_notice_at_once_tell_once() -> None:
    """Six threads with connections of their own."""
    gate = threading.Barrier(6)
    results: list[bool] = []

    def notice(node: str) -> None:
        gate.wait(10)
        results.append(begin(node))
        connection.close()

    threads = [threading.Thread(target=notice, args=(f"node-{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(results) == [False] * 5 + [True]
    assert told() == ["warning_issued"]


class Table:
    """Stands for `in_database` and the table: notes the calls; `away` makes all of them fail."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.failures = 0
        self.away = False

    async def __call__(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self.away:
            self.failures += 1
            raise Unavailable("expected the database to answer, got none")
        if function is incidents.any_reports:
            return False
        self.calls.append(function.__name__)
        return True


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`report(story)`: run it with a reporter whose waits are short."""
    monkeypatch.setattr(reporting, "SETTLE_S", 0.05)
    monkeypatch.setattr(reporting, "RETRY_WAIT_S", (0.01, 0.02))
    table = Table()
    monkeypatch.setattr(reporting, "in_database", table)

    def run(story: Callable[[IncidentReporter, Table], Awaitable[None]]) -> None:
        async def main() -> None:
            reporter = IncidentReporter("a")
            task = asyncio.ensure_future(reporter.run())
            await story(reporter, table)
            assert not task.done()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        asyncio.run(main())

    return run


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


def test_reporter_tells_beginning_attempt_and_end(report: Callable[..., None]) -> None:
    """Attempts after the first are not even taken to the database."""

    async def story(reporter: IncidentReporter, table: Table) -> None:
        reporter.down(PART, code="layer_down", text="away")
        for _ in range(3):
            reporter.attempt(PART, "again")
        await until(lambda: len(table.calls) == 2)
        reporter.attempt(PART, "again")
        reporter.up(PART, "back")
        await until(lambda: table.calls[-1] == "close_incident")
        assert table.calls.count("open_incident") == table.calls.count("note_attempt") == 1

    report(story)


def test_part_that_flaps_is_one_incident(report: Callable[..., None]) -> None:
    """An end within the time of settling is none."""

    async def story(reporter: IncidentReporter, table: Table) -> None:
        reporter.down(PART, code="layer_down", text="away")
        await until(lambda: table.calls == ["open_incident"])
        for _ in range(5):
            reporter.up(PART, "back")
            reporter.down(PART, code="layer_down", text="away")
        reporter.up(PART, "back")
        await until(lambda: table.calls[-1] == "close_incident")
        assert table.calls.count("open_incident") == 1

    report(story)


def test_reporter_waits_for_the_database(report: Callable[..., None]) -> None:
    """What began while it was away is told when it is back, and so is the end."""

    async def story(reporter: IncidentReporter, table: Table) -> None:
        table.away = True
        reporter.down(PART, code="layer_down", text="away")
        await until(lambda: table.failures > 2)
        table.away = False
        await until(lambda: table.calls == ["open_incident"])
        table.away = True
        reporter.up(PART, "back")
        before = table.failures
        await until(lambda: table.failures > before + 2)
        table.away = False
        await until(lambda: table.calls[-1] == "close_incident")

    report(story)
