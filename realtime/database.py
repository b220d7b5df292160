"""Where asynchronous code reaches the database, and how a consistent reading is taken.

Database work of sockets runs in a bounded pool of threads of its own: asgiref's one shared thread
would make every socket of the process wait for every other. Nobody waits longer than a limit, and
while the database is away a circuit breaker answers most callers at once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, ParamSpec, TypeVar

from django.db import (
    DatabaseError,
    InterfaceError,
    OperationalError,
    close_old_connections,
    connection,
    reset_queries,
    transaction,
)

from realtime.backends.cursors import this_database
from realtime.backends.postgresql.patience import patience
from realtime.breaker import CircuitBreaker
from realtime.protocol.errors import Unavailable
from realtime.retrying import busy
from realtime.threads import RecentFirst
from realtime.tracing.correlation import Correlation, correlated, present

P = ParamSpec("P")
T = TypeVar("T")
Application = Callable[[Any, Any, Any], Awaitable[None]]

THREADS = 8
# Above three waits of 2 s for a lock, which are no sign of an absent database.
LIMIT_S = 8.0
RETRY_AFTER_MS = 1000
# Half a minute between two probes would be long after the return of a restarted database.
# Each failure may have cost somebody 2 s of waiting for a connection, so two are enough.
breaker = CircuitBreaker("database", part="database", failures=2, wait_s=0.5, max_wait_s=2.0)


def bounded(application: Application) -> Application:
    """An ASGI application whose requests wait LIMIT_S for PostgreSQL at most.

    They run in threads of their own, outside `in_database`, whose calls have each their own limit.
    """

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        with patience(LIMIT_S):
            await application(scope, receive, send)

    return answer


class Calls:
    """How often the event loop went to the database. Read by `/health/counters`."""

    total = 0


_pool = RecentFirst(THREADS, "realtime-db")


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


class DatabaseAway(Unavailable):
    """It cannot be reached, or hangs; a database that is merely busy is `Unavailable`."""


def _call(
    cause: Correlation | None, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    try:
        # A limit of the thread's own: whoever asked was answered by then, the thread would stay.
        with correlated(cause), patience(LIMIT_S):
            return function(*args, **kwargs)
    except (OperationalError, InterfaceError) as error:
        kind = Unavailable if busy(error) else DatabaseAway
        text = f"expected the database to answer, got {type(error).__name__}"
        raise kind(text, retry_after_ms=RETRY_AFTER_MS) from error
    finally:
        _release()


def _release() -> None:
    """On PostgreSQL the connection goes back to psycopg's pool. On SQLite the thread keeps its
    own: opening one costs more than most queries, and the pool's threads are few."""
    database = this_database()
    if database.queries_log:
        reset_queries()
    if database.vendor == "sqlite":
        if database.needs_rollback and not database.in_atomic_block:
            database.close()
        return
    try:
        close_old_connections()
    except DatabaseError:
        database.connection = None


async def in_database(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run synchronous database code in the pool.

    Raises Unavailable when the database is away: after 8 s at most, and at once while it is known
    to be away.
    """
    Calls.total += 1
    with breaker.guarding(DatabaseAway):
        work = _pool.call(partial(_call, present(), function, *args, **kwargs))
        limit = asyncio.get_running_loop().call_later(LIMIT_S, _give_up, work)
        try:
            return await work
        finally:
            limit.cancel()


def _give_up(work: "asyncio.Future[Any]") -> None:
    """A thread cannot be stopped; on PostgreSQL its patience ends soon after. What it began may
    still be committed, as with any answer that is lost on its way. What had not begun is not."""
    if not work.done():
        text = f"expected the database to answer within {LIMIT_S:.0f} s, got nothing"
        work.set_exception(DatabaseAway(text, retry_after_ms=RETRY_AFTER_MS))
