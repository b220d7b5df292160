"""Incidents that several nodes notice, told on the stream `status` once each.

Every node that misses a part keeps a report of it; the first report is the incident's beginning and
the end of the last one its end. All of it happens under the lock of `status`, so nodes take turns.
A report that its node has not renewed for a minute counts for nothing: the node is dead.
Synchronous; runs in a database thread. `realtime.reporting` is the node's side.
"""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from realtime.log.entries import EventDraft
from realtime.log.locks import lock_streams
from realtime.log.writing import publish
from realtime.models.incident import IncidentReport
from realtime.protocol.streams import STATUS_STREAM
from realtime.retrying import retried

STALE_S = 60.0


def _tell(event: str, part: str, code: str, text: str, detail: dict[str, Any] | None) -> None:
    data = {"code": code, "text": text, "part": part, "detail": detail}
    publish(STATUS_STREAM, EventDraft(event, data))


def _drop_stale(part: str) -> bool:
    """Whether there were reports of dead nodes."""
    limit = Now() - timedelta(seconds=STALE_S)
    return bool(IncidentReport.objects.filter(part=part, seen_at__lt=limit).delete()[0])


@retried
@transaction.atomic
def open_incident(
    part: str, node: str, *, code: str, text: str, detail: dict[str, Any] | None = None
) -> bool:
    """Report that `node` misses `part`. Publishes `warning_issued` and returns True if it is the
    first report of the incident. Raises Unavailable."""
    lock_streams(STATUS_STREAM)
    _drop_stale(part)
    first = not IncidentReport.objects.filter(part=part).exists()
    IncidentReport.objects.update_or_create(
        part=part, node=node, defaults={"code": code, "seen_at": Now()}
    )
    if first:
        _tell("warning_issued", part, code, text, detail)
    return first


@retried
@transaction.atomic
def note_attempt(part: str, node: str, *, text: str) -> bool:
    """Publish `recovery_attempt` for the first attempt of the incident, whoever makes it; returns
    whether this was it. Raises Unavailable."""
    lock_streams(STATUS_STREAM)
    reports = IncidentReport.objects.filter(part=part)
    own = reports.filter(node=node).first()
    if own is None or reports.filter(attempted=True).exists():
        return False
    IncidentReport.objects.filter(pk=own.pk).update(attempted=True)
    _tell("recovery_attempt", part, own.code, text, {"attempt": 1})
    return True


def renew_report(part: str, node: str) -> bool:
    """Say that the node still misses it; False when the report was taken for a dead node's."""
    return bool(IncidentReport.objects.filter(part=part, node=node).update(seen_at=Now()))


@retried
@transaction.atomic
def close_incident(part: str, node: str, *, text: str) -> bool:
    """End the node's report. Publishes `connection_restored` and returns True if it was the last
    one. Raises Unavailable."""
    lock_streams(STATUS_STREAM)
    own = IncidentReport.objects.filter(part=part, node=node).first()
    if own is None:
        return False
    # A first attempt stays the first one of the incident when its report is gone.
    if own.attempted:
        IncidentReport.objects.filter(part=part).update(attempted=True)
    own.delete()
    _drop_stale(part)
    if IncidentReport.objects.filter(part=part).exists():
        return False
    _tell("connection_restored", part, own.code, text, None)
    return True


@retried
@transaction.atomic
def end_abandoned(*, text: str) -> list[str]:
    """End incidents that only dead nodes report; their parts. Raises Unavailable."""
    lock_streams(STATUS_STREAM)
    ended: list[str] = []
    codes = dict(IncidentReport.objects.order_by("part").values_list("part", "code"))
    for part, code in codes.items():
        if _drop_stale(part) and not IncidentReport.objects.filter(part=part).exists():
            _tell("connection_restored", part, code, text, None)
            ended.append(part)
    return ended


def any_reports() -> bool:
    """A look without a lock: almost always there is nothing to end."""
    return IncidentReport.objects.exists()
