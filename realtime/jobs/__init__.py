"""Jobs: long or retried work, declared by apps in their `jobs` modules and run by workers.

    @job(max_attempts=3)
    async def summarise(context: JobContext, project: int) -> None: ...

    summarise.enqueue(project=42)  # in the transaction of its cause

Owns the queue's rows, the workers, and what a job may do to the database. `docs/jobs.md` says what
is promised.
"""

from realtime.jobs.context import GiveUp, JobContext, LeaseLost, RetryLater
from realtime.jobs.declaring import JobTask, job
from realtime.jobs.once import enqueue_once
from realtime.jobs.operations import cancel_job, retry_job
from realtime.jobs.periodic import periodic

__all__ = [
    "GiveUp",
    "JobContext",
    "JobTask",
    "LeaseLost",
    "RetryLater",
    "cancel_job",
    "enqueue_once",
    "job",
    "periodic",
    "retry_job",
]
