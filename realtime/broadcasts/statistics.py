"""Numbers over many broadcasts."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Count, QuerySet, Sum

from realtime.models import Broadcast, BroadcastDay
from realtime.models.broadcast import BroadcastScope, BroadcastStatus

NUMBERS = ("addressed", "delivered", "acknowledged", "late")


def statistics(rows: QuerySet[Broadcast], *, cleaned: bool) -> dict[str, Any]:
    """`{total, by_status, by_scope, addressed, delivered, acknowledged, late}` of `rows`, and with
    `cleaned` of all those that were cleaned away as well. What waits is in none of the sums of
    people."""
    found: dict[str, Any] = {
        "total": 0,
        "by_status": dict.fromkeys(BroadcastStatus.values, 0),
        "by_scope": dict.fromkeys(BroadcastScope.values, 0),
        **dict.fromkeys(NUMBERS, 0),
    }
    sent = rows.exclude(seq=None).order_by()
    sums = {name: Sum(name) for name in NUMBERS}
    grouped = rows.order_by().values_list("status", "scope").annotate(Count("pk"))
    _add(found, grouped, [sent.aggregate(**sums)])
    if cleaned:
        days = BroadcastDay.objects.order_by()
        old = days.values_list("status", "scope").annotate(Sum("number"))
        _add(found, old, [days.exclude(status=BroadcastStatus.FAILED).aggregate(**sums)])
    return found


def _add(
    found: dict[str, Any],
    grouped: Iterable[tuple[str, str, int]],
    sums: Iterable[dict[str, int | None]],
) -> None:
    for status, scope, number in grouped:
        found["total"] += number
        found["by_status"][status] += number
        found["by_scope"][scope] += number
    for one in sums:
        for name, value in one.items():
            found[name] += value or 0
