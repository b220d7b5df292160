"""A broadcast ends: withdrawn, expired, or kept long enough. Its texts leave the log with it."""

from datetime import timedelta
from functools import partial
from typing import Any

from django.db import transaction
from django.utils import timezone

from realtime.audit.recording import record
from realtime.broadcasts import events
from realtime.broadcasts.counting import signal_progress
from realtime.broadcasts.counts import counted, freeze
from realtime.broadcasts.permissions import require_right, visible_broadcast
from realtime.broadcasts.refusals import note_refusal
from realtime.jobs.operations import cancel_job
from realtime.log.locks import lock_streams
from realtime.log.writing import publish
from realtime.models import Broadcast
from realtime.models.broadcast import ENDED, WAITING, BroadcastStatus
from realtime.protocol.errors import Forbidden, NotFound
from realtime.protocol.streams import StreamName
from realtime.retrying import retried

# After the end: acknowledgements are written within 1 s by the node that has them, those behind an
# unknown position within 3 (`realtime.delivery.writing`).
SETTLED_AFTER_S = 4.0
SETTLED_UNTIL_S = 30.0  # a job that comes later than that comes too late

_NOT_SENT = (*WAITING, BroadcastStatus.FAILED)


def cancel_broadcast(actor: Any, broadcast_id: int) -> Broadcast:
    """Take it back: nothing is sent where nothing was; else its texts are blanked and everybody is
    told. One that has ended stays as it is.

    To whoever may speak there now: an author who may no longer sees it, and cannot speak by taking
    it back. Raises NotFound, Forbidden, Unavailable.
    """
    try:
        _require_present_right(actor, visible_broadcast(actor, broadcast_id))
    except (Forbidden, NotFound) as error:
        row = Broadcast.objects.select_related("stream").filter(pk=broadcast_id).first()
        if row is not None:
            note_refusal(actor, row.stream.name, error, kind=row.kind, cancel=row.pk)
        raise
    return _cancel(actor, broadcast_id)


def _require_present_right(actor: Any, row: Broadcast) -> None:
    """Raises Forbidden, for its author too: they know that it is there."""
    try:
        require_right(actor, StreamName.parse(row.stream.name), row.kind)
    except NotFound as error:
        raise Forbidden("expected who may speak there now, got its author alone") from error


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
    """Texts leave the log, and counts stay but for what is on its way. The caller holds stream and
    row.

    Clients know the moment of an expiry themselves. The event is for the rings of nodes, which drop
    the text when it comes, and for whoever has one that ends otherwise.
    """
    freeze(row, counted(row))
    publish(row.stream.name, events.ended(row, status))
    _end(row, status)
    if row.delivered < row.addressed:
        _enqueue_settling(row)


def _enqueue_settling(row: Broadcast) -> None:
    from realtime.broadcasts.jobs import settle_broadcast  # it imports this module

    moment = timezone.now() + timedelta(seconds=SETTLED_AFTER_S)
    settle_broadcast.using(run_after=moment).enqueue(broadcast=row.pk)


def settle_counts(broadcast_id: int) -> None:
    """Whose acknowledgement was on its way at the end had it, too. Runs as the effect that
    completes the job, a few seconds after the end.

    Of those addressed only: who came first after the end has not seen it, and `acknowledged` was
    exact. Much later nothing is added: by then people have come back to a blank.
    """
    row = Broadcast.objects.select_for_update().filter(pk=broadcast_id, status__in=ENDED).first()
    if row is None or row.ended_at is None:
        return
    if timezone.now() - row.ended_at > timedelta(seconds=SETTLED_UNTIL_S):
        return
    delivered = counted(row).delivered
    if delivered > row.delivered:
        row.delivered = delivered
        row.save(update_fields=["delivered"])
        tell_progress(row)


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
