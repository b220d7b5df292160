"""Locks of streams: taken sorted, before any row is written, held until commit.

The row lock on a stream is what makes commit order seq order. Row-then-stream deadlocks even with
one stream, and so do two streams in two orders; hence one sorted call per action.
On SQLite the IMMEDIATE transaction is the lock, and only the bookkeeping remains.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from realtime.backends.cursors import prepared_cursor
from realtime.conf import options
from realtime.models.stream import Stream
from realtime.protocol.errors import RealtimeError

# Rows are locked in the order in which they are returned. Both sides of the order are by bytes: a
# language's own would not be that of `sorted`.
_LOCK = """
    SELECT 1 FROM realtime_stream WHERE name = ANY(%s) ORDER BY name COLLATE "C" FOR UPDATE
"""


class OutsideTransaction(RealtimeError):
    """A writer's own fault: the log is only written inside `transaction.atomic()`."""


class LockOrder(RealtimeError):
    """A writer's own fault: streams must be locked together, in one sorted `lock_streams`."""


class _Held:
    """A marker among the commit hooks: it lives exactly as long as the lock that it stands for.

    A rolled back savepoint drops the hooks registered in it just as it drops its locks, and
    commit and rollback drop both; no other record of ours could follow that so closely.
    """

    __slots__ = ("name", "transaction")

    def __init__(self, name: str, of_transaction: tuple[Any, str | None]) -> None:
        self.name = name
        self.transaction = of_transaction

    def __call__(self) -> None:
        """Nothing is left to do at commit."""


def _database() -> BaseDatabaseWrapper:
    """This thread's connection. `connection` is a proxy that looks for it at every access, which
    is most of what keeping account of locks would cost."""
    return connections[DEFAULT_DB_ALIAS]


def _this_transaction(database: BaseDatabaseWrapper) -> tuple[Any, str | None]:
    """Tells apart the transactions that a test case wraps into one: outermost block, savepoint.

    The block alone does not tell: `@transaction.atomic` uses one object for every call. Where
    nothing wraps them, commit and rollback drop all markers anyway.
    """
    blocks: list[Any] = database.atomic_blocks
    savepoints: Sequence[str | None] = database.savepoint_ids
    wrapping = _wrapping(blocks)
    block = blocks[wrapping] if wrapping < len(blocks) else None
    return block, savepoints[wrapping - 1] if 0 < wrapping <= len(savepoints) else None


def _wrapping(blocks: Sequence[Any]) -> int:
    """How many of the open blocks a test case has put around everything."""
    return sum(getattr(block, "_from_testcase", False) for block in blocks)


def own_transaction() -> AbstractContextManager[None]:
    """The transaction that is open, or one of its own; a test case's wrapping is none.

    For rows that are written one by one: a savepoint would cost each two round trips.
    """
    blocks: list[Any] = _database().atomic_blocks
    opened = len(blocks) > _wrapping(blocks)
    return nullcontext() if opened else transaction.atomic()


def require_transaction() -> None:
    if not _database().in_atomic_block:
        raise OutsideTransaction("expected to run inside transaction.atomic(), got autocommit")


def held_streams() -> list[str]:
    """Names of the streams locked by the current transaction, in the order of locking."""
    database = _database()
    this = _this_transaction(database)
    return [
        hook.name
        for _, hook, *_ in database.run_on_commit
        if isinstance(hook, _Held) and hook.transaction == this
    ]


def note_held(name: str) -> None:
    """Record a lock taken by other means: a row just created or just updated."""
    transaction.on_commit(_Held(name, _this_transaction(_database())))


def check_order(names: Iterable[str], held: list[str]) -> None:
    """In tests and in development, refuse an order that could deadlock another writer."""
    first = min(names, default=None)
    if options().debug and held and first is not None and first < max(held):
        raise LockOrder(f"expected {first} to be locked before {max(held)}; lock both in one call")


def lock_streams(*names: str) -> None:
    """Lock the streams, sorted, until the transaction ends; those held already are skipped.

    Raises OutsideTransaction, LockOrder (in development). A stream that does not exist is
    skipped: publishing to it says so.
    """
    require_transaction()
    held = held_streams()
    wanted = sorted(set(names) - set(held))
    if not wanted:
        return
    check_order(wanted, held)
    database = _database()
    if database.features.has_select_for_update:
        with prepared_cursor() as cursor:
            cursor.execute(_LOCK, [wanted])
    for name in wanted:
        note_held(name)


def create_stream(name: str) -> Stream:
    """The stream's row, made in the transaction of its project or user."""
    require_transaction()
    stream, created = Stream.objects.get_or_create(name=name)
    if created:
        # Nobody else can see the row yet, so its place in the order of locks does not matter.
        note_held(name)
    return stream
