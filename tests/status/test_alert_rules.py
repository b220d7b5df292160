"""Rules: nonsense in one, those that come by default, switched off, tried on the past."""

import random
from datetime import timedelta

import pytest

from status.alerts.defaults import ensure_rules
from status.alerts.evaluating import evaluate
from status.alerts.expressions import ExpressionError
from status.alerts.rounds import Round
from status.alerts.trial import trial
from status.buckets import Buckets
from status.models import Alert, AlertRule
from status.samples import store
from tests.status.alerts import BEGIN, live, steps, told

pytestmark = pytest.mark.django_db(transaction=True)


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
