"""Alerts that cannot be written yet: a node judges what it sees by itself, and tells its readers.

The same rounds are kept, and evaluated when the database is back, with the same rules: then the
alert is opened with the time that was told here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from realtime.protocol.payloads.shape import wire_time
from status.alerts.deciding import TOLD, Course, Step, decide
from status.alerts.evaluating import values_of_rule
from status.alerts.expressions import ExpressionError
from status.alerts.rounds import Round
from status.models import AlertRule

_Courses = dict[tuple[int, str], Course]


class Ahead:
    """Of one outage. `rules` as they were read last; at most MAX_SUBJECTS alerts for each."""

    def __init__(self, rules: Sequence[AlertRule]) -> None:
        self._rules = rules
        self._courses: _Courses = {}

    def take(self, round_: Round) -> list[dict[str, Any]]:
        """What changed, as `performance_alert` tells it, without an id."""
        told: list[dict[str, Any]] = []
        for rule in self._rules:
            try:
                found = values_of_rule(rule, round_)
            except ExpressionError:
                continue  # the evaluation in the database will say so in the rule's row
            told += self._judged(rule, found, round_)
        return told

    def _judged(
        self, rule: AlertRule, found: Mapping[str, float | None], round_: Round
    ) -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = []
        for subject, value in found.items():
            key = (rule.pk, subject)
            decision = decide(rule, self._courses.get(key), value, round_.at)
            if decision is None:
                continue
            course = decision.course
            if decision.step is Step.DROPPED and course.opened_at is None:
                self._courses.pop(key, None)
                continue
            self._courses[key] = course
            if decision.step in TOLD:
                told.append(_data(rule, subject, decision.step, course, value))
        return told


def _data(
    rule: AlertRule, subject: str, step: Step, course: Course, value: float | None
) -> dict[str, Any]:
    return {
        "alert": rule.name,
        "state": step.value,
        "severity": course.severity,
        "component": rule.component,
        "subject": subject[:200],
        "text": rule.text,
        "value": value,
        "threshold": rule.threshold,
        "opened_at": wire_time(course.opened_at) if course.opened_at is not None else None,
    }


def enabled_rules() -> list[AlertRule]:
    """As they stand now. Synchronous."""
    return list(AlertRule.objects.filter(enabled=True).order_by("pk"))
