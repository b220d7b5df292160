"""Jobs that the tests enqueue. What they do is seen in the rows of incident reports: a table of the
core's own that nothing else uses here."""

import asyncio
import os
import signal

from django.utils import timezone

from realtime.jobs import GiveUp, JobContext, RetryLater, job, periodic
from realtime.models import IncidentReport

# What jobs of this process did, for tests that run the worker in their own process.
seen: list[str] = []


def note(what: str) -> None:
    """One more row: twice the same is a violation of its constraint's very purpose."""
    number = IncidentReport.objects.filter(part=what).count()
    IncidentReport.objects.create(part=what, node=str(number), code="job", seen_at=timezone.now())


@job()
async def nothing(context: JobContext) -> None:
    pass


@job()
async def say(context: JobContext, *, what: str) -> None:
    seen.append(what)


@job(max_attempts=20)
async def write_once(context: JobContext, *, what: str, pause_s: float = 0.0) -> None:
    """An effect that completes the job."""
    await asyncio.sleep(pause_s)
    await context.complete(note, what)


@job(max_attempts=2)
async def fail(context: JobContext, *, what: str) -> None:
    seen.append(f"{what}.{context.attempt}")
    raise ValueError(f"no good: {what}")


@job()
async def give_up(context: JobContext) -> None:
    raise GiveUp("never")


@job()
async def later(context: JobContext, *, after_s: float) -> None:
    if context.attempt == 1:
        raise RetryLater("busy", after_s=after_s)


@job(max_attempts=2)
async def poison(context: JobContext) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@job()
async def wait(context: JobContext, *, what: str = "wait") -> None:
    """Ends when it is asked to."""
    seen.append(what)
    await context.cancel_requested.wait()
    seen.append(f"{what} ended")


@job()
async def deaf(context: JobContext, *, what: str = "deaf") -> None:
    """Does not look whether anybody wants it to end."""
    seen.append(what)
    try:
        await asyncio.sleep(600)
    except asyncio.CancelledError:
        seen.append(f"{what} cancelled")
        raise


@job(timeout_s=0.05, max_attempts=1)
async def slow(context: JobContext) -> None:
    await asyncio.sleep(600)


@job()
async def compute(context: JobContext, *, base: int) -> None:
    seen.append(str(await context.in_process(pow, base, 2)))


@periodic(every_s=1.0, name="tests.tick")
async def tick(context: JobContext) -> None:
    pass
