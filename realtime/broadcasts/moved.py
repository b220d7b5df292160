"""Which broadcasts' counts have moved by what this node wrote, and their counting behind it."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple

from django.db import transaction
from django.db.models import Q

from realtime.broadcasts.counting import TOGETHER, count_broadcasts
from realtime.database import in_database
from realtime.delivery.ranges import Range, merged
from realtime.delivery.writing import Arrival
from realtime.models import Broadcast
from realtime.models.broadcast import BroadcastStatus
from realtime.node import process_node, running_node
from realtime.protocol.errors import RealtimeError

AGAIN_S = 0.2
IDLE = 9.0  # so many times as long as the reading took nothing is counted
SPANS = 8  # of what is new in a stream, asked for one by one; of more all between first and last
FINISH_WITHIN_S = 2.0  # of a stop's 5 s beyond its window

logger = logging.getLogger(__name__)

# In the order of their coming. Bounded by the broadcasts that stand. Database threads add to it:
# each step is one operation of a dict.
_changed: dict[int, None] = {}
_counting: asyncio.Task[None] | None = None


def count_on_commit(broadcast_id: int) -> None:
    """Its count has changed: this node counts it within a second, a process that is no node now."""
    if process_node() is None:
        transaction.on_commit(lambda: _count_at_once(broadcast_id), robust=True)
    else:
        transaction.on_commit(lambda: _note([broadcast_id]), robust=True)


def _count_at_once(broadcast_id: int) -> None:
    count_broadcasts([broadcast_id])


def _note(keys: Iterable[int]) -> None:
    for key in keys:
        _changed[key] = None


class _News(NamedTuple):
    """What has come, in a stream, to anybody."""

    stream_id: int
    came: Sequence[Range]

    @property
    def wanted(self) -> Q:
        spans = self.came
        if len(spans) > SPANS:
            spans = [Range(spans[0].lo, spans[-1].hi)]
        seqs = Q()
        for lo, hi in spans:
            seqs |= Q(seq__gte=lo, seq__lte=hi)
        return Q(stream=self.stream_id) & seqs


def on_arrivals(arrivals: Sequence[Arrival]) -> None:
    """Whose delivery was just written. In a database thread, after the commit. Only the broadcasts
    among the seqs that came are read, however many others stand."""
    gathered: defaultdict[int, list[Range]] = defaultdict(list)
    for arrival in arrivals:
        gathered[arrival.stream_id] += arrival.news
    news = {key: _News(key, merged(came)) for key, came in gathered.items() if came}
    if not news:
        return
    wanted = Q()
    for one in news.values():
        wanted |= one.wanted
    rows = Broadcast.objects.filter(status=BroadcastStatus.PUBLISHED).filter(wanted)
    for stream_id, pk, seq in rows.values_list("stream_id", "pk", "seq"):
        if seq is not None and any(lo <= seq <= hi for lo, hi in news[stream_id].came):
            _note([pk])


async def count_changed() -> None:
    """In the background: the sweep that writes acknowledgements must not wait for it. A node that
    stops counts before it goes, within 2 s; what it does not come to is counted by the periodic
    job."""
    global _counting
    if running_node() is None:
        await _finish()
    elif _changed and (_counting is None or _counting.done()):
        _counting = asyncio.ensure_future(_count_all(IDLE))


async def _finish() -> None:
    if _counting is not None and not _counting.done():
        _counting.cancel()  # it may be in a long pause; what it had taken it puts back
        with suppress(asyncio.CancelledError):
            await _counting
    with suppress(TimeoutError):
        async with asyncio.timeout(FINISH_WITHIN_S):
            await _count_all(0.0)


async def _count_all(idle: float) -> None:
    while _changed:
        taken = list(_changed)[:TOGETHER]
        # Before the count: what moves during it is counted once more.
        for key in taken:
            _changed.pop(key, None)
        try:
            turn = await in_database(count_broadcasts, taken)
        except BaseException as error:
            _note(taken)  # for the next sweep
            if not isinstance(error, RealtimeError):
                raise
            logger.warning("broadcasts not counted ids=%s: %s", taken[:10], error.message)
            return
        _note(turn.again)
        # Of hundreds of thousands of people a count is work, and not to be most of a node's. What
        # the database made us wait for beyond the reading is not work.
        await asyncio.sleep(max(turn.reading_s * idle, AGAIN_S if turn.again else 0.0))
