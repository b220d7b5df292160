"""The default backend of the Django Tasks API: a job is a row, written with its cause."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django_tasks.backends.base import BaseTaskBackend
from django_tasks.base import Task, TaskError, TaskResult, TaskResultStatus
from django_tasks.exceptions import InvalidTaskError, TaskResultDoesNotExist
from django_tasks.signals import task_enqueued

from realtime.database import in_database
from realtime.jobs.declaring import JobTask, declared_job
from realtime.jobs.waking import wake_workers_on_commit
from realtime.models.job import PENDING, Job, JobState
from realtime.tracing.correlation import carried

_STATUS = {
    JobState.SCHEDULED: TaskResultStatus.READY,
    JobState.QUEUED: TaskResultStatus.READY,
    JobState.RUNNING: TaskResultStatus.RUNNING,
    JobState.DONE: TaskResultStatus.SUCCESSFUL,
    JobState.DEAD: TaskResultStatus.FAILED,
    JobState.CANCELLED: TaskResultStatus.FAILED,
}


class DatabaseBackend(BaseTaskBackend):
    """Takes jobs declared with `realtime.jobs.job`, with keyword arguments that are JSON."""

    task_class = JobTask
    supports_defer = True
    supports_async_task = True
    supports_get_result = True
    supports_priority = True

    def enqueue(self, task: Task[Any, Any], args: Any, kwargs: Any) -> TaskResult[Any]:
        """Insert the job in the caller's transaction; workers hear of it after the commit.

        With a `unique_key` for which a job waits already, that one is returned.
        Raises InvalidTaskError.
        """
        self.validate_task(task)
        if not isinstance(task, JobTask):
            raise InvalidTaskError(f"expected a job (realtime.jobs.job), got {task.module_path}")
        if args:
            raise InvalidTaskError(f"{task.job_name}: expected keyword arguments, got {args!r}")
        with transaction.atomic():
            row = _insert(task, kwargs)
            wake_workers_on_commit()
        result = _result(row, task)
        task_enqueued.send(type(self), task_result=result)
        return result

    async def aenqueue(self, task: Task[Any, Any], args: Any, kwargs: Any) -> TaskResult[Any]:
        """As `enqueue`, in a transaction of its own. Raises Unavailable."""
        return await in_database(self.enqueue, task, args, kwargs)

    def get_result(self, result_id: str) -> TaskResult[Any]:
        """Raises TaskResultDoesNotExist, also for a job whose declaration is gone."""
        row = Job.objects.filter(pk=result_id).first() if result_id.isdecimal() else None
        task = declared_job(row.name) if row is not None else None
        if row is None or task is None:
            raise TaskResultDoesNotExist(result_id)
        return _result(row, task)

    async def aget_result(self, result_id: str) -> TaskResult[Any]:
        return await in_database(self.get_result, result_id)


def _insert(task: JobTask[Any, Any], kwargs: dict[str, Any]) -> Job:
    row = Job(
        name=task.job_name,
        arguments=kwargs,
        queue=task.queue_name,
        priority=task.priority,
        max_attempts=task.max_attempts,
        unique_key=task.unique_key,
        correlation=carried(),
        state=JobState.QUEUED if task.run_after is None else JobState.SCHEDULED,
        **_times(task.run_after),
    )
    if task.unique_key is None:
        row.save(force_insert=True)
        return row
    while True:
        # Without an error, which would spoil the caller's transaction.
        Job.objects.bulk_create([row], ignore_conflicts=True)
        # Locked, so that no worker begins it before the caller's commit: it would not see what it
        # is to look at, and nobody would enqueue another one.
        same = Job.objects.select_for_update().filter(unique_key=task.unique_key)
        waiting = same.filter(state__in=PENDING).first()
        if waiting is not None:
            return waiting
        # It was claimed between the two statements, and its key is free again.


def _times(run_after: datetime | None) -> dict[str, Any]:
    return {} if run_after is None else {"run_after": run_after}


def _result(row: Job, task: JobTask[Any, Any]) -> TaskResult[Any]:
    errors = [TaskError(exception_class_path=row.error_class, traceback=row.error)]
    return TaskResult(
        task=task,
        id=str(row.pk),
        status=_STATUS[JobState(row.state)],
        enqueued_at=row.enqueued_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        last_attempted_at=row.started_at,
        args=[],
        kwargs=row.arguments,
        backend=task.backend,
        errors=errors if row.error else [],
        worker_ids=[row.worker] * row.attempt,
    )
