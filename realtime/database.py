"""Where asynchronous code reaches the database, and how a consistent reading is taken.

Database work of sockets runs in a bounded pool of threads of its own: asgiref's one shared thread
would make every socket of the process wait for every other.
"""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import ParamSpec, TypeVar

from django.db import (
    DatabaseError,
    InterfaceError,
    OperationalError,
    close_old_connections,
    connection,
    reset_queries,
    transaction,
)

from realtime.protocol.errors import Unavailable

P = ParamSpec("P")
T = TypeVar("T")

THREADS = 8


class Calls:
    """How often the event loop went to the database. Read by `/health/counters`."""

    total = 0


_pool = ThreadPoolExecutor(THREADS, thread_name_prefix="realtime-db")


@contextmanager
def snapshot() -> Iterator[None]:
    """A reading transaction in which every query sees the same commit.

    PostgreSQL: REPEATABLE READ READ ONLY (a plain atomic() is not one snapshot).
    SQLite: DEFERRED, because under IMMEDIATE even a reading transaction stops writers.
    Inside an outer transaction it is that transaction's view.
    """
    if connection.in_atomic_block:
        yield
        return
    begin = getattr(connection, "begin_deferred_next", None)
    if begin is not None:
        connection.ensure_connection()  # or a failure to connect would defer a later, writing one
        begin()
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield


def _call(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    try:
        return function(*args, **kwargs)
    except (OperationalError, InterfaceError) as error:
        raise Unavailable(f"expected the database to answer, got {type(error).__name__}") from error
    finally:
        _release()


def _release() -> None:
    """On PostgreSQL the connection goes back to psycopg's pool. On SQLite the thread keeps its
    own: opening one costs more than most queries, and the pool's threads are few."""
    reset_queries()
    if connection.vendor == "sqlite":
        if not connection.in_atomic_block and connection.needs_rollback:
            connection.close()
        return
    try:
        close_old_connections()
    except DatabaseError:
        connection.connection = None


async def in_database(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run synchronous database code in the pool. Raises Unavailable when the database is away."""
    Calls.total += 1
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_pool, partial(_call, function, *args, **kwargs))
