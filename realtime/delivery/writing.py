"""Acknowledgements of one node into the database: gathered, then written once a second."""

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.contrib.auth import get_user_model
from django.db import connection, transaction

from realtime.database import in_database
from realtime.delivery.ranges import Range, Steps, gained, merged
from realtime.log.reading import stream_states
from realtime.models.delivery import DeliveredRange
from realtime.node import running_node
from realtime.retrying import retried

PEOPLE_AT_ONCE = 200  # of one transaction

_UPSERT = """
    INSERT INTO realtime_deliveredrange AS held (stream_id, user_id, lo, hi) VALUES {}
    ON CONFLICT (stream_id, user_id, lo) DO UPDATE SET hi = excluded.hi WHERE excluded.hi > held.hi
"""


class Whose(NamedTuple):
    """A person in a stream. Seqs of another epoch mean nothing, so the epoch is part of it."""

    stream_id: int
    user_id: int
    epoch: str


@dataclass(slots=True)
class _Row:
    pk: int
    range: Range


class _Growth(NamedTuple):
    """A row as it is to be; `held` where it is there already, and locked."""

    stream_id: int
    user_id: int
    lo: int
    hi: int
    held: bool


class Arrival(NamedTuple):
    """What has arrived at one person in a stream: their ranges before a write and after it."""

    stream_id: int
    before: Sequence[Range]
    after: Sequence[Range]

    @property
    def news(self) -> Sequence[Range]:
        """What came with the write, or is certain of what it held back."""
        return gained(self.before, self.after)


Listener = Callable[[Sequence[Arrival]], None]
_listeners: list[Listener] = []


def register_arrivals(listener: Listener) -> None:
    """`listener(arrivals)` hears of each write, after its commit, in its database thread."""
    _listeners.append(listener)


# The start that a resumed position belongs to may have been told to another node, a moment ago.
# That node writes within a second; only then can the position find it.
HOLD_RESUMED_S = 2.0

_gathered: dict[Whose, Steps] = {}  # bounded by the subscriptions of the people online here
# Of what the last write held back: what has arrived whatever start is told. It is not written by
# itself, because then nobody could tell it from a start.
_waiting: dict[Whose, Sequence[Range]] = {}


def steps_of(stream_id: int, user_id: int, epoch: str) -> Steps:
    """What is gathered of the person in the stream, to be added to; written by the next sweep."""
    return _gathered.setdefault(Whose(stream_id, user_id, epoch), Steps())


def waiting_of(stream_id: int, first: int, last: int) -> list[tuple[int, int, int]]:
    """(person, lo, hi) of what has arrived between the seqs, and this node still holds back."""
    return [
        (key.user_id, lo, hi)
        for key, ranges in list(_waiting.items())
        if key.stream_id == stream_id
        for lo, hi in ranges
        if lo <= last and hi >= first
    ]


async def flush() -> None:
    """Write what was gathered; what cannot be written now is gathered again, in front."""
    global _waiting
    # A node that stops writes all: it is not the running one any more.
    held = time.monotonic() - HOLD_RESUMED_S if running_node() is not None else math.inf
    # Of a crowd that resumed, and has said nothing since, nothing hangs on an early look.
    taken = {key: steps for key, steps in _gathered.items() if not steps.waits(held)}
    for key in taken:
        del _gathered[key]
    waiting: dict[Whose, Sequence[Range]] = {}
    keys = sorted(taken)  # in the order of keys, so that two nodes never wait for each other
    for start in range(0, len(keys), PEOPLE_AT_ONCE):
        part = keys[start : start + PEOPLE_AT_ONCE]
        try:
            early = await in_database(_write_and_tell, {key: taken[key] for key in part}, held)
        except BaseException:
            for key in keys[start:]:
                _gathered[key] = taken[key].before(_gathered.get(key))
            raise
        waiting |= early
        for key in early:
            _gathered[key] = taken[key].before(_gathered.get(key))
    _waiting = waiting


def _write_and_tell(
    gathered: Mapping[Whose, Steps], held: float
) -> Mapping[Whose, Sequence[Range]]:
    written = write(gathered, held)
    if written.arrivals:
        for listener in _listeners:
            listener(written.arrivals)
    return written.early


class Written(NamedTuple):
    """What was longer afterwards, and what was too early to write, with what is certain of it."""

    arrivals: Sequence[Arrival]
    early: Mapping[Whose, Sequence[Range]]


@retried
@transaction.atomic
def write(gathered: Mapping[Whose, Steps], held: float = math.inf) -> Written:
    """Merge into the rows. Those of an epoch that has ended, or of a stream that is gone, are
    dropped: what they counted is not in this log. What was resumed after `held` (by the monotonic
    clock) is left alone, but where the position has arrived already: then nothing hangs on its
    start, and the acknowledgements that follow it need not wait."""
    epochs = {state.id: state.epoch for state in stream_states({key.stream_id for key in gathered})}
    wanted = {
        key: steps for key, steps in gathered.items() if epochs.get(key.stream_id) == key.epoch
    }
    found = _held(wanted)
    early: dict[Whose, Sequence[Range]] = {}
    grown: list[_Growth] = []
    gone: list[int] = []
    arrivals: list[Arrival] = []
    for key, steps in wanted.items():
        rows = found.get((key.stream_id, key.user_id), [])
        before = [row.range for row in rows]
        if (steps.resumed_at or 0.0) > held and not steps.settled(before):
            early[key] = steps.certain
            arrivals.append(Arrival(key.stream_id, before, merged([*before, *steps.certain])))
            continue
        after = steps.applied_to(before)
        if after != before:
            arrivals.append(Arrival(key.stream_id, before, after))
        by_lo = {row.range.lo: row for row in rows}
        gone += [row.pk for row in rows if row.range.lo not in {one.lo for one in after}]
        for lo, hi in after:
            row = by_lo.get(lo)
            if row is None or row.range.hi != hi:
                grown.append(_Growth(key.stream_id, key.user_id, lo, hi, held=row is not None))
    if gone:
        DeliveredRange.objects.filter(pk__in=gone).delete()
    _write(grown)
    return Written(arrivals, early)


def _write(rows: Sequence[_Growth]) -> None:
    """New rows and longer ones alike. Another node may have made the same row since: then the
    longer range counts."""
    # A row of an account deleted meanwhile would fail with all the others.
    people = set(
        get_user_model()
        .objects.filter(pk__in={row.user_id for row in rows if not row.held})
        .values_list("pk", flat=True)
    )
    values = [row[:4] for row in rows if row.held or row.user_id in people]
    if values:
        places = ", ".join(["(%s, %s, %s, %s)"] * len(values))
        with connection.cursor() as cursor:
            cursor.execute(_UPSERT.format(places), [part for row in values for part in row])


def _held(keys: Iterable[Whose]) -> dict[tuple[int, int], list[_Row]]:
    """The rows of these people in these streams, locked in the order of keys."""
    wanted = {(key.stream_id, key.user_id) for key in keys}
    rows = (
        DeliveredRange.objects.select_for_update()
        .filter(
            stream_id__in={stream for stream, _ in wanted},
            user_id__in={user for _, user in wanted},
        )
        .order_by("stream_id", "user_id", "lo")
        .values_list("pk", "stream_id", "user_id", "lo", "hi")
    )
    held: dict[tuple[int, int], list[_Row]] = {}
    for pk, stream, user, lo, hi in rows:
        if (stream, user) in wanted:
            held.setdefault((stream, user), []).append(_Row(pk, Range(lo, hi)))
    return held
