"""What time brings to the queue: scheduled jobs whose moment has come, and those of dead workers.

Every worker looks; each row is taken by one.
"""

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from realtime.jobs.ending import Held, expire
from realtime.models.job import Job, JobState

BATCH = 500  # rows per transaction


def bring_due() -> int:
    """Queue what is due; how many rows were. A look without a lock comes first."""
    return _promote() + _take_from_the_dead()


def _scheduled() -> QuerySet[Job]:
    return Job.objects.filter(state=JobState.SCHEDULED, run_after__lte=Now())


def _abandoned() -> QuerySet[Job]:
    return Job.objects.filter(state=JobState.RUNNING, lease_until__lt=Now())


def _promote() -> int:
    if not _scheduled().exists():
        return 0
    with transaction.atomic():
        due = _scheduled().select_for_update(skip_locked=True).order_by("run_after")
        ids = list(due.values_list("pk", flat=True)[:BATCH])
        return Job.objects.filter(pk__in=ids).update(state=JobState.QUEUED)


def _take_from_the_dead() -> int:
    """A row that is locked has a living holder, in the middle of an effect."""
    if not _abandoned().exists():
        return 0
    with transaction.atomic():
        rows = _abandoned().select_for_update(skip_locked=True).order_by("lease_until")
        claims = [Held(*row) for row in rows.values_list("pk", "token")[:BATCH]]
        for held in claims:
            expire(held)
    return len(claims)
