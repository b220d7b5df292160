"""What was measured between two moments, in steps. Synchronous."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import Q

from realtime.components import measure_of
from realtime.database import snapshot
from realtime.protocol.errors import BadRequest, NotFound
from status.buckets import floor_to
from status.models import Sample
from status.samples import KEPT, STEPS
from status.totals import Totals

MAX_POINTS = 5_000
FEW_POINTS = 400  # as many as a chart shows: what a step is chosen for that is not given
_LONGEST_S = 366 * 86_400


@dataclass(frozen=True, slots=True)
class Point:
    """`at` is the beginning of the step; steps in which nothing was measured have no point."""

    at: datetime
    totals: Totals


@dataclass(frozen=True, slots=True)
class History:
    measure: str
    unit: str
    step_s: int
    points: Sequence[Point]


def history(
    measure: str,
    begin: datetime,
    end: datetime,
    step_s: int | None = None,
    *,
    now: datetime,
    member: str | None = None,
) -> History:
    """The measure `component.measure` over [begin, end), of all processes or of one.

    step_s: a multiple of 10; one that gives a chart's worth of points where it is None. The first
    step is the one that `begin` is in. Raises NotFound, BadRequest.
    """
    found = measure_of(measure)
    if found is None:
        raise NotFound(f"measure: expected component.measure, got {measure[:80]!r}")
    begin, end = begin.astimezone(UTC), end.astimezone(UTC)
    if end <= begin:
        raise BadRequest(f"to: expected a moment after from ({begin:%FT%TZ}), got {end:%FT%TZ}")
    span_s = (end - begin).total_seconds()
    if span_s > _LONGEST_S:
        raise BadRequest(f"from: expected a year at most, got {span_s / 86_400:.0f} days")
    finest = _finest(begin, now)
    chosen = _fitting(span_s, finest) if step_s is None else step_s
    _check_step(chosen, span_s, finest)
    first = floor_to(begin, chosen)
    sums: dict[datetime, Totals] = {}
    component, declared = found
    for at, totals in _rows(component.name, member, first, end, chosen):
        if declared.name in totals:
            step = floor_to(at, chosen)
            one = Totals(*totals[declared.name])
            sums[step] = sums[step].joined(one) if step in sums else one
    points = [Point(at, sums[at]) for at in sorted(sums)]
    return History(measure, declared.unit, chosen, points)


def _finest(begin: datetime, now: datetime) -> int:
    """The shortest step that reaches back to `begin`; the longest one where none does."""
    return next((step for step, kept in KEPT.items() if begin >= now - kept), STEPS[-1])


def _fitting(span_s: float, finest: int) -> int:
    """A multiple of what is stored that gives FEW_POINTS at most."""
    wanted = max(finest, span_s / FEW_POINTS)
    stored = max(step for step in STEPS if step <= wanted)
    return stored * -int(-wanted // stored)


def _check_step(step_s: int, span_s: float, finest: int) -> None:
    if step_s < STEPS[0] or step_s % STEPS[0]:
        raise BadRequest(f"step: expected a multiple of {STEPS[0]} seconds, got {step_s}")
    if span_s / step_s > MAX_POINTS:
        raise BadRequest(
            f"step: expected {MAX_POINTS} points at most, got {span_s / step_s:.0f}; "
            f"ask for {-int(-span_s // MAX_POINTS)} s or more, or for less time"
        )
    if step_s % finest:
        raise BadRequest(
            f"step: expected a multiple of {finest} s for what is as old as that, got {step_s}"
        )


def _rows(
    component: str, member: str | None, first: datetime, end: datetime, step_s: int
) -> list[tuple[datetime, dict[str, list[int]]]]:
    """Of the longest stored step that fits, and of shorter ones what it does not contain yet."""
    longest = max(step for step in STEPS if step_s % step == 0)
    steps = Q(step_s=longest)
    for shorter in STEPS[: STEPS.index(longest)]:
        steps |= Q(step_s=shorter, rolled=False)
    wanted = Sample.objects.filter(steps, component=component, at__gte=first, at__lt=end)
    if member is not None:
        wanted = wanted.filter(member=member)
    with snapshot():
        return list(wanted.order_by("at").values_list("at", "totals"))
