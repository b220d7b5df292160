"""A cursor whose statements PostgreSQL plans once for each connection.

Planning is most of what a short statement costs there. Django keeps prepared statements off, since
not every pooler between client and server can keep them; so only those few that every write runs
go this way, and `DATABASE_PREPARED=false` sends them as all others are sent.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.db.backends.postgresql import base
from psycopg.types.numeric import Int8

# The stubs know nothing of psycopg behind Django's cursors.
_ServerBindingCursor: Any = base.ServerBindingCursor


class _Told(NamedTuple):
    """What Django's list of queries asks a cursor for. The parameters are not in it."""

    query: bytes


class PreparedCursor(_ServerBindingCursor):  # type: ignore[misc]
    """Django's cursor with parameters bound by the server, whose types must be plain from the
    statement. For few, fixed texts: each stays with the connection."""

    def execute(self, query: Any, params: Sequence[Any] | None = None, **options: Any) -> Any:
        # psycopg sends the smallest type that a number fits into: each would be another plan.
        given = [Int8(value) if type(value) is int else value for value in params or ()]
        # The threshold is the connection's. Left on, psycopg would count (and keep) the texts of
        # all other statements, too, and forget ours with every savepoint that is rolled back.
        self.connection.prepare_threshold = 0
        try:
            return super().execute(query, given, **options)
        finally:
            self.connection.prepare_threshold = None
            # psycopg leaves it empty for what is prepared, and the list would have no text.
            self._query = _Told(query.encode())
