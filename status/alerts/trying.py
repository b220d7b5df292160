"""What was tried while an alert was open: the log of `status` has it."""

import json
from datetime import datetime
from typing import Any

from realtime.models import Event
from realtime.protocol.streams import STATUS_STREAM

TYPES = ("warning_issued", "recovery_attempt", "connection_restored")
KEPT = 20
# Nodes notice a dead Redis by what it does to the channel layer.
_PARTS = {"redis": ("redis", "channel_layer")}


def what_was_tried(component: str, begin: datetime | None, end: datetime) -> list[dict[str, Any]]:
    """The newest incidents, attempts and returns of that part, oldest first."""
    if begin is None:
        return []
    parts = _PARTS.get(component, (component,))
    rows = Event.objects.filter(
        stream__name=STATUS_STREAM, type__in=TYPES, ts__gte=begin, ts__lte=end
    ).order_by("-seq")
    found: list[dict[str, Any]] = []
    for row in rows[: 10 * KEPT]:
        data = json.loads(bytes(row.frame))["data"]
        if data.get("part") in parts and len(found) < KEPT:
            found.append({"at": row.ts.isoformat(), "type": row.type, "text": data["text"]})
    return found[::-1]
