"""What time does to broadcasts: failures are noted, old ones end, ended ones become numbers."""

from collections import defaultdict
from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from realtime.broadcasts.ending import end_standing, locked, tell_progress
from realtime.conf import options
from realtime.models import Broadcast, BroadcastDay, Job, JobState
from realtime.models.broadcast import ENDED, WAITING, BroadcastStatus
from realtime.retrying import retried

BATCH = 200
GRACE = timedelta(minutes=1)  # in which its own job ends it
_NUMBERS = ("addressed", "delivered", "acknowledged", "late")
_ALIVE = (JobState.SCHEDULED, JobState.QUEUED, JobState.RUNNING)


def kept() -> timedelta:
    return timedelta(days=options().broadcast_retention_days)


def forsaken() -> list[int]:
    """A batch of those that wait for a job that is dead, was cancelled or is gone."""
    alive = Job.objects.filter(pk=OuterRef("job"), state__in=_ALIVE)
    waiting = Broadcast.objects.filter(status__in=WAITING).filter(~Exists(alive))
    return list(waiting.order_by("pk").values_list("pk", flat=True)[:BATCH])


@retried
@transaction.atomic
def note_failure(broadcast_id: int) -> None:
    row = locked(broadcast_id)
    # Its job may have published it just now.
    if row.status in WAITING:
        row.status = BroadcastStatus.FAILED
        row.ended_at = timezone.now()
        row.save()
        tell_progress(row)


def overdue() -> list[int]:
    """A batch of those that stand beyond their time, or as long as texts are kept."""
    now = timezone.now()
    standing = Broadcast.objects.filter(status=BroadcastStatus.PUBLISHED).filter(
        Q(expires_at__lte=now - GRACE) | Q(published_at__lte=now - kept())
    )
    return list(standing.order_by("pk").values_list("pk", flat=True)[:BATCH])


@retried
@transaction.atomic
def end_overdue(broadcast_id: int) -> None:
    row = locked(broadcast_id)
    if row.status == BroadcastStatus.PUBLISHED:
        expired = row.expired(timezone.now())
        end_standing(row, BroadcastStatus.EXPIRED if expired else BroadcastStatus.COMPLETED)


@retried
@transaction.atomic
def clean_away() -> int:
    """A batch of those that ended long ago: their numbers join those of their day; how many."""
    ended = Broadcast.objects.filter(status__in=ENDED, ended_at__lte=timezone.now() - kept())
    rows = list(ended.select_for_update().order_by("pk")[:BATCH])
    sums: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0] * (1 + len(_NUMBERS)))
    for row in rows:
        found = sums[row.created_at.date().isoformat(), row.scope, row.status]
        for place, value in enumerate((1, *(getattr(row, name) for name in _NUMBERS))):
            found[place] += value
    for (day, scope, status), (number, *values) in sorted(sums.items()):
        BroadcastDay.objects.get_or_create(day=day, scope=scope, status=status)
        added = dict(zip(_NUMBERS, values, strict=True)) | {"number": number}
        BroadcastDay.objects.filter(day=day, scope=scope, status=status).update(
            **{name: F(name) + value for name, value in added.items()}
        )
    Broadcast.objects.filter(pk__in=[row.pk for row in rows]).delete()
    return len(rows)
