"""Reading the log. Every function runs in a database thread; none of them writes."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from django.db import connection
from django.db.models import F, Value
from django.db.models.functions import Concat

from realtime.log.entries import Entry
from realtime.models import Event, Installation, Stream
from realtime.protocol.errors import NotFound

Key = TypeVar("Key", int, str)

PAGE_EVENTS = 500
PAGE_BYTES = 262_144
# A database takes only so many parameters, and each connection keeps its statements: one with
# thousands of parameters is a megabyte.
QUERY_KEYS = 512


@dataclass(frozen=True, slots=True)
class StreamState:
    """A stream's row as read; `epoch` is the one that clients see."""

    id: int
    name: str
    epoch: str
    head: int
    floor: int


def _states() -> "Iterable[tuple[int, str, str, int, int]]":
    epoch = Installation.objects.filter(pk=1).values("epoch")[:1]
    return Stream.objects.annotate(full_epoch=Concat(Value(""), epoch, F("epoch"))).values_list(
        "id", "name", "full_epoch", "head", "floor"
    )


def stream_state(name: str) -> StreamState:
    """Raises NotFound."""
    row = _states().filter(name=name).first()  # type: ignore[attr-defined]
    if row is None:
        raise NotFound(f"expected an existing stream, got {name!r}")
    return StreamState(*row)


# The keys are one parameter, however many: each node asks for all that it has open every 4 s, and a
# storm for the streams of all who come. Plain SQL, because the ORM took longer than the database.
_STATES = """
    SELECT id, name,
        COALESCE((SELECT epoch FROM realtime_installation WHERE id = 1), '') || epoch, head, floor
    FROM realtime_stream WHERE
"""
_AMONG = {
    "sqlite": "(SELECT value FROM json_each(%s))",
    "postgresql": "(SELECT unnest(%s::{type}[]))",
}


def _rows_among(column: str, type_: str, keys: list[Key]) -> "list[tuple[int, str, str, int, int]]":
    given = json.dumps(keys) if connection.vendor == "sqlite" else keys
    among = _AMONG[connection.vendor].format(type=type_)
    with connection.cursor() as cursor:
        cursor.execute(f"{_STATES} {column} IN {among}", [given])
        rows: list[tuple[int, str, str, int, int]] = cursor.fetchall()
        return rows


def stream_states(ids: Iterable[int]) -> list[StreamState]:
    """The present heads of many streams, by id: in one query."""
    return [StreamState(*row) for row in _rows_among("id", "bigint", list(ids))]


Standing = tuple[str, int, int]  # epoch, head and floor


class Moved(NamedTuple):
    """What does not stand as was known, and of what there is no row."""

    states: Sequence[StreamState]
    gone: Collection[int]


def moved_states(known: Mapping[int, Standing]) -> Moved:
    """As `stream_states`, of those alone that do not stand as is known: of thousands a few."""
    rows = _rows_among("id", "bigint", list(known))
    moved = [StreamState(*row) for row in rows if known[row[0]] != row[2:]]
    gone = known.keys() - {row[0] for row in rows} if len(rows) < len(known) else ()
    return Moved(moved, gone)


def stream_states_by_name(names: Iterable[str]) -> list[StreamState]:
    """The rows of those streams that exist, in one query."""
    return [StreamState(*row) for row in _rows_among("name", "text", list(names))]


_COLUMNS = ("seq", "frame", "type", "ends", "blanks")


def _entries(rows: Iterable[tuple[int, bytes, str, str | None, int | None]]) -> list[Entry]:
    return [Entry(seq, bytes(frame), *rest) for seq, frame, *rest in rows]  # type: ignore[arg-type]


def entries_after(
    stream_id: int, seq: int, *, limit: int = PAGE_EVENTS, max_bytes: int = PAGE_BYTES
) -> list[Entry]:
    """The events that follow `seq`, ascending: at most `limit`, and at most `max_bytes` after
    the first (so that a page is never empty while there is more)."""
    rows = (
        Event.objects.filter(stream_id=stream_id, seq__gt=seq)
        .order_by("seq")
        .values_list(*_COLUMNS)[:limit]
    )
    page: list[Entry] = []
    size = 0
    for entry in _entries(rows):
        size += len(entry.frame or b"")
        if page and size > max_bytes:
            break
        page.append(entry)
    return page


def entries_before(stream_id: int, before: int, *, limit: int) -> Sequence[Entry]:
    """The `limit` newest events below `before`, ascending."""
    rows = (
        Event.objects.filter(stream_id=stream_id, seq__lt=before)
        .order_by("-seq")
        .values_list(*_COLUMNS)[:limit]
    )
    return _entries(rows)[::-1]


def newest_entries(stream_id: int, head: int, *, limit: int) -> list[Entry]:
    """The newest `limit` events up to `head`, ascending; they fill a hub's ring."""
    return list(entries_before(stream_id, head + 1, limit=limit))


def newest_of_many(stream_ids: Sequence[int], *, limit: int) -> dict[int, list[Entry]]:
    """The newest `limit` events of each stream, ascending, in one query."""
    rows = (
        Event.objects.filter(stream_id__in=stream_ids, seq__gt=F("stream__head") - limit)
        .order_by("stream_id", "seq")
        .values_list("stream_id", *_COLUMNS)
    )
    found: dict[int, list[Entry]] = {}
    for stream_id, *columns in rows:
        found.setdefault(stream_id, []).extend(_entries([columns]))
    return found
