"""Rules against one round of values: what follows for each alert. Synchronous."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from django.db import connection
from django.db.models import Q

from status.alerts.applying import apply, course_of
from status.alerts.deciding import REOPEN_WITHIN_S, Decision, Step, decide, due_at
from status.alerts.expressions import Expression, ExpressionError, NoValue, parsed
from status.alerts.kept import Kept
from status.alerts.rounds import Round
from status.models import Alert, AlertRule, AlertState
from status.view import Values

MAX_SUBJECTS = 200  # of a rule in one round: more processes or classes of errors are one story

logger = logging.getLogger(__name__)

_expression = lru_cache(maxsize=512)(parsed)


# Looked at every 2 s, and the same for hours: an alert may stay open for a month.
_RULES: Kept[AlertRule] = Kept("SELECT * FROM status_alertrule ORDER BY id")
_ALERTS: Kept[Alert] = Kept(
    "SELECT * FROM status_alert WHERE state <> 'closed' OR closed_at >= %s ORDER BY closed_at, id"
)


class Evaluated(NamedTuple):
    """How many alerts were changed, and when the next one opens or closes if its value stays."""

    changed: int
    due_at: datetime | None


def evaluate(round_: Round) -> Evaluated:
    """Evaluate every rule. A rule that fails says why in its row, and the others go on.

    Raises what the database raises.
    """
    rules = _RULES.newest(lambda: list(AlertRule.objects.order_by("pk")))
    known = _known_alerts(round_)
    changed = 0
    due: list[datetime] = []
    for rule in rules:
        alerts = known.get(rule.pk, {})
        if not rule.enabled:
            changed += _end_all(rule, alerts, round_)
            continue
        try:
            found = values_of_rule(rule, round_)
        except ExpressionError as error:
            _note_error(rule, str(error))
            continue
        _note_error(rule, "")
        for subject, value in {**found, **_gone(rule, alerts, round_)}.items():
            alert = alerts.get(subject)
            course = course_of(alert)
            decision = decide(rule, course, value, round_.at)
            if decision is not None:
                _ALERTS.forget()
                changed += apply(rule, subject, alert, decision, value, round_)
                course = decision.course
            if course is not None and (at := due_at(rule, course)) is not None:
                due.append(at)
    return Evaluated(changed, min(due, default=None))


def _gone(rule: AlertRule, alerts: Mapping[str, Alert], round_: Round) -> dict[str, None]:
    """Subjects that are no more. In a round that saw only a part they may well be."""
    if not round_.whole:
        return {}
    present = round_.subjects(rule.subjects)
    return {subject: None for subject in alerts if subject not in present}


def _known_alerts(round_: Round) -> dict[int, dict[str, Alert]]:
    """By rule and subject: the live one, or else the one that closed last."""
    since = round_.at - timedelta(seconds=REOPEN_WITHIN_S)
    lately = ~Q(state=AlertState.CLOSED) | Q(closed_at__gte=since)
    rows = _ALERTS.newest(
        lambda: list(Alert.objects.filter(lately).order_by("closed_at", "pk")),
        connection.ops.adapt_datetimefield_value(since),
    )
    known: dict[int, dict[str, Alert]] = {}
    for row in rows:
        alerts = known.setdefault(row.rule_id, {})
        before = alerts.get(row.subject)
        if before is None or before.state == AlertState.CLOSED:
            alerts[row.subject] = row
    return known


def _end_all(rule: AlertRule, alerts: Mapping[str, Alert], round_: Round) -> int:
    """The rule was switched off: nothing would ever close what it had opened."""
    changed = 0
    for subject, alert in alerts.items():
        course = course_of(alert)
        if course is None or alert.state == AlertState.CLOSED:
            continue
        if alert.opened_at is None:
            ended = Decision(Step.DROPPED, course)
        else:
            ended = Decision(Step.CLOSED, replace(course, state="closed", closed_at=round_.at))
        _ALERTS.forget()
        changed += apply(rule, subject, alert, ended, None, round_)
    return changed


def values_of_rule(rule: AlertRule, round_: Round) -> dict[str, float | None]:
    """Of each subject that has a value. Raises ExpressionError for the first that has none it
    could have."""
    expression = _expression(rule.expression)
    found: dict[str, float | None] = {}
    for subject, values in list(round_.subjects(rule.subjects).items())[:MAX_SUBJECTS]:
        value = _value(expression, values)
        if value is not None:
            found[subject] = value
    return found


def _value(expression: Expression, values: Values) -> float | None:
    try:
        return expression.value(values)
    except NoValue:
        return None


def _note_error(rule: AlertRule, text: str) -> None:
    text = text[: AlertRule._meta.get_field("error").max_length]  # noqa: SLF001
    if rule.error != text:
        if text:
            logger.warning("rule not evaluated name=%s why=%s", rule.name, text)
        AlertRule.objects.filter(pk=rule.pk, error=rule.error).update(error=text)
