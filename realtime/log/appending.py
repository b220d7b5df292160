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

from django.db import connection

from realtime.backends.cursors import prepared_cursor
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


def move_head(stream: str, rows: Sequence[Row]) -> Moved:
    """Give the rows their seqs; the stream is locked from here until commit. Raises NotFound."""
    with prepared_cursor() as cursor:
        cursor.execute(_MOVE, [len(rows), stream])
        return _numbered(stream, rows, cursor.fetchall())


def write(stream_id: int, rows: Sequence[Row], moment: datetime) -> None:
    """Store rows that have their seqs."""
    ts = connection.ops.adapt_datetimefield_value(moment)
    native = connection.features.has_native_uuid_field
    with connection.cursor() as cursor:
        cursor.executemany(
            _WRITE,
            [
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
            ],
        )


def can_write_at_once() -> bool:
    """SQLite has no INSERT inside WITH; a round trip to it is a call of a function."""
    return bool(connection.vendor == "postgresql")


def move_and_write(stream: str, row: Row, moment: datetime) -> Moved:
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
    with prepared_cursor() as cursor:
        cursor.execute(_BOTH, given)
        return _numbered(stream, [row], cursor.fetchall())


def _numbered(stream: str, rows: Sequence[Row], found: Sequence[Any]) -> Moved:
    if not found:
        raise NotFound(f"expected an existing stream, got {stream!r}")
    moved = Moved(*found[0])
    for seq, row in enumerate(rows, start=moved.head - len(rows) + 1):
        row.seq = seq
        row.frame = row.text.at(seq)
    return moved
