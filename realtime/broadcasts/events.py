"""One builder per event of a broadcast; snapshots show it by the same."""

from typing import Any

from realtime.log.entries import EventDraft
from realtime.models.broadcast import Broadcast, BroadcastKind, BroadcastStatus
from realtime.people import person
from realtime.protocol.payloads.shape import wire_time

NOTICE = "notice"  # kinds of `system_notification`: one by itself, and what became of another one
BECAME = "broadcast"
_ENDED = {
    BroadcastStatus.CANCELLED: "A broadcast was withdrawn.",
    BroadcastStatus.EXPIRED: "A broadcast has expired.",
    BroadcastStatus.COMPLETED: "A broadcast is over.",
}


def notice(row: Broadcast) -> dict[str, Any]:
    """The wire shape `Broadcast`."""
    return {
        "broadcast": row.pk,
        "title": row.title,
        "body": row.body,
        "html": row.html,
        "level": row.level,
        "priority": row.priority,
        "must_acknowledge": row.must_acknowledge,
        "author": person(row.author) if row.author else None,
        "published_at": wire_time(row.published_at) if row.published_at else None,
        "expires_at": wire_time(row.expires_at) if row.expires_at else None,
    }


def data(row: Broadcast) -> dict[str, Any]:
    """The `data` of its event."""
    if row.kind == BroadcastKind.MESSAGE:
        return notice(row)
    if row.kind == BroadcastKind.NOTIFICATION:
        told = {"kind": NOTICE, "broadcast": row.pk}
    else:
        told = {
            "on": row.maintenance_on,
            "starts_at": wire_time(row.starts_at) if row.starts_at else None,
            "ends_at": wire_time(row.ends_at) if row.ends_at else None,
        }
    return {**told, "text": row.title, "notice": notice(row)}


def published(row: Broadcast) -> EventDraft:
    return EventDraft(row.kind, data(row), subject=row.subject)


def ended(row: Broadcast, state: BroadcastStatus) -> EventDraft:
    """Takes the texts out of the log and out of the rings of nodes; tells whoever has them."""
    told = {"kind": BECAME, "text": _ENDED[state], "broadcast": row.pk, "state": state.value}
    return EventDraft("system_notification", told, redacts=row.subject)


def acknowledged(row: Broadcast) -> EventDraft:
    """In a person's own stream: their other tabs and devices take it away, too."""
    told = {
        "kind": BECAME,
        "text": "You have acknowledged a broadcast.",
        "broadcast": row.pk,
        "state": "acknowledged",
    }
    return EventDraft("system_notification", told)


def progress(row: Broadcast) -> dict[str, Any]:
    """The data of the signal `metrics_update`."""
    values = {
        "broadcast": row.pk,
        "addressed": row.addressed,
        "delivered": row.delivered,
        "acknowledged": row.acknowledged,
        "late": row.late,
    }
    return {"part": "broadcast", "values": values}
