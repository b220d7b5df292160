"""A broadcast ends: withdrawn, expired, or kept long enough. Its texts leave the log with it."""

from functools import partial
from typing import Any

from django.db import transaction
from django.utils import timezone

from realtime.audit.recording import record
from realtime.broadcasts import events
from realtime.broadcasts.counting import counted, freeze, signal_progress
from realtime.broadcasts.permissions import visible_broadcast
from realtime.jobs.operations import cancel_job
from realtime.log.locks import lock_streams
from realtime.log.writing import publish
from realtime.models import Broadcast
from realtime.models.broadcast import WAITING, BroadcastStatus
from realtime.retrying import retried

_NOT_SENT = (*WAITING, BroadcastStatus.FAILED)


def cancel_broadcast(actor: Any, broadcast_id: int) -> Broadcast:
    """Take it back: nothing is sent where nothing was; else its texts are blanked and everybody is
    told. One that has ended stays as it is. Raises NotFound, Unavailable.
    """
    visible_broadcast(actor, broadcast_id)
    return _cancel(actor, broadcast_id)


@retried
@transaction.atomic
def _cancel(actor: Any, broadcast_id: int) -> Broadcast:
    row = locked(broadcast_id)
    found = row.status
    if row.status in _NOT_SENT:
        # A running job finds the state when it gets the stream's lock, and does nothing.
        if row.job is not None:
            cancel_job(row.job)
        _end(row, BroadcastStatus.CANCELLED)
    elif row.status == BroadcastStatus.PUBLISHED:
        end_standing(row, BroadcastStatus.CANCELLED)
    if row.status != found:
        details = {"broadcast": row.pk, "was": found}
        target = row.stream.name
        record("broadcast_cancelled", actor=actor.pk, target=target, result="done", details=details)
    return row


def expire_broadcast(broadcast_id: int) -> None:
    """Its time is over. Runs as the effect that completes the job; one that has ended otherwise, or
    has been given more time, stays."""
    row = locked(broadcast_id)
    if row.status == BroadcastStatus.PUBLISHED and row.expired(timezone.now()):
        end_standing(row, BroadcastStatus.EXPIRED)


def end_standing(row: Broadcast, status: BroadcastStatus) -> None:
    """Counts stay as they are now, texts leave the log. The caller holds stream and row.

    Clients know the moment of an expiry themselves. The event is for the rings of nodes, which drop
    the text when it comes, and for whoever has one that ends otherwise.
    """
    freeze(row, counted(row))
    publish(row.stream.name, events.ended(row, status))
    _end(row, status)


def locked(broadcast_id: int) -> Broadcast:
    """The row under its stream's lock and its own. Raises Broadcast.DoesNotExist."""
    lock_streams(Broadcast.objects.values_list("stream__name", flat=True).get(pk=broadcast_id))
    return (
        Broadcast.objects.select_for_update(of=("self",))
        .select_related("author", "stream")
        .get(pk=broadcast_id)
    )


def _end(row: Broadcast, status: BroadcastStatus) -> None:
    row.status = status
    row.ended_at = timezone.now()
    row.save()
    tell_progress(row)


def tell_progress(row: Broadcast) -> None:
    """To operators and to the author, after the commit."""
    transaction.on_commit(partial(signal_progress, row), robust=True)
