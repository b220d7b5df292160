"""pgvector, where PostgreSQL has it: the database finds the nearest vectors, nobody keeps them.

A column and an index beside those of `MemoryVector`, which Django does not know: they are there or
not, and everything works without them. Written with the row that they belong to, gone with it.
Synchronous SQL; must not import numpy.
"""

from array import array
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import DatabaseError, connection, transaction

from chat.conf import options
from chat.models import MemoryVector

BATCH = 500
# How many the graph keeps in sight. 160, as many as are asked for, missed none of the 40 candidates
# of 100 questions among 20,000; 400 took 2 ms more.
EF_SEARCH = 200


def install(apps: Any, schema_editor: Any) -> None:
    """For migrations: column and index, where PostgreSQL has pgvector."""
    prepare(schema_editor.connection)


def prepare(database: Any = connection) -> bool:
    """Make extension, column and index where that can be done; whether they are there now.

    The extension needs a superuser once; where we are none and nobody made it, nothing happens.
    """
    if database.vendor != "postgresql":
        return False
    try:
        with transaction.atomic(using=database.alias), database.cursor() as cursor:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS vector")
    except DatabaseError:
        return present(database)
    with transaction.atomic(using=database.alias), database.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE chat_memoryvector ADD COLUMN IF NOT EXISTS embedding vector(384)"
        )
        # In the row itself: a vector out of line is fetched by itself for each comparison.
        cursor.execute("ALTER TABLE chat_memoryvector ALTER COLUMN embedding SET STORAGE PLAIN")
        cursor.execute(
            "CREATE INDEX IF NOT EXISTS vector_nearest ON chat_memoryvector "
            "USING hnsw (embedding vector_ip_ops)"
        )
        cursor.execute(
            "CREATE INDEX IF NOT EXISTS vector_lacking ON chat_memoryvector (project_id, id) "
            "WHERE embedding IS NULL"
        )
    return True


def present(database: Any = connection) -> bool:
    """Whether `prepare` has been successful here."""
    if database.vendor != "postgresql":
        return False
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM pg_attribute "
            "WHERE attrelid = to_regclass(%s) AND attname = %s AND NOT attisdropped",
            ["chat_memoryvector", "embedding"],
        )
        return cursor.fetchone() is not None


def wanted() -> bool:
    return options().vector_index == "auto" and present()


def covers(project: int) -> bool:
    """Whether the database has every vector of the project, and is to be asked for them."""
    if not wanted():
        return False
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM chat_memoryvector WHERE project_id = %s AND embedding IS NULL LIMIT 1",
            [project],
        )
        return cursor.fetchone() is None


def write(rows: Iterable[MemoryVector]) -> None:
    """Give stored rows their column; in their transaction. Only where `present`."""
    made = [(row.pk, _text(_floats(bytes(row.vector)))) for row in rows]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE chat_memoryvector SET embedding = made.text::vector "
            "FROM (SELECT unnest(%s::bigint[]) AS id, unnest(%s::text[]) AS text) made "
            "WHERE chat_memoryvector.id = made.id",
            [[pk for pk, _ in made], [text for _, text in made]],
        )


@transaction.atomic
def complete(limit: int = BATCH) -> int:
    """Rows from before the column, at most `limit` of them; how many. Only where `present`."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM chat_memoryvector WHERE embedding IS NULL "
            "ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED",
            [limit],
        )
        keys = [row[0] for row in cursor.fetchall()]
    write(MemoryVector.objects.filter(pk__in=keys).only("vector"))
    return len(keys)


def nearest(
    project: int, model: str, version: str, vector: Sequence[float], most: int
) -> list[tuple[int, float]]:
    """`(row, cosine)` of the project's vectors that are nearest, about the first `most`."""
    with transaction.atomic(), connection.cursor() as cursor:
        # With further rounds where the graph's first ones are of other projects.
        cursor.execute(
            "SELECT set_config('hnsw.ef_search', %s, true), "
            "set_config('hnsw.iterative_scan', 'strict_order', true)",
            [str(max(EF_SEARCH, min(most, 1000)))],
        )
        cursor.execute(
            "SELECT id, -(embedding <#> %s::vector) FROM chat_memoryvector "
            "WHERE project_id = %s AND model = %s AND version = %s "
            "ORDER BY embedding <#> %s::vector LIMIT %s",
            [text := _text(vector), project, model, version, text, most],
        )
        return list(cursor.fetchall())


def similarities(
    project: int, vector: Sequence[float], rows: Sequence[int]
) -> list[tuple[int, float]]:
    """`(row, cosine)` of these rows, as far as they are of the project."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, -(embedding <#> %s::vector) FROM chat_memoryvector "
            "WHERE project_id = %s AND id = ANY(%s)",
            [_text(vector), project, list(rows)],
        )
        return list(cursor.fetchall())


def _floats(stored: bytes) -> Sequence[float]:
    found = array("f")
    found.frombytes(stored)
    return found


def _text(vector: Sequence[float]) -> str:
    """As the type reads it; enough digits that the same float32 comes out."""
    return "[" + ",".join(map(repr, vector)) + "]"
