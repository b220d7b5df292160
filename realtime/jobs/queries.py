"""What the queue looks like from outside."""

from dataclasses import dataclass

from django.db.models import Count
from django.db.models.functions import Now

from realtime.models.job import Job, JobState


@dataclass(frozen=True, slots=True)
class QueueState:
    """`counts` has every state. `oldest_queued_s` is how long the one that waits longest has been
    ready to run; None when none waits."""

    counts: dict[JobState, int]
    oldest_queued_s: float | None


def queue_state() -> QueueState:
    """Two reads, by the database's clock; finished jobs count as long as they are kept."""
    rows = Job.objects.order_by().values_list("state").annotate(Count("pk"))
    counts = dict.fromkeys(JobState, 0) | {JobState(state): number for state, number in rows}
    queued = Job.objects.filter(state=JobState.QUEUED).order_by("run_after").annotate(now=Now())
    oldest = queued.values_list("run_after", "now").first()
    waited_s = None if oldest is None else max(0.0, (oldest[1] - oldest[0]).total_seconds())
    return QueueState(counts, waited_s)
