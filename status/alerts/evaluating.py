"""Rules against one round of values: what follows is written so that one of several nodes wins.

Each change is an UPDATE of the alert at the version that was read; whoever changes no row has lost
and tells nobody. The event stands in the same transaction. Synchronous.
"""

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from functools import lru_cache

from django.db import IntegrityError, transaction
from django.db.models import Q

from realtime.log.locks import lock_streams
from realtime.protocol.streams import STATUS_STREAM
from realtime.retrying import retried
from status.alerts.deciding import REOPEN_WITHIN_S, TOLD, Course, Decision, Step, decide
from status.alerts.expressions import Expression, ExpressionError, NoValue, parsed
from status.alerts.rounds import Round
from status.alerts.telling import tell
from status.alerts.trying import what_was_tried
from status.models import Alert, AlertRule, AlertState
from status.view import Values

MAX_SUBJECTS = 200  # of a rule in one round: more processes or classes of errors are one story

logger = logging.getLogger(__name__)

_expression = lru_cache(maxsize=512)(parsed)


def evaluate(round_: Round) -> int:
    """Evaluate every rule; how many alerts were changed. A rule that fails says why in its row,
    and the others go on. Raises what the database raises."""
    rules = list(AlertRule.objects.order_by("pk"))
    known = _known_alerts(round_)
    changed = 0
    for rule in rules:
        if not rule.enabled:
            changed += _end_all(rule, known.get(rule.pk, {}), round_)
            continue
        try:
            expression = _expression(rule.expression)
            found = _values(rule, expression, round_)
        except ExpressionError as error:
            _note_error(rule, str(error))
            continue
        _note_error(rule, "")
        alerts = known.get(rule.pk, {})
        gone = {
            subject: None for subject in alerts if subject not in round_.subjects(rule.subjects)
        }
        for subject, value in {**found, **gone}.items():
            alert = alerts.get(subject)
            decision = decide(rule, course_of(alert), value, round_.at)
            if decision is not None:
                changed += _apply(rule, subject, alert, decision, value, round_)
    return changed


def _known_alerts(round_: Round) -> dict[int, dict[str, Alert]]:
    """By rule and subject: the live one, or else the one that closed last."""
    lately = Q(closed_at__gte=round_.at - timedelta(seconds=REOPEN_WITHIN_S))
    rows = Alert.objects.filter(~Q(state=AlertState.CLOSED) | lately).order_by("closed_at", "pk")
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
        changed += _apply(rule, subject, alert, ended, None, round_)
    return changed


def _values(rule: AlertRule, expression: Expression, round_: Round) -> dict[str, float | None]:
    """Of each subject that has a value. Raises ExpressionError for the first that has none it
    could have."""
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


def course_of(alert: Alert | None) -> Course | None:
    if alert is None:
        return None
    return Course(
        alert.state,
        alert.severity,
        alert.since,
        alert.opened_at,
        alert.escalated_at,
        alert.acknowledged_at,
        alert.clear_since,
        alert.closed_at,
        alert.flaps,
    )


@retried
@transaction.atomic
def _apply(
    rule: AlertRule,
    subject: str,
    alert: Alert | None,
    decision: Decision,
    value: float | None,
    round_: Round,
) -> bool:
    """Whether it was this node that changed the alert."""
    told = decision.step in TOLD
    if told:
        lock_streams(STATUS_STREAM)
    if decision.step is Step.DROPPED and decision.course.opened_at is None:
        return alert is not None and bool(
            Alert.objects.filter(pk=alert.pk, version=alert.version).delete()[0]
        )
    fields = _fields(decision.course) | _added(rule, subject, alert, decision, value, round_)
    # What is closed and does not come back soon is a story of its own.
    fresh = alert is None or (
        alert.state == AlertState.CLOSED and decision.course.opened_at != alert.opened_at
    )
    row = _inserted(rule, subject, fields) if fresh else _updated(alert, fields)
    if row is None:
        return False
    if told:
        tell(rule, row, decision.step.value)
    return True


def _fields(course: Course) -> dict[str, object]:
    names = (
        "state",
        "severity",
        "since",
        "opened_at",
        "escalated_at",
        "acknowledged_at",
        "clear_since",
        "closed_at",
        "flaps",
    )
    return {name: getattr(course, name) for name in names}


def _added(
    rule: AlertRule,
    subject: str,
    alert: Alert | None,
    decision: Decision,
    value: float | None,
    round_: Round,
) -> dict[str, object]:
    """What the story gets beside where it stands."""
    added: dict[str, object] = {} if value is None else {"value": value}
    if decision.step in {Step.OPENED, Step.REOPENED} and subject in round_.errors:
        added["samples"] = list(round_.errors[subject].samples)
    if decision.step is Step.CLOSED and alert is not None:
        added["tried"] = what_was_tried(rule.component, alert.opened_at, round_.at)
        added["ended"] = (
            ("what it was about is gone" if rule.enabled else "the rule was switched off")
            if value is None
            else f"good again at {value:g}, after {_length(alert, round_)}"
        )
    return added


def _length(alert: Alert, round_: Round) -> str:
    seconds = (round_.at - (alert.opened_at or alert.since)).total_seconds()
    return f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 60:.0f} min"  # noqa: PLR2004


def _inserted(rule: AlertRule, subject: str, fields: Mapping[str, object]) -> Alert | None:
    try:
        with transaction.atomic():
            return Alert.objects.create(rule=rule, subject=subject[:200], **fields)
    except IntegrityError:
        return None  # another node was quicker


def _updated(alert: Alert | None, fields: Mapping[str, object]) -> Alert | None:
    if alert is None:
        return None
    here = Alert.objects.filter(pk=alert.pk, version=alert.version)
    if not here.update(version=alert.version + 1, **fields):
        return None  # likewise
    for name, value in fields.items():
        setattr(alert, name, value)
    alert.version += 1
    return alert
