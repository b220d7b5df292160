"""Somebody looks after an alert: it no longer escalates by time."""

from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from realtime.log.locks import lock_streams
from realtime.protocol.errors import Conflict, NotFound
from realtime.protocol.streams import STATUS_STREAM
from realtime.retrying import retried
from status.alerts.telling import tell
from status.models import Alert, AlertState


@retried
@transaction.atomic
def acknowledge(alert_id: int, user: Any) -> Alert:
    """The first who does is kept, and told of. Raises NotFound, Conflict (it is closed)."""
    lock_streams(STATUS_STREAM)
    alerts = Alert.objects.filter(pk=alert_id).exclude(state=AlertState.PENDING)
    first = alerts.filter(state=AlertState.OPEN, acknowledged_at=None).update(
        acknowledged_at=Now(), acknowledged_by=user
    )
    alert = alerts.select_related("rule", "acknowledged_by").first()
    if alert is None:
        raise NotFound(f"expected an alert, got {alert_id}")
    if alert.state == AlertState.CLOSED and alert.acknowledged_at is None:
        raise Conflict("expected an open alert, got one that is closed")
    if first:
        tell(alert.rule, alert, "acknowledged")
    return alert
