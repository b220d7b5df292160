"""Storing, changing and deleting memories."""

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from chat import events
from chat.models import Memory, MemoryDependency, MemoryStatus, User
from chat.queries.access import writing_membership
from chat.queries.expiry import expiring
from realtime.log.locks import lock_streams
from realtime.log.writing import publish
from realtime.protocol.errors import BadRequest, Conflict, NotFound
from realtime.protocol.streams import project_stream
from realtime.retrying import retried


@retried
@transaction.atomic
def store_memory(
    actor: User, project_id: int, *, depends_on: Iterable[int] = (), **fields: Any
) -> Memory:
    """`fields` are the model's own, already validated. Raises NotFound, Forbidden, Conflict."""
    lock_streams(project_stream(project_id))
    writing_membership(actor, project_id)
    reference = fields.get("reference")
    if reference and Memory.objects.filter(project_id=project_id, reference=reference).exists():
        raise Conflict(f"reference: expected a new one, got {reference!r}, which is stored already")
    memory = Memory(project_id=project_id, **fields)
    memory.expiring = expiring(memory, timezone.now())
    memory.save()
    _depend(memory, depends_on)
    return memory


@retried
@transaction.atomic
def remember(actor: User, project_id: int, **fields: Any) -> Memory:
    """As `store_memory`; what is stored in the same words already is given, not stored again: a
    model whose worker died, or whose answer broke off, is asked once more and says the same.

    Raises NotFound, Forbidden.
    """
    lock_streams(project_stream(project_id))
    writing_membership(actor, project_id)
    known = Memory.objects.kept().filter(project_id=project_id, **fields).first()
    return known or store_memory(actor, project_id, **fields)


@retried
@transaction.atomic
def update_memory(
    actor: User, memory_id: int, *, depends_on: Iterable[int] | None = None, **fields: Any
) -> Memory:
    """Raises NotFound, Forbidden, Conflict."""
    memory = _locked(actor, memory_id)
    if memory.status == MemoryStatus.PROPOSED:
        raise Conflict("memory: expected one that is kept, got a proposal; accept it with changes")
    reference = fields.get("reference")
    others = Memory.objects.filter(project_id=memory.project_id, reference=reference)
    if reference and others.exclude(pk=memory.pk).exists():
        raise Conflict(f"reference: expected a new one, got {reference!r}, which is stored already")
    if depends_on is not None:  # first, so that `memory_updated` has them
        _depend(memory, depends_on)
    for name, value in fields.items():
        setattr(memory, name, value)
    memory.expiring = expiring(memory, timezone.now())
    memory.save()
    return memory


@retried
@transaction.atomic
def delete_memory(actor: User, memory_id: int) -> None:
    """Raises NotFound, Forbidden."""
    _locked(actor, memory_id).delete()


def _locked(actor: User, memory_id: int) -> Memory:
    project_id = Memory.objects.filter(pk=memory_id).values_list("project_id", flat=True).first()
    lock_streams(project_stream(project_id or 0))
    try:
        writing_membership(actor, project_id or 0)
    except NotFound as error:
        # One text for a memory of others and for one that does not exist.
        unseen = "memory: expected a memory that you may see, got none by that id"
        raise NotFound(unseen) from error
    return Memory.objects.get(pk=memory_id)


def _depend(memory: Memory, depends_on: Iterable[int]) -> None:
    """Make `depends_on` the whole of what the memory depends on, and tell of it once."""
    wanted = set(depends_on)
    known = set(
        Memory.objects.kept()
        .filter(project_id=memory.project_id, pk__in=wanted)
        .exclude(pk=memory.pk)
        .values_list("pk", flat=True)
    )
    if wanted - known:
        raise BadRequest(
            f"depends_on: expected other memories of the project, got {sorted(wanted - known)[:5]}"
        )
    # The rows by a plain queryset, in silence: the one event has the whole list, where each row's
    # own would repeat it.
    rows: QuerySet[MemoryDependency] = QuerySet(MemoryDependency).filter(memory=memory)
    present = set(rows.values_list("depends_on_id", flat=True))
    if present == wanted:
        return
    rows.filter(depends_on_id__in=present - wanted)._raw_delete(rows.db)  # noqa: SLF001
    rows.bulk_create(
        MemoryDependency(memory=memory, depends_on_id=key) for key in sorted(wanted - present)
    )
    draft = events.dependency_updated(memory.pk, wanted)
    publish(project_stream(memory.project_id), draft)
