"""What follows for an alert from one more value: the state machine, without a database. Pure.

    (none) ──beyond──> pending ──for duration_s──> open ──good for clear_after_s──> closed
                          │ good                    │ beyond escalate_threshold, or
                          v                         │ unacknowledged for escalate_after_s
                        (none)                      v
                                                  critical

An alert that comes back soon after it closed is reopened, not opened anew; each time it must then
be good for twice as long before it closes: what flaps is one alert that stays open.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

MAX_CLEAR_S = 1_800.0
REOPEN_WITHIN_S = 300.0
MAX_DOUBLINGS = 6


class Criteria(Protocol):
    """Of a rule, as `AlertRule` has them."""

    comparison: str
    threshold: float
    clear_threshold: float | None
    duration_s: float
    clear_after_s: float
    severity: str
    escalate_threshold: float | None
    escalate_after_s: float | None


class Step(StrEnum):
    """What happened to the alert; those after CLEARING are told."""

    BEGUN = "begun"
    DROPPED = "dropped"
    CLEARING = "clearing"  # good values began, or ended
    OPENED = "opened"
    REOPENED = "reopened"
    ESCALATED = "escalated"
    CLOSED = "closed"


TOLD = frozenset({Step.OPENED, Step.REOPENED, Step.ESCALATED, Step.CLOSED})
CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Course:
    """Where an alert stands; `state` is one of pending, open, closed."""

    state: str
    severity: str
    since: datetime
    opened_at: datetime | None = None
    escalated_at: datetime | None = None
    acknowledged_at: datetime | None = None
    clear_since: datetime | None = None
    closed_at: datetime | None = None
    flaps: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    step: Step
    course: Course


def beyond(comparison: str, value: float, threshold: float) -> bool:
    return value >= threshold if comparison == "above" else value <= threshold


def clear_after(rule: Criteria, flaps: int) -> timedelta:
    wanted = rule.clear_after_s * 2 ** min(flaps, MAX_DOUBLINGS)
    return timedelta(seconds=min(wanted, max(MAX_CLEAR_S, rule.clear_after_s)))


def due_at(rule: Criteria, course: Course) -> datetime | None:
    """When the alert opens or closes if its value stays as it is; None where it does neither."""
    if course.state == "pending":
        return course.since + timedelta(seconds=rule.duration_s)
    if course.state == "open" and course.clear_since is not None:
        return course.clear_since + clear_after(rule, course.flaps)
    return None


def decide(
    rule: Criteria, course: Course | None, value: float | None, at: datetime
) -> Decision | None:
    """None where nothing changes. `course` is the live alert or the one that closed last; `value`
    None means that there is nothing left to be measured: as good as good."""
    if course is None or course.state == "closed":
        return _begun(rule, course, value, at)
    if course.state == "pending":
        return _pending(rule, course, value, at)
    return _open(rule, course, value, at)


def _begun(
    rule: Criteria, before: Course | None, value: float | None, at: datetime
) -> Decision | None:
    if value is None or not beyond(rule.comparison, value, rule.threshold):
        return None
    if before is not None and before.closed_at is not None and at < before.closed_at:
        return None  # a round that waited for the database: more is known by now
    soon = (
        before is not None
        and before.closed_at is not None
        and at - before.closed_at < timedelta(seconds=REOPEN_WITHIN_S)
    )
    if before is not None and soon:
        again = replace(before, state="pending", since=at, clear_since=None, flaps=before.flaps + 1)
        course = again
    else:
        course = Course("pending", rule.severity, at)
    if rule.duration_s > 0:
        return Decision(Step.BEGUN, course)
    return _opened(rule, course, value, at)


def _pending(rule: Criteria, course: Course, value: float | None, at: datetime) -> Decision | None:
    if value is None or not beyond(rule.comparison, value, rule.threshold):
        if course.opened_at is None:
            return Decision(Step.DROPPED, course)
        # It was open before: back to closed, as if it had not come.
        return Decision(Step.DROPPED, replace(course, state="closed", flaps=course.flaps - 1))
    if at - course.since < timedelta(seconds=rule.duration_s):
        return None
    return _opened(rule, course, value, at)


def _opened(rule: Criteria, course: Course, value: float, at: datetime) -> Decision:
    again = course.opened_at is not None
    critical = _is_critical(rule, value)
    fresh = replace(
        course,
        state="open",
        severity=CRITICAL if critical else rule.severity,
        opened_at=course.opened_at or at,
        escalated_at=at if critical and rule.severity != CRITICAL else None,
        acknowledged_at=course.acknowledged_at if again else None,
        clear_since=None,
        closed_at=None,
    )
    return Decision(Step.REOPENED if again else Step.OPENED, fresh)


def _is_critical(rule: Criteria, value: float) -> bool:
    limit = rule.escalate_threshold
    return limit is not None and beyond(rule.comparison, value, limit)


def _open(rule: Criteria, course: Course, value: float | None, at: datetime) -> Decision | None:
    limit = rule.threshold if rule.clear_threshold is None else rule.clear_threshold
    # Between the two thresholds it is neither beyond nor good: the alert stays as it is.
    good = value is None or not beyond(rule.comparison, value, limit)
    if good:
        if course.clear_since is None:
            course, began = replace(course, clear_since=at), True
        else:
            began = False
        if course.clear_since is not None and at - course.clear_since >= clear_after(
            rule, course.flaps
        ):
            return Decision(Step.CLOSED, replace(course, state="closed", closed_at=at))
        return Decision(Step.CLEARING, course) if began else None
    if course.severity != CRITICAL and _escalates(rule, course, value, at):
        fresh = replace(course, severity=CRITICAL, escalated_at=at, clear_since=None)
        return Decision(Step.ESCALATED, fresh)
    if course.clear_since is not None:
        return Decision(Step.CLEARING, replace(course, clear_since=None))
    return None


def _escalates(rule: Criteria, course: Course, value: float | None, at: datetime) -> bool:
    if value is not None and _is_critical(rule, value):
        return True
    return (
        rule.escalate_after_s is not None
        and course.acknowledged_at is None
        and course.opened_at is not None
        and at - course.opened_at >= timedelta(seconds=rule.escalate_after_s)
    )
