"""What a transaction writes last: after everything else, directly before its COMMIT.

A lock that every transaction of some kind needs can only be taken last: whoever holds it must never
wait for anything else, or two writers could wait for each other. Django has no such hook, so both
backends call `write_last` from their `_commit`. Must not import the rest of the core.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import DEFAULT_DB_ALIAS, Error, InternalError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

LastWriter = Callable[[BaseDatabaseWrapper, list[Any]], None]


@dataclass(frozen=True, slots=True)
class _Last:
    """A marker among the commit hooks, as those of `realtime.log.locks`: a rolled back savepoint
    drops it together with the rows that it belongs to."""

    writer: LastWriter
    what: Any

    def __call__(self) -> None:
        """Never left to do: `write_last` takes it out before the commit."""


def ask_last(writer: LastWriter, what: Any) -> None:
    """Have `writer(connection, [what, ...])` called once before the transaction commits, with all
    that was asked of it. The caller is inside `transaction.atomic()`."""
    transaction.on_commit(_Last(writer, what))
    connections[DEFAULT_DB_ALIAS]._realtime_last = True  # type: ignore[attr-defined]  # noqa: SLF001


def asked_last(writer: LastWriter) -> list[Any]:
    """What waits for `writer` in the present transaction."""
    hooks = (hook for _, hook, *_ in connections[DEFAULT_DB_ALIAS].run_on_commit)
    return [hook.what for hook in hooks if isinstance(hook, _Last) and hook.writer == writer]


def write_last(database: BaseDatabaseWrapper) -> None:
    """Call the writers. Raises DatabaseError, whatever went wrong: of other errors Django would
    leave the transaction open."""
    if not getattr(database, "_realtime_last", False):
        return
    database._realtime_last = False  # type: ignore[attr-defined]  # noqa: SLF001
    asked: dict[LastWriter, list[Any]] = {}
    others: list[Any] = []
    for entry in database.run_on_commit:
        hook: object = entry[1]
        if isinstance(hook, _Last):
            asked.setdefault(hook.writer, []).append(hook.what)
        else:
            others.append(entry)
    database.run_on_commit = others
    for writer, whats in asked.items():
        try:
            writer(database, whats)
        except Error:
            raise
        except Exception as error:
            text = f"expected {writer.__name__} to write before the commit, got {error!r}"
            raise InternalError(text) from error
