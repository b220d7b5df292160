"""What was tried while an alert was open: incidents in the log of `status`, and what processes did
by themselves, which is told there when the alert closes."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from realtime.log.entries import EventDraft
from realtime.log.writing import publish
from realtime.models import Event, Stream
from realtime.protocol.streams import STATUS_STREAM
from status.alerts.recovering import Tried, parts_of

TYPES = ("warning_issued", "recovery_attempt", "connection_restored")
KEPT = 20
SCANNED = 5_000  # of the newest events of the stream
RECOVERED = "recovery"  # the code of what is told here


def what_was_tried(component: str, begin: datetime | None, end: datetime) -> list[dict[str, Any]]:
    """The newest incidents, attempts and returns of that part, oldest first."""
    if begin is None:
        return []
    parts = parts_of(component)
    # An alert may be open for weeks: they are not all read under the stream's lock.
    stream = Stream.objects.get(name=STATUS_STREAM)
    rows = Event.objects.filter(
        stream=stream, seq__gt=stream.head - SCANNED, type__in=TYPES, ts__gte=begin, ts__lte=end
    ).order_by("-seq")
    found: list[dict[str, Any]] = []
    for row in rows[: 10 * KEPT]:
        data = json.loads(bytes(row.frame))["data"]
        if data["code"] == RECOVERED:
            continue  # of an alert that closed meanwhile
        if data.get("part") in parts and len(found) < KEPT:
            found.append({"at": row.ts.isoformat(), "type": row.type, "text": data["text"]})
    return found[::-1]


def as_tried(one: Tried, at: datetime) -> dict[str, Any]:
    """As an alert keeps it."""
    moment = one.ended if one.ended is not None else at
    return {"at": moment.isoformat(), "type": "recovery_attempt", "text": one.text}


def tell_tried(component: str, tried: Sequence[Tried]) -> None:
    """The caller holds the lock of `status`."""
    for one in tried:
        data = {"code": RECOVERED, "text": one.text, "part": component, "detail": one.detail}
        publish(STATUS_STREAM, EventDraft("recovery_attempt", data))
