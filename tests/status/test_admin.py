"""Rules, channels and alerts in the admin."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from chat.models import User
from realtime.models import Job
from status.alerts.evaluating import evaluate
from status.alerts.rounds import Round
from status.buckets import Buckets
from status.models import Alert, AlertRule, NotificationChannel
from status.samples import store

pytestmark = pytest.mark.django_db

RULE = {
    "name": "mine",
    "component": "cpu",
    "text": "busy",
    "expression": "cpu.percent",
    "comparison": "above",
    "threshold": "90",
    "clear_threshold": "",
    "duration_s": "60",
    "clear_after_s": "60",
    "severity": "warning",
    "escalate_threshold": "",
    "escalate_after_s": "",
    "subjects": "system",
    "enabled": "on",
}
CHANNEL = {
    "name": "ops",
    "kind": "webhook",
    "address": "https://example.org/hook",
    "secret": "a secret of some length",
    "at_least": "warning",
    "enabled": "on",
}


@pytest.fixture
def browser() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root", password="x"))
    return client


def errors(answer: Any) -> dict[str, Any]:
    found: dict[str, Any] = answer.context["adminform"].form.errors
    return found


def test_a_rule_is_made_and_tried_over_history(browser: Client) -> None:
    """Its page says what it would have done within the last day."""
    assert browser.get("/admin/status/alertrule/add/").status_code == 200
    buckets = Buckets()
    now = timezone.now()
    for minute in range(120, 100, -1):
        buckets.add("cpu", now - timedelta(minutes=minute), {"percent": 95.0})
    for minute in range(100, 90, -1):
        buckets.add("cpu", now - timedelta(minutes=minute), {"percent": 5.0})
    store("one", buckets.take(now))
    assert browser.post("/admin/status/alertrule/add/", RULE).status_code == 302
    rule = AlertRule.objects.get(name="mine")
    page = browser.get(f"/admin/status/alertrule/{rule.pk}/change/").content.decode()
    assert "opened 1 alerts" in page
    assert "at 95" in page
    AlertRule.objects.filter(pk=rule.pk).update(expression="cpu.percent / (jobs.dead - jobs.dead)")
    buckets.add("jobs", now - timedelta(minutes=110), {"dead": 1.0})
    store("one", buckets.take(now))
    page = browser.get(f"/admin/status/alertrule/{rule.pk}/change/").content.decode()
    assert "not evaluated: expected a divisor other than 0" in page


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("expression", "cpu.percent +", "expected arithmetic over measures"),
        ("expression", "cpu.nothing", "expected a measure that is taken"),
        ("component", "warp_core", "expected one of"),
        ("threshold", "nan", "nter a number"),
        ("duration_s", "-1", "expected seconds from 0"),
        ("clear_threshold", "95", "expected at most 90, got 95"),
        ("escalate_threshold", "80", "expected at least 90, got 80"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(
    browser: Client, field: str, value: str, text: str
) -> None:
    """At its field, in a sentence."""
    answer = browser.post("/admin/status/alertrule/add/", {**RULE, field: value})
    assert text in str(errors(answer)[field])


def test_a_channel_keeps_its_secret(browser: Client) -> None:
    """It is never shown; left empty it stays."""
    assert browser.post("/admin/status/notificationchannel/add/", CHANNEL).status_code == 302
    row = NotificationChannel.objects.get()
    path = f"/admin/status/notificationchannel/{row.pk}/change/"
    assert CHANNEL["secret"] not in browser.get(path).content.decode()
    assert browser.post(path, {**CHANNEL, "secret": "", "name": "other"}).status_code == 302
    row.refresh_from_db()
    assert (row.name, row.secret) == ("other", CHANNEL["secret"])


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"address": "ftp://example.org"}, "address"),
        ({"secret": "short"}, "secret"),
        ({"kind": "email"}, "address"),
    ],
)
def test_a_channel_that_cannot_work_is_refused(
    browser: Client, fields: dict[str, str], field: str
) -> None:
    """Before anybody needs it."""
    answer = browser.post("/admin/status/notificationchannel/add/", {**CHANNEL, **fields})
    assert field in errors(answer)


def test_a_channel_is_tried(browser: Client) -> None:
    """By a job, as an alert is told."""
    row = NotificationChannel.objects.create(name="ops", kind="email", address="ops@example.org")
    data = {"action": "send_a_try", "_selected_action": [row.pk]}
    browser.post("/admin/status/notificationchannel/", data)
    assert Job.objects.get(name="status.notify").arguments["channel"] == row.pk


def test_an_alert_is_acknowledged(browser: Client) -> None:
    """Once; a closed one says why not."""
    AlertRule.objects.all().delete()
    AlertRule.objects.create(
        name="cpu",
        component="cpu",
        text="busy",
        expression="cpu.percent",
        threshold=9,
        duration_s=0,
    )
    evaluate(Round(timezone.now(), {"cpu.percent": 10.0}))
    alert = Alert.objects.get()
    assert browser.get(f"/admin/status/alert/{alert.pk}/change/").status_code == 200
    data = {"action": "acknowledge", "_selected_action": [alert.pk]}
    browser.post("/admin/status/alert/", data)
    alert.refresh_from_db()
    assert alert.acknowledged_by is not None
    assert alert.acknowledged_by.username == "root"
