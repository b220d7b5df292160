"""How long this context waits for PostgreSQL to answer, in all.

A server that hangs (its machine swaps, its disk stalls, a firewall forgot the connection) refuses
nothing: its kernel goes on acknowledging, so that neither TCP's limits nor `connect_timeout` see
it, and limits that the server keeps, `statement_timeout` among them, hang with it. So the client
itself stops waiting. Who waits without a limit, such as a migration, waits for ever, as before.

Must not import Django or the rest of the project: settings read this.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen

T = TypeVar("T")


class _Patience:
    """Seconds that are left; shared by all threads that one request or call runs in."""

    def __init__(self, left_s: float) -> None:
        self.left_s = left_s


_patience: ContextVar[_Patience | None] = ContextVar("database_patience", default=None)


@contextmanager
def patience(limit_s: float) -> Iterator[None]:
    """Everything inside waits `limit_s` for PostgreSQL at most, all its statements together.

    What is waited for counts, not the time that passes: a request whose body arrives slowly has
    all its patience left. After that each statement raises OperationalError, and its connection
    is closed, so that the pool makes a new one. What was under way may still be committed.
    """
    token = _patience.set(_Patience(limit_s))
    try:
        yield
    finally:
        _patience.reset(token)


class PatientConnection(psycopg.Connection[Any]):
    """A connection of psycopg that gives up when the patience around it is at its end."""

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        kept = _patience.get()
        if kept is None or timeout is not None:
            return super().wait(gen, interval, timeout)
        began = time.monotonic()
        try:
            return super().wait(gen, interval, max(kept.left_s, 0.0))
        except psycopg.errors._WaitTimeout as error:  # noqa: SLF001 - of the pinned version
            # Its next answer would be the one to this question.
            self.pgconn.finish()
            raise psycopg.OperationalError(
                "expected PostgreSQL to answer, got nothing for as long as may be waited"
            ) from error
        finally:
            kept.left_s -= time.monotonic() - began
