"""The last 90 minutes of many measures at once, for the charts. Synchronous.

The history of the API averages over everything that was measured; a chart goes on with the values
that are sent live, which are joined over processes as each measure declares. So this joins the same
way: of a sum the averages of the processes are added, of a maximum the highest counts.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from realtime.components import STATE, Merge, components, measure_of
from realtime.database import snapshot
from realtime.protocol.payloads.shape import wire_time
from status.buckets import floor_to
from status.models import Sample
from status.totals import SCALE, Totals

STEP_S = 60
STEPS = 90
MAX_MEASURES = 40

_Sums = dict[tuple[str, int, str], Totals]  # by measure, step and process


def past(wanted: Sequence[str], now: datetime) -> dict[str, Any]:
    """`{"begin", "step", "series": {measure: [value or null, ...]}}`, of the states of all
    components and of what is wanted beside them. Names that no component has are left out."""
    known = {name: one for name in wanted if (one := measure_of(name)) is not None}
    for component in components().values():
        known[f"{component.name}.{STATE.name}"] = component, STATE
    begin = floor_to(now, STEP_S) - timedelta(seconds=STEP_S * (STEPS - 1))
    by_component: dict[str, list[str]] = {}
    for component, measure in known.values():
        by_component.setdefault(component.name, []).append(measure.name)
    summed = _summed(_rows(by_component, begin), by_component, begin)
    series: dict[str, list[float | None]] = {name: [None] * STEPS for name in known}
    for (name, step, _), totals in summed.items():
        if not 0 <= step < STEPS:
            continue
        merge = known[name][1].merge
        before, value = series[name][step], _value(merge, totals)
        series[name][step] = value if before is None else _joined(merge, before, value)
    found = {name: values for name, values in series.items() if any(v is not None for v in values)}
    return {"begin": wire_time(begin), "step": STEP_S, "series": found}


def _rows(names: Iterable[str], begin: datetime) -> list[tuple[datetime, str, str, dict[str, Any]]]:
    """Of a minute, and of 10 s what no minute contains yet."""
    steps = Q(step_s=STEP_S) | Q(step_s__lt=STEP_S, rolled=False)
    rows = Sample.objects.filter(steps, component__in=list(names), at__gte=begin)
    with snapshot():
        return list(rows.values_list("at", "component", "member", "totals"))


def _summed(
    rows: list[tuple[datetime, str, str, dict[str, Any]]],
    by_component: dict[str, list[str]],
    begin: datetime,
) -> _Sums:
    sums: _Sums = {}
    for at, component, member, totals in rows:
        step = int((at - begin).total_seconds()) // STEP_S
        for measure in by_component[component]:
            if measure in totals:
                key = (f"{component}.{measure}", step, member)
                one = Totals(*totals[measure])
                sums[key] = sums[key].joined(one) if key in sums else one
    return sums


def _value(merge: Merge, totals: Totals) -> float:
    if merge is Merge.SUM:
        return totals.average
    return (totals.high if merge is Merge.MAX else totals.low) / SCALE


def _joined(merge: Merge, one: float, other: float) -> float:
    if merge is Merge.SUM:
        return one + other
    return max(one, other) if merge is Merge.MAX else min(one, other)
