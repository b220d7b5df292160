"""How a broadcast goes: its counts as of now, its job, and whom it has reached."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.urls import reverse

from realtime.broadcasts.audience import unpacked
from realtime.broadcasts.counts import counted, freeze
from realtime.models import (
    Broadcast,
    BroadcastAcknowledgement,
    BroadcastAudience,
    DeliveredRange,
    Job,
)
from realtime.models.broadcast import BroadcastStatus

PEOPLE_SHOWN = 100
CHOICES = {
    "missing": "Not yet delivered",
    "delivered": "Delivered",
    "acknowledged": "Acknowledged",
    "late": "Came later",
}


@dataclass(frozen=True, slots=True)
class Person:
    id: int
    username: str
    page: str


@dataclass(frozen=True, slots=True)
class Progress:
    """`people` are the first of `number` who are in the state `chosen`, `more` the others."""

    job: Job | None
    bars: list[tuple[str, int, int]]  # what, how many, of how many
    chosen: str
    choices: dict[str, str]
    number: int
    people: list[Person]

    @property
    def more(self) -> int:
        return self.number - len(self.people)


def progress_of(row: Broadcast, chosen: str) -> Progress:
    """Counted now where it stands, and put into `row`, which is not saved."""
    if row.status == BroadcastStatus.PUBLISHED:
        freeze(row, counted(row))
    chosen = chosen if chosen in CHOICES else "missing"
    found = _people(row)[chosen]
    return Progress(
        Job.objects.filter(pk=row.job or 0).first(),
        _bars(row),
        chosen,
        CHOICES,
        len(found),
        _named(sorted(found)[:PEOPLE_SHOWN]),
    )


def _bars(row: Broadcast) -> list[tuple[str, int, int]]:
    bars = [("Delivered", row.delivered, row.addressed)]
    if row.must_acknowledge or row.acknowledged:
        bars.append(("Acknowledged", row.acknowledged, row.addressed))
    return bars


def _people(row: Broadcast) -> dict[str, set[int]]:
    """By state, as `counted` counts them; nobody of one that was not published."""
    content = BroadcastAudience.objects.filter(pk=row.pk).values_list("people", flat=True).first()
    addressed = unpacked(bytes(content)) if content is not None else frozenset()
    said = set(
        BroadcastAcknowledgement.objects.filter(broadcast=row.pk).values_list("user_id", flat=True)
    )
    arrived = set(said)
    if row.seq is not None:
        ranges = DeliveredRange.objects.filter(
            stream=row.stream_id, lo__lte=row.seq, hi__gte=row.seq
        )
        arrived.update(ranges.values_list("user_id", flat=True))
    return {
        "missing": set(addressed - arrived),
        "delivered": set(addressed & arrived),
        "acknowledged": set(addressed & said),
        "late": arrived - addressed if addressed else set(),
    }


def _named(ids: list[int]) -> list[Person]:
    """In one query; of an account that is gone only the id is left."""
    model: Any = get_user_model()
    rows = model._default_manager.filter(pk__in=ids)  # noqa: SLF001
    names = dict(rows.values_list("pk", model.USERNAME_FIELD))
    page = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"  # noqa: SLF001
    return [Person(key, names.get(key, f"#{key}"), reverse(page, args=[key])) for key in ids]
