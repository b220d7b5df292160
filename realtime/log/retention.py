"""Retention: the oldest events of each stream go, and the stream's `floor` says up to where.

An event goes when it is older than EVENT_RETENTION_DAYS or when EVENT_RETENTION_COUNT newer ones
follow it in its stream, but never within an hour: whoever is catching up has that long. References
of clients' writes go with the same age. Several processes may trim at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from realtime.audit.retention import trimming_audit
from realtime.conf import options
from realtime.log.locks import lock_streams
from realtime.models import ClientRef, Event, Stream

BATCH = 1_000  # rows per transaction, so that no writer waits long
UNTOUCHED = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Limits:
    """What is kept, as of one moment: events younger than `aged`, or among the newest `count`;
    and in any case those younger than `untouched`."""

    aged: datetime
    untouched: datetime
    count: int

    @classmethod
    def now(cls) -> "Limits":
        moment = timezone.now()
        untouched = moment - UNTOUCHED
        aged = moment - timedelta(days=options().event_retention_days)
        return cls(min(aged, untouched), untouched, options().event_retention_count)

    def passed(self, seq: int, ts: datetime, head: int) -> bool:
        return ts < self.untouched and (ts < self.aged or seq <= head - self.count)


def trimming() -> Iterator[int]:
    """Trim, a transaction of at most 1,000 rows at each `next`, which gives how many went.

    Between two steps nothing is held: the caller lets writers in there, and may take each step in
    another thread. Raises what the database raises.
    """
    limits = Limits.now()
    for name in _streams_to_trim(limits):
        gone = BATCH
        while gone == BATCH:
            gone = _trim_batch(name, limits)
            if gone:
                yield gone
    gone = BATCH
    while gone == BATCH:
        gone = _forget_references(limits)
        if gone:
            yield gone
    yield from trimming_audit()


def _streams_to_trim(limits: Limits) -> list[str]:
    """Found without locks, in two reads, however many streams there are."""
    long = Stream.objects.filter(head__gt=F("floor") + limits.count)
    aged = Event.objects.filter(ts__lt=limits.aged).values("stream_id").distinct()
    old = Stream.objects.filter(pk__in=aged)
    return sorted({*long.values_list("name", flat=True), *old.values_list("name", flat=True)})


@transaction.atomic
def _trim_batch(name: str, limits: Limits) -> int:
    """The oldest events and the floor, in one commit: no reader sees one without the other."""
    lock_streams(name)
    stream = Stream.objects.filter(name=name).first()
    if stream is None:
        return 0
    oldest = Event.objects.filter(stream=stream).order_by("seq").values_list("seq", "ts")[:BATCH]
    # Only from the oldest on without a hole: a clock that went back must not open one.
    passed = list(takewhile(lambda one: limits.passed(*one, stream.head), oldest))
    if not passed:
        return 0
    floor = passed[-1][0]
    Event.objects.filter(stream=stream, seq__lte=floor).delete()
    Stream.objects.filter(pk=stream.pk).update(floor=floor)
    return len(passed)


def _forget_references(limits: Limits) -> int:
    aged = ClientRef.objects.filter(created_at__lt=limits.aged).order_by("created_at")
    keys = list(aged.values_list("pk", flat=True)[:BATCH])
    if keys:
        # By age again: a reference may not be forgotten because its key was once an old one's.
        ClientRef.objects.filter(pk__in=keys, created_at__lt=limits.aged).delete()
    return len(keys)
