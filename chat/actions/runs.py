"""Asking the AI, stopping it, and asking it again."""

import re
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from chat import events
from chat.actions.answering import end_open_run, tell_status
from chat.models import OPEN, AiRun, Message, MessageKind, RunState, User
from chat.queries.access import writing_membership
from chat.queries.runs import is_carried_out, readable_run
from realtime.jobs import cancel_job
from realtime.log.locks import lock_streams
from realtime.log.writing import publish
from realtime.protocol.errors import BadRequest, Conflict, LimitReached
from realtime.protocol.streams import project_stream
from realtime.retrying import retried

MAX_OPEN_RUNS = 100  # of one project
_CALLED = re.compile(r"\s*@ai\b[\s,:]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Calling:
    """Whether a text is for the AI, and what it asks then."""

    asks: bool
    question: str


def calling(body: str, *, ask_ai: bool) -> Calling:
    found = _CALLED.match(body)
    if found is None:
        return Calling(ask_ai, body.strip())
    return Calling(asks=True, question=body[found.end() :].strip())


def require_question(body: str, *, ask_ai: bool) -> bool:
    """Whether the text asks the AI. Raises BadRequest where it is called and asked nothing."""
    called = calling(body, ask_ai=ask_ai)
    if called.asks and not called.question:
        raise BadRequest("body: expected a question after @ai, got none")
    return called.asks


def queue_run(question: Message, asked_by: User) -> AiRun:
    """Queue the answer in the transaction of its question. The caller holds the project's stream.

    The answer has its place from now on: a message without a text yet. Raises LimitReached.
    """
    if AiRun.objects.filter(project=question.project_id, state__in=OPEN).count() >= MAX_OPEN_RUNS:
        raise LimitReached(f"expected at most {MAX_OPEN_RUNS} runs under way in a project")
    answer = Message(
        project_id=question.project_id,
        session_id=question.session_id,
        kind=MessageKind.AI,
        body="",
        reply_to=question,
    )
    answer.save()
    row = AiRun(
        project_id=question.project_id,
        session_id=question.session_id,
        question=question,
        message=answer,
        asked_by=asked_by,
        queued_at=timezone.now(),
    )
    row.save()
    _enqueue(row)
    return row


def _enqueue(row: AiRun) -> None:
    from chat.jobs import answer  # it imports what carries runs out, which imports actions

    row.job = int(answer.enqueue(run=row.pk).id)
    row.save()
    publish(project_stream(row.project_id), events.run_queued(row))
    tell_status(row.session_id)


@retried
@transaction.atomic
def cancel_run(actor: User, run_id: int) -> RunState:
    """Stop a run, from any tab of any member; the state that it was found in.

    A running one ends when its worker has heard of it; one that no worker holds ends here.
    Raises NotFound.
    """
    row = _locked(actor, run_id)
    found = RunState(row.state)
    if found not in OPEN:
        return found
    # A job that waits is cancelled at once; a running one is asked after the commit.
    if row.job is not None:
        cancel_job(row.job)
    if found == RunState.QUEUED or not is_carried_out(row):
        end_open_run(row, RunState.CANCELLED)
    else:
        row.cancel_requested = True
        row.save(update_fields=["cancel_requested"])
    return found


@retried
@transaction.atomic
def run_again(actor: User, run_id: int) -> AiRun:
    """Queue an ended run once more: the same run and message, another generation.

    Raises NotFound, Forbidden, Conflict, LimitReached.
    """
    row = _locked(actor, run_id)
    writing_membership(actor, row.project_id)
    if row.state in OPEN:
        raise Conflict(f"run: expected one that has ended, got one that is {row.state}")
    if row.message.deleted_at is not None or row.question.deleted_at is not None:
        raise Conflict("run: expected question and answer to be there, got a deleted one")
    if AiRun.objects.filter(project=row.project_id, state__in=OPEN).count() >= MAX_OPEN_RUNS:
        raise LimitReached(f"expected at most {MAX_OPEN_RUNS} runs under way in a project")
    row.state = RunState.QUEUED
    row.asked_by = actor
    row.cancel_requested = False
    row.error = ""
    row.queued_at = timezone.now()
    row.started_at = row.first_piece_at = row.ended_at = None
    _enqueue(row)
    return row


def withdraw_run(answer: Message) -> None:
    """The answer is being deleted: its run says no more. The caller holds the project's stream."""
    row = AiRun.objects.filter(message=answer).first()
    if row is None:
        return
    AiRun.objects.filter(pk=row.pk).update(text="", sources=[], cancel_requested=True)
    if row.state == RunState.RUNNING and row.job is not None:
        cancel_job(row.job)


def _locked(actor: User, run_id: int) -> AiRun:
    """The run as it is under the lock of its stream. Raises NotFound."""
    lock_streams(project_stream(readable_run(actor, run_id).project_id))
    return readable_run(actor, run_id)
