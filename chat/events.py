"""One builder per event. The API, the snapshots and the events all show rows through these."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.utils import timezone

from chat.context.findings import Findings
from chat.models import (
    AiRun,
    ChatSession,
    Membership,
    Memory,
    Message,
    Project,
    ProjectContext,
)
from chat.queries.similar import Match
from realtime.log.entries import EVERYONE, EventDraft
from realtime.people import person
from realtime.protocol.payloads.shape import wire_time
from realtime.protocol.streams import user_stream


def project(row: Project) -> dict[str, Any]:
    return {
        "id": row.pk,
        "name": row.name,
        "description": row.description,
        "created_at": wire_time(row.created_at),
    }


def member(row: Membership) -> dict[str, Any]:
    return {"user": person(row.user), "role": row.role, "joined_at": wire_time(row.joined_at)}


def message(row: Message) -> dict[str, Any]:
    return {
        "id": row.pk,
        "project": row.project_id,
        "session": row.session_id,
        "kind": row.kind,
        "author": person(row.author) if row.author else None,
        "body": row.body if row.deleted_at is None else "",
        "client_ref": row.client_ref,
        "reply_to": row.reply_to_id,
        "created_at": wire_time(row.created_at),
        "edited_at": wire_time(row.edited_at) if row.edited_at else None,
        "deleted": row.deleted_at is not None,
    }


def memory(row: Memory, depends_on: Iterable[int] | None = None) -> dict[str, Any]:
    """`depends_on` where the caller has the ids at hand already."""
    ids = (
        depends_on if depends_on is not None else (d.depends_on_id for d in row.dependencies.all())
    )
    return {
        "id": row.pk,
        "project": row.project_id,
        "kind": row.kind,
        "title": row.title,
        "body": row.body,
        "importance": row.importance,
        "relevance": row.relevance,
        "pinned": row.pinned,
        "status": row.status,
        "source": None if row.source_message is None else {"message": row.source_message},
        "reference": row.reference,
        "depends_on": sorted(ids),
        "expires_at": wire_time(row.expires_at) if row.expires_at else None,
        "expiring": row.expiring,
        "created_at": wire_time(row.created_at),
        "updated_at": wire_time(row.updated_at),
    }


def message_saved(row: Message, *, created: bool) -> EventDraft:
    """New, updated, or (when it was marked so) deleted, which blanks its text everywhere."""
    if row.deleted_at is not None:
        return message_deleted(row)
    name = "new_message" if created else "message_updated"
    return EventDraft(name, {"message": message(row)}, subject=row.subject)


def message_deleted(row: Message) -> EventDraft:
    data = {"message": row.pk, "deleted_at": wire_time(row.deleted_at or timezone.now())}
    return EventDraft("message_deleted", data, redacts=row.subject)


def message_read(reads: dict[int, int]) -> EventDraft:
    return EventDraft("message_read", {"reads": {str(user): seq for user, seq in reads.items()}})


def session_saved(row: ChatSession) -> EventDraft:
    data = {
        "session": row.pk,
        "title": row.title,
        "closed": row.closed_at is not None,
        "status": row.status,
    }
    return EventDraft("chat_status_update", data)


def run(row: AiRun) -> dict[str, Any]:
    return {
        "id": row.pk,
        "project": row.project_id,
        "question": row.question_id,
        "message": row.message_id,
        "state": row.state,
        "generation": row.generation,
    }


def run_queued(row: AiRun) -> EventDraft:
    """A change of the answer: from now on everyone can stop the run, before it has started."""
    data = {"message": message(row.message), "queued_run": row.pk}
    return EventDraft("message_updated", data, subject=row.message.subject)


def run_started(row: AiRun) -> EventDraft:
    data = {"run": row.pk, "message": row.message_id, "generation": row.generation}
    return EventDraft("ai_processing_start", data)


def response_generated(row: AiRun) -> EventDraft:
    data = {"run": row.pk, "message": message(row.message), "sources": row.sources}
    return EventDraft("ai_response_generated", data, subject=row.message.subject)


def run_ended(row: AiRun) -> EventDraft:
    return EventDraft("ai_processing_end", {"run": row.pk, "state": row.state})


def run_failed(row: AiRun, code: str, text: str, retry_after_s: float | None = None) -> EventDraft:
    """With `retry_after_s` another attempt follows."""
    data = {
        "run": row.pk,
        "generation": row.generation,
        "code": code,
        "message": text,
        "will_retry": retry_after_s is not None,
        "retry_after_ms": None if retry_after_s is None else round(retry_after_s * 1000),
    }
    return EventDraft("ai_processing_error", data)


def message_processed(row: AiRun) -> EventDraft:
    """Of a completed run: how long its question waited for what."""

    def since_queued_ms(moment: datetime | None) -> int | None:
        if moment is None:
            return None
        return max(0, round((moment - row.queued_at).total_seconds() * 1000))

    timings = {
        "queue": since_queued_ms(row.started_at),
        "first_token": since_queued_ms(row.first_piece_at),
        "total": since_queued_ms(row.ended_at),
    }
    data = {"message": row.question_id, "run": row.pk, "timings_ms": timings}
    return EventDraft("message_processed", data)


def memory_saved(row: Memory, *, created: bool) -> EventDraft:
    """What a new one depends on can only be written, and told of, after it."""
    name = "memory_stored" if created else "memory_updated"
    data = {"memory": memory(row, () if created else None)}
    return EventDraft(name, data, subject=row.subject)


def memory_deleted(row: Memory) -> EventDraft:
    """Of one whose time had come, that it expired, whoever deleted it."""
    expired = row.expires_at is not None and row.expires_at <= timezone.now()
    return EventDraft("memory_expired" if expired else "memory_deleted", {"memory": row.pk})


def memory_relevance_changed(row: Memory) -> EventDraft:
    data = {"memory": row.pk, "importance": row.importance, "relevance": row.relevance}
    return EventDraft("memory_relevance_changed", data)


def dependency_updated(
    memory_id: int, depends_on: Iterable[int], because: int | None = None
) -> EventDraft:
    data = {"memory": memory_id, "depends_on": sorted(depends_on), "because": because}
    return EventDraft("dependency_updated", data)


def _match(one: Match) -> dict[str, Any]:
    return {
        "memory": one.memory.pk,
        "title": one.memory.title,
        "score": one.score,
        "why": one.why,
    }


def similar_issues(found: Findings) -> EventDraft:
    data = {"message": found.message, "issues": [_match(one) for one in found.issues]}
    return EventDraft("similar_issues_found", data)


def context_summary(row: ProjectContext) -> EventDraft:
    data = {"project": row.project_id, "summary": row.summary}
    return EventDraft("context_summary_updated", data)


def context_analysed(found: Findings) -> EventDraft:
    """Nothing of the message's own text: the log would keep it when the message is taken back."""
    data = {
        "message": found.message,
        "mode": found.mode.value if found.mode else None,
        "memories": [_match(one) for one in found.memories],
        "dependencies": found.dependencies,
        "timings_ms": found.timings_ms,
        "errors": [{"step": one.step.value, "code": one.trouble.value} for one in found.errors],
    }
    return EventDraft("context_analysis_complete", data)


def project_saved(row: Project, *, created: bool) -> EventDraft:
    name = "project_created" if created else "project_updated"
    return EventDraft(name, {"project": project(row)})


def project_deleted(row: Project, *, ends: bool = False) -> EventDraft:
    """`ends` in the project's own stream, where it ends every reader's subscription."""
    data = {"project": row.pk}
    return EventDraft("project_deleted", data, ends=EVERYONE if ends else None)


def project_joined(row: Membership) -> EventDraft:
    return EventDraft("project_joined", {"project": row.project_id, "member": member(row)})


def project_left(row: Membership, *, ends: bool = False) -> EventDraft:
    """`ends` in the project's own stream, where it ends the leaver's right to read."""
    data = {"project": row.project_id, "user": person(row.user)}
    return EventDraft("project_left", data, ends=user_stream(row.user_id) if ends else None)
