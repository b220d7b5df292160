"""Django's SQLite backend, with writers of one process taking turns.

SQLite's own waiting is a poll with growing sleeps: of several waiting writers an unlucky one waits
far longer than its turn. A lock of the process hands over at once; other processes still wait by
`timeout`.
"""

import threading
from functools import lru_cache
from typing import Any

from django.db import OperationalError
from django.db.backends.sqlite3 import base, operations

from realtime.backends.last import write_last

_turn = threading.Lock()
TURN_TIMEOUT_S = 20.0
KEPT_QUERY_CHARS = 2_000  # longer ones have lists in them and hardly come again


class Cursor(base.SQLiteCursorWrapper):
    """Django's, which translates the placeholders of every statement each time it runs."""

    @staticmethod
    @lru_cache(maxsize=256)
    def _translated(query: str) -> str:
        text: str = base.FORMAT_QMARK_REGEX.sub("?", query).replace("%%", "%")
        return text

    def convert_query(self, query: Any, *, param_names: Any = None) -> Any:
        if param_names is None and len(query) <= KEPT_QUERY_CHARS:
            return self._translated(query)
        return super().convert_query(query, param_names=param_names)


class DatabaseOperations(operations.DatabaseOperations):
    """Django's, whose `flush` deletes row by row, which the table of audit entries refuses for as
    long as its chain is there."""

    def sql_flush(self, *args: Any, **kwargs: Any) -> list[str]:
        statements: list[str] = super().sql_flush(*args, **kwargs)
        return sorted(statements, key=lambda statement: "realtime_auditchain" not in statement)


class DatabaseWrapper(base.DatabaseWrapper):
    """`begin_deferred_next` makes the next transaction a reading one, which takes no turn."""

    ops_class = DatabaseOperations

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deferred_next = False
        self._has_turn = False

    def create_cursor(self, name: str | None = None) -> Any:
        return self.connection.cursor(factory=Cursor)

    def begin_deferred_next(self) -> None:
        self._deferred_next = True

    def _start_transaction_under_autocommit(self) -> None:
        if self._deferred_next:
            self._deferred_next = False
            self.cursor().execute("BEGIN DEFERRED")
            return
        # It has its turn still when an interrupt struck between a commit and its end.
        if not self._has_turn and not _turn.acquire(timeout=TURN_TIMEOUT_S):
            raise OperationalError(f"expected a turn to write within {TURN_TIMEOUT_S:.0f} s")
        self._has_turn = True
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]
        except BaseException:
            self._end_turn()
            raise

    def _end_turn(self) -> None:
        if self._has_turn:
            self._has_turn = False
            _turn.release()

    def _commit(self) -> None:
        write_last(self)
        super()._commit()  # type: ignore[misc]
        # After a failed commit Django rolls back, and the turn ends there.
        self._end_turn()

    def _rollback(self) -> None:
        try:
            super()._rollback()  # type: ignore[misc]
        finally:
            self._end_turn()

    def _close(self) -> None:
        try:
            super()._close()  # type: ignore[misc]
        finally:
            self._end_turn()
