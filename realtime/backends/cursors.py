"""Cursors for the few statements that every write runs."""

from contextlib import AbstractContextManager
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections


def prepared_cursor(using: str = DEFAULT_DB_ALIAS) -> AbstractContextManager[Any]:
    """Django's cursor of this thread's connection, whose statements are planned once where that is
    worth something; SQLite keeps what it compiled anyway. For fixed texts only."""
    database = connections[using]
    make = getattr(database, "prepared_cursor", database.cursor)
    cursor: AbstractContextManager[Any] = make()
    return cursor
