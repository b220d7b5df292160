"""A rule against what was measured: when would it have opened an alert? Nothing is written."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from status.alerts.deciding import TOLD, Course, Criteria, Step, decide
from status.alerts.expressions import Expression, NoValue, parsed
from status.history import history
from status.totals import SCALE, Totals

SPAN = timedelta(hours=24)
STEP_S = 60


@dataclass(frozen=True, slots=True)
class Episode:
    """`closed_at` None: it would still be open."""

    opened_at: datetime
    closed_at: datetime | None
    severity: str
    value: float


def trial(expression: str, rule: Criteria, now: datetime) -> list[Episode]:
    """Over the last 24 hours, by minutes. Raises ExpressionError, also where the expression has no
    value for what was measured. Of processes their measures count together."""
    found = parsed(expression)
    rows: dict[datetime, dict[str, Totals]] = {}
    for measure in sorted(found.measures):
        for point in history(measure, now - SPAN, now, STEP_S, now=now).points:
            rows.setdefault(point.at, {})[measure] = point.totals
    episodes: list[Episode] = []
    course: Course | None = None
    for at in sorted(rows):
        value = _value(found, rule, rows[at])
        decision = decide(rule, course, value, at) if value is not None else None
        if decision is None or value is None:
            continue
        course = None if _forgotten(decision.step, decision.course) else decision.course
        if decision.step in TOLD and decision.course.opened_at is not None:
            _note(episodes, decision.step, decision.course, value)
    return episodes


def _forgotten(step: Step, course: Course) -> bool:
    return step is Step.DROPPED and course.opened_at is None


def _value(expression: Expression, rule: Criteria, totals: Mapping[str, Totals]) -> float | None:
    """The worst of the minute where the rule is about one measure, else of the averages."""
    values = {name: one.average for name, one in totals.items()}
    if len(expression.measures) == 1:
        values = {
            name: (one.high if rule.comparison == "above" else one.low) / SCALE
            for name, one in totals.items()
        }
    try:
        return expression.value(values)
    except NoValue:
        return None


def _note(episodes: list[Episode], step: Step, course: Course, value: float) -> None:
    opened = course.opened_at or course.since
    if step is Step.OPENED:
        episodes.append(Episode(opened, None, course.severity, value))
    elif episodes:
        former = episodes[-1]
        episodes[-1] = Episode(opened, course.closed_at, course.severity, former.value)
