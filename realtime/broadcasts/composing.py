"""A broadcast is asked for: checked, stored and queued in one transaction."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from realtime import registry
from realtime.audit.recording import record
from realtime.broadcasts import events
from realtime.broadcasts.drafts import BroadcastDraft
from realtime.broadcasts.permissions import require_right
from realtime.broadcasts.refusals import note_refusal
from realtime.broadcasts.rendering import rendered
from realtime.conf import options
from realtime.log.client_refs import Write, earlier_write, remember_write
from realtime.log.locks import lock_streams
from realtime.models import Broadcast, Stream
from realtime.models.broadcast import (
    BroadcastKind,
    BroadcastPriority,
    BroadcastScope,
    BroadcastStatus,
)
from realtime.protocol.catalogue import CATALOGUE
from realtime.protocol.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    NotFound,
    RateLimited,
)
from realtime.protocol.frames import MAX_FRAME_BYTES
from realtime.protocol.streams import StreamKind, StreamName, user_stream
from realtime.retrying import retried

MINUTE = timedelta(minutes=1)
FRAME_BYTES = 1_024  # of an event's frame around its data
# Of jobs. An answer of the AI, for which somebody waits, has 50.
PRIORITIES = {
    BroadcastPriority.LOW: -50,
    BroadcastPriority.NORMAL: 0,
    BroadcastPriority.HIGH: 25,
    BroadcastPriority.URGENT: 100,
}


@dataclass(frozen=True, slots=True)
class Composed:
    """The broadcast, and whether this call made it (or an earlier one with the same reference)."""

    row: Broadcast
    created: bool


def create_broadcast(actor: Any, stream: str, draft: BroadcastDraft) -> Composed:
    """Queue what is to be said in `stream`, or keep it until its time.

    Raises NotFound, Forbidden, BadRequest (a moment is over, or the text is too large once
    rendered), RateLimited, Conflict (the same within a minute, whose id is in the details; a system
    broadcast that is not confirmed, with the number of people; the same `client_ref` for something
    else), Unavailable.
    """
    name = StreamName.parse(stream)
    try:
        require_right(actor, name, draft.kind)
    except (Forbidden, NotFound) as error:
        note_refusal(actor, stream, error, kind=draft.kind)
        raise
    recipients = recipients_of(name)
    if name.kind is StreamKind.SYSTEM and not draft.confirm:
        raise Conflict(
            f"confirm: expected true, because this goes to {recipients} people; got none",
            details={"recipients": recipients},
        )
    return _create(actor, name, draft, rendered(draft.body), recipients)


def recipients_of(name: StreamName) -> int:
    """How many people would be addressed now. Raises NotFound where nobody could be."""
    if not Stream.objects.filter(name=str(name)).exists():
        raise NotFound(f"{name.kind.value}: expected an existing one, got {name.key}")
    number: int = registry.people_of(name).count()
    if not number:
        raise NotFound(f"{name.kind.value}: expected one with people to reach, got {name.key}")
    return number


@retried
@transaction.atomic
def _create(
    actor: Any, name: StreamName, draft: BroadcastDraft, html: str, recipients: int
) -> Composed:
    stream = str(name)
    # Under both locks nobody else counts what this author, or this stream, had within the minute.
    lock_streams(stream, user_stream(actor.pk))
    write = _write(actor, stream, draft)
    earlier = earlier_write(write)
    if earlier is not None:
        return Composed(_made_by(earlier.target), created=False)
    draft.require_to_come()
    _require_room(actor, name)
    _require_new(stream, draft)
    row = Broadcast(
        stream=Stream.objects.get(name=stream),
        scope=BroadcastScope(name.kind.value),
        kind=draft.kind,
        title=draft.title,
        body=draft.body,
        html=html,
        level=draft.level,
        priority=draft.priority,
        must_acknowledge=draft.must_acknowledge,
        maintenance_on=draft.on,
        starts_at=draft.starts_at,
        ends_at=draft.ends_at,
        author=actor,
        digest=draft.digest,
        status=BroadcastStatus.QUEUED if draft.publish_at is None else BroadcastStatus.SCHEDULED,
        addressed=recipients,
        publish_at=draft.publish_at,
        expires_at=draft.expires_at or _end_of_maintenance(draft),
        created_at=timezone.now(),
    )
    row.save()
    _require_fitting(row)
    _enqueue(row)
    remember_write(write, row.pk, None)
    details = {"broadcast": row.pk, "kind": row.kind, "title": row.title, "recipients": recipients}
    record("broadcast_created", actor=actor.pk, target=stream, result="done", details=details)
    return Composed(row, created=True)


def _end_of_maintenance(draft: BroadcastDraft) -> datetime | None:
    return draft.ends_at if BroadcastKind(draft.kind) is BroadcastKind.MAINTENANCE else None


def _write(actor: Any, stream: str, draft: BroadcastDraft) -> Write | None:
    if draft.client_ref is None:
        return None
    return Write(actor.pk, draft.client_ref, ("broadcast", stream, draft.content))


def _made_by(broadcast_id: int) -> Broadcast:
    """Raises NotFound."""
    row = Broadcast.objects.select_related("author", "stream").filter(pk=broadcast_id).first()
    if row is None:
        raise NotFound("client_ref: expected the broadcast that it made, got one that is gone")
    return row


def _require_room(actor: Any, name: StreamName) -> None:
    """Raises RateLimited: so many of an author, in a scope, within a minute."""
    given = options()
    limit = {
        StreamKind.SYSTEM: given.broadcast_limit_system,
        StreamKind.PROJECT: given.broadcast_limit_project,
        StreamKind.USER: given.broadcast_limit_user,
    }[name.kind]
    now = timezone.now()
    made = Broadcast.objects.filter(
        author=actor, scope=name.kind.value, created_at__gt=now - MINUTE
    ).order_by("-created_at")
    # When the one that must be a minute old is: the last of the newest `limit`.
    oldest = made.values_list("created_at", flat=True)[limit - 1 : limit].first()
    if oldest is not None:
        wait = oldest + MINUTE - now
        raise RateLimited(
            f"expected at most {limit} broadcasts of this scope a minute, got more",
            retry_after_ms=max(1, int(wait.total_seconds() * 1000)),
        )


def _require_new(stream: str, draft: BroadcastDraft) -> None:
    """Raises Conflict with the id of the same one, within a minute and not withdrawn."""
    same = Broadcast.objects.filter(
        stream__name=stream, digest=draft.digest, created_at__gt=timezone.now() - MINUTE
    ).exclude(status=BroadcastStatus.CANCELLED)
    earlier = same.aggregate(found=Max("pk"))["found"]
    if earlier is not None:
        raise Conflict(
            f"expected another text within a minute, got that of broadcast {earlier}",
            details={"broadcast": earlier},
        )


def _require_fitting(row: Broadcast) -> None:
    """Here, where somebody hears of it, rather than in the job. Raises BadRequest."""
    size = len(CATALOGUE[row.kind].encoded(events.data(row))) + FRAME_BYTES
    if size > MAX_FRAME_BYTES:
        raise BadRequest(
            f"body: expected at most {MAX_FRAME_BYTES} bytes with what it is rendered to, "
            f"got {size}"
        )


def _enqueue(row: Broadcast) -> None:
    from realtime.broadcasts.jobs import publish_broadcast  # it imports what publishes

    task = publish_broadcast.using(
        priority=PRIORITIES[BroadcastPriority(row.priority)], run_after=row.publish_at
    )
    row.job = int(task.enqueue(broadcast=row.pk).id)
    row.save(update_fields=["job"])
