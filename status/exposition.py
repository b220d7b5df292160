"""Numbers as Prometheus reads them, and as JSON.

The names are `pm_` and the metric's; what a component is looked at for stands in two families of
its own, `pm_component_state` and `pm_measure`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from realtime.metrics.gauges import GAUGES, READS
from realtime.metrics.kinds import SEPARATOR, SUM, Counter, Histogram, known
from realtime.metrics.ledger import Totals

if TYPE_CHECKING:
    from prometheus_client import Metric

PREFIX = "pm_"
STATES = {"ok": 0.0, "degraded": 1.0, "down": 2.0}

Samples = list[tuple[tuple[str, ...], float]]


@dataclass(frozen=True, slots=True)
class Family:
    """A counter or a gauge: its values by those of its labels."""

    kind: str
    name: str
    text: str
    labels: tuple[str, ...]
    samples: Samples


@dataclass(frozen=True, slots=True)
class Distribution:
    """A histogram; `buckets` are cumulative, by their upper bounds, the last being +Inf."""

    name: str
    text: str
    buckets: tuple[tuple[str, float], ...]
    sum: float


def families(found: Totals, health: dict[str, Any] | None) -> Iterator[Family | Distribution]:
    """Everything that there is to tell; `health` is None where the board could not be read."""
    counts, gauges = _by_name(found.counts), _by_name(found.gauges)
    complete = Family("gauge", "metrics_complete", "1 where all processes were asked", (), [])
    complete.samples.append(((), float(found.complete)))
    yield complete
    for gauge in GAUGES.values():
        if gauge.name in gauges:
            yield Family("gauge", gauge.name, gauge.text, gauge.labels, gauges[gauge.name])
    if health is not None:
        yield from _of_health(health)
    if not found.complete:
        return
    for metric in known().values():
        if isinstance(metric, Histogram):
            yield _distribution(metric, found.counts)
        else:
            yield _counter(metric, counts)
    for read in READS.values():
        yield Family("counter", read.name, read.text, (), counts.get(read.name, [((), 0.0)]))


def _by_name(series: dict[str, float]) -> dict[str, Samples]:
    grouped: dict[str, Samples] = {}
    for one, value in sorted(series.items()):
        name, *labels = one.split(SEPARATOR)
        grouped.setdefault(name, []).append((tuple(labels), value))
    return grouped


def _counter(metric: Counter, counts: dict[str, Samples]) -> Family:
    found = counts.get(metric.name, [])
    samples = [one for one in found if len(one[0]) == len(metric.labels)]
    if not samples and not metric.labels:
        samples = [((), 0.0)]
    return Family("counter", metric.name, metric.text, metric.labels, samples)


def _distribution(metric: Histogram, counts: dict[str, float]) -> Distribution:
    places = range(len(metric.bounds) + 1)
    each = [counts.get(f"{metric.name}{SEPARATOR}{place}", 0.0) for place in places]
    bounds = [*map(str, metric.bounds), "+Inf"]
    buckets = tuple(zip(bounds, accumulate(each), strict=True))
    total = counts.get(f"{metric.name}{SEPARATOR}{SUM}", 0.0)
    return Distribution(metric.name, metric.text, buckets, total)


def _of_health(health: dict[str, Any]) -> Iterator[Family]:
    parts: Samples = [
        ((name,), STATES[state])
        for name, state in sorted(health["parts"].items())
        if state in STATES
    ]
    text = "0 ok, 1 degraded, 2 down; a part of which nothing is known is left out"
    yield Family("gauge", "component_state", text, ("component",), parts)
    values: Samples = [((name,), value) for name, value in sorted(health["values"].items())]
    yield Family("gauge", "measure", "as last measured, see docs/status.md", ("measure",), values)


class Exposition:
    """What prometheus-client calls a registry: it is asked once."""

    def __init__(self, found: Totals, health: dict[str, Any] | None) -> None:
        self._told = families(found, health)

    def collect(self) -> "Iterator[Metric]":
        from prometheus_client.core import (
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
        )

        for one in self._told:
            name = PREFIX + one.name
            if isinstance(one, Distribution):
                yield HistogramMetricFamily(name, one.text, list(one.buckets), one.sum)
                continue
            kind = CounterMetricFamily if one.kind == "counter" else GaugeMetricFamily
            family = kind(name, one.text, labels=one.labels)
            for labels, value in one.samples:
                family.add_metric(labels, value)
            yield family


def as_json(found: Totals) -> dict[str, Any]:
    """Everything but the components' measures, which have answers of their own."""
    told: list[dict[str, Any]] = []
    for one in families(found, None):
        if isinstance(one, Distribution):
            told.append(
                {
                    "name": one.name,
                    "kind": "histogram",
                    "text": one.text,
                    "buckets": dict(one.buckets),
                    "count": one.buckets[-1][1],
                    "sum": one.sum,
                    "samples": [],
                }
            )
            continue
        samples = [
            {"labels": dict(zip(one.labels, labels, strict=True)), "value": value}
            for labels, value in one.samples
        ]
        told.append({"name": one.name, "kind": one.kind, "text": one.text, "samples": samples})
    return {"complete": found.complete, "silent": list(found.silent), "metrics": told}
