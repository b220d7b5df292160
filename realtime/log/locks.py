"""Locks of streams: taken sorted, before any row is written, held until commit.

The row lock on a stream is what makes commit order seq order. Row-then-stream deadlocks even with
one stream, and so do two streams in two orders; hence one sorted call per action.
On SQLite the IMMEDIATE transaction is the lock, and only the bookkeeping remains.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from realtime.backends.cursors import run, this_database
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
    if not blocks or not getattr(blocks[0], "_from_testcase", False):
        return 0
    return sum(getattr(block, "_from_testcase", False) for block in blocks)


def own_transaction() -> AbstractContextManager[None]:
    """The transaction that is open, or one of its own; a test case's wrapping is none.

    For rows that are written one by one: a savepoint would cost each two round trips.
    """
    blocks: list[Any] = this_database().atomic_blocks
    opened = len(blocks) > _wrapping(blocks)
    return nullcontext() if opened else transaction.atomic()


def require_transaction(database: BaseDatabaseWrapper | None = None) -> None:
    """`database` where the caller has this thread's at hand. Raises OutsideTransaction."""
    if not (database or this_database()).in_atomic_block:
        raise OutsideTransaction("expected to run inside transaction.atomic(), got autocommit")


def held_streams(database: BaseDatabaseWrapper | None = None) -> list[str]:
    """Names of the streams locked by the current transaction, in the order of locking."""
    database = database or this_database()
    marks = [entry[1] for entry in database.run_on_commit if type(entry[1]) is _Held]
    if not marks:
        return []
    this = _this_transaction(database)
    return [mark.name for mark in marks if mark.transaction == this]


def note_held(name: str, database: BaseDatabaseWrapper | None = None) -> None:
    """Record a lock taken by other means: a row just created or just updated."""
    database = database or this_database()
    database.on_commit(_Held(name, _this_transaction(database)))


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
    database = this_database()
    require_transaction(database)
    held = held_streams(database)
    wanted = sorted(set(names).difference(held))
    if not wanted:
        return
    check_order(wanted, held)
    if database.features.has_select_for_update:
        run(database, _LOCK, [wanted])
    for name in wanted:
        note_held(name, database)


def create_stream(name: str) -> Stream:
    """The stream's row, made in the transaction of its project or user."""
    require_transaction()
    stream, created = Stream.objects.get_or_create(name=name)
    if created:
        # Nobody else can see the row yet, so its place in the order of locks does not matter.
        note_held(name)
    return stream
