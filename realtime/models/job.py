"""Work that outlives a request, as rows: enqueued with its cause, claimed by workers."""

from django.db import models
from django.db.models.functions import Now


class JobState(models.TextChoices):
    """Where a job stands. `scheduled` waits for its time, `queued` for a worker; a `dead` one has
    used up its attempts and waits for a person."""

    SCHEDULED = "scheduled"
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    DEAD = "dead"
    CANCELLED = "cancelled"


PENDING = (JobState.SCHEDULED, JobState.QUEUED)
FINISHED = (JobState.DONE, JobState.DEAD, JobState.CANCELLED)


class Job(models.Model):
    """One call of a declared job.

    `token` rises with every claim: who holds an older one has lost the job, and writes nothing.
    `attempt` counts the claims that were used; all times are the database's.
    """

    name = models.CharField(max_length=200)
    arguments = models.JSONField(default=dict)
    queue = models.CharField(max_length=32, default="default")
    priority = models.SmallIntegerField(default=0)
    unique_key = models.CharField(max_length=200, null=True, blank=True)
    state = models.CharField(max_length=12, choices=JobState, default=JobState.QUEUED)
    attempt = models.PositiveSmallIntegerField(default=0)
    max_attempts = models.PositiveSmallIntegerField(default=5)
    token = models.BigIntegerField(default=0)
    worker = models.CharField(max_length=48, default="", blank=True)
    cancel_requested = models.BooleanField(default=False)
    error_class = models.CharField(max_length=200, default="", blank=True)
    error = models.TextField(default="", blank=True)
    # Whose cause it has, as `Correlation.carried` says it.
    correlation = models.CharField(max_length=120, null=True, blank=True)
    enqueued_at = models.DateTimeField(db_default=Now())
    run_after = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        # Each index holds only the rows of its state, so that what is done costs no claim anything.
        indexes = [
            models.Index(
                fields=["-priority", "run_after", "id"],
                name="job_queued",
                condition=models.Q(state=JobState.QUEUED),
            ),
            models.Index(
                fields=["run_after"],
                name="job_scheduled",
                condition=models.Q(state=JobState.SCHEDULED),
            ),
            models.Index(
                fields=["lease_until"],
                name="job_leases",
                condition=models.Q(state=JobState.RUNNING),
            ),
            models.Index(
                fields=["state", "finished_at"],
                name="job_finished",
                condition=models.Q(state__in=FINISHED),
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["unique_key"],
                name="job_pending_once",
                condition=models.Q(state__in=PENDING, unique_key__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} #{self.pk}"


class PeriodicJob(models.Model):
    """When the job of this name is due next; whoever moves `next_at` enqueues it."""

    name = models.CharField(max_length=200, primary_key=True)
    next_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
