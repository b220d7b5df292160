"""What people and other code may do to a job: end it before its time, give it another chance."""

from functools import partial

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from realtime.jobs.waking import wake_workers, wake_workers_on_commit
from realtime.models.job import FINISHED, PENDING, Job, JobState


def cancel_job(job_id: int) -> JobState | None:
    """Cancel a waiting job at once, in the caller's transaction; ask a running one to end.

    Returns the state found: `CANCELLED` when it never runs (again), `RUNNING` when it was asked,
    another one when it had ended already, None when there is no such job.
    """
    if _cancel_pending(job_id):
        return JobState.CANCELLED
    found = Job.objects.filter(pk=job_id).values_list("state", flat=True).first()
    if found is None or found in FINISHED:
        return None if found is None else JobState(found)
    # After the commit: the running job's effect holds the job's row while it waits for streams, and
    # the caller may hold a stream.
    # What fails there must not make an error of a change that is committed.
    robust = transaction.get_connection().in_atomic_block
    transaction.on_commit(partial(_ask, job_id), robust=robust)
    return JobState.RUNNING


def _cancel_pending(job_id: int) -> bool:
    pending = Job.objects.filter(pk=job_id, state__in=PENDING)
    return bool(pending.update(state=JobState.CANCELLED, finished_at=Now()))


def _ask(job_id: int) -> None:
    """The job may have come back to the queue meanwhile."""
    running = Job.objects.filter(pk=job_id, state=JobState.RUNNING)
    if running.update(cancel_requested=True):
        wake_workers([job_id])
    else:
        _cancel_pending(job_id)


def retry_job(job_id: int) -> bool:
    """Queue a dead or cancelled job again, with all its attempts; whether it was one.

    One with a `unique_key` for which another waits stays as it is.
    """
    ended = Job.objects.filter(pk=job_id, state__in=(JobState.DEAD, JobState.CANCELLED))
    try:
        with transaction.atomic():
            found = ended.update(
                state=JobState.QUEUED,
                attempt=0,
                cancel_requested=False,
                run_after=Now(),
                finished_at=None,
                error="",
                error_class="",
            )
    except IntegrityError:
        return False
    if found:
        wake_workers_on_commit()
    return bool(found)
