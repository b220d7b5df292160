"""Memories proposed from what people say: made by the context engine, decided by members."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from chat.context.findings import Proposal
from chat.models import Memory, MemoryStatus, Message, ProposalRuling, User
from chat.queries.access import writing_membership
from chat.queries.snapshot import MOST_PROPOSALS
from realtime.log.locks import lock_streams
from realtime.log.writing import publishing_together
from realtime.people import display_name
from realtime.protocol.errors import Conflict, NotFound
from realtime.protocol.streams import project_stream
from realtime.retrying import retried

OPEN_FOR = timedelta(days=7)
RULINGS_KEPT_FOR = timedelta(days=7)


def propose(project_id: int, message_id: int, proposals: Sequence[Proposal]) -> None:
    """Store what was recognised in the message, as far as it stands there still and is no news.

    Policy at the bound: the oldest open proposals of the project are discarded. The caller holds
    the project's stream, and sees to it that a message is proposed from once.
    """
    message = Message.objects.filter(pk=message_id, deleted_at=None).only("body").first()
    if message is None or not proposals:
        return
    expires_at = timezone.now() + OPEN_FOR
    rows = [
        Memory(
            project_id=project_id,
            kind=one.kind,
            title=one.title,
            body=one.body,
            status=MemoryStatus.PROPOSED,
            source_message=message_id,
            expires_at=expires_at,
        )
        for one in proposals
        if one.body in message.body and not _is_known(project_id, one)
    ]
    with publishing_together():
        Memory.objects.bulk_create(rows)
        every = Memory.objects.proposed().filter(project_id=project_id).order_by("-pk")
        beyond = list(every.values_list("pk", flat=True)[MOST_PROPOSALS:])
        if beyond:
            Memory.objects.filter(pk__in=beyond).delete()


def _is_known(project_id: int, one: Proposal) -> bool:
    """Whether the project has it already, proposed or kept."""
    same = Memory.objects.filter(project_id=project_id, kind=one.kind, title__iexact=one.title)
    return same.exists()


def withdraw_proposals(messages: Iterable[int]) -> None:
    """Discard the open proposals of messages that do not say it any more: edited, or gone.

    In the transaction that changed them, which holds their streams. What was accepted stays.
    """
    rows = list(Memory.objects.proposed().filter(source_message__in=set(messages)))
    if not rows:
        return
    sources = [row.source_message or 0 for row in rows]
    said = dict(Message.objects.filter(pk__in=sources).values_list("pk", "body"))
    gone = [
        row.pk
        for row, source in zip(rows, sources, strict=True)
        if row.body not in said.get(source, "")
    ]
    Memory.objects.filter(pk__in=gone).delete()


@retried
@transaction.atomic
def accept_proposal(actor: User, project_id: int, memory_id: int, **changes: Any) -> Memory:
    """Keep it, with a title, a body or a kind of the member's own: `changes`, already validated.

    Raises NotFound, Forbidden, Conflict where another member was first.
    """
    row = _open_proposal(actor, project_id, memory_id)
    for name, value in changes.items():
        setattr(row, name, value)
    row.status = MemoryStatus.KEPT
    row.expires_at = None
    row.expiring = False
    row.save()
    _rule(actor, row.project_id, memory_id, accepted=True)
    return row


@retried
@transaction.atomic
def discard_proposal(actor: User, project_id: int, memory_id: int) -> None:
    """Raises NotFound, Forbidden, Conflict where another member was first."""
    row = _open_proposal(actor, project_id, memory_id)
    row.delete()
    _rule(actor, project_id, memory_id, accepted=False)


def _open_proposal(actor: User, project_id: int, memory_id: int) -> Memory:
    """The proposal, its stream locked."""
    lock_streams(project_stream(project_id))
    writing_membership(actor, project_id)
    row: Memory | None = Memory.objects.filter(project_id=project_id, pk=memory_id).first()
    if row is not None and row.status == MemoryStatus.PROPOSED:
        return row
    ruling = ProposalRuling.objects.select_related("user").filter(
        project_id=project_id, memory=memory_id
    )
    if (was := ruling.first()) is not None:
        who = display_name(was.user)
        raise Conflict(f"proposal: expected an open one, got one that {who} has {was.verb}")
    if row is not None:
        raise Conflict("proposal: expected an open one, got a memory that is kept")
    raise NotFound(f"proposal: expected an open one of the project, got {memory_id}")


def _rule(actor: User, project_id: int, memory_id: int, *, accepted: bool) -> None:
    rulings = ProposalRuling.objects.filter(project_id=project_id)
    rulings.filter(at__lt=timezone.now() - RULINGS_KEPT_FOR).delete()
    ProposalRuling.objects.create(
        memory=memory_id, project_id=project_id, user=actor, accepted=accepted
    )
