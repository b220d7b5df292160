"""Alerts: opened, escalated, acknowledged and closed once each, whoever looks."""

from datetime import timedelta
from functools import partial

import pytest

from chat.models import User
from realtime.protocol.errors import Conflict, NotFound
from status.alerts import evaluating
from status.alerts.acknowledging import acknowledge
from status.alerts.evaluating import evaluate
from status.alerts.rounds import Round
from status.models import Alert, AlertRule, AlertState
from tests.log.world import together
from tests.status.alerts import BEGIN, live, steps, told

pytestmark = pytest.mark.django_db(transaction=True)


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
