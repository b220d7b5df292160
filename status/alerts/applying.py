"""One step of one alert, written so that one of several nodes wins.

Each change is an UPDATE of the alert at the version that was read; whoever changes no row has lost
and tells nobody. The event stands in the same transaction. Synchronous.
"""

import dataclasses
from collections.abc import Mapping

from django.db import IntegrityError, transaction

from realtime.log.locks import lock_streams
from realtime.protocol.streams import STATUS_STREAM
from realtime.retrying import retried
from status.alerts.deciding import TOLD, Course, Decision, Step
from status.alerts.recovering import tried_for
from status.alerts.rounds import Round
from status.alerts.telling import tell
from status.alerts.trying import as_tried, tell_tried, what_was_tried
from status.models import Alert, AlertRule, AlertState


def course_of(alert: Alert | None) -> Course | None:
    if alert is None:
        return None
    return Course(**{one.name: getattr(alert, one.name) for one in dataclasses.fields(Course)})


@retried
@transaction.atomic
def apply(
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
    added = _added(rule, subject, alert, decision, value, round_)
    fields = dataclasses.asdict(decision.course) | added
    # What is closed and does not come back soon is a story of its own.
    fresh = alert is None or (
        alert.state == AlertState.CLOSED and decision.course.opened_at != alert.opened_at
    )
    row = _inserted(rule, subject, fields) if fresh else _updated(alert, fields)
    if row is None:
        return False
    if decision.step is Step.CLOSED:
        tell_tried(rule.component, tried_for(rule.component, round_.tried, row.opened_at))
    if told:
        tell(rule, row, decision.step.value)
    return True


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
        own = tried_for(rule.component, round_.tried, alert.opened_at)
        incidents = what_was_tried(rule.component, alert.opened_at, round_.at)
        tried = [*incidents, *(as_tried(one, round_.at) for one in own)]
        added["tried"] = sorted(tried, key=lambda one: str(one["at"]))
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
