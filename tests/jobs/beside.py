"""A worker in the test's own process, and the jobs as the database has them."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.utils import timezone

from realtime.database import in_database
from realtime.jobs import JobContext
from realtime.jobs.claiming import claim
from realtime.jobs.worker import Worker
from realtime.models import Job, JobState

Step = Callable[[Worker], Awaitable[None]]
TIMEOUT_S = 8.0


def state_of(job_id: str | int) -> str:
    return str(Job.objects.get(pk=job_id).state)


async def until(condition: Callable[[], object], what: str) -> None:
    """Look at the database until it holds."""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            while not await in_database(condition):
                await asyncio.sleep(0.01)
    except TimeoutError:
        rows = await in_database(lambda: list(Job.objects.values("name", "state", "error")))
        raise AssertionError(f"expected {what}, got {rows}") from None


def working(step: Step, *, concurrency: int = 10, drain_s: float = 5.0) -> None:
    """Run `step` beside a worker, then stop the worker."""

    async def run() -> None:
        worker = Worker(concurrency=concurrency, drain_s=drain_s)
        task = asyncio.create_task(worker.run())
        try:
            await step(worker)
        finally:
            worker.stop()
            await task

    async_to_sync(run)()


def worked(concurrency: int = 10) -> None:
    """Let a worker end everything that is not scheduled for later."""

    def idle() -> bool:
        open_states = [JobState.QUEUED, JobState.RUNNING]
        return not Job.objects.filter(state__in=open_states).exists()

    working(lambda _: until(idle, "all jobs to end"), concurrency=concurrency)


def claimed() -> JobContext:
    """The oldest job, claimed by nobody in particular."""
    row = claim("somebody", 1)[0]
    return JobContext(row.pk, row.attempt, row.token, row.enqueued_at, lambda: pytest.fail("no"))


def expire_leases() -> None:
    past = timezone.now() - timedelta(minutes=10)
    Job.objects.filter(state=JobState.RUNNING).update(lease_until=past)


def options_with(settings: Any, **changes: Any) -> Any:
    """The environment with other values, for one test."""
    return settings.PM.model_copy(update=changes)
