"""Samples: written by every process, rolled up into longer steps, forgotten when they are old.

10 s are kept for an hour, 1 min for a day, 15 min for 30 days. Rolling up adds a row to the longer
step's and marks it, in one transaction: each value is counted once, however late it comes.
Synchronous; `now` is the database's clock.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from django.db import transaction

from realtime.retrying import retried
from status.buckets import Bucket, floor_to
from status.models import Sample
from status.totals import TotalsByMeasure, join_into, loaded, stored

KEPT = {10: timedelta(hours=1), 60: timedelta(days=1), 900: timedelta(days=30)}
STEPS = tuple(KEPT)
# What another process measured may be written so long after its step is over.
LATE = timedelta(seconds=30)
Sums = dict[tuple[str, datetime, str], TotalsByMeasure]  # by component, step, member

BATCH = 500  # rows of one transaction, so that no writer waits long


def store(member: str, buckets: Sequence[Bucket]) -> None:
    """Write a process's sums of 10 s. Written again, after an answer that was lost, they stay."""
    rows = [
        Sample(
            step_s=STEPS[0],
            component=one.component,
            member=member,
            at=one.at,
            totals=stored(one.totals),
        )
        for one in buckets
    ]
    if rows:
        Sample.objects.bulk_create(rows, ignore_conflicts=True)


def roll_up(now: datetime) -> int:
    """Take up to BATCH rows of each step into the next one's; how many were taken."""
    return sum(_roll_up(step_s, longer_s, now) for step_s, longer_s in pairwise(STEPS))


@retried
@transaction.atomic
def _roll_up(step_s: int, longer_s: int, now: datetime) -> int:
    """Only steps of `longer_s` that are over: their rows are then written once, as a rule."""
    limit = floor_to(now - LATE, longer_s)
    waiting = Sample.objects.filter(step_s=step_s, rolled=False, at__lt=limit).order_by("at", "pk")
    rows = list(waiting.select_for_update(skip_locked=True)[:BATCH])
    sums: Sums = defaultdict(dict)
    for row in rows:
        key = (row.component, floor_to(row.at, longer_s), row.member)
        join_into(sums[key], loaded(row.totals))
    if sums:
        _add(longer_s, sums)
    Sample.objects.filter(pk__in=[row.pk for row in rows]).update(rolled=True)
    return len(rows)


def _add(step_s: int, sums: Sums) -> None:
    """Join the sums into the rows of that step. What comes to a row that is rolled up already goes
    on to the longer step at once: nobody would look at the row again."""
    moments = {at for _, at, _ in sums}
    known = Sample.objects.filter(step_s=step_s, at__in=moments).order_by("pk")
    rows = {(row.component, row.at, row.member): row for row in known.select_for_update()}
    new: list[Sample] = []
    changed: list[Sample] = []
    late: Sums = defaultdict(dict)
    for (component, at, member), more in sums.items():
        row = rows.get((component, at, member))
        if row is None:
            totals = stored(more)
            new.append(
                Sample(step_s=step_s, component=component, at=at, member=member, totals=totals)
            )
            continue
        if row.rolled:
            longer_s = STEPS[STEPS.index(step_s) + 1]
            join_into(late[component, floor_to(at, longer_s), member], more)
        totals_of_row = loaded(row.totals)
        join_into(totals_of_row, more)
        row.totals = stored(totals_of_row)
        changed.append(row)
    Sample.objects.bulk_create(new)
    if changed:
        Sample.objects.bulk_update(changed, ["totals"])
    if late:
        _add(longer_s, late)


def forget_old(now: datetime) -> int:
    """Drop a batch of each step beyond what is kept; how many rows went."""
    gone = 0
    for step_s, kept in KEPT.items():
        old = Sample.objects.filter(step_s=step_s, at__lt=now - kept).order_by("at")
        if step_s != STEPS[-1]:
            old = old.filter(rolled=True)
        keys = list(old.values_list("pk", flat=True)[:BATCH])
        gone += Sample.objects.filter(pk__in=keys).delete()[0] if keys else 0
    return gone
