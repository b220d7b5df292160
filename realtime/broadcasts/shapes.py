"""How a broadcast is shown to those who manage it: the API and the admin."""

from typing import Any

from realtime.broadcasts.counts import counted, freeze
from realtime.models import Broadcast, Job
from realtime.models.broadcast import BroadcastStatus
from realtime.people import person
from realtime.protocol.payloads.shape import wire_time


def broadcast_shape(row: Broadcast, *, fresh: bool = False) -> dict[str, Any]:
    """The shape `BroadcastReport`. With `fresh` it is counted now, and `job` is read along; without
    it the counts are those stored, at most a second or so old."""
    if fresh and row.status == BroadcastStatus.PUBLISHED:
        freeze(row, counted(row))
    return {
        "id": row.pk,
        "scope": row.scope,
        "target": row.target,
        "kind": row.kind,
        "title": row.title,
        "body": row.body,
        "html": row.html,
        "level": row.level,
        "priority": row.priority,
        "must_acknowledge": row.must_acknowledge,
        "on": row.maintenance_on,
        "starts_at": _moment(row.starts_at),
        "ends_at": _moment(row.ends_at),
        "author": person(row.author) if row.author else None,
        "status": row.status,
        "seq": row.seq,
        "created_at": _moment(row.created_at),
        "publish_at": _moment(row.publish_at),
        "published_at": _moment(row.published_at),
        "expires_at": _moment(row.expires_at),
        "ended_at": _moment(row.ended_at),
        "addressed": row.addressed,
        "delivered": row.delivered,
        "acknowledged": row.acknowledged,
        "late": row.late,
        "job": _job(row) if fresh else None,
    }


def _moment(value: Any) -> str | None:
    return wire_time(value) if value else None


def _job(row: Broadcast) -> dict[str, Any] | None:
    """None where it is gone: finished jobs are kept for a week."""
    found = Job.objects.filter(pk=row.job or 0).first()
    if found is None:
        return None
    return {
        "id": found.pk,
        "state": found.state,
        "attempt": found.attempt,
        "max_attempts": found.max_attempts,
        "error_class": found.error_class,
    }
