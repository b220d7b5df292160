"""Counts are made and stored, and told to who watches.

Nodes count what their own acknowledgements have moved (`realtime.broadcasts.moved`), at most twice
a second altogether for a broadcast; a periodic job counts for nodes that died.
"""

import time
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Greatest, Now

from realtime.broadcasts import events
from realtime.broadcasts.counts import Counts, counted_together, freeze
from realtime.log.signalling import signal
from realtime.models import Broadcast
from realtime.models.broadcast import BroadcastStatus
from realtime.protocol.streams import STATUS_STREAM, user_stream
from realtime.retrying import retried

APART_S = 0.5  # between two counts of a broadcast, whoever makes them
TOGETHER = 200  # counted from one reading
FORGOTTEN_S = 60.0
# Whom it has reached altogether is known; only who comes later can be missing.
FINISHED_FORGOTTEN_S = 900.0

_NEEDED = ("pk", "stream_id", "seq", "author_id", "addressed", "delivered", "acknowledged", "late")


class Turn(NamedTuple):
    """`again`: those counted a moment ago, to be asked for once more. `reading_s`: how long it took
    to read who has the others."""

    again: Sequence[int]
    reading_s: float


def count_broadcasts(keys: Collection[int]) -> Turn:
    """Count those that stand, store, and tell who watches; TOGETHER of them at most.

    Two nodes may store in any order, since a count never falls. Raises Unavailable.
    """
    rows = _claimed(keys)
    began = time.monotonic()
    counts = counted_together(rows)
    reading_s = time.monotonic() - began
    for row in _stored(rows, counts):
        signal_progress(row)
    refused = set(keys) - set(counts)
    standing = Broadcast.objects.filter(pk__in=refused, status=BroadcastStatus.PUBLISHED)
    return Turn(list(standing.values_list("pk", flat=True)) if refused else [], reading_s)


@retried
@transaction.atomic
def _claimed(keys: Collection[int]) -> list[Broadcast]:
    """Committed before anything is read: whoever is refused comes back, and reads what this one
    missed."""
    free = Q(counted_at=None) | Q(counted_at__lte=Now() - timedelta(seconds=APART_S))
    standing = Broadcast.objects.filter(pk__in=keys, status=BroadcastStatus.PUBLISHED)
    rows = list(standing.filter(free).select_for_update().only(*_NEEDED).order_by("pk"))
    if rows:
        Broadcast.objects.filter(pk__in=[row.pk for row in rows]).update(counted_at=Now())
    return rows


@retried
def _stored(rows: Sequence[Broadcast], counts: Mapping[int, Counts]) -> list[Broadcast]:
    """Those whose counts have moved, with what they are now."""
    changed = [row for row in rows if _above(row, counts[row.pk])]
    if not changed:
        return []
    moved = []
    with transaction.atomic():
        for row in changed:
            found = counts[row.pk]
            # Another node may have stored more meanwhile, or the broadcast may have ended.
            lower = (
                Q(delivered__lt=found.delivered)
                | Q(acknowledged__lt=found.acknowledged)
                | Q(late__lt=found.late)
            )
            standing = Broadcast.objects.filter(pk=row.pk, status=BroadcastStatus.PUBLISHED)
            if standing.filter(lower).update(
                delivered=Greatest(F("delivered"), found.delivered),
                acknowledged=Greatest(F("acknowledged"), found.acknowledged),
                late=Greatest(F("late"), found.late),
            ):
                moved.append(row)
    for row in moved:
        freeze(row, counts[row.pk])
    return moved


def _above(row: Broadcast, counts: Counts) -> bool:
    return (
        counts.delivered > row.delivered
        or counts.acknowledged > row.acknowledged
        or counts.late > row.late
    )


def signal_progress(row: Broadcast) -> None:
    """To operators, and to the author in their own stream."""
    data = events.progress(row)
    streams = [STATUS_STREAM]
    if row.author_id is not None:
        streams.append(user_stream(row.author_id))
    for stream in streams:
        signal(stream, "metrics_update", data, after=0)


def count_forgotten() -> int:
    """Count a batch of those that nobody has counted for a minute (a quarter of an hour where
    everybody has it), the longest first; how many there were."""
    unfinished = Q(delivered__lt=F("addressed")) | Q(
        must_acknowledge=True, acknowledged__lt=F("addressed")
    )
    rows = Broadcast.objects.filter(status=BroadcastStatus.PUBLISHED).filter(
        (unfinished & _uncounted_for(FORGOTTEN_S)) | _uncounted_for(FINISHED_FORGOTTEN_S)
    )
    longest = rows.order_by(F("counted_at").asc(nulls_first=True))
    found = list(longest.values_list("pk", flat=True)[:TOGETHER])
    if found:
        count_broadcasts(found)
    return len(found)


def _uncounted_for(seconds: float) -> Q:
    moment = Now() - timedelta(seconds=seconds)
    return Q(counted_at=None, published_at__lte=moment) | Q(counted_at__lte=moment)
