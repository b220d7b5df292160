"""Everyone who follows `status`: an event in its log."""

from realtime.log.entries import EventDraft
from realtime.log.writing import publish
from realtime.protocol.streams import STATUS_STREAM
from status.channels.notice import Notice

ALERT = "performance_alert"


class InApp:
    """Not delivered by a job, as the others are: the event is part of the alert's transaction."""

    def publish(self, notice: Notice) -> None:
        """The caller holds the lock of `status`."""
        told = (
            "id",
            "alert",
            "state",
            "severity",
            "component",
            "subject",
            "text",
            "value",
            "threshold",
            "ended",
            "opened_at",
        )
        data = {name: notice.data[name] for name in told}
        publish(STATUS_STREAM, EventDraft(ALERT, data))
