"""Runs of the AI as they stand."""

from typing import Any

from django.db.models import Exists, OuterRef
from django.db.models.functions import Now

from chat.models import OPEN, AiRun, RunState, SessionStatus, User
from chat.queries.access import membership_of
from realtime.models import Job
from realtime.models.job import FINISHED, JobState
from realtime.protocol.errors import NotFound
from realtime.protocol.streams import StreamName

TOLD_RUNS = 50  # of one project, the newest
ABANDONED_AT_ONCE = 500


def readable_run(user: User, run_id: int) -> AiRun:
    """A run of a project that the user is a member of. Raises NotFound, with one text for runs of
    others and for those that do not exist."""
    row = AiRun.objects.filter(pk=run_id).first()
    unseen = f"run: expected a run that you may see, got {run_id}"
    if row is None:
        raise NotFound(unseen)
    try:
        membership_of(user, row.project_id)
    except NotFound as error:
        raise NotFound(unseen) from error
    return row


def as_it_stands(row: AiRun) -> dict[str, Any]:
    """For the command `run`."""
    return {
        "message": row.message_id,
        "generation": row.generation,
        "state": row.state,
        "offset": len(row.text),
        "text": row.text,
    }


def open_runs(user: Any, stream: StreamName) -> list[dict[str, Any]]:
    """`runs` of a subscribe reply: those under way. Runs inside the head's snapshot."""
    rows = AiRun.objects.filter(project_id=stream.key or 0, state=RunState.RUNNING)
    return [
        {
            "run": row.pk,
            "message": row.message_id,
            "generation": row.generation,
            "offset": len(row.text),
            "text": row.text,
        }
        for row in reversed(rows.order_by("-pk")[:TOLD_RUNS])
    ]


def session_status(session_id: int) -> SessionStatus:
    """What the runs of a conversation make of it."""
    rows = AiRun.objects.filter(session_id=session_id, state__in=OPEN)
    found = {
        SessionStatus.QUEUED
        if state == RunState.QUEUED
        else SessionStatus.THINKING
        if first_piece_at is None
        else SessionStatus.WRITING
        for state, first_piece_at in rows.values_list("state", "first_piece_at")
    }
    liveliest = (SessionStatus.WRITING, SessionStatus.THINKING, SessionStatus.QUEUED)
    return next((status for status in liveliest if status in found), SessionStatus.IDLE)


def is_carried_out(row: AiRun) -> bool:
    """Whether a worker that is alive holds the run, or will be given it again."""
    job = Job.objects.filter(pk=row.job or 0).exclude(state__in=FINISHED)
    alive = job.exclude(state=JobState.RUNNING, lease_until__lt=Now())
    return alive.exists()


def abandoned_runs() -> list[int]:
    """Open ones whose job has ended or is gone, the oldest first."""
    alive = Job.objects.filter(pk=OuterRef("job")).exclude(state__in=FINISHED)
    rows = AiRun.objects.filter(~Exists(alive), state__in=OPEN).order_by("pk")
    return list(rows.values_list("pk", flat=True)[:ABANDONED_AT_ONCE])
