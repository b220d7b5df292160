"""How long this context waits for PostgreSQL to answer, in all.

A server that hangs (its machine swaps, its disk stalls, a firewall forgot the connection) refuses
nothing: its kernel goes on acknowledging, so that neither TCP's limits nor `connect_timeout` see
it, and limits that the server keeps, `statement_timeout` among them, hang with it. So the client
itself stops waiting. Who waits without a limit, such as a migration, waits for ever, as before.

Must not import Django or the rest of the project (settings read `connection.py`, which reads this),
nor psycopg: who uses SQLite spares its 8 MB.
"""

from contextvars import ContextVar


class Patience:
    """Seconds that are left; shared by all threads that one request or call runs in."""

    def __init__(self, left_s: float) -> None:
        self.left_s = left_s


_patience: ContextVar[Patience | None] = ContextVar("database_patience", default=None)


class patience:  # noqa: N801 - a context manager, entered for every call
    """Everything inside waits `limit_s` for PostgreSQL at most, all its statements together.

    What is waited for counts, not the time that passes: a request whose body arrives slowly has
    all its patience left. After that each statement raises OperationalError, and its connection
    is closed, so that the pool makes a new one. What was under way may still be committed.
    """

    __slots__ = ("_limit_s", "_token")

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s

    def __enter__(self) -> None:
        self._token = _patience.set(Patience(self._limit_s))

    def __exit__(self, *_: object) -> None:
        _patience.reset(self._token)


def present() -> Patience | None:
    """What is left of the patience around the caller; None where it waits for ever."""
    return _patience.get()
