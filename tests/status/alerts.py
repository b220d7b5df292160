"""Rounds of one measure, and what was told of the alerts that they led to."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from realtime.models import Event
from status.alerts.evaluating import evaluate
from status.alerts.rounds import Round

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)


def live(
    values: Sequence[float], begin: datetime = BEGIN, measure: str = "cpu.percent"
) -> datetime:
    """A round every 2 s; the moment after the last."""
    for number, value in enumerate(values):
        evaluate(Round(begin + timedelta(seconds=2 * number), {measure: value}))
    return begin + timedelta(seconds=2 * len(values))


def told() -> list[dict[str, Any]]:
    rows = Event.objects.filter(stream__name="status", type="performance_alert").order_by("seq")
    return [json.loads(bytes(row.frame))["data"] for row in rows]


def steps() -> list[str]:
    return [one["state"] for one in told()]
