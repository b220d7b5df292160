"""Who has got a broadcast: from the ranges that clients acknowledged, and from acknowledgements.

In a node also from the ranges that it is about to write (`realtime.delivery.writing`). A count is a
fresh reading, never an addition, so that it is right however often and by whomever it is made.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import NamedTuple

from realtime.broadcasts.audience import unpacked
from realtime.delivery.writing import waiting_of
from realtime.models import (
    Broadcast,
    BroadcastAcknowledgement,
    BroadcastAudience,
    DeliveredRange,
)

_Held = Sequence[tuple[int, int, int]]  # person, from, to


class Counts(NamedTuple):
    """People. `late` have it and were not addressed."""

    delivered: int = 0
    acknowledged: int = 0
    late: int = 0


def counted(row: Broadcast) -> Counts:
    """As of now; of one that was never published nothing."""
    return counted_together([row])[row.pk]


def counted_together(rows: Collection[Broadcast]) -> dict[int, Counts]:
    """The same by id: two queries for all of them, and one for each stream."""
    keys = [row.pk for row in rows]
    audiences = BroadcastAudience.objects.filter(pk__in=keys).values_list("pk", "people")
    packed = {pk: bytes(people) for pk, people in audiences}
    said: defaultdict[int, set[int]] = defaultdict(set)
    acknowledgements = BroadcastAcknowledgement.objects.filter(broadcast__in=keys)
    for pk, user_id in acknowledgements.values_list("broadcast_id", "user_id"):
        said[pk].add(user_id)
    found = dict.fromkeys(keys, Counts())
    by_stream: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    for row in rows:
        if row.seq is not None and row.pk in packed:
            by_stream[row.stream_id].append((row.seq, row.pk))
    for stream_id, places in by_stream.items():
        held = _held(stream_id, min(places)[0], max(places)[0])
        # One after the other: sets of everybody for all of them at once would be too much memory.
        before: tuple[bytes, frozenset[int]] = (b"", frozenset())
        for seq, pk in sorted(places):
            if packed[pk] != before[0]:  # mostly the same people as of the one before
                before = packed[pk], unpacked(packed[pk])
            found[pk] = _of(before[1], said[pk], {who for who, lo, hi in held if lo <= seq <= hi})
    return found


def _held(stream_id: int, first: int, last: int) -> _Held:
    ranges = DeliveredRange.objects.filter(stream=stream_id, lo__lte=last, hi__gte=first)
    return [*ranges.values_list("user_id", "lo", "hi"), *waiting_of(stream_id, first, last)]


def _of(addressed: frozenset[int], acknowledged: set[int], arrived: set[int]) -> Counts:
    arrived |= acknowledged
    delivered = len(addressed & arrived)
    return Counts(delivered, len(addressed & acknowledged), len(arrived) - delivered)


def freeze(row: Broadcast, counts: Counts) -> None:
    """Into the row, not saved. Never back: an account that was deleted had it all the same."""
    row.delivered = max(row.delivered, counts.delivered)
    row.acknowledged = max(row.acknowledged, counts.acknowledged)
    row.late = max(row.late, counts.late)
