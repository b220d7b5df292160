"""Keeping the relevance of memories: told when it reaches another band, never for less."""

from collections.abc import Collection, Iterable
from datetime import timedelta

from django.db.models import F, Q, QuerySet
from django.utils import timezone

from chat import events
from chat.models import Memory
from realtime.log.locks import lock_streams
from realtime.log.writing import publish_many
from realtime.protocol.streams import project_stream

# A conversation that goes on about one thing uses it once: uses are written at most so often.
USED_EVERY = timedelta(hours=1)


def keep_relevance(project_id: int, memories: Collection[int]) -> int:
    """Tell of those whose relevance is another one now; how many. In the effect of a job."""
    lock_streams(project_stream(project_id))
    rows = Memory.objects.filter(project_id=project_id, pk__in=memories).order_by("pk")
    return len(_told(project_id, rows))


def reconsider(memories: Iterable[Memory]) -> None:
    """They were changed: importance and pins count at once. The caller holds their streams."""
    by_project: dict[int, dict[int, Memory]] = {}
    for memory in memories:
        by_project.setdefault(memory.project_id, {})[memory.pk] = memory
    for project_id, rows in sorted(by_project.items()):
        # As they are stored: what is in memory may have been saved in part.
        for told in _told(project_id, Memory.objects.filter(pk__in=rows).order_by("pk")):
            rows[told.pk].relevance = told.relevance


def use_memories(project_id: int, memories: Collection[int]) -> None:
    """They mattered to a message or an answer. The caller holds the project's stream."""
    now = timezone.now()
    unused = Q(used_at=None) | Q(used_at__lt=now - USED_EVERY)
    rows = Memory.objects.filter(unused, project_id=project_id, pk__in=memories)
    used = list(rows.values_list("pk", flat=True)) if memories else []
    if used:
        _silently(used).update(uses=F("uses") + 1, used_at=now)
        keep_relevance(project_id, used)


def _told(project_id: int, rows: Iterable[Memory]) -> list[Memory]:
    now = timezone.now()
    changed: list[Memory] = []
    for row in rows:
        relevance = row.relevance_at(now)
        if row.relevance != relevance:
            row.relevance = relevance
            _silently([row.pk]).update(relevance=relevance)
            changed.append(row)
    publish_many(project_stream(project_id), list(map(events.memory_relevance_changed, changed)))
    return changed


def _silently(memories: Collection[int]) -> QuerySet[Memory]:
    """Announces nothing: uses are no news, and a change of band has an event of its own."""
    return QuerySet(Memory).filter(pk__in=memories)
