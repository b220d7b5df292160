"""A broadcast goes out: its event, its state and its audience, in the transaction of its job."""

from datetime import datetime

from django.utils import timezone

from realtime import registry
from realtime.broadcasts import events
from realtime.broadcasts.audience import packed
from realtime.broadcasts.ending import end_standing, tell_progress
from realtime.log.locks import lock_streams
from realtime.log.writing import publish
from realtime.models import Broadcast, BroadcastAudience
from realtime.models.broadcast import WAITING, BroadcastKind, BroadcastStatus
from realtime.protocol.streams import StreamName

# A job that was dead may be given another chance.
_READY = (*WAITING, BroadcastStatus.FAILED)


def publish_broadcast_now(broadcast_id: int) -> None:
    """Runs as the effect that completes the job (`JobContext.complete`), so that there is one event
    however often the job is tried. One that was withdrawn, or has expired meanwhile, is not sent.
    """
    name = Broadcast.objects.filter(pk=broadcast_id).values_list("stream__name", flat=True).first()
    if name is None:
        return
    lock_streams(name)
    row = (
        Broadcast.objects.select_for_update(of=("self",))
        .select_related("author", "stream")
        .get(pk=broadcast_id)
    )
    if row.status not in _READY:
        return
    now = timezone.now()
    if row.expired(now):
        _not_sent(row, BroadcastStatus.EXPIRED, now)
        return
    # Under the stream's lock: the memberships of a project cannot change until this is committed,
    # and an account made meanwhile is one that comes later.
    people = list(registry.people_of(StreamName.parse(name)))
    if not people:
        _not_sent(row, BroadcastStatus.FAILED, now)
        return
    if row.kind == BroadcastKind.MAINTENANCE:
        _end_earlier_maintenance(row)
    row.published_at = now
    position = publish(name, events.published(row))
    if position is None:
        raise AssertionError("unreachable: nobody can switch broadcasts off")
    row.seq = position.seq
    row.status = BroadcastStatus.PUBLISHED
    row.addressed = len(people)
    row.ended_at = None
    row.save()
    BroadcastAudience.objects.create(broadcast=row, people=packed(people))
    _enqueue_end(row)
    tell_progress(row)


def _not_sent(row: Broadcast, status: BroadcastStatus, now: datetime) -> None:
    row.status = status
    row.ended_at = now
    row.addressed = 0
    row.save()
    tell_progress(row)


def _end_earlier_maintenance(row: Broadcast) -> None:
    """One state of maintenance stands in a stream: the newest."""
    earlier = Broadcast.objects.select_for_update(of=("self",)).filter(
        stream=row.stream, kind=BroadcastKind.MAINTENANCE, status=BroadcastStatus.PUBLISHED
    )
    for one in earlier.order_by("pk"):
        end_standing(one, BroadcastStatus.COMPLETED)


def _enqueue_end(row: Broadcast) -> None:
    from realtime.broadcasts.jobs import end_broadcast

    if row.expires_at is not None:
        end_broadcast.using(run_after=row.expires_at).enqueue(broadcast=row.pk)
