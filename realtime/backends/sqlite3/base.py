"""Django's SQLite backend, with writers of one process taking turns.

SQLite's own waiting is a poll with growing sleeps: of several waiting writers an unlucky one waits
far longer than its turn. A lock of the process hands over at once; other processes still wait by
`timeout`.
"""

import sqlite3
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from django.db import OperationalError
from django.db.backends.sqlite3 import base, operations
from django.utils.asyncio import async_unsafe

from realtime.backends.cursors import Done
from realtime.backends.last import write_last
from realtime.backends.sqlite3.turns import turn

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


_qmarks = Cursor._translated  # noqa: SLF001


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

    def ensure_connection(self) -> None:
        # Django asks at each step, and each time whether an event loop runs here.
        if self.connection is None:
            super().ensure_connection()

    def run_direct(self, statement: str, given: Sequence[Any]) -> Done | None:
        """As `realtime.backends.cursors.run`; None where the statement is to be told to somebody.

        Django makes and wraps a cursor for each statement: more than SQLite takes to run one.
        """
        if self.force_debug_cursor or self.execute_wrappers or not self.in_atomic_block:
            return None
        if self.needs_rollback:
            self.validate_no_broken_transaction()
        try:
            cursor = self.connection.execute(_qmarks(statement), given)
            return Done(cursor.fetchall(), cursor.rowcount)
        except sqlite3.Error:
            with self.wrap_database_errors:
                raise

    def begin_deferred_next(self) -> None:
        self._deferred_next = True

    def _start_transaction_under_autocommit(self) -> None:
        if self._deferred_next:
            self._deferred_next = False
            self.cursor().execute("BEGIN DEFERRED")
            return
        # It has its turn still when an interrupt struck between a commit and its end.
        if not self._has_turn and not turn.acquire(timeout=TURN_TIMEOUT_S):
            raise OperationalError(f"expected a turn to write within {TURN_TIMEOUT_S:.0f} s")
        self._has_turn = True
        try:
            if self.queries_logged or self.execute_wrappers:
                super()._start_transaction_under_autocommit()  # type: ignore[misc]
            else:
                self._tell(f"BEGIN {self.transaction_mode}")  # type: ignore[attr-defined]
        except BaseException:
            self._end_turn()
            raise

    @async_unsafe
    def _tell(self, statement: str) -> None:
        """As a cursor's `execute`, without the cursor."""
        try:
            self.connection.execute(statement)
        except sqlite3.Error:
            with self.wrap_database_errors:
                raise

    def _end_turn(self) -> None:
        if self._has_turn:
            self._has_turn = False
            turn.release()

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
