"""Enqueueing where one waiting job is enough, for causes that come with every message.

The Tasks API gives back what it enqueued, for which Django compiles and reads a row: more than the
rest of a message costs. This writes one prepared statement, and nothing comes back.
"""

from typing import Any

from django.db.models import JSONField

from realtime.backends.cursors import run, this_database
from realtime.jobs.backend import DatabaseBackend
from realtime.jobs.declaring import JobTask
from realtime.jobs.waking import wake_workers_on_commit
from realtime.models.job import JobState
from realtime.tracing.correlation import carried

# Times are the database's, by the columns' own defaults. In both databases a conflict with the
# key of a waiting job is no error, which would spoil the caller's transaction.
_INSERT = """
    INSERT INTO realtime_job
        (name, arguments, queue, priority, unique_key, state, max_attempts,
         attempt, token, worker, cancel_requested, error_class, error, correlation)
    VALUES (%s, %s, %s, %s, %s, %s, %s, 0, 0, '', %s, '', '', %s)
    ON CONFLICT DO NOTHING
"""
_json = JSONField()


def enqueue_once(task: JobTask[Any, Any], key: str, **arguments: Any) -> None:
    """Enqueue the job in the caller's transaction, unless one with the same key waits.

    One that was claimed after the caller looked is the caller's business, as with
    `using(unique_key=...)`: let the job look under a lock that the caller holds to its commit.
    """
    if not isinstance(task.get_backend(), DatabaseBackend):
        task.using(unique_key=key).enqueue(**arguments)
        return
    database = this_database()
    given = [
        task.job_name,
        _json.get_db_prep_value(arguments, database),
        task.queue_name,
        task.priority,
        key,
        JobState.QUEUED.value,
        task.max_attempts,
        False,
        carried(),
    ]
    if run(database, _INSERT, given).written > 0:
        wake_workers_on_commit()
