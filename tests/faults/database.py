"""The log as it stands in the database, read with SQL and without the project's code."""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from tests.faults.record import LogRow, StreamLog, digest, identity
from tests.faults.runs import FINAL, RunRow, Told

_STREAMS = """
    SELECT s.id, s.name, (SELECT epoch FROM realtime_installation WHERE id = 1) || s.epoch, s.head
    FROM realtime_stream s ORDER BY s.name
"""
_RUNS = """
    SELECT r.id, r.question_id, r.state, r.generation, m.body,
           (SELECT count(*) FROM chat_message a
            WHERE a.reply_to_id = r.question_id AND a.kind = 'ai')
    FROM chat_airun r JOIN chat_message m ON m.id = r.message_id ORDER BY r.id
"""
_OF_RUNS = """
    SELECT type, frame FROM realtime_event
    WHERE type IN ('ai_processing_start', 'ai_response_generated', 'ai_processing_end')
    ORDER BY stream_id, seq
"""
_EVENTS = "SELECT seq, frame, type FROM realtime_event WHERE stream_id = {} ORDER BY seq"

Query = Callable[[str], Iterable[tuple[Any, ...]]]


@contextmanager
def _asking(url: str) -> Iterator[Query]:
    """`url` is as in DATABASE_URL."""
    if url.startswith("sqlite:///"):
        file = sqlite3.connect(url.removeprefix("sqlite:///"), timeout=30)
        try:
            yield lambda text: file.execute(text).fetchall()
        finally:
            file.close()
        return
    with psycopg.connect(url) as connection:
        yield lambda text: connection.execute(text.encode()).fetchall()


def read_heads(url: str) -> dict[str, int]:
    """The newest seq of every stream."""
    with _asking(url) as query:
        return {name: head for _, name, _, head in query(_STREAMS)}


def read_runs(url: str) -> tuple[list[RunRow], dict[int, Told]]:
    """Every run of the AI, and what was told of it."""
    told: dict[int, Told] = {}
    with _asking(url) as query:
        rows = [RunRow(*row) for row in query(_RUNS)]
        for kind, frame in query(_OF_RUNS):
            data = json.loads(bytes(frame))["data"]
            of_run = told.setdefault(data["run"], Told())
            if kind == "ai_processing_start":
                of_run.starts.append(data["generation"])
            elif kind == "ai_response_generated":
                of_run.bodies.append(data["message"]["body"])
            else:
                of_run.ends.append(data["state"])
    return rows, told


def open_runs(url: str) -> int:
    with _asking(url) as query:
        return sum(row[2] not in FINAL for row in query(_RUNS))


def read_logs(url: str) -> dict[str, StreamLog]:
    """Every stream by name. Raises ValueError where one is broken."""
    with _asking(url) as query:
        return _logs(query)


def _logs(query: Query) -> dict[str, StreamLog]:
    logs: dict[str, StreamLog] = {}
    for stream_id, name, epoch, head in query(_STREAMS):
        rows = [
            (seq, json.loads(bytes(frame)), bytes(frame), kind)
            for seq, frame, kind in query(_EVENTS.format(int(stream_id)))
        ]
        deleted = {
            frame["data"]["message"] for _, frame, _, kind in rows if kind == "message_deleted"
        }
        logs[name] = StreamLog(name, epoch, head, {row[0]: _row(*row, deleted) for row in rows})
        if len(rows) != len(logs[name].rows):
            raise ValueError(f"{name}: expected each seq once, got {len(rows)} rows")
    return logs


def _row(seq: int, frame: dict[str, Any], stored: bytes, kind: str, deleted: set[int]) -> LogRow:
    if frame["seq"] != seq:
        raise ValueError(f"expected the seq of the row in its frame, got {frame['seq']} for {seq}")
    message, ref = frame["data"].get("message"), None
    number = message["id"] if isinstance(message, dict) else message
    if kind == "new_message" and message["client_ref"] is not None:
        ref = (message["author"]["id"], message["client_ref"])
    return LogRow(seq, identity(frame), digest(stored), number in deleted, kind, ref, number)
