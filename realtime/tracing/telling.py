"""The way of one event, gathered: what the log knows, and the steps that were kept."""

import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.utils import timezone
from redis.exceptions import RedisError

from realtime.conf import options
from realtime.models import DeliveredRange, Event
from realtime.protocol.errors import BadRequest, NotFound
from realtime.protocol.streams import StreamName
from realtime.tracing.recorder import KEEP_S, Step, kept_steps
from realtime.tracing.traces import MARKED_PER_S

if TYPE_CHECKING:
    from django.db.models import QuerySet

EXPECTED = "expected a position such as project.42:17 or an event's id"
MAX_DIGITS = 18  # of a seq


def find_event(text: str) -> Event:
    """By `stream:seq` or by the `id` of its frame. Raises BadRequest, NotFound."""
    stream, separator, digits = text.rpartition(":")
    if separator and digits.isascii() and digits.isdecimal() and len(digits) <= MAX_DIGITS:
        wanted = _events().filter(stream__name=StreamName.parse(stream), seq=int(digits))
        found = wanted.first()
    else:
        found = _by_id(text)
    if found is None:
        raise NotFound(f"expected an event of the log, got {text[:80]!r}: none, or trimmed")
    return found


def _events() -> "QuerySet[Event]":
    columns = ("seq", "uid", "type", "ts", "correlation", "stream__name", "stream_id")
    return Event.objects.select_related("stream").only(*columns)


def _by_id(text: str) -> Event | None:
    """The id has no index: first the last hours, by their time, then all of the log."""
    try:
        wanted = uuid.UUID(text)
    except ValueError as error:
        raise BadRequest(f"{EXPECTED}, got {text[:80]!r}") from error
    recent = timezone.now() - timedelta(seconds=2 * KEEP_S)
    matching = _events().filter(uid=wanted)
    return matching.filter(ts__gte=recent).first() or matching.first()


def told(event: Event, now: datetime) -> dict[str, Any]:
    """JSON values: the event, its `steps` by their times, who has acknowledged it by now, and a
    `note` where no step is known."""
    stream = event.stream.name
    steps, note = _steps(stream, event, now)
    ranges = DeliveredRange.objects.filter(
        stream=event.stream_id, lo__lte=event.seq, hi__gte=event.seq
    )
    return {
        "event": f"{stream}:{event.seq}",
        "id": str(event.uid),
        "type": event.type,
        "ts": event.ts.isoformat(),
        "correlation": event.correlation,
        "steps": [step._asdict() for step in steps],
        "handed_out": sum(step.detail["at_once"] for step in steps if step.kind == "handed_out"),
        "acknowledged": ranges.values("user").distinct().count(),
        "note": note,
    }


def _steps(stream: str, event: Event, now: datetime) -> tuple[list[Step], str | None]:
    kept = kept_steps()
    if kept is None:
        return [], "no steps: they are kept in Redis, and with REDIS_URL=memory:// there is none"
    try:
        found = kept.read(stream, event.seq)
    except (RedisError, OSError) as error:
        return [], f"no steps: expected Redis to answer, got {type(error).__name__}"
    return found, None if found else _why_none(event, now)


def _why_none(event: Event, now: datetime) -> str:
    if now - event.ts > timedelta(seconds=KEEP_S):
        return "no steps: they are kept for an hour, and this event is older"
    if not options().realtime_trace:
        return "no steps: tracing is off; set REALTIME_TRACE=on and start the servers anew"
    return (
        "no steps: the process that committed it had tracing off, or more than "
        f"{MARKED_PER_S} events in that second"
    )
