"""What the carrying out of a run writes: its start, checkpoints, failed attempts and its end.

The worker calls these inside the effect of its job (`JobContext.effect`), so that only the holder
of the job gets through; `generation` keeps older starts of the same run out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import models, transaction
from django.utils import timezone

from chat import events
from chat.actions.relevance import use_memories
from chat.models import AiRun, ChatSession, Message, RunState
from chat.queries.runs import session_status
from realtime.log.locks import lock_streams
from realtime.log.writing import publish
from realtime.models import Job, JobState, Stream
from realtime.models.job import FINISHED
from realtime.protocol.streams import project_stream

# A worker that dies before it said anything is forgiven so many times.
MAX_STARTS = 3


@dataclass(frozen=True, slots=True)
class Started:
    """A run that its worker may carry out. `head` is the seq of `ai_processing_start`."""

    run: int
    generation: int
    project: int
    session: int
    question: int
    message: int
    asked_by: int
    head: int

    @property
    def stream(self) -> str:
        return project_stream(self.project)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended. `code` and `reason` where it failed; `sources` as `events` shows them."""

    state: RunState
    text: str
    first_piece_at: datetime | None = None
    sources: Sequence[dict[str, Any]] = ()
    model: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    failure: "Failure | None" = None


@dataclass(frozen=True, slots=True)
class Failure:
    """What members are told. `retry_after_s` where another attempt follows by itself."""

    code: str
    message: str
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    run: int
    generation: int
    text: str
    first_piece_at: datetime | None
    project: int


@dataclass(frozen=True, slots=True)
class Checkpointed:
    """Runs that are still the worker's, and those of them that somebody wants to end."""

    ours: frozenset[int] = field(default_factory=frozenset)
    cancelled: frozenset[int] = field(default_factory=frozenset)


def start_run(run_id: int, job_id: int, attempt: int) -> Started | None:
    """Begin a generation; None where there is nothing to do: it has ended, or ends here, or was
    asked for again since and is another job's now.

    A run that is found running had a worker that died: what it had begun to say is `interrupted`,
    what it had not begun is begun again.
    """
    row = _locked(run_id)
    if row is None or row.job != job_id:
        return None
    # Without its question's text a provider would be asked nothing.
    deleted = row.message.deleted_at is not None or row.question.deleted_at is not None
    if row.cancel_requested or deleted:
        end_open_run(row, RunState.CANCELLED)
        return None
    if row.state == RunState.RUNNING and (row.text or attempt > MAX_STARTS):
        end_open_run(row, RunState.INTERRUPTED)
        return None
    row.generation += 1
    row.state = RunState.RUNNING
    row.started_at = timezone.now()
    row.first_piece_at = None
    row.text = ""
    row.save()
    # In silence: `ai_processing_start` of a greater generation says that the text is gone.
    _silently(Message).filter(pk=row.message_id).update(body="")
    stream = project_stream(row.project_id)
    publish(stream, events.run_started(row))
    tell_status(row.session_id)
    return Started(
        row.pk,
        row.generation,
        row.project_id,
        row.session_id,
        row.question_id,
        row.message_id,
        row.asked_by_id,
        head=Stream.objects.values_list("head", flat=True).get(name=stream),
    )


@transaction.atomic
def keep_checkpoints(checkpoints: Sequence[Checkpoint]) -> Checkpointed:
    """The texts of all runs of a worker, in one transaction; those of older generations, or of
    runs that have ended, are refused."""
    begun = [one for one in checkpoints if one.first_piece_at is not None]
    lock_streams(*{project_stream(one.project) for one in begun})
    for one in sorted(checkpoints, key=lambda one: one.run):
        changes: dict[str, Any] = {"text": one.text}
        if one.first_piece_at is not None:
            changes["first_piece_at"] = one.first_piece_at
        # Not of one that is to end: its answer may have been deleted, and has no text then.
        _running(one.run, one.generation).filter(cancel_requested=False).update(**changes)
    sessions = AiRun.objects.filter(pk__in=[one.run for one in begun])
    for session_id in sorted(set(sessions.values_list("session_id", flat=True))):
        tell_status(session_id)
    given = {one.run: one.generation for one in checkpoints}
    rows = AiRun.objects.filter(pk__in=given, state=RunState.RUNNING)
    ours = {
        run: cancel_requested
        for run, generation, cancel_requested in rows.values_list(
            "pk", "generation", "cancel_requested"
        )
        if generation == given[run]
    }
    return Checkpointed(frozenset(ours), frozenset(run for run in ours if ours[run]))


def tell_failure(started: Started, failure: Failure) -> bool:
    """An attempt failed and another one follows; False where the run has ended meanwhile."""
    lock_streams(started.stream)
    row = _running(started.run, started.generation).first()
    if row is not None:
        publish(
            started.stream,
            events.run_failed(row, failure.code, failure.message, failure.retry_after_s),
        )
    return row is not None


def end_run(started: Started, outcome: Outcome) -> bool:
    """Store the answer and end the run; False where it has ended meanwhile."""
    lock_streams(started.stream)
    row = _running(started.run, started.generation).select_related("message").first()
    if row is None:
        return False
    row.text = outcome.text
    row.first_piece_at = outcome.first_piece_at
    row.sources = list(outcome.sources)
    row.model = outcome.model
    row.input_tokens = outcome.input_tokens
    row.output_tokens = outcome.output_tokens
    if outcome.failure is not None:
        row.error = outcome.failure.code
        failure = events.run_failed(row, outcome.failure.code, outcome.failure.message)
        publish(started.stream, failure)
    end_open_run(row, outcome.state)
    cited = [source["id"] for source in outcome.sources if source["kind"] == "memory"]
    use_memories(row.project_id, cited)
    return True


def end_open_run(row: AiRun, state: RunState) -> None:
    """End a queued or running run with the text that it has. The caller holds its stream."""
    stream = project_stream(row.project_id)
    row.state = state
    row.ended_at = timezone.now()
    message = row.message
    if message.deleted_at is not None:
        row.text, row.sources = "", []
    row.save()
    if message.deleted_at is None and row.started_at is not None:
        message.body = row.text
        # In silence: `ai_response_generated` has the message, whole.
        _silently(Message).filter(pk=message.pk).update(body=row.text)
        publish(stream, events.response_generated(row))
    publish(stream, events.run_ended(row))
    if state == RunState.COMPLETED:
        publish(stream, events.message_processed(row))
    tell_status(row.session_id)


@transaction.atomic
def end_abandoned_run(run_id: int) -> bool:
    """End a run whose job is over without it: dead, or cancelled by an operator; whether it was."""
    row = _locked(run_id)
    if row is None or Job.objects.filter(pk=row.job or 0).exclude(state__in=FINISHED).exists():
        return False
    job_state = Job.objects.filter(pk=row.job or 0).values_list("state", flat=True).first()
    cancelled = row.cancel_requested or job_state == JobState.CANCELLED
    end_open_run(row, RunState.CANCELLED if cancelled else RunState.INTERRUPTED)
    return True


def tell_status(session_id: int) -> None:
    """Publish what the AI does in the conversation, if it is news. The caller holds the stream."""
    status = session_status(session_id)
    row = ChatSession.objects.get(pk=session_id)
    if row.status != status:
        row.status = status
        row.save(update_fields=["status"])


def _locked(run_id: int) -> AiRun | None:
    """The run under the lock of its stream; None where it has ended, or gone with its project."""
    open_states = [RunState.QUEUED, RunState.RUNNING]
    project_id = AiRun.objects.filter(pk=run_id).values_list("project_id", flat=True).first()
    lock_streams(project_stream(project_id or 0))
    rows = AiRun.objects.select_related("message", "question")
    return rows.filter(pk=run_id, state__in=open_states).first()


def _running(run_id: int, generation: int) -> models.QuerySet[AiRun]:
    return AiRun.objects.filter(pk=run_id, generation=generation, state=RunState.RUNNING)


def _silently(model: type[models.Model]) -> models.QuerySet[Any]:
    """A queryset that announces nothing: the caller publishes what it writes by itself."""
    return models.QuerySet(model)
