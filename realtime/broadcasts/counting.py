"""Who has got a broadcast: from the ranges that clients acknowledged, and from acknowledgements.

A count is a fresh reading, never an addition, so that it is right however often and by whomever it
is made. Nodes count what their own acknowledgements have moved, at most twice a second altogether
for a broadcast; a periodic job counts for nodes that died.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Greatest, Now

from realtime.broadcasts import events
from realtime.broadcasts.audience import unpacked
from realtime.database import in_database
from realtime.delivery.writing import Arrival
from realtime.log.signalling import signal
from realtime.models import (
    Broadcast,
    BroadcastAcknowledgement,
    BroadcastAudience,
    DeliveredRange,
)
from realtime.models.broadcast import BroadcastStatus
from realtime.node import process_node
from realtime.protocol.errors import RealtimeError
from realtime.protocol.streams import STATUS_STREAM, user_stream

APART_S = 0.5  # between two counts of a broadcast, whoever makes them
AGAIN_S = 0.2
IDLE = 9.0  # so many times as long as a count took nothing is counted
FORGOTTEN_S = 60.0
FORGOTTEN_AT_ONCE = 100

logger = logging.getLogger(__name__)

_changed: set[int] = set()  # bounded by the broadcasts that stand
_counting: asyncio.Task[None] | None = None


class Counts(NamedTuple):
    """People. `late` have it and were not addressed."""

    delivered: int
    acknowledged: int
    late: int


def counted(row: Broadcast) -> Counts:
    """As of now; of one that was never published nothing."""
    content = BroadcastAudience.objects.filter(pk=row.pk).values_list("people", flat=True).first()
    if content is None or row.seq is None:
        return Counts(0, 0, 0)
    addressed = unpacked(bytes(content))
    ranges = DeliveredRange.objects.filter(stream=row.stream_id, lo__lte=row.seq, hi__gte=row.seq)
    said = BroadcastAcknowledgement.objects.filter(broadcast=row.pk)
    acknowledged = set(said.values_list("user_id", flat=True))
    arrived = acknowledged.union(ranges.values_list("user_id", flat=True))
    return Counts(len(addressed & arrived), len(addressed & acknowledged), len(arrived - addressed))


def freeze(row: Broadcast, counts: Counts) -> None:
    """Into the row, not saved. Never back: an account that was deleted had it all the same."""
    row.delivered = max(row.delivered, counts.delivered)
    row.acknowledged = max(row.acknowledged, counts.acknowledged)
    row.late = max(row.late, counts.late)


def count_broadcast(broadcast_id: int) -> bool:
    """Count, store and tell who watches; False where it was counted a moment ago: ask again.

    Two nodes may store in any order, since a count never falls.
    """
    standing = Broadcast.objects.filter(pk=broadcast_id, status=BroadcastStatus.PUBLISHED)
    # Claimed before it is read: whoever is refused comes back, and reads what this one missed.
    claimed = standing.filter(
        Q(counted_at=None) | Q(counted_at__lte=Now() - timedelta(seconds=APART_S))
    ).update(counted_at=Now())
    if not claimed:
        return not standing.exists()
    row = standing.first()
    if row is None:
        return True
    counts = counted(row)
    moved = standing.filter(
        Q(delivered__lt=counts.delivered)
        | Q(acknowledged__lt=counts.acknowledged)
        | Q(late__lt=counts.late)
    ).update(
        delivered=Greatest(F("delivered"), counts.delivered),
        acknowledged=Greatest(F("acknowledged"), counts.acknowledged),
        late=Greatest(F("late"), counts.late),
    )
    if moved:
        freeze(row, counts)
        signal_progress(row)
    return True


def signal_progress(row: Broadcast) -> None:
    """To operators, and to the author in their own stream."""
    data = events.progress(row)
    streams = [STATUS_STREAM]
    if row.author_id is not None:
        streams.append(user_stream(row.author_id))
    for stream in streams:
        signal(stream, "metrics_update", data, after=0)


def count_forgotten() -> int:
    """Count those that nobody has counted for a minute, the longest first; how many there were."""
    longest_ago = Now() - timedelta(seconds=FORGOTTEN_S)
    rows = Broadcast.objects.filter(status=BroadcastStatus.PUBLISHED).filter(
        Q(counted_at=None, published_at__lte=longest_ago) | Q(counted_at__lte=longest_ago)
    )
    unfinished = rows.exclude(
        delivered__gte=F("addressed"), acknowledged__gte=F("addressed")
    ).order_by(F("counted_at").asc(nulls_first=True))
    found = list(unfinished.values_list("pk", flat=True)[:FORGOTTEN_AT_ONCE])
    for broadcast_id in found:
        count_broadcast(broadcast_id)
    return len(found)


# What has moved


def count_on_commit(broadcast_id: int) -> None:
    """Its count has changed: this node counts it within a second, a process that is no node now."""
    if process_node() is None:
        transaction.on_commit(lambda: _count_at_once(broadcast_id), robust=True)
    else:
        transaction.on_commit(lambda: _changed.add(broadcast_id), robust=True)


def _count_at_once(broadcast_id: int) -> None:
    count_broadcast(broadcast_id)


def on_arrivals(arrivals: Sequence[Arrival]) -> None:
    """Whose delivery was just written. In a database thread, after the commit."""
    streams = {arrival.stream_id for arrival in arrivals}
    standing: dict[int, list[tuple[int, int]]] = {}
    rows = Broadcast.objects.filter(status=BroadcastStatus.PUBLISHED, stream__in=streams)
    for stream_id, pk, seq in rows.values_list("stream_id", "pk", "seq"):
        standing.setdefault(stream_id, []).append((pk, seq or 0))
    for arrival in arrivals:
        for pk, seq in standing.get(arrival.stream_id, ()):
            if arrival.is_news(seq):
                _changed.add(pk)


async def count_changed() -> None:
    """In the background: the sweep that writes acknowledgements must not wait for it."""
    global _counting
    if _changed and (_counting is None or _counting.done()):
        _counting = asyncio.ensure_future(_count_all())


async def _count_all() -> None:
    while _changed:
        again = False
        for broadcast_id in sorted(_changed):
            # Before the count: what moves during it is counted once more.
            _changed.discard(broadcast_id)
            began = time.monotonic()
            try:
                done = await in_database(count_broadcast, broadcast_id)
            except RealtimeError as error:
                _changed.add(broadcast_id)  # for the next sweep
                logger.warning("broadcast not counted id=%d: %s", broadcast_id, error.message)
                return
            if not done:
                _changed.add(broadcast_id)
                again = True
            # Of hundreds of thousands of people a count is work, and not to be most of a node's.
            await asyncio.sleep((time.monotonic() - began) * IDLE)
        if again:
            await asyncio.sleep(AGAIN_S)
