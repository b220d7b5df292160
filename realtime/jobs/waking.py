"""Hints to workers: at once to the one of this process, over the channel layer to all others.

A hint may be lost; workers look by themselves every second or so.
"""

from collections.abc import Callable, Sequence

from django.db import connection, transaction

from realtime import publisher

# Called from any thread with the ids of jobs to be cancelled; must not wait.
LocalWorker = Callable[[Sequence[int]], None]

_local: LocalWorker | None = None


def attach_local_worker(wake: LocalWorker) -> None:
    global _local
    _local = wake


def detach_local_worker() -> None:
    global _local
    _local = None


def wake_workers(cancelled: Sequence[int] = ()) -> None:
    """Never waits, never raises for Redis."""
    if (local := _local) is not None:
        local(cancelled)
    publisher.announce_jobs(cancelled)


def wake_workers_on_commit() -> None:
    """Once per transaction, unless other hooks come between: a thousand jobs need one hint."""
    hooks = connection.run_on_commit
    savepoints = set(connection.savepoint_ids)
    if hooks and hooks[-1][1] is wake_workers and hooks[-1][0] == savepoints:
        return
    transaction.on_commit(wake_workers, robust=True)
