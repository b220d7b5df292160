"""Rows that are read again and again and hardly ever change: made into instances when they do."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from django.db import connection
from django.db.models import Model

Row = TypeVar("Row", bound=Model)


class Kept(Generic[Row]):
    """`statement` gives whole rows: to read them costs far less than to make instances of them.

    For one thread at a time. Who changes an instance has all forgotten first.
    """

    def __init__(self, statement: str) -> None:
        self._statement = statement
        self._rows: list[tuple[Any, ...]] | None = None
        self._made: Sequence[Row] = ()

    def newest(self, read: Callable[[], Sequence[Row]], *given: Any) -> Sequence[Row]:
        """As the rows are now; `read` makes the instances of the same. Raises what the database
        raises."""
        with connection.cursor() as cursor:
            cursor.execute(self._statement, given)
            rows = cursor.fetchall()
        if rows != self._rows:
            self._rows = None  # also where the reading fails
            self._made = read()
            self._rows = rows
        return self._made

    def forget(self) -> None:
        self._rows = None
