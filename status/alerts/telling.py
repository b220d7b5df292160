"""Who hears of an alert: everyone who follows `status`, and the channels that want it."""

from realtime.protocol.payloads.shape import wire_time
from status.channels.in_app import InApp
from status.channels.notice import Notice
from status.jobs import enqueue_notices
from status.models import Alert, AlertRule

# What flaps must not fill mailboxes; it stands on the page and in the log.
_QUIET = frozenset({"reopened", "acknowledged"})


def tell(rule: AlertRule, alert: Alert, step: str) -> None:
    """In the transaction that changed the alert, which holds the lock of `status`."""
    notice = Notice(
        id=alert.pk,
        alert=rule.name,
        state=step,
        severity=alert.severity,
        component=rule.component,
        subject=alert.subject,
        text=rule.text,
        value=alert.value,
        threshold=rule.threshold,
        ended=alert.ended or None,
        opened_at=wire_time(alert.opened_at) if alert.opened_at else None,
        samples=tuple(alert.samples),
    )
    InApp().publish(notice)
    if step not in _QUIET:
        enqueue_notices(notice)
