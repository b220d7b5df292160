"""What processes try to get a part back: kept with the alert, told when it closes."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command

from realtime import recoveries
from realtime.breaker import BreakerOpen, CircuitBreaker
from realtime.components import Finding, components
from realtime.management.commands import work
from realtime.models import Event
from realtime.recoveries import Recovery, note_recovery
from status.alerts.evaluating import evaluate
from status.alerts.recovering import told, tried_for
from status.alerts.rounds import Round, round_of
from status.exchange import MemberView
from status.models import Alert, AlertRule, MemberKind
from status.probes.process import circuits
from status.view import report_of, view_of

BEGAN = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Clock:
    """Time that moves when told to."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def nothing_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other breakers of this process have stories of their own."""
    recoveries._noted.clear()
    monkeypatch.setattr(recoveries, "breakers", dict)


def fails(breaker: CircuitBreaker) -> None:
    with pytest.raises((OSError, BreakerOpen)), breaker.guarding(OSError):
        raise OSError("away")


def test_a_breaker_tells_how_often_it_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing before it opened; while it is open how often; and when it was answered."""
    clock = Clock()
    breaker = CircuitBreaker("redis of a test", part="redis", failures=1, clock=clock)
    monkeypatch.setattr(recoveries, "breakers", lambda: {breaker.name: breaker})
    assert recoveries.recoveries() == []
    for _ in range(3):
        fails(breaker)
        clock.now += 60
    [one] = recoveries.recoveries()
    assert (one.part, one.what, one.tries, one.ended) == ("redis", "asked again", 2, None)
    with breaker.guarding(OSError):
        pass
    clock.now += 5
    [one] = recoveries.recoveries()
    assert one.tries == 3
    assert one.ended is not None
    assert one.ended - one.began == timedelta(seconds=180)
    clock.now += 16 * 60
    assert recoveries.recoveries() == []


def test_a_restarted_worker_says_that_it_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that starts it again has no monitor of its own."""
    ran: list[Any] = []

    def run(work: Any) -> None:
        work.close()
        ran.append(work)

    monkeypatch.setattr("uvloop.run", run)
    monkeypatch.setattr(work, "companions", tuple)
    call_command("work", "--restarts", "2")
    [one] = recoveries.recoveries()
    assert (one.part, one.what, one.tries) == ("jobs", "the server started another worker", 2)
    assert len(ran) == 1


def reported(*found: Recovery) -> list[dict[str, Any]]:
    return [told(one) for one in found]


def test_attempts_of_several_processes_are_one_story() -> None:
    """Of the alert's part and time; it goes on while it does in one of them."""
    end = BEGAN + timedelta(seconds=30)
    asked = Recovery("redis", "asked again", 3, BEGAN, end)
    layer = Recovery("channel_layer", "asked again", 2, BEGAN, None)
    old = Recovery("redis", "asked again", 9, BEGAN, BEGAN - timedelta(seconds=1))
    other = Recovery("ai", "asked again", 9, BEGAN, end)
    [one] = tried_for("redis", reported(asked, asked, old, other), BEGAN)
    assert one.text == "asked again, 6 times by 2 processes: with success"
    [one] = tried_for("redis", reported(asked, layer), BEGAN)
    assert one.text == "asked again, 5 times by 2 processes: it does not answer yet"
    assert one.detail == {"tries": 5, "processes": 2, "outcome": "going on"}
    assert tried_for("ai", reported(asked), BEGAN) == []


async def looked() -> Finding | None:
    """What the process says of its circuits."""
    return await circuits(None)()


@pytest.mark.django_db(transaction=True)
def test_an_alert_that_closes_keeps_and_tells_what_was_tried() -> None:
    """From the process's own look to the row, and to the stream, where it stands before the end."""
    AlertRule.objects.all().delete()
    AlertRule.objects.create(
        name="jobs.down",
        component="jobs",
        text="no worker",
        expression="jobs.state",
        threshold=2,
        duration_s=0,
        clear_after_s=0,
    )
    evaluate(Round(BEGAN, {"jobs.state": 2.0}))
    note_recovery("jobs", "the server started another worker", tries=1)
    finding = asyncio.run(looked())
    assert finding is not None
    worker = MemberView("worker-1", MemberKind.WORKER, report_of({"circuits": finding}))
    seen = round_of(view_of(components(), [worker], {}), BEGAN)
    assert seen.tried
    for second in (8, 10):
        good = Round(BEGAN + timedelta(seconds=second), {"jobs.state": 0.0}, tried=seen.tried)
        evaluate(good)
    text = "the server started another worker, once: with success"
    assert [one["text"] for one in Alert.objects.get().tried] == [text]
    rows = Event.objects.filter(stream__name="status").order_by("-seq")[:2]
    closed, attempt = (json.loads(bytes(row.frame)) for row in rows)
    assert (closed["type"], closed["data"]["state"]) == ("performance_alert", "closed")
    assert (attempt["type"], attempt["data"]["part"]) == ("recovery_attempt", "jobs")
    assert attempt["data"]["text"] == text
