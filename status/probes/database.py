"""The database, as each node reaches it."""

import time
from typing import Any

from django.db import connection

from realtime.components import Component, Finding, Look, Measure, Scope, State
from realtime.database import in_database
from realtime.protocol.errors import Unavailable

SLOW_MS = 500.0


def _look() -> dict[str, float]:
    """In a database thread: with psycopg's pool, the first use waits for a connection."""
    began = time.perf_counter()
    with connection.cursor() as cursor:
        connected = time.perf_counter()
        cursor.execute(_QUESTION[connection.vendor])
        row = cursor.fetchone()
    values = {
        "connect_ms": (connected - began) * 1000,
        "query_ms": (time.perf_counter() - connected) * 1000,
    }
    if row[0] is not None:
        values["replication_lag_s"] = float(row[0])
    return values | _pool()


# The lag of the slowest standby; NULL where there is none, or it is not ours to see.
_QUESTION = {
    "sqlite": "SELECT NULL",
    "postgresql": "SELECT max(extract(epoch FROM replay_lag)) FROM pg_stat_replication",
}


def _pool() -> dict[str, float]:
    pool: Any = getattr(connection, "pool", None)
    if pool is None:
        return {}
    return {"pool_waiting": float(pool.get_stats().get("requests_waiting", 0))}


async def look() -> Finding:
    began = time.perf_counter()
    try:
        values = await in_database(_look)
    except Unavailable as error:
        return Finding(State.DOWN, error.message)
    values["answer_ms"] = (time.perf_counter() - began) * 1000
    if values["answer_ms"] >= SLOW_MS:
        return Finding(State.DEGRADED, f"answered after {values['answer_ms']:.0f} ms", values)
    return Finding(State.OK, "", values)


def probe(node: object) -> Look:
    return look


COMPONENT = Component(
    name="database",
    label="Database",
    scope=Scope.NODE,
    every_s=5.0,
    limit_s=3.0,
    meaning={
        State.DEGRADED: "an answer took half a second or more",
        State.DOWN: "no answer within 3 s",
    },
    measures=(
        Measure("answer_ms", "ms", "a query with all waiting for threads and connections"),
        Measure("connect_ms", "ms", "of it, waiting for a connection of the pool"),
        Measure("query_ms", "ms", "of it, the query itself"),
        Measure("pool_waiting", "", "callers that wait for a connection"),
        Measure("replication_lag_s", "s", "how far the slowest standby is behind"),
    ),
    probe=probe,
    vital=True,
)
