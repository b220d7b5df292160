"""Entries join the chain: the last thing that their transaction does.

The chain's one row is locked from here to the commit, so that commit order is chain order. Whoever
holds it waits for nothing else: streams and rows were locked before, and the checks of foreign keys
that PostgreSQL leaves for the commit, which lock rows too, are made first. So no two writers can
wait for each other. Plain SQL: at this moment Django's own transactions are over.
"""

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from realtime.audit.hashing import ORIGIN, Content, entry_hash

_CREATE = """
    INSERT INTO realtime_auditchain (id, seq, hash, anchor_seq, anchor_hash)
    VALUES (1, 0, %s, 0, %s) ON CONFLICT (id) DO NOTHING
"""
_HEAD = "SELECT seq, hash FROM realtime_auditchain WHERE id = 1"
_INSERT = """
    INSERT INTO realtime_auditentry
    (seq, at, action, actor, actor_name, target, result, address, details, previous, hash) VALUES
"""
_PLACES = f"({', '.join(['%s'] * 11)})"
_MOVE = "UPDATE realtime_auditchain SET seq = %s, hash = %s WHERE id = 1"
ROWS = 500  # of one statement


def chain(database: BaseDatabaseWrapper, contents: list[Content]) -> None:
    """Append the entries. Raises DatabaseError."""
    with database.cursor() as cursor:
        if database.vendor == "postgresql":
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        seq, before = locked_head(database, cursor)
        rows: list[tuple[Any, ...]] = []
        for content in contents:
            seq += 1
            own = entry_hash(seq, before, content)
            rows.append((seq, *_values(database, content), before, own))
            before = own
        for start in range(0, len(rows), ROWS):
            part = rows[start : start + ROWS]
            places = ", ".join([_PLACES] * len(part))
            cursor.execute(_INSERT + places, [value for row in part for value in row])
        cursor.execute(_MOVE, [seq, before])


def locked_head(database: BaseDatabaseWrapper, cursor: Any) -> tuple[int, str]:
    """Seq and hash of the newest entry; the row, made if need be, is locked until the commit.

    On SQLite the IMMEDIATE transaction is the lock.
    """
    query = _HEAD + (" FOR UPDATE" if database.vendor == "postgresql" else "")
    cursor.execute(query)
    found = cursor.fetchall()
    if not found:
        cursor.execute(_CREATE, [ORIGIN, ORIGIN])
        cursor.execute(query)
        found = cursor.fetchall()
    seq, newest = found[0]
    return int(seq), str(newest)


def _values(database: BaseDatabaseWrapper, content: Content) -> tuple[Any, ...]:
    return (
        database.ops.adapt_datetimefield_value(content.at),
        content.action,
        content.actor,
        content.actor_name,
        content.target,
        content.result,
        content.address,
        content.details,
    )
