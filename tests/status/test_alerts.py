"""Alerts: opened, escalated, acknowledged and closed once each, whoever looks."""

import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from chat.models import User
from realtime.incidents import close_incident, note_attempt, open_incident
from realtime.models import Event, Job
from realtime.protocol.errors import Conflict, NotFound
from status import upkeep
from status.alerts import evaluating
from status.alerts.acknowledging import acknowledge
from status.alerts.defaults import ensure_rules
from status.alerts.evaluating import evaluate
from status.alerts.expressions import ExpressionError
from status.alerts.rounds import FIRST, MOST, ErrorClass, Round, WaitingRounds
from status.alerts.trial import trial
from status.buckets import Buckets
from status.models import Alert, AlertRule, AlertState, NotificationChannel, Severity, Subjects
from status.samples import store
from tests.log.world import together

pytestmark = pytest.mark.django_db(transaction=True)

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def rule() -> AlertRule:
    """CPU at or above 90 for 4 s; below 70 for 6 s closes."""
    AlertRule.objects.all().delete()
    return AlertRule.objects.create(
        name="cpu",
        component="cpu",
        text="busy",
        expression="cpu.percent",
        threshold=90,
        clear_threshold=70,
        duration_s=4,
        clear_after_s=6,
    )


def live(
    values: Sequence[float], begin: datetime = BEGIN, measure: str = "cpu.percent"
) -> datetime:
    """A round every 2 s; the moment after the last."""
    for number, value in enumerate(values):
        evaluate(Round(begin + timedelta(seconds=2 * number), {measure: value}))
    return begin + timedelta(seconds=2 * len(values))


def told() -> list[dict[str, Any]]:
    rows = Event.objects.filter(stream__name="status", type="performance_alert").order_by("seq")
    return [json.loads(bytes(row.frame))["data"] for row in rows]


def steps() -> list[str]:
    return [one["state"] for one in told()]


def test_an_alert_opens_after_its_duration_and_closes_after_its_own(rule: AlertRule) -> None:
    """Begun at 0 s, open at 4 s; good from 6 s on, closed at 12 s; one story in two events."""
    live([95, 95])
    assert Alert.objects.get().state == AlertState.PENDING
    assert told() == []
    live([97, 60, 60, 60], BEGIN + timedelta(seconds=4))
    alert = Alert.objects.get()
    assert (alert.state, alert.opened_at) == (AlertState.OPEN, BEGIN + timedelta(seconds=4))
    live([60], BEGIN + timedelta(seconds=12))
    alert.refresh_from_db()
    assert (alert.state, alert.closed_at) == (AlertState.CLOSED, BEGIN + timedelta(seconds=12))
    assert alert.ended == "good again at 60, after 8 s"
    assert steps() == ["opened", "closed"]
    opened, closed = told()
    assert opened["value"] == 97
    assert opened["id"] == closed["id"] == alert.pk
    assert (opened["threshold"], opened["severity"]) == (90, "warning")
    assert closed["ended"] == alert.ended


def test_a_peak_shorter_than_the_duration_is_nothing(rule: AlertRule) -> None:
    """The pending row goes, nobody hears."""
    live([95, 95, 60, 95, 95, 60])
    assert not Alert.objects.exists()
    assert told() == []


def test_between_the_thresholds_an_alert_stays(rule: AlertRule) -> None:
    """Hysteresis: 80 neither opens nor closes."""
    live([80] * 20)
    assert not Alert.objects.exists()
    live([95, 95, 95, *[80] * 20], BEGIN + timedelta(minutes=1))
    assert Alert.objects.get().state == AlertState.OPEN
    live([60, 60, 80, 60, 60, 60], BEGIN + timedelta(minutes=3))
    assert Alert.objects.get().state == AlertState.OPEN  # 80 began the time to close anew
    assert steps() == ["opened"]


def test_a_round_from_before_the_close_opens_nothing(rule: AlertRule) -> None:
    """Another node was cut off, and evaluates late what it kept."""
    live([95, 95, 95, 60, 60, 60, 60])
    live([95, 95, 95])
    assert steps() == ["opened", "closed"]


def test_what_flaps_is_one_alert_that_stays_open(rule: AlertRule) -> None:
    """Up for 6 s and down for 8 s, for a quarter of an hour: 60 times over the threshold."""
    values = [95, 95, 95, 95, 60, 60, 60, 60] * 60
    live(values)
    assert Alert.objects.count() == 1
    assert len(told()) <= 6
    alert = Alert.objects.get()
    assert alert.state == AlertState.OPEN
    live([60] * 40, BEGIN + timedelta(minutes=17))
    alert.refresh_from_db()
    assert alert.state == AlertState.CLOSED
    assert steps()[-1] == "closed"


def test_a_later_breach_is_a_new_story(rule: AlertRule) -> None:
    """More than five minutes after the close."""
    end = live([95, 95, 95, 60, 60, 60, 60])
    live([95, 95, 95], end + timedelta(minutes=6))
    assert Alert.objects.count() == 2
    assert steps() == ["opened", "closed", "opened"]


def test_a_worse_value_escalates_once(rule: AlertRule) -> None:
    """By value; it stays critical until it closes."""
    AlertRule.objects.update(escalate_threshold=99)
    live([95, 95, 95, 99, 99, 95, 99])
    assert steps() == ["opened", "escalated"]
    assert told()[-1]["severity"] == "critical"


def test_who_does_not_look_after_an_alert_has_it_escalate(rule: AlertRule) -> None:
    """By time, unless it was acknowledged; the first who did is kept."""
    AlertRule.objects.update(escalate_after_s=10)
    live([95] * 9)
    assert steps() == ["opened", "escalated"]
    Alert.objects.all().delete()
    begin = live([95] * 4, BEGIN + timedelta(hours=1))
    ada, bob = (User.objects.create(username=name) for name in ("ada", "bob"))
    alert = Alert.objects.get()
    assert acknowledge(alert.pk, ada).acknowledged_by == ada
    assert acknowledge(alert.pk, bob).acknowledged_by == ada
    live([95] * 20, begin)
    assert steps()[2:] == ["opened", "acknowledged"]


def test_only_an_alert_that_is_open_is_acknowledged(rule: AlertRule) -> None:
    """Unknown, pending and closed ones say why not."""
    ada = User.objects.create(username="ada")
    with pytest.raises(NotFound):
        acknowledge(1, ada)
    live([95])
    with pytest.raises(NotFound):
        acknowledge(Alert.objects.get().pk, ada)
    live([95, 95, 95, 60, 60, 60, 60])
    with pytest.raises(Conflict):
        acknowledge(Alert.objects.get().pk, ada)


def test_of_several_nodes_one_wins(rule: AlertRule) -> None:
    """Four evaluate the same rounds at the same time: each step happened once."""
    AlertRule.objects.update(escalate_threshold=99)
    values = [95, 95, 95, 99, 60, 60, 60, 60]
    for number, value in enumerate(values):
        round_ = Round(BEGIN + timedelta(seconds=2 * number), {"cpu.percent": value})
        changed = together(*[partial(evaluate, round_)] * 4)
        assert sum(one.changed for one in changed) <= 1
    assert steps() == ["opened", "escalated", "closed"]
    assert Alert.objects.count() == 1


def test_who_read_before_another_wrote_changes_nothing(
    rule: AlertRule, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opening, escalating and closing: the row is no longer the one that was read."""
    AlertRule.objects.update(escalate_threshold=99)
    for number, value in enumerate([95, 95, 95, 99, 60, 60, 60, 60]):
        round_ = Round(BEGIN + timedelta(seconds=2 * number), {"cpu.percent": value})
        read = evaluating._known_alerts(round_)
        evaluate(round_)
        count = len(told())
        with monkeypatch.context() as patch:
            patch.setattr(evaluating, "_known_alerts", lambda _, read=read: read)
            assert evaluate(round_).changed == 0
        assert len(told()) == count
    assert steps() == ["opened", "escalated", "closed"]


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


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("cpu.percent / jobs.dead", "expected a divisor other than 0"),
        ("cpu.percent * 1e18 * 1e18 * 1e18 * 1e18 * 1e300", "expected a number up to 1e18"),
        ("cpu.percent ** 99999999", "expected numbers, measures"),
        ("__import__('os').system('true')", "expected numbers, measures"),
        ("cpu.nothing", "expected a measure that is taken"),
        ("cpu.percent if True else 0", "expected numbers, measures"),
        ("1 + 1", "expected a measure"),
        ("", "expected arithmetic"),
        ("cpu.percent +", "expected arithmetic"),
        ("(" * 200, "expected arithmetic"),
    ],
)
def test_nonsense_says_why_and_the_others_go_on(
    rule: AlertRule, expression: str, text: str
) -> None:
    """The rule before and the rule after it are evaluated as ever; mended, the error goes."""
    bad = AlertRule.objects.create(
        name="bad", component="cpu", text="?", expression=expression, threshold=1
    )
    after = AlertRule.objects.create(
        name="z", component="cpu", text="busy", expression="cpu.percent", threshold=90, duration_s=0
    )
    evaluate(Round(BEGIN, {"cpu.percent": 95.0, "jobs.dead": 0.0}))
    bad.refresh_from_db()
    assert bad.error.startswith(text)
    assert set(Alert.objects.values_list("rule", flat=True)) == {rule.pk, after.pk}
    AlertRule.objects.filter(pk=bad.pk).update(expression="cpu.percent - jobs.dead")
    evaluate(Round(BEGIN, {"cpu.percent": 95.0, "jobs.dead": 0.0}))
    bad.refresh_from_db()
    assert bad.error == ""


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


def test_default_rules_are_sound_and_stay_as_operators_made_them() -> None:
    """Each can be evaluated; made again after each migrate only where it is missing."""
    AlertRule.objects.all().delete()
    ensure_rules("default")
    count = AlertRule.objects.count()
    AlertRule.objects.filter(name="cpu.busy").update(threshold=50, enabled=False)
    AlertRule.objects.filter(name="disk.full").delete()
    ensure_rules("default")
    assert AlertRule.objects.count() == count
    assert AlertRule.objects.get(name="cpu.busy").threshold == 50
    evaluate(Round(BEGIN, {"cpu.percent": 0.0}))
    assert not AlertRule.objects.exclude(error="").exists()


def test_one_cause_is_one_alert() -> None:
    """Redis away: the layer is deaf with it, which is no second story."""
    AlertRule.objects.all().delete()
    ensure_rules("default")
    down = {"redis.state": 2.0, "channel_layer.state": 2.0, "database.state": 0.0}
    for second in range(0, 30, 2):
        evaluate(Round(BEGIN + timedelta(seconds=second), down))
    assert [one["alert"] for one in told()] == ["redis.down"]
    deaf = {"redis.state": 0.0, "channel_layer.state": 2.0}
    for second in range(30, 60, 2):
        evaluate(Round(BEGIN + timedelta(seconds=second), deaf))
    assert [one["alert"] for one in told()] == ["redis.down", "redis.down", "channel_layer.deaf"]


def test_a_rule_that_is_switched_off_closes_what_it_opened(rule: AlertRule) -> None:
    """Nothing else ever would; what was pending goes without a word."""
    live([95, 95, 95])
    AlertRule.objects.update(enabled=False)
    live([95], BEGIN + timedelta(seconds=6))
    assert Alert.objects.get().ended == "the rule was switched off"
    AlertRule.objects.update(enabled=True)
    live([95], BEGIN + timedelta(minutes=10))
    AlertRule.objects.update(enabled=False)
    live([95], BEGIN + timedelta(minutes=11))
    assert Alert.objects.count() == 1
    assert steps() == ["opened", "closed"]


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


def test_a_trial_says_what_a_rule_would_have_done(rule: AlertRule) -> None:
    """Over the last day: two episodes, and nothing is written."""
    now = BEGIN + timedelta(days=1)
    buckets = Buckets()
    chance = random.Random(3)
    for minute in range(24 * 60):
        percent = 95.0 if minute in range(600, 605) or minute >= 1400 else chance.uniform(0, 50)
        buckets.add("cpu", BEGIN + timedelta(minutes=minute), {"percent": percent})
    store("one", buckets.take(now))
    first, second = trial(rule.expression, rule, now)
    assert first.opened_at == BEGIN + timedelta(minutes=601)
    assert first.closed_at == BEGIN + timedelta(minutes=606)
    assert (second.opened_at, second.closed_at) == (BEGIN + timedelta(minutes=1401), None)
    assert not Alert.objects.exists()
    with pytest.raises(ExpressionError, match="divisor other than 0"):
        trial("cpu.percent / (cpu.percent - cpu.percent)", rule, now)
