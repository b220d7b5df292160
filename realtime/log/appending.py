"""Where an append meets the database: the stream's head moves, its events' rows are written.

Plain SQL: Django's INSERT costs several times what SQLite's own does. On PostgreSQL a single event
is one statement, in which the server puts the seq into a frame that is encoded already: one round
trip instead of two while the stream's lock is held.
Rows are fetched to the end inside the cursor's block: SQLite refuses to commit otherwise.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db.backends.base.base import BaseDatabaseWrapper

from realtime.backends.cursors import run
from realtime.protocol.errors import NotFound
from realtime.protocol.frames import EventText

_MOVE = """
    UPDATE realtime_stream SET head = head + %s WHERE name = %s
    RETURNING id, head, (SELECT epoch FROM realtime_installation WHERE id = 1) || epoch
"""
_WRITE = """
    INSERT INTO realtime_event
        (stream_id, seq, uid, type, ts, frame, subject, ends, blanks, correlation)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
_BOTH = """
    WITH moved AS (
        UPDATE realtime_stream SET head = head + 1 WHERE name = %s
        RETURNING id, head,
            (SELECT epoch FROM realtime_installation WHERE id = 1) || epoch AS full_epoch
    ), written AS (
        INSERT INTO realtime_event
            (stream_id, seq, uid, type, ts, frame, subject, ends, correlation)
        SELECT id, head, %s, %s, %s,
            %s::bytea || convert_to(head::text, 'UTF8') || %s::bytea, %s, %s, %s
        FROM moved
    )
    SELECT id, head, full_epoch FROM moved
"""


@dataclass(slots=True)
class Row:
    """An event's row; `seq` and `frame` are there once the head has moved."""

    uid: uuid.UUID
    type: str
    text: EventText
    subject: str | None
    ends: str | None
    correlation: str | None
    seq: int = 0
    frame: bytes = b""
    blanks: int | None = None


class Moved(NamedTuple):
    """The stream's row after the move; `epoch` is the one that clients see."""

    id: int
    head: int
    epoch: str


def move_head(database: BaseDatabaseWrapper, stream: str, rows: Sequence[Row]) -> Moved:
    """Give the rows their seqs; the stream is locked from here until commit. Raises NotFound."""
    return _numbered(stream, rows, run(database, _MOVE, [len(rows), stream]).rows)


def write(
    database: BaseDatabaseWrapper, stream_id: int, rows: Sequence[Row], moment: datetime
) -> None:
    """Store rows that have their seqs."""
    ts = database.ops.adapt_datetimefield_value(moment)
    native = database.features.has_native_uuid_field
    given = [
        (
            stream_id,
            row.seq,
            row.uid if native else row.uid.hex,
            row.type,
            ts,
            row.frame,
            row.subject,
            row.ends,
            row.blanks,
            row.correlation,
        )
        for row in rows
    ]
    if len(given) == 1:
        run(database, _WRITE, given[0])
        return
    with database.cursor() as cursor:
        cursor.executemany(_WRITE, given)


def can_write_at_once(database: BaseDatabaseWrapper) -> bool:
    """SQLite has no INSERT inside WITH; a round trip to it is a call of a function."""
    return bool(database.vendor == "postgresql")


def move_and_write(database: BaseDatabaseWrapper, stream: str, row: Row, moment: datetime) -> Moved:
    """Both for one row that blanks nothing. Raises NotFound.

    Many rows are quicker as they are: psycopg sends them in one go, by one short statement.
    """
    given = (
        stream,
        row.uid,
        row.type,
        moment,
        *row.text,
        row.subject,
        row.ends,
        row.correlation,
    )
    return _numbered(stream, [row], run(database, _BOTH, given).rows)


def _numbered(stream: str, rows: Sequence[Row], found: Sequence[Any]) -> Moved:
    if not found:
        raise NotFound(f"expected an existing stream, got {stream!r}")
    moved = Moved(*found[0])
    for seq, row in enumerate(rows, start=moved.head - len(rows) + 1):
        row.seq = seq
        row.frame = row.text.at(seq)
    return moved
