"""The few statements that every write runs: fixed texts, whose way to the database is short."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper


class Done(NamedTuple):
    """What a statement gave: its rows, and how many it wrote."""

    rows: list[Any]
    written: int


def this_database(using: str = DEFAULT_DB_ALIAS) -> BaseDatabaseWrapper:
    """This thread's connection. `django.db.connection` is a proxy that looks for it at every
    access, which costs as much as the accounts that are kept in it."""
    return connections[using]


def prepared_cursor(using: str = DEFAULT_DB_ALIAS) -> AbstractContextManager[Any]:
    """Django's cursor of this thread's connection, whose statements are planned once where that is
    worth something; SQLite keeps what it compiled anyway. For fixed texts only."""
    database = connections[using]
    make = getattr(database, "prepared_cursor", database.cursor)
    cursor: AbstractContextManager[Any] = make()
    return cursor


def run(database: BaseDatabaseWrapper, statement: str, given: Sequence[Any]) -> Done:
    """Run a fixed text inside a transaction, its rows read to the end.

    SQLite's is run without the cursors that Django wraps around each other, unless somebody
    listens to those. Raises what Django's cursor raises.
    """
    direct = getattr(database, "run_direct", None)
    if direct is not None:
        found: Done | None = direct(statement, given)
        if found is not None:
            return found
    with prepared_cursor(database.alias) as cursor:
        cursor.execute(statement, given)
        return Done(cursor.fetchall() if cursor.description else [], cursor.rowcount)
