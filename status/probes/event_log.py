"""The log: what appending an event and reading it back takes. Nothing is left of it."""

import time

from django.db import transaction

from realtime.components import Component, Finding, Look, Measure, Scope, State
from realtime.database import in_database
from realtime.log.entries import EventDraft
from realtime.log.locks import lock_streams
from realtime.log.writing import publish_many
from realtime.models import Event
from realtime.protocol.streams import STATUS_STREAM

SLOW_MS = 1000.0
_PROBE = EventDraft("system_notification", {"kind": "probe", "text": "rolled back"})


def append_and_read() -> tuple[dict[str, float], bool]:
    """The times, and whether it was read back. The event, its seq and its announcement go with
    the rollback, so nobody hears of it. Raises what the database raises."""
    with transaction.atomic():
        began = time.perf_counter()
        lock_streams(STATUS_STREAM)
        position = publish_many(STATUS_STREAM, [_PROBE])
        appended = time.perf_counter()
        rows = Event.objects.filter(stream__name=STATUS_STREAM)
        read = position is not None and rows.filter(seq=position.seq).exists()
        ended = time.perf_counter()
        transaction.set_rollback(True)
    values = {"append_ms": (appended - began) * 1000, "read_ms": (ended - appended) * 1000}
    return values, read


async def look() -> Finding:
    values, read = await in_database(append_and_read)
    if not read:
        return Finding(State.DOWN, "an event that was appended was not there", values)
    if sum(values.values()) >= SLOW_MS:
        return Finding(State.DEGRADED, f"an append took {values['append_ms']:.0f} ms", values)
    return Finding(State.OK, "", values)


def probe(node: object) -> Look:
    return look


COMPONENT = Component(
    name="event_log",
    label="Event log",
    scope=Scope.SYSTEM,
    every_s=15.0,
    limit_s=9.0,
    meaning={
        State.DEGRADED: "an append took a second or more, or its lock was not to be had",
        State.DOWN: "an event that was appended was not there",
    },
    measures=(
        Measure("append_ms", "ms", "locking the stream and appending an event"),
        Measure("read_ms", "ms", "reading it back"),
    ),
    probe=probe,
    vital=True,
)
