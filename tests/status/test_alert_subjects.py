"""What an alert is about, who hears of it, and how long it is kept."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from realtime.incidents import close_incident, note_attempt, open_incident
from realtime.models import Job
from status import upkeep
from status.alerts.evaluating import evaluate
from status.alerts.rounds import FIRST, MOST, ErrorClass, Round, WaitingRounds
from status.models import Alert, AlertRule, AlertState, NotificationChannel, Severity, Subjects
from tests.status.alerts import BEGIN, live, steps

pytestmark = pytest.mark.django_db(transaction=True)


def test_each_process_has_its_own_alert(rule: AlertRule) -> None:
    """And a process that is gone has none left."""
    AlertRule.objects.update(subjects=Subjects.MEMBER)

    def members(second: int, **percent: float) -> None:
        own = {name: {"cpu.percent": value} for name, value in percent.items()}
        evaluate(Round(BEGIN + timedelta(seconds=second), {"cpu.percent": 0}, own))

    for second in range(0, 10, 2):
        members(second, a=95, b=95, c=10)
    assert set(Alert.objects.filter(state="open").values_list("subject", flat=True)) == {"a", "b"}
    for second in range(10, 20, 2):
        members(second, b=95, c=10)
    assert Alert.objects.get(subject="a").ended == "what it was about is gone"
    assert Alert.objects.get(subject="b").state == AlertState.OPEN


def test_a_storm_of_one_error_is_one_alert_with_samples(rule: AlertRule) -> None:
    """A hundred of the same class within a minute; another class that is rare has none."""
    AlertRule.objects.update(
        expression="errors.per_minute", threshold=10, clear_threshold=3, subjects=Subjects.ERROR
    )
    errors = {
        "builtins.ValueError": ErrorClass(100, ("no good: 1", "no good: 2")),
        "builtins.KeyError": ErrorClass(2, ("x",)),
    }
    for second in range(0, 20, 2):
        values = {"errors.per_minute": 102.0}
        evaluate(Round(BEGIN + timedelta(seconds=second), values, errors=errors))
    alert = Alert.objects.get()
    assert alert.subject == "builtins.ValueError"
    assert alert.samples == ["no good: 1", "no good: 2"]
    assert steps() == ["opened"]
    for second in range(20, 40, 2):
        evaluate(Round(BEGIN + timedelta(seconds=second), {"errors.per_minute": 0.0}))
    assert steps() == ["opened", "closed"]


def test_a_long_outage_keeps_its_beginning_and_its_end() -> None:
    """However long: with the oldest rounds went the moment at which the alert opened."""
    waiting = WaitingRounds()
    moments = [BEGIN + timedelta(seconds=second) for second in range(20_000)]
    for moment in moments:
        waiting.add(Round(moment, {}))
        assert len(waiting) <= MOST
    kept = []
    while waiting:
        kept.append(waiting.oldest.at)
        waiting.drop_oldest()
    assert kept[:FIRST] == moments[:FIRST]
    assert kept[-1] == moments[-1]
    assert kept == sorted(kept)


def test_what_was_tried_stands_in_the_alert(rule: AlertRule) -> None:
    """The incident of the part, told on `status` while the alert was open."""
    AlertRule.objects.update(component="channel_layer")
    begin = datetime.now(UTC) - timedelta(seconds=6)
    live([95, 95, 95], begin)
    open_incident("channel_layer", "a", code="layer_down", text="away")
    note_attempt("channel_layer", "a", text="connecting again")
    close_incident("channel_layer", "a", text="back")
    open_incident("ai", "a", code="ai_refused", text="another part")
    live([60] * 4, datetime.now(UTC) + timedelta(seconds=1))
    alert = Alert.objects.get()
    assert [one["text"] for one in alert.tried] == ["away", "connecting again", "back"]


def test_channels_hear_what_they_want(rule: AlertRule) -> None:
    """A job for each, in the alert's transaction; by severity, and not when switched off."""
    wanted_by: dict[str, dict[str, Any]] = {
        "all": {"at_least": Severity.INFO},
        "warnings": {},
        "critical": {"at_least": Severity.CRITICAL},
        "off": {"enabled": False},
    }
    for name, fields in wanted_by.items():
        NotificationChannel.objects.create(
            name=name, kind="email", address="ops@example.org", **fields
        )
    live([95, 95, 95])
    wanted = NotificationChannel.objects.filter(name__in=["all", "warnings"])
    jobs = Job.objects.filter(name="status.notify")
    assert {job.arguments["channel"] for job in jobs} == set(wanted.values_list("pk", flat=True))
    assert {job.arguments["notice"]["state"] for job in jobs} == {"opened"}


def test_alerts_that_closed_long_ago_are_forgotten(
    rule: AlertRule, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By age, and by number."""
    now = datetime.now(UTC)
    for days in (1, 2, 3, 89, 91):
        at = now - timedelta(days=days)
        Alert.objects.create(
            rule=rule, subject="x", state="closed", severity="info", since=at, closed_at=at
        )
    live([95, 95, 95], now - timedelta(days=200))
    assert upkeep.forget_alerts() == 1
    monkeypatch.setattr(upkeep, "KEPT_ALERTS", 3)
    assert upkeep.forget_alerts() == 1
    assert Alert.objects.filter(state="closed").count() == 3
    assert Alert.objects.filter(state="open").count() == 1
