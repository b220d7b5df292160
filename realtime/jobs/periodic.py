"""Jobs by the clock: one row per name says when it is due; whoever moves it enqueues the job."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from django.db import transaction
from django.db.models.functions import Least, Now

from realtime.jobs.context import JobContext
from realtime.jobs.declaring import JobTask, job
from realtime.models.job import PeriodicJob

_periods: dict[str, tuple[float, JobTask[[], Awaitable[None]]]] = {}


def periodic(
    *, every_s: float, name: str, max_attempts: int = 3, timeout_s: float = 600.0
) -> Callable[[Callable[[JobContext], Awaitable[None]]], JobTask[[], Awaitable[None]]]:
    """Declare an async function of a module as a job that is enqueued every `every_s` seconds, by
    one of all workers, and never beside another one of its name that still waits."""

    def declare(
        function: Callable[[JobContext], Awaitable[None]],
    ) -> JobTask[[], Awaitable[None]]:
        declared = job(name=name, max_attempts=max_attempts, timeout_s=timeout_s)(function)
        task = declared.using(unique_key=f"periodic.{name}")
        _periods[name] = (every_s, task)
        return task

    return declare


def ensure_periodic_rows() -> None:
    """A worker starts: new names are due now, and a shortened period counts at once."""
    new = [PeriodicJob(name=name, next_at=Now()) for name in _periods]
    PeriodicJob.objects.bulk_create(new, ignore_conflicts=True)
    for name, (every_s, _) in _periods.items():
        latest = Now() + timedelta(seconds=every_s)
        PeriodicJob.objects.filter(name=name, next_at__gt=latest).update(
            next_at=Least("next_at", latest)
        )


def enqueue_periodic() -> int:
    """Enqueue what is due; how many were. The move and the job are one transaction."""
    due = PeriodicJob.objects.filter(next_at__lte=Now(), name__in=_periods)
    return sum(_enqueue(name) for name in list(due.values_list("name", flat=True)))


@transaction.atomic
def _enqueue(name: str) -> bool:
    every_s, task = _periods[name]
    due = PeriodicJob.objects.filter(name=name, next_at__lte=Now())
    if not due.update(next_at=Now() + timedelta(seconds=every_s)):
        return False  # another worker was quicker
    task.enqueue()
    return True
