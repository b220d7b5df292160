"""The core's own periodic jobs."""

import asyncio
from datetime import timedelta

from django.db.models import QuerySet
from django.db.models.functions import Now

from realtime.database import in_database
from realtime.jobs.context import JobContext
from realtime.jobs.periodic import periodic
from realtime.models.job import Job, JobState
from realtime.trimmer import EVERY_S, RETENTION, trim

KEPT = timedelta(days=7)
KEPT_ROWS = 10_000  # of each finished state; dead ones are kept however old
BATCH = 1_000  # rows per transaction, so that no writer waits long
PAUSE_S = 0.01


@periodic(every_s=300.0, name="clean_up_jobs")
async def clean_up_jobs(context: JobContext) -> None:
    """Forget jobs that are done or cancelled for a week, and the oldest beyond 10,000 of a state.

    Dead ones wait for a person: only their number is bounded.
    """
    for state in (JobState.DONE, JobState.CANCELLED, JobState.DEAD):
        gone = BATCH
        while gone == BATCH and not context.cancel_requested.is_set():
            gone = await in_database(forget_finished, state)
            await asyncio.sleep(PAUSE_S)


@periodic(every_s=EVERY_S, name=RETENTION)
async def keep_retention(context: JobContext) -> None:
    """Trim the log; servers then leave it alone."""
    await trim()


def forget_finished(state: JobState) -> int:
    """A batch of those beyond what is kept; how many went."""
    finished = Job.objects.filter(state=state)
    keys = [] if state is JobState.DEAD else _oldest(finished.filter(finished_at__lt=Now() - KEPT))
    if len(keys) < BATCH:
        keys = list({*keys, *_oldest(_beyond(finished))})
    # By state again: a dead one may have been given another chance meanwhile.
    return finished.filter(pk__in=keys).delete()[0]


def _oldest(rows: QuerySet[Job]) -> list[int]:
    return list(rows.order_by("finished_at").values_list("pk", flat=True)[:BATCH])


def _beyond(finished: QuerySet[Job]) -> QuerySet[Job]:
    """Those older than the newest 10,000."""
    newest = finished.order_by("-finished_at").values_list("finished_at", flat=True)
    limit = newest[KEPT_ROWS : KEPT_ROWS + 1].first()
    return finished.none() if limit is None else finished.filter(finished_at__lte=limit)
