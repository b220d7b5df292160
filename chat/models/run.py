"""Runs of the AI: each answers one message by another, which grows."""

from django.conf import settings
from django.db import models

from chat.models.message import ChatSession, Message
from chat.models.project import Project


class RunState(models.TextChoices):
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


OPEN = (RunState.QUEUED, RunState.RUNNING)


class AiRun(models.Model):
    """`message` is the answer, of kind `ai` and without an author; `question` what it answers.

    Written under the lock of the project's stream, but for the checkpoints: `text` is what was
    said so far, behind at most by half a second while the run is running. Each start raises
    `generation`, and what an older one still says is refused. `job` carries the run out.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="runs")
    session = models.ForeignKey(ChatSession, on_delete=models.CASCADE, related_name="runs")
    question = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="asked_runs")
    message = models.OneToOneField(Message, on_delete=models.CASCADE, related_name="run")
    # On whose behalf: tools may do what this person may.
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="runs"
    )
    state = models.CharField(max_length=12, choices=RunState, default=RunState.QUEUED)
    generation = models.PositiveIntegerField(default=0)
    text = models.TextField(blank=True, default="")
    sources = models.JSONField(blank=True, default=list)
    job = models.BigIntegerField(null=True, blank=True)
    cancel_requested = models.BooleanField(default=False)
    model = models.CharField(max_length=250, blank=True, default="")
    error = models.CharField(max_length=20, blank=True, default="")
    input_tokens = models.PositiveIntegerField(null=True, blank=True)
    output_tokens = models.PositiveIntegerField(null=True, blank=True)
    queued_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    first_piece_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "AI run"
        # The open ones of a project and of a session are few, and asked for by every snapshot.
        indexes = [
            models.Index(
                fields=["project", "session"],
                name="run_open",
                condition=models.Q(state__in=[state.value for state in OPEN]),
            )
        ]

    def __str__(self) -> str:
        return f"run {self.pk} ({self.state})"
